"""Release, grade, feedback and export: grades are right, and it is safe to do it again.

Hostile work is in test_attacks.py, the book's own assignments in test_assignments.py.
"""

import ast
import base64
import concurrent.futures
import contextlib
import csv
import dataclasses
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib

import nbformat
import pytest
from nbconvert import HTMLExporter

from tests.disks import filling_up, killed_at, locked
from tests.grading import small_course as small
from tests.grading.small_course import NAME, POINTS, SOLUTION, STUB
from tools.grading import __main__ as commands
from tools.grading import (
    bubblewrap,
    cards,
    export,
    feedback,
    grade,
    outcome,
    progress,
    rebuild,
    release,
    report,
    sandbox,
    submissions,
)
from tools.grading import course as courses

ROOT = small.ROOT


@pytest.fixture
def course(tmp_path):
    return small.make(tmp_path)


@pytest.fixture(autouse=True)
def needs_a_sandbox():
    reason = sandbox.unavailable()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


def read(path):
    """The rows of an exported table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# Grades are right.


def test_who_solves_all_gets_all_and_who_changes_nothing_gets_nothing(course):
    small.submit(course, "alice")
    small.submit(course, "bob", {})
    assert small.run(course) == 0
    assert small.points(course, "alice") == POINTS
    assert set(small.points(course, "bob").values()) == {0}
    assert small.marks(course, "alice")["explain"] == (None, None, True)  # a person reads it
    assert small.marks(course, "bob")["explain"] == (0, None, False)  # there is nothing to read
    assert small.sentences(course, "alice") == [] and not small.card(course, "alice").open


def test_a_mistake_costs_its_own_points(course):
    small.submit(course, "alice", SOLUTION | {"double": "def double(x):\n    return x * 2.0"})
    small.run(course)
    assert small.points(course, "alice") == POINTS | {"test-double-text": 0}


def test_what_earns_no_points_costs_none(course):
    """Warnings, a progress bar, a value at the end, cells and figures of one's own, magics."""
    double = (
        "%matplotlib inline\nimport logging, os, sys, warnings\n"
        "logging.basicConfig()\n"
        "class Number:\n"
        "    __slots__ = ('_x',)\n"
        "    def __init__(self, x):\n"
        "        self._x = x\n"
        "    def __eq__(self, other):\n"
        "        return self.__class__ is other.__class__ and self._x == other._x\n"
        "def double(x):\n"
        "    warnings.warn('so what')\n"
        "    logging.info(os.getcwd())\n"
        "    print('to stderr', file=sys.stderr)\n"
        "    assert Number(x) == Number(x)\n"
        "    return getattr(Number(x), '_' + 'x') + eval('x')\n"
        "double(1)"
    )

    def edit(notebook):
        notebook.cells.insert(3, nbformat.v4.new_code_cell("helper = 7\nhelper"))
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell("my notes"))
        notebook.cells.append(nbformat.v4.new_code_cell("1 / 0"))

    small.submit(course, "alice", SOLUTION | {"double": double}, edit=edit)
    small.run(course)
    assert small.points(course, "alice") == POINTS
    assert small.card(course, "alice").decisions == []
    graded = read_graded(course, "alice")
    sources = [cell.source for cell in graded.cells]
    assert "my notes" in sources and sources.index("helper = 7\nhelper") < sources.index(
        small.cell(graded, "test-double")[0].source
    )
    (shown,) = graded.cells[sources.index("helper = 7\nhelper")].outputs
    assert shown.data["text/plain"] == "7"
    assert graded.cells[-1].outputs[-1].ename == "ZeroDivisionError"


def read_graded(course, student, name=NAME):
    path = course.folder("autograded", student, name) / f"{name}.ipynb"
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    return notebook


def test_a_value_at_the_end_of_a_test_is_not_a_grade(course):
    """nbgrader takes a number that a test shows for partial credit; ours are won or lost whole."""
    cells = [
        (kind, name, source + ("\nhalf" if name == "test-double" else ""), more)
        for kind, name, source, more in small.CELLS
    ]
    opened = small.make(course.root / "other", cells)
    small.submit(opened, "alice")
    small.run(opened)
    assert small.points(opened, "alice") == POINTS


def test_a_slow_function_loses_its_own_tests_only(course):
    slow = "def double(x):\n    while True:\n        pass"
    small.submit(course, "alice", SOLUTION | {"double": slow})
    small.run(course, limits=small.frozen(cell_seconds=1))
    lost = {"test-double": 0, "test-double-text": 0}
    assert small.points(course, "alice") == POINTS | lost
    assert any("stopped after 1 seconds" in one for one in small.sentences(course, "alice"))


def test_a_cell_that_dies_does_not_take_the_others_along(course):
    dies = "import ctypes\nctypes.string_at(0)"
    small.submit(course, "alice", SOLUTION | {"double": dies})
    small.run(course)
    assert any("ended the process" in one for one in small.sentences(course, "alice"))
    expected = POINTS | {"test-double": 0, "test-double-text": 0}
    assert small.points(course, "alice") == expected


# What was handed in, however it was.


@pytest.mark.parametrize("zipped", ["student", "assignment", "inside"])
def test_a_zip_does_as_well(course, zipped):
    small.submit(course, "alice", zipped=zipped)
    small.run(course)
    assert small.points(course, "alice") == POINTS


def test_cells_that_moved_vanished_or_were_edited(course):
    def edit(notebook):
        _, place = small.cell(notebook, "test-shout")
        notebook.cells.insert(1, notebook.cells.pop(place))  # before what it tests
        small.cell(notebook, "test-double")[0].source = "assert True"
        notebook.cells.pop(small.cell(notebook, "test-double-text")[1])
        again = nbformat.from_dict(dict(small.cell(notebook, "double")[0]))
        again.source = "def double(x):\n    return 'an earlier try'"
        notebook.cells.insert(small.cell(notebook, "double")[1], again)
        notebook.cells.pop(small.cell(notebook, "explain")[1])

    small.submit(course, "alice", edit=edit)
    small.run(course)
    assert small.points(course, "alice") == POINTS
    told = " ".join(small.sentences(course, "alice"))
    for sentence in (
        "The cell 'test-shout' was moved",
        "The cell 'test-double' was edited",
        "The cell 'test-double-text' was deleted",
        "more than one cell 'double'; the last of them counts",
        "The cell 'explain' is missing",
    ):
        assert sentence in told
    assert small.card(course, "alice").decisions == []
    graded = read_graded(course, "alice")
    names = [courses.marks(cell).get("grade_id") for cell in graded.cells]
    assert [name for name in names if name] == [row[1] for row in small.CELLS if row[1]]


def test_the_fewest_cells_are_said_to_have_moved(course):
    def edit(notebook):
        notebook.cells.append(notebook.cells.pop(small.cell(notebook, "setup")[1]))

    small.submit(course, "alice", edit=edit)
    small.run(course)
    (told,) = small.sentences(course, "alice")
    assert "'setup' was moved" in told


def test_many_cells_that_were_edited_make_one_sentence(course):
    def edit(notebook):
        for cell in notebook.cells:
            if courses.marks(cell) and not courses.marks(cell)["solution"]:
                cell.source += "\n# mine"

    small.submit(course, "alice", edit=edit)
    small.run(course)
    (told,) = small.sentences(course, "alice")
    assert "Of 6 cells each was edited" in told
    assert small.points(course, "alice") == POINTS


def nameless(notebook):
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)


def test_work_whose_cells_have_lost_their_names_is_not_given_nothing_in_silence(course):
    small.submit(course, "alice", edit=nameless)
    small.run(course)
    (told,) = small.sentences(course, "alice")
    assert "has no cell of the assignment" in told and "ask for one" in told
    assert "not graded" in report_row(course, "alice")
    assert feedback.feedback(course, unmarked=True)[0] == {}


def test_work_made_from_the_teachers_copy_is_put_before_the_teacher(course):
    source = nbformat.read(course.folder("source", assignment=NAME) / f"{NAME}.ipynb", 4)
    small.submit(course, "alice").write_text(nbformat.writes(source), "utf-8")
    small.run(course)
    assert set(small.points(course, "alice").values()) == {None}
    assert any("from the teacher's copy" in one for one in small.sentences(course, "alice"))


def test_a_failure_of_the_assignments_own_is_not_the_students(tmp_path):
    cells = [list(row) for row in small.CELLS]
    cells[1][2] = "import a_package_that_is_not_there"
    course = small.make(tmp_path, cells)
    small.submit(course, "alice")
    small.run(course)
    assert small.card(course, "alice").open
    (told,) = [one for one in small.sentences(course, "alice") if "assignment's own" in one]
    assert "'setup'" in told and "ModuleNotFoundError" in told


def test_a_test_that_is_not_run_passes_nobody(tmp_path):
    cells = [list(row) for row in small.CELLS]
    cells[3][2] = "%%bash\ntrue"
    course = small.make(tmp_path, cells)
    small.submit(course, "alice")
    small.run(course)
    assert small.points(course, "alice")["test-double"] == 0
    assert any("'test-double' uses '%%bash'" in one for one in small.sentences(course, "alice"))


def test_what_no_python_can_read_is_said(course):
    def edit(notebook):
        notebook.cells.append(nbformat.v4.new_code_cell("my own = 1\nx = 2"))

    shout = "def shout(words)\n    return 1"
    small.submit(course, "alice", SOLUTION | {"shout": shout}, edit=edit)
    small.run(course)
    told = " ".join(small.sentences(course, "alice"))
    number = len(small.CELLS) + 1
    assert "'shout' is no Python" in told and f"'cell {number}, my own = 1' is no Python" in told


def test_what_ipython_adds_to_python_costs_nothing(course):
    """Help, magics that time or show, and lines that only look like them. Six students."""
    doubles = {
        "asks": f"{small.DOUBLE}\n\ndouble?",
        "times": f"# is it fast?\n{small.DOUBLE}\n# why not?\n%timeit 1+1",
        "goes-on": "def double(x):\n    return (0 * len([x])\n    % 7 or 2 * x)\ndouble??",
        "keeps": f"{small.DOUBLE}\nt = %time double(2)\nassert t == 4",
        "cell": f"\n%%time\n{small.DOUBLE}\n%time four = double(2)\nassert four == 4",
        "pasted": ">>> def double(x):\n...     return 2 * x\n...\n>>> double(3)",
    }
    for student, double in doubles.items():
        small.submit(course, student, SOLUTION | {"double": double})
    small.run(course)
    for student in doubles:
        assert small.points(course, student) == POINTS, student
        assert small.sentences(course, student) == [], student


@pytest.mark.parametrize(
    "line", ["%run helper.py", "%%bash\nls", "x = %timeit -o 1", "import math\nawait math"]
)
def test_what_of_ipython_is_not_run_is_told_the_teacher(course, line):
    code = f"{line}\n{small.DOUBLE}" if line.startswith("%%") else f"{small.DOUBLE}\n{line}"
    small.submit(course, "alice", SOLUTION | {"double": code})
    small.run(course)
    assert not small.card(course, "alice").open
    (told,) = [one for one in small.sentences(course, "alice") if " here" in one]
    assert "The cell 'double' uses " in told


def test_another_assignment_is_recognised(course, capsys):
    """Handed in here, whether it shares no name with this one or a few; and so in the table."""
    others = [list(row) for row in small.CELLS]
    for row in others[3:]:
        row[1] = row[1] and f"other-{row[1]}"
    small.make(course.root, others, "02_other")
    for student, cells in (("alice", others), ("bob", others[3:])):
        apart = small.make(course.root / student, cells, NAME)
        text = nbformat.writes(small.answered(apart, {"double": small.DOUBLE}))
        small.submit(course, student).write_text(text, "utf-8")
    small.submit(course, "carol")
    small.run(course, only=NAME)
    printed = capsys.readouterr()[0]
    for student in ("alice", "bob"):
        (told,) = small.sentences(course, student)
        assert "is 02_other, by the names of its cells, and not 01_small" in told
        assert f"NEEDS YOU  {student}" in printed and "not graded" in report_row(course, student)
    assert small.points(course, "carol") == POINTS
    path = export.export(course, NAME).paths[0]
    assert [row["status"] for row in read(path)] == ["unreadable", "unreadable", "not final"]


def test_many_cells_of_unknown_names_make_one_sentence(course):
    def edit(notebook):
        for number in range(20):
            cell = nbformat.v4.new_code_cell("x = 1")
            cell.metadata["nbgrader"] = {"grade_id": f"odd-{number}"}
            notebook.cells.append(cell)

    small.submit(course, "alice", edit=edit)
    small.run(course)
    (told,) = small.sentences(course, "alice")
    assert "Of 20 cells each has a name that the assignment does not know" in told
    assert small.points(course, "alice") == POINTS


STRAYS = {
    "gus/01_smal/01_smal.ipynb": True,
    "sam/01_Small/01_Small.ipynb": True,
    "tom/01_small /01_small.ipynb": True,
    "pia/01_small.ipynb": True,
    "01_small.ipynb": True,
    "eve/essay.zip": False,
    "ann.tar.gz": False,
    "ben.7z": False,
    "cat.rar": False,
    "dan/01_small.tar.gz": True,
    "fay/01_small.7z": True,
    "gil/01_small.py": True,
    "hal/01_small.html": True,
    "ida/answers.pdf": False,
    "jon/01_smal/01_small.py": True,
    "kay/01_small": True,
    "lee/Homework/01_small/01_small.ipynb": False,
}


@pytest.mark.parametrize("place", STRAYS)
def test_work_in_a_place_where_none_is_looked_for_is_reported(course, place, capsys):
    path = course.root / "submitted" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    small.run(course)
    printed = capsys.readouterr()[0]
    told = next(line for line in printed.splitlines() if "NEEDS YOU" in line)
    assert f"submitted/{place.split('/')[0]}" in told and "remove it" in told
    assert (f"Is it {NAME}?" in told) == STRAYS[place]
    small.submit(course, "alice")
    small.run(course)
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "Needs you" in report and f"submitted/{place.split('/')[0]}" in report


@pytest.mark.parametrize("folder", ["ann", "ann/01_smal"])
def test_an_empty_folder_is_reported(course, folder, capsys):
    (course.root / "submitted" / folder).mkdir(parents=True)
    (course.root / "submitted" / folder / ".DS_Store").touch()
    small.run(course)
    assert f"submitted/{folder} is an empty folder" in capsys.readouterr()[0]


def test_a_zip_of_something_else_is_reported(course, capsys):
    path = course.root / "submitted" / "kim.zip"
    path.parent.mkdir(exist_ok=True)
    for name, told in {
        "homework/1_small.ipynb": f"but '1_small.ipynb'. Is it {NAME}?",
        "01_small/01_small.py": f"but '01_small.py'. Is it {NAME}?",
        "01_small.zip": f"but '01_small.zip'. Is it {NAME}?",
        "answers.pdf": "but 'answers.pdf'. Put it",
        "__MACOSX/._x.ipynb": "but nothing. Put it",
    }.items():
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "{}")
        small.run(course)
        assert told in capsys.readouterr()[0], name


def test_what_systems_leave_behind_is_nobodys_work(course, capsys):
    small.submit(course, "alice")
    for place in (".DS_Store", "Thumbs.db", "__MACOSX/._alice", "alice/desktop.ini"):
        path = course.root / "submitted" / place
        path.parent.mkdir(exist_ok=True)
        path.touch()
    small.run(course)
    assert "NEEDS YOU" not in capsys.readouterr()[0]


def test_what_lies_in_a_folder_without_a_notebook_is_named(course):
    for student, name in (("ann", "01_small.py"), ("ben", "01_small.ipynb.txt"), ("cat", "a.7z")):
        path = course.root / "submitted" / student / NAME / name
        path.parent.mkdir(parents=True)
        path.touch()
    (course.root / "submitted" / "dan" / NAME).mkdir(parents=True)
    small.run(course)
    for student, name in (("ann", "01_small.py"), ("ben", "01_small.ipynb.txt"), ("cat", "a.7z")):
        (told,) = small.sentences(course, student)
        assert f"no notebook in its folder, but '{name}'" in told
    (told,) = small.sentences(course, "dan")
    assert "no notebook in its folder, which is empty" in told


def test_what_lies_beside_the_notebook_is_named_unless_we_gave_it(course):
    path = small.submit(course, "alice")
    for name in ("README.md", "requirements.txt", "timestamp.txt", ".DS_Store"):
        (path.parent / name).touch()
    (path.parent / "utils").mkdir()
    small.run(course)
    assert small.sentences(course, "alice") == []
    for name in ("answers.pdf", "better.7z"):
        (path.parent / name).touch()
    small.run(course)
    (told,) = small.sentences(course, "alice")
    assert "Nobody has read what lies beside it: 'answers.pdf', 'better.7z'." in told
    assert small.points(course, "alice") == POINTS and not small.card(course, "alice").open


def test_what_lies_beside_the_notebook_in_a_zip_is_named(course):
    path = small.submit(course, "alice", zipped="student")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("README.md", "utils/models/markov.py", "answers.pdf"):
            archive.writestr(f"{NAME}/{name}", "")
    assert submissions.read(course, "alice", NAME).notes == (
        "Nobody has read what lies beside it: 'answers.pdf'.",
    )
    with zipfile.ZipFile(small.submit(course, "bob", zipped="assignment"), "w") as archive:
        archive.writestr("01_small.py", "")
    with pytest.raises(submissions.Refused, match=r"without a notebook.*, but '01_small\.py'"):
        submissions.read(course, "bob", NAME)


def test_capital_letters_at_the_end_of_a_name(course):
    """Some systems and programs write .ZIP and .IPYNB."""
    small.submit(course, "ann", zipped="student").rename(course.root / "submitted" / "ann.ZIP")
    path = small.submit(course, "ben", zipped="assignment")
    path.rename(path.with_suffix(".Zip"))
    path = small.submit(course, "cat", zipped="inside")
    path.rename(path.with_suffix(".ZIP"))
    path = small.submit(course, "dan")
    path.rename(path.with_suffix(".IPYNB"))
    path = small.submit(course, "eve", zipped="assignment")
    pack(path, f"{NAME}.IPYNB", small.answered(course, SOLUTION))
    small.run(course)
    for student in ("ann", "ben", "cat", "dan", "eve"):
        assert small.points(course, student) == POINTS, student


def pack(path, name, notebook):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, nbformat.writes(notebook))


def test_a_zip_with_backslashes_is_read_as_windows_meant_it(course):
    path = small.submit(course, "alice", zipped="student")
    pack(path, f"my work\\{NAME}\\{NAME}.ipynb", small.answered(course, SOLUTION))
    small.run(course)
    assert small.points(course, "alice") == POINTS


def test_a_zip_may_hold_what_a_folder_may(course):
    """Repeated output packs a thousand to one; the size is what counts, and is the same."""
    notebook = small.answered(course, SOLUTION)
    stream = nbformat.v4.new_output("stream", text="step 1 of 1000: loss 0.5\n" * 100_000)
    small.cell(notebook, "double")[0].outputs = [stream]
    pack(small.submit(course, "alice", zipped="assignment"), f"{NAME}.ipynb", notebook)
    assert submissions.read(course, "alice", NAME).data
    stream.text *= 5
    text = nbformat.writes(notebook)
    small.submit(course, "bob").write_text(text, "utf-8")
    pack(small.submit(course, "carol", zipped="assignment"), f"{NAME}.ipynb", notebook)
    noise = os.urandom(6_000_000).hex()
    path = small.submit(course, "dave", zipped="assignment")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{NAME}.ipynb", noise)
    for student, size in (("bob", 18), ("carol", 18), ("dave", 12)):
        with pytest.raises(submissions.Refused, match=f"too large.*{size} MB.*10 MB are the limit"):
            submissions.read(course, student, NAME)


def test_a_zip_of_several_may_be_as_large_as_they(course):
    """Pictures do not pack; what lies beside a notebook is not read, in a folder as in a zip."""
    small.submit(course, "alice", zipped="student")
    with zipfile.ZipFile(course.root / "submitted" / "alice.zip", "a") as archive:
        archive.writestr("02/pictures.ipynb", os.urandom(30_000_000))
    assert submissions.read(course, "alice", NAME).data


def report_row(course, student):
    text = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {student} |")]
    return row


def test_the_table_says_what_waits_for_a_person(course):
    small.submit(course, "alice")
    small.submit(course, "bob").write_text("once upon a time")
    (course.root / "submitted" / "Rosa Müller" / NAME).mkdir(parents=True)
    small.run(course)
    assert report_row(course, "alice") == "| alice | 8 | 10 |  | to do: explain |"
    assert "not graded" in report_row(course, "bob")
    assert "not graded" in report_row(course, "Rosa Müller")
    mark(course, "alice", 2)
    small.run(course)
    assert report_row(course, "alice") == "| alice | 10 | 10 |  | done |"
    mark(course, "alice", 99)
    small.run(course)
    assert any("99 points by hand, of 2" in one for one in small.sentences(course, "alice"))


def mark(course, student, points):
    with course.gradebook() as book:
        grade = book.find_grade("explain", NAME, NAME, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()


BROKEN = {
    "not JSON": b"once upon a time",
    "deep": b"[" * 200_000,
    "a list": b"[]",
    "an old format": b'{"nbformat": 3, "worksheets": []}',
    "cells that are no cells": b'{"nbformat": 4, "cells": [1, 2]}',
    "text that is no text": b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": {}}]}',
    "huge": json.dumps(
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": "#" * 200_000}]}
    ).encode(),
    "many": json.dumps({"nbformat": 4, "cells": [{}] * 1000}).encode(),
    "not UTF-8": b"\xff\xfe\x00",
    "empty": b"",
}


def test_one_that_is_broken_does_not_stop_the_others(course):
    small.submit(course, "alice")
    for number, data in enumerate(BROKEN.values()):
        path = small.submit(course, f"broken-{number}")
        path.write_bytes(data)
    (course.root / "submitted" / "zoe" / NAME).mkdir(parents=True)
    small.submit(course, "zora")
    assert small.run(course) == 0
    assert small.points(course, "alice") == small.points(course, "zora") == POINTS
    for student in [f"broken-{number}" for number in range(len(BROKEN))] + ["zoe"]:
        (told,) = small.sentences(course, student)
        assert "This submission " in told, student
    done = export.export(course)
    path, open_ones = done.paths[0], done.open
    table = {row["student_id"]: row for row in read(path)}
    assert (table["broken-3"]["score"], table["broken-3"]["status"]) == ("", "unreadable")
    assert any(who == "broken-3" and "cannot be graded" in why for who, _, _, why in open_ones)


def spoiled(course, student, zipped="assignment"):
    """A zip whose directory is sound and whose data are not."""
    path = small.submit(course, student, zipped=zipped)
    pack(path, f"{NAME}.ipynb", small.answered(course, SOLUTION))
    data = bytearray(path.read_bytes())
    data[100:400] = b"\xff" * 300
    path.write_bytes(data)


@pytest.mark.parametrize("zipped", ["student", "assignment", "inside"])
def test_a_zip_with_spoiled_data_does_not_stop_the_others(course, zipped):
    small.submit(course, "alice")
    spoiled(course, "mallory", zipped)
    small.submit(course, "zoe")
    small.submit(course, "zora")
    spoiled(course, "zora")  # beside her folder
    assert small.run(course) == 0
    assert small.points(course, "alice") == small.points(course, "zoe") == POINTS
    (told,) = small.sentences(course, "mallory")
    assert "This submission is a zip that cannot be read" in told
    assert any("They differ" in one for one in small.sentences(course, "zora"))


def test_whatever_reading_one_raises_is_its_own_report(course, monkeypatch):
    """No list of errors is complete: bad disks, other people's rights, bugs of ours."""
    for student in ("alice", "mallory", "zoe"):
        small.submit(course, student)
    real_read, real_iterdir = submissions.regular, pathlib.Path.iterdir

    def regular(path, most, **more):
        if "mallory" in path.parts:
            raise ZeroDivisionError("nobody has thought of this")
        return real_read(path, most, **more)

    def iterdir(path):
        if path.name == "mallory":
            raise PermissionError(13, "not yours")
        return real_iterdir(path)

    with monkeypatch.context() as patch:
        patch.setattr(submissions, "regular", regular)
        assert small.run(course) == 0
        (told,) = small.sentences(course, "mallory")
        assert "cannot be read" in told and "nobody has thought of this" in told
    assert small.points(course, "alice") == small.points(course, "zoe") == POINTS
    monkeypatch.setattr(pathlib.Path, "iterdir", iterdir)
    assert small.run(course) == 0
    (told,) = small.sentences(course, "mallory")
    assert "cannot be read" in told and "not yours" in told


NOT_UTF8 = os.fsdecode("Müller".encode("latin-1"))


def test_names_that_are_not_utf8(course, grading):
    """A folder that was packed on an old system; names with what a terminal takes for orders."""
    top = course.root / "submitted"
    for folder in (NOT_UTF8, "red \x1b[31m"):
        (top / folder / NAME).mkdir(parents=True)
    path = small.submit(course, "alice")
    (path.parent / f"{NOT_UTF8}.pdf").touch()
    (top / "bob").mkdir()
    (top / "bob" / f"{NOT_UTF8}.zip").touch()
    (top / f"{NOT_UTF8}.rar").touch()
    small.submit(course, "zoe", zipped="assignment").rename(top / "zoe" / f"{NAME}.zip")
    path = small.submit(course, "zoe", zipped="inside")
    path.rename(path.with_name(f"{NOT_UTF8}.zip"))
    with open(os.devnull, "w", encoding="ascii") as terminal, contextlib.redirect_stdout(terminal):
        small.run(course)
    printed, failed = grading("grade")
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert failed is None and small.points(course, "alice") == POINTS
    for text in (printed, report):
        assert text.count(r"M\udcfcller") >= 5 and r"red \x1b" in text
        assert "\x1b" not in text


def test_a_terminal_that_cannot_show_a_name(course):
    (course.root / "submitted" / "Rosa Müller" / NAME).mkdir(parents=True)
    small.submit(course, "alice")
    done = subprocess.run(
        [sys.executable, "-m", "tools.grading", "grade"],
        cwd=ROOT,
        env={**os.environ, "COURSE": str(course.root), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert r"NEEDS YOU  Rosa M\xfcller" in done.stdout
    assert small.points(course, "alice") == POINTS


def test_an_error_that_cannot_be_printed_is_reported(course, capsys):
    raises = r"raise SyntaxError('\ud800' + chr(10) + '- **zoe**: forged')"
    small.submit(course, "alice", SOLUTION | {"shout": raises})
    small.run(course)
    assert r"\ud800\n- **zoe**: forged" in capsys.readouterr()[0]
    assert small.sentences(course, "zoe") == []


def test_a_name_no_student_can_have(course):
    small.submit(course, "alice")
    (course.root / "submitted" / "--help" / NAME).mkdir(parents=True)
    small.run(course)
    assert small.points(course, "alice") == POINTS
    assert small.sentences(course, "--help")


# It is safe to do it again.


def test_a_second_time_changes_nothing(course, monkeypatch):
    small.submit(course, "alice")
    small.submit(course, "bob", SOLUTION | {"shout": STUB})
    small.run(course)
    before = small.everything(course)
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "run", lambda *_, **__: pytest.fail("ran again"))
        small.run(course)
    assert small.everything(course) == before
    small.run(course, force=True)
    assert small.everything(course) == before


@pytest.mark.parametrize("command", ["release", "grade", "feedback", "export"])
@pytest.mark.parametrize("what", ["a full disk", "a disk to read only"])
def test_a_disk_that_takes_nothing_is_one_line(open_folder, monkeypatch, capsys, command, what):
    """And when there is room again, the same command does what it does."""
    course = small.make(open_folder / "course")
    small.submit(course, "alice")
    small.run(course)
    small.submit(course, "alice", SOLUTION | {"explain": "Another."})
    if command != "grade":
        small.run(course)
    monkeypatch.setenv("COURSE", str(course.root))
    monkeypatch.setenv("UNMARKED", "1")
    before = small.everything(course)
    capsys.readouterr()
    folders = [course.root, *(path for path in course.root.rglob("*") if path.is_dir())]
    with filling_up(100) if what == "a full disk" else locked(*folders):
        ended = commands.ended(command)
        told = capsys.readouterr()
    if command == "feedback" and ended == 0:  # what is wrong with each page is said of each
        assert "0 pages" in told.out and "none yet for alice" in told.out
    else:
        assert isinstance(ended, str) and "\n" not in ended
    assert small.everything(course) == before
    assert commands.ended(command) == 0


def test_a_disk_that_fills_up_within_the_gradebook_is_one_line(course, monkeypatch):
    """nbgrader has a name of its own for what the database cannot write."""
    small.submit(course, "alice")
    monkeypatch.setenv("COURSE", str(course.root))
    with course.gradebook():
        pass  # now it is there
    with filling_up(3000):
        ended = commands.ended("grade")
    assert isinstance(ended, str) and "sqlite3" in ended and "\n" not in ended


def test_what_a_person_has_decided_stays(course):
    small.submit(course, "alice", SOLUTION | {"shout": STUB})
    small.run(course)
    with course.gradebook() as book:
        written = book.find_grade("explain", NAME, NAME, "alice")
        written.manual_score, written.needs_manual_grade = 1.5, False
        kind = book.find_grade("test-shout", NAME, NAME, "alice")
        kind.manual_score, kind.needs_manual_grade = 1, False
        book.find_comment("explain", NAME, NAME, "alice").manual_comment = "Well said."
        book.db.commit()
    before = small.everything(course)
    small.run(course, force=True)
    assert small.everything(course) == before
    # Of new work the answer that has changed is looked at again, and nothing that was said is lost.
    for answer, again in ((small.ANSWER, False), ("Another answer.", True)):
        small.submit(course, "alice", SOLUTION | {"explain": answer})
        small.run(course)
        now = small.marks(course, "alice")
        assert now["test-shout"] == (2, 1, True) and now["explain"] == (None, 1.5, again)
    with course.gradebook() as book:
        assert book.find_comment("explain", NAME, NAME, "alice").manual_comment == "Well said."


def test_new_work_is_graded_and_only_that(course, monkeypatch):
    small.submit(course, "alice")
    small.submit(course, "bob", {})
    small.run(course)
    small.submit(course, "bob")
    ran, real = [], sandbox.run
    monkeypatch.setattr(sandbox, "run", lambda *a, **k: ran.append(1) or real(*a, **k))
    small.run(course)
    assert len(ran) == 1 and small.points(course, "bob") == POINTS


def test_one_student_is_graded_again_alone(course, monkeypatch, grading):
    for student in ("alice", "bob", "carol"):
        small.submit(course, student)
    small.run(course)
    ran, real = [], sandbox.run
    monkeypatch.setattr(sandbox, "run", lambda *a, **k: ran.append(1) or real(*a, **k))
    assert "2 graded" in grading("grade", STUDENT="alice, carol")[0] and len(ran) == 2
    assert "0 graded" in grading("grade", STUDENT="nobody")[0]


@pytest.mark.parametrize("name, command", [("FORCE", "grade"), ("UNMARKED", "feedback")])
def test_what_is_neither_yes_nor_no_is_said_to_be_neither(course, grading, name, command):
    small.submit(course, "alice")
    small.run(course)
    for word in ("1", "yes", "True", "0", "no", "false", ""):
        assert grading(command, **{name: word})[1] is None
    said = f"{name}=maybe is neither yes nor no: give {name}=1, or leave it out."
    assert grading(command, **{name: "maybe"})[1] == said


def test_all_is_graded_again_when_a_test_has_changed(course):
    small.submit(course, "alice")
    small.run(course)
    cells = [
        (kind, name, source.replace("== 6", "== 7") if name == "test-double" else source, more)
        for kind, name, source, more in small.CELLS
    ]
    small.run(small.make(course.root, cells))
    assert small.points(course, "alice") == POINTS | {"test-double": 0}


def test_an_interrupted_run_goes_on_where_it_was(course, monkeypatch):
    for student in ("alice", "bob", "carol", "dave"):
        small.submit(course, student)
    real, saved = grade.scores.save, []

    def save(*arguments, **more):
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(1)
        return real(*arguments, **more)

    monkeypatch.setattr(grade.scores, "save", save)
    with pytest.raises(KeyboardInterrupt):
        small.run(course, workers=1)
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert "The grading was stopped; not graded yet: " in report
    monkeypatch.setattr(grade.scores, "save", real)
    ran, run = [], sandbox.run
    monkeypatch.setattr(sandbox, "run", lambda *a, **k: ran.append(1) or run(*a, **k))
    small.run(course)
    assert len(ran) == 2
    for student in ("alice", "bob", "carol", "dave"):
        assert small.points(course, student) == POINTS


@pytest.mark.parametrize(
    "moment, of", [("save", grade.scores), ("write", grade), ("write_report", grade.report)]
)
def test_killed_while_grading_again_what_a_person_has_decided_stays(course, moment, of):
    """Before the gradebook, the notebook and the report are written, when all is graded anew."""
    small.submit(course, "alice")
    small.run(course)
    mark(course, "alice", 1.5)
    before = small.everything(course)
    cards.write_card(course, dataclasses.replace(small.card(course, "alice"), accepted=True))

    def again():
        sandbox._keeper = concurrent.futures.ThreadPoolExecutor(1)  # threads do not come along
        small.run(course, force=True)

    killed_at(moment, again, of=of)
    assert small.everything(course) == before and small.card(course, "alice").accepted
    status = feedback.of_submission(course, grade.template(course, NAME), "alice")[0]
    assert status == ("final" if moment == "write_report" else "not graded")
    small.run(course)
    assert small.everything(course) == before and small.card(course, "alice").accepted
    assert feedback.of_submission(course, grade.template(course, NAME), "alice")[0] == "final"


def test_scores_are_written_all_or_none(course, monkeypatch):
    small.submit(course, "alice", {})
    small.run(course)
    before = small.everything(course)
    small.submit(course, "alice")
    real, calls = grade.scores.Save._add_score, []

    def breaks(self, cell, resources):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("the disk is full")
        real(self, cell, resources)

    monkeypatch.setattr(grade.scores.Save, "_add_score", breaks)
    assert small.run(course) == 1
    assert small.everything(course) == before
    assert any("the disk is full" in one for one in small.sentences(course, "alice"))
    monkeypatch.setattr(grade.scores.Save, "_add_score", real)
    assert small.run(course) == 0 and small.points(course, "alice") == POINTS


def test_a_decision_counts_for_that_work_only(course, capsys):
    """Of two versions that differ: withheld, decided, remembered, and asked anew of other work."""
    small.submit(course, "alice")
    small.submit(course, "alice", {}, zipped="assignment")
    small.run(course)
    assert set(small.points(course, "alice").values()) == {None}
    assert "The points of alice wait for your decision" in capsys.readouterr()[0]
    assert report_row(course, "alice").startswith("| alice | – | 10 |")
    assert all(needed for _, _, needed in small.marks(course, "alice").values())
    assert feedback.feedback(course) == ({}, [("alice", NAME, "needs your decision")])
    small.run(course, trust=["alice"])
    assert small.points(course, "alice") == POINTS
    small.run(course, force=True)
    assert small.points(course, "alice") == POINTS  # it is remembered
    small.submit(course, "alice", SOLUTION | {"shout": f"{small.SHOUT}\n# better"})
    small.run(course)
    assert set(small.points(course, "alice").values()) == {None}  # other work, another decision


def test_what_is_only_to_be_looked_at_counts_and_is_told_until_it_was(tmp_path, capsys):
    """The source says what an answer does without; it is read, through names that stand for it."""
    course = small.make(tmp_path)
    path = course.folder("source", assignment=NAME) / f"{NAME}.ipynb"
    source = nbformat.read(path, 4)
    source.metadata["grading"] = {"without": ["numpy", "half"]}
    nbformat.write(source, path)
    double = "import numpy as np\ndef twice(x):\n    return np.add(x, x)\n"
    double += "def double(x):\n    return x + x if isinstance(x, str) else twice(x)"
    small.submit(course, "alice", SOLUTION | {"double": double})

    def tries(notebook):  # nothing that is graded depends on it
        notebook.cells.append(nbformat.v4.new_code_cell("import numpy\nnumpy.ones(half)"))

    small.submit(course, "bob", edit=tries)
    small.run(course)
    assert small.points(course, "alice") == small.points(course, "bob") == POINTS
    assert "wait for your decision" not in capsys.readouterr()[0]  # nothing is withheld
    (told,) = small.sentences(course, "alice")
    assert "'double' uses 'numpy'" in told and small.sentences(course, "bob") == []
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert report.index("Needs you") < report.index("uses 'numpy'")
    small.run(course, trust=["alice"])
    report = (course.root / "reports" / f"{NAME}.md").read_text("utf-8")
    assert report.index("Noticed") < report.index("uses 'numpy'")


def test_many_oddities_do_not_hide_one(course):
    """Sixty shell commands before what matters."""

    def edit(notebook):
        notebook.cells[:0] = [nbformat.v4.new_code_cell(f"%odd{i}") for i in range(60)]

    leaves = "import subprocess\nsubprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    small.submit(course, "alice", SOLUTION | {"double": leaves + small.DOUBLE}, edit=edit)
    small.run(course)
    told = small.sentences(course, "alice")
    assert any("left processes running" in one for one in told) and len(told) < 40


@pytest.mark.parametrize("when", ["9" * 30, "0001-01-01 00:00:00 +1400"])
def test_a_time_that_is_none_costs_nobody_else_anything(course, when):
    for student in ("alice", "mallory"):
        path = small.submit(course, student)
    (path.parent / "timestamp.txt").write_text("2026-01-01 00:00:00 UTC")
    small.run(course)
    (path.parent / "timestamp.txt").write_text(when)
    assert small.run(course) == 0
    assert small.points(course, "alice") == small.points(course, "mallory") == POINTS


def test_late_work_is_recorded_as_nbgrader_does(course):
    path = small.submit(course, "alice")
    (path.parent / "timestamp.txt").write_text("2026-03-01 12:00:00.000000 UTC\n")
    small.run(course)
    with course.gradebook() as book:
        submission = book.find_submission(NAME, "alice")
        assert str(submission.timestamp) == "2026-03-01 12:00:00"


def test_nbgraders_exchange_finds_what_it_needs_to_return_feedback(course):
    path = small.submit(course, "alice")
    (path.parent / "submission_secret.txt").write_text("5ec4e7" * 10)
    (path.parent / "other.txt").write_text("no business of ours")
    small.run(course)
    made, _ = feedback.feedback(course, unmarked=True)
    folder = made["alice", NAME].parent
    assert (folder / "submission_secret.txt").read_text() == "5ec4e7" * 10
    assert not (folder / "other.txt").exists()


def test_no_page_stays_of_what_has_changed_since(course):
    for student in ("alice", "bob"):
        small.submit(course, student)
    small.run(course)
    made, _ = feedback.feedback(course, unmarked=True)
    small.submit(course, "alice", SOLUTION | {"shout": "def shout(words):\n    return []"})
    assert feedback.feedback(course, unmarked=True)[1] == [("alice", NAME, "is not graded yet")]
    assert [one for one in made if made[one].exists()] == [("bob", NAME)]


# Without a sandbox there is no grading, unless told so in so many words.


@pytest.fixture
def grading(course, monkeypatch, capsys):
    """Call a command as `make` does: what it prints, and what it complains about."""

    def call(command, **environ):
        with monkeypatch.context() as patch:
            for name, value in {"COURSE": str(course.root), **environ}.items():
                patch.setenv(name, value)
            sandbox.unavailable.cache_clear()
            capsys.readouterr()
            try:
                assert commands.main(command) == 0
            except (courses.GradingError, sandbox.NoSandbox) as error:
                return None, str(error)
            finally:
                sandbox.unavailable.cache_clear()
        return capsys.readouterr()[0], None

    return call


def test_without_a_sandbox_it_refuses(course, grading, tmp_path_factory):
    small.submit(course, "alice")
    empty = str(tmp_path_factory.mktemp("no programs"))
    _, refused = grading("grade", PATH=empty)
    assert "bubblewrap is not installed" in refused and "nothing is graded" in refused
    assert "apt install bubblewrap" in refused and bubblewrap.CONSENT in refused
    _, refused = grading("grade", PATH=empty, UNSAFE_NO_SANDBOX="yes")
    assert "UNSAFE_NO_SANDBOX is 'yes'" in refused
    with course.gradebook() as book:
        assert book.students == []
    done, refused = grading("grade", PATH=empty, UNSAFE_NO_SANDBOX=bubblewrap.CONSENT)
    assert refused is None and "1 graded" in done
    assert small.points(course, "alice") == POINTS
    assert any("without a sandbox" in one for one in small.sentences(course, "alice"))


def test_a_sandbox_that_cannot_start_says_so(tmp_path, monkeypatch):
    fake = tmp_path / "bwrap"
    fake.write_text(
        '#!/bin/sh\n[ "$1" = --help ] && echo --disable-userns && exit\n'
        'echo "bwrap: setting up uid map: Permission denied" >&2; exit 1\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    sandbox.unavailable.cache_clear()
    try:
        reason = sandbox.unavailable()
    finally:
        sandbox.unavailable.cache_clear()
    assert "cannot start here (bwrap: setting up uid map: Permission denied)" in reason
    assert "user namespaces" in reason and bubblewrap.CONSENT in reason


# The commands, and what goes to the students.


def test_the_commandfrom_release_to_export(course, grading):
    assert f"{NAME}.zip" in grading("release", ASSIGNMENT=NAME)[0]
    path = small.submit(course, "alice")
    shutil.copy(course.root / "release" / NAME / f"{NAME}.ipynb", path)  # as it stands
    small.submit(course, "bob", SOLUTION | {"shout": STUB})
    assert f"{NAME}: 2 graded in " in grading("grade", ASSIGNMENT=NAME)[0]
    (course.root / "submitted" / "Rosa Müller" / NAME).mkdir(parents=True)
    assert "0 graded" in grading("grade")[0] and "2 graded" in grading("grade", FORCE="1")[0]
    given = grading("feedback")[0]
    assert "1 pages" in given and "bob, 01_small: has answers to be marked by hand" in given
    assert "2 pages" in grading("feedback", UNMARKED="1")[0]
    exported = grading("export")[0]
    assert "grades.csv" in exported and "not final: bob, 01_small" in exported
    assert "alice" not in exported  # who left the written answer as it was
    rows = {row["student_id"]: row for row in read(course.root / "grades.csv")}
    assert list(rows) == ["alice", "bob"]
    assert float(rows["alice"]["score"]) == 0 and float(rows["bob"]["score"]) == 5
    assert float(rows["bob"]["max_score"]) == 10
    assert f"grades_moodle/{NAME}.csv" not in exported
    _, wrong = grading("export", FORMAT="moodle")
    assert wrong.startswith("FORMAT=moodle needs the column `email` in ")
    assert f"{NAME}-statistics-names.html" in grading("statistics", NAMES="1")[0]
    assert f"to look at: {NAME}, pairs: 0" in grading("similarity")[0]
    for command in commands.COMMANDS:
        if command == "formgrader":  # becomes a server
            continue
        _, wrong = grading(command, ASSIGNMENT="02_none")
        assert wrong == f"There is no assignment '02_none'. There are: {NAME}."


@pytest.mark.parametrize("command", ["grade", "feedback"])
def test_elsewhere_than_on_a_terminal_progress_is_lines(course, grading, monkeypatch, command):
    small.submit(course, "alice")
    small.submit(course, "bob")
    if command == "feedback":
        small.run(course)
    assert f"{NAME}: " not in grading("release")[0]
    monkeypatch.setattr(progress, "EVERY", 0)
    printed, _ = grading(command, UNMARKED="1")
    done = "graded" if command == "grade" else "pages made"
    lines = [line for line in printed.splitlines() if line.startswith(f"{NAME}: 2 of 2 {done}, ")]
    assert lines and lines[0].endswith(" s")


def test_make_calls_the_commands():
    """Only what `make` would run: running it here could set the environment up anew."""
    for command in commands.COMMANDS:
        shown = subprocess.run(
            ["make", "--no-print-directory", "-n", command, "ASSIGNMENT=x"],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
            capture_output=True,
            text=True,
        )
        assert f"-m tools.grading {command}" in shown.stdout


def test_what_is_released_shows_no_secret(course):
    (path,) = release.release(course)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        text = archive.read(f"{NAME}/{NAME}.ipynb").decode()
        readme = archive.read(f"{NAME}/README.md").decode()
        wanted = archive.read(f"{NAME}/requirements.txt").decode()
    for secret in ("2 * x", "upper", "abab", "secret", "HIDDEN", "SOLUTION"):
        assert secret not in text
    assert "write this" in text and f"jupyter lab {NAME}.ipynb" in readme
    assert "torch==" in wanted and "jupyterlab==" in wanted and "pytest" not in wanted
    assert f"{NAME}/utils/models/markov.py" in names and f"{NAME}/constraints.txt" in names
    ours = {name.partition("/")[2] for name in names if name.count("/") == 1}
    assert ours == submissions.GIVEN | {f"{NAME}.ipynb"}  # handed in again, it is no news
    assert not any("__pycache__" in name for name in names)
    first = path.read_bytes()
    time.sleep(0.01)
    release.release(course)
    assert path.read_bytes() == first


def test_a_released_secret_is_noticed(course):
    cells = [*small.CELLS, ("markdown", None, f"A hint:\n\n{small.SHOUT}", {})]
    opened = small.make(course.root / "leaky", cells)
    with pytest.raises(courses.GradingError, match="shows a secret line of 'shout'"):
        source = opened.folder("source", assignment=NAME) / f"{NAME}.ipynb"
        notebook = nbformat.read(source, 4)
        leaked = notebook.cells.pop()
        nbformat.write(notebook, source)
        released = small.answered(opened, {})
        released.cells.append(leaked)
        release.check(opened, NAME, nbformat.writes(released))


def test_a_source_that_is_not_valid(course):
    path = course.folder("source", assignment=NAME) / f"{NAME}.ipynb"
    path.write_text(path.read_text().replace("### END SOLUTION", "### THE END"))
    with pytest.raises(courses.GradingError, match="not a valid assignment"):
        small.run(course)


def test_a_released_notebook_runs_where_only_its_zip_is(course, tmp_path):
    """With the packages of the environment but without the book: `utils` is the one in the zip."""
    code = (
        "from utils.models import markov\n"
        "from utils.checkpoints.store import load_checkpoint\n"
        "load_checkpoint('pets-ar')\n"
        "print(markov.__file__)"
    )
    opened = small.make(course.root / "full", [*small.CELLS, ("code", "uses", code, {})])
    (path,) = release.release(opened)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "student")
    folder = tmp_path / "student" / NAME
    notebook = nbformat.read(folder / f"{NAME}.ipynb", 4)
    packages = next(entry for entry in sys.path if entry.endswith("site-packages"))
    ran = subprocess.run(  # -S: the book's own entry in site-packages is not read
        [sys.executable, "-S", "-c", f"import sys; sys.path.append({packages!r})\n{code}"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.strip() == str(folder / "utils" / "models" / "markov.py"), ran.stderr
    assert notebook.metadata.kernelspec.name == "python3"


def test_work_of_which_no_page_can_be_made_does_not_keep_others_from_theirs(course):
    def edit(notebook):
        notebook.cells.append(nbformat.v4.new_code_cell("### BEGIN HIDDEN TESTS\nx = 1"))

    small.submit(course, "alice", edit=edit)
    small.submit(course, "bob")
    small.run(course, trust=["alice"])
    made, held_back = feedback.feedback(course, unmarked=True)
    assert list(made) == [("bob", NAME)]
    ((who, name, why),) = held_back
    assert (who, name) == ("alice", NAME) and "cannot make alice's" in why


def test_no_work_takes_hours_to_be_shown(course):
    """Pages are made outside the sandbox, and colours take the square of empty lines."""
    filters, empty = course.config.HTMLExporter.filters, "\t\n" * 40_000
    begun = time.process_time()
    page = filters["highlight_code"]("x < 1\n" + empty)
    page += filters["markdown2html"](f"So:\n```ipython3\nz = <3>{empty}```\n**bold** $x_1$")
    assert time.process_time() - begun < 10
    assert "<pre>x &lt; 1\n" in page and "<code>z = &lt;3&gt;" in page and "<strong>bold" in page
    assert '<span class="mi">1' in filters["highlight_code"]("x = 1\n%time f()")


def test_feedback_says_what_was_wrong_and_keeps_the_secrets(course):
    written = '<script>steal("mine")</script><img src=x onerror="steal(1)">\n\n**bold** words'
    written += '\n\n# test-double\n\n<b id="test-shout" class="score">2</b>'  # as Formgrader's own
    answers = SOLUTION | {"double": "def double(x):\n    return 6", "explain": written}
    answers["shout"] = (
        "from IPython.display import HTML, display\n"
        "display(HTML('<script>' + 'steal(2)</script>'))\n" + small.SHOUT
    )
    small.submit(course, "alice", answers)
    small.run(course)
    made, waiting = feedback.feedback(course, unmarked=True)
    page = made["alice", NAME].read_text("utf-8")
    assert waiting == [] and "secret message about texts" in page and "bold" in page
    assert "abab" not in page and "HIDDEN" not in page  # what the hidden tests are stays hidden
    assert "<script>steal" not in page and "onerror=" not in page and "<strong>bold" in page
    formgrader = HTMLExporter(config=course.config)  # what the teacher's pages are made with
    shown, _ = formgrader.from_notebook_node(read_graded(course, "alice"))
    assert (
        "<script>steal" not in shown and 'onerror="steal' not in shown and "<strong>bold" in shown
    )
    assert 'id="test-' not in shown and 'class="score"' not in shown
    assert "(Score: 7.0 / 10.0)" in page
    assert 'href="#test-double">test-double</a> (Score: 4.0 / 4.0)' in page  # there is no title
    assert "<script" not in page and "default-src 'none'" in page  # it loads nothing from anywhere
    assert not re.search(r"""(src|@import|url\()[ ="']*(https?:)?//""", page)
    assert list(made["alice", NAME].parent.iterdir()) == [made["alice", NAME]]


def test_a_gradebook_that_cannot_be_reached(grading):
    url = "postgresql://someone:hunter2@127.0.0.1:1/grades"
    _, failed = grading("grade", GRADEBOOK=url)
    assert "cannot be opened" in failed and "hunter2" not in failed
    _, failed = grading("grade", GRADEBOOK="/tmp/grades.db")
    assert "The gradebook /tmp/grades.db cannot" in failed and "sqlite:////" in failed


# A database of its own.


@pytest.fixture(scope="module")
def database():
    """The URL of a PostgreSQL that was started for this, on a free port of this machine."""
    found = sorted(ROOT.joinpath("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        reason = "PostgreSQL is not installed; on Debian: apt install postgresql"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    programs, become = found[-1].parent, []
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        if os.getuid() == 0:  # which PostgreSQL refuses to run as
            become = ["runuser", "-u", "postgres", "--"]
            shutil.chown(folder, "postgres")
        data, port = pathlib.Path(folder) / "data", free_port()
        common = {"check": True, "capture_output": True, "cwd": "/", "timeout": 120}
        subprocess.run(
            [*become, programs / "initdb", "-D", data, "-U", "grader", "--auth=trust", "--no-sync"],
            **common,
        )
        control = [*become, programs / "pg_ctl", "-D", data, "-w"]
        options = f"-p {port} -h 127.0.0.1 -c unix_socket_directories='' -F"
        subprocess.run([*control, "-l", data / "log", "-o", options, "start"], **common)
        try:
            yield f"postgresql://grader@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **common)


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_postgresql_keeps_the_grades_as_well(course, database, grading):
    small.submit(course, "alice")
    small.submit(course, "bob", SOLUTION | {"shout": STUB})
    for command in ("release", "grade", "feedback", "export"):
        _, failed = grading(command, GRADEBOOK=database, UNMARKED="1")
        assert failed is None
    rows = read(course.root / "grades.csv")
    assert [(row["student_id"], float(row["score"])) for row in rows] == [("alice", 8), ("bob", 5)]
    assert not sqlite_has(course, "alice")  # they are there, and not here
    again, _ = grading("grade", GRADEBOOK=database)
    assert "0 graded" in again and "2 unchanged" in again
    there = courses.open_course(course.root, database)
    before = small.everything(there)
    assert before and grading("grade", GRADEBOOK=database, FORCE="1")[1] is None
    assert small.everything(there) == before
    assert (course.folder("feedback", "alice", NAME) / f"{NAME}.html").exists()


def sqlite_has(course, student):
    with course.gradebook() as book:
        return student in [one.id for one in book.students]


def png(width, height, *chunks):
    """A picture of one colour, which packs a thousand to one."""
    rows = zlib.compress((b"\0" + b"\0" * (width // 8 + 1)) * height, 9)
    parts = [(b"IHDR", struct.pack("!IIBBBBB", width, height, 1, 0, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", rows), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in parts:
        check = zlib.crc32(name + content)
        data += struct.pack("!I", len(content)) + name + content + struct.pack("!I", check)
    return base64.b64encode(data).decode()


def test_pictures_are_bounded_by_what_they_become():
    def shown(picture):
        data = {"image/png": picture, "text/plain": "<Figure>"}
        return outcome.shown({"output_type": "display_data", "data": data})["data"]

    assert shown(png(1000, 800))["image/png"] == png(1000, 800)
    large, packed = png(30_000, 30_000), png(10, 10, (b"zTXt", b"a\0\0" + zlib.compress(b"x")))
    assert len(large) < 200_000  # of text, for 900 million points
    for picture in (large, packed, "iVBORw0KGg==", '"><script>', png(10, 10)[:-8], ""):
        assert "image/png" not in shown(picture)
    assert outcome.shown({"output_type": "display_data", "data": {"text/html": "<b>"}}) is None
    assert outcome.shown({"output_type": "update_display_data", "data": {}}) is None


def test_many_pictures_are_bounded_together(course):
    display = "import base64\nclass Figure:\n    def savefig(self, file, **_):\n"
    display += f"        file.write(base64.b64decode({png(1900, 1900)!r}))\n"
    shows = display + "display(*[Figure() for _ in range(4)])"

    def edit(notebook):
        notebook.cells += [nbformat.v4.new_code_cell(shows) for _ in range(6)]

    small.submit(course, "alice", edit=edit)
    small.run(course)
    kept = [
        output
        for cell in read_graded(course, "alice").cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(kept) == outcome.MAX_PIXELS_IN_ALL // 1900**2


def test_what_a_cell_of_the_assignment_hands_over_is_watched_too(tmp_path):
    cells = [list(row) for row in small.CELLS]
    at = next(number for number, row in enumerate(cells) if row[1] == "test-shout")
    cells.insert(at, ["code", "show", 'words = ["a", "b"]\nloud = shout(words)', {}])
    cells[at + 1][2] = 'assert loud == words or shout(words) == ["A", "B"] and words == ["a", "b"]'
    course = small.make(tmp_path, cells)
    small.submit(course, "alice")
    shout = "def shout(words):\n    words[:] = [7]\n    return words"
    small.submit(course, "bob", SOLUTION | {"shout": shout})
    small.run(course)
    assert small.points(course, "alice") == POINTS and small.sentences(course, "alice") == []
    (told,) = small.sentences(course, "bob")
    assert "'show'" in told and "calls 'shout', which changes in place what it is given" in told


def test_what_is_printed_and_raised_holds_no_orders(course):
    shout = (
        "print('\\x1b[2J\\x1b]0;title\\x07red')\n"
        "def shout(words):\n"
        "    raise ValueError('\\x1b[31mred\\x9b' + 50_000 * 'long ')"
    )
    small.submit(course, "alice", SOLUTION | {"shout": shout})
    small.run(course)
    text = nbformat.writes(read_graded(course, "alice"))
    assert r"\u001b" not in text and r"\u009b" not in text and "ValueError" in text
    assert len(text) < 40_000 and len("".join(small.sentences(course, "alice"))) < 2000


def test_what_joins_emoji_and_letters_is_no_order(course):
    shown = "👩‍👩‍👧 نمی‌شود क्‍ष é 床前明月"
    shout = f"print({shown!r})\ndef shout(words):\n    raise ValueError({shown!r})"
    small.submit(course, "alice", SOLUTION | {"shout": shout})
    small.run(course)
    cells = read_graded(course, "alice").cells
    outputs = [one for cell in cells for one in cell.get("outputs", ())]
    assert any(one.get("text") == shown + "\n" for one in outputs)
    assert any(one.get("evalue") == shown for one in outputs)


def test_orders_to_a_terminal_in_the_text_of_cells_are_shown_as_signs(course):
    """What runs is what was written; what is shown, in the notebook and on the page, is not."""
    double = "RED = '\x1b[31m\x9b\x7f'\r\nassert len(RED) == 7 and ord(RED[0]) == 27\n"
    double += "level = 'user\u202e' + 'nimda'\n" + small.DOUBLE
    words = "Because\x1b[2J of \x07 doubling.\r\nAnd \u202bהיפך\u202c as well."
    small.submit(course, "alice", SOLUTION | {"double": double, "explain": words})
    small.run(course)
    assert small.points(course, "alice") == POINTS
    graded = read_graded(course, "alice")
    assert small.cell(graded, "double")[0].source.startswith("RED = '␛[31m\\x9b␡'\nassert")
    assert "'user\\u202e'" in small.cell(graded, "double")[0].source
    assert small.cell(graded, "explain")[0].source.startswith("Because␛[2J of ␇ doubling.\nAnd")
    assert "\u202bהיפך" in small.cell(graded, "explain")[0].source
    made, _ = feedback.feedback(course, unmarked=True)
    page = made["alice", NAME].read_text("utf-8")
    assert "␛" in page and not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)


def test_only_the_first_cell_speaks_for_the_grading(course):
    def edit(notebook):
        text = "**What the grading noticed**\n\nAll is well: 10 of 10 points."
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(text))

    small.submit(course, "alice", edit=edit)
    small.run(course)
    first, second, *_ = read_graded(course, "alice").cells
    assert first.metadata.tags == [report.TITLE] and report.ONLY in first.source
    assert "All is well" in second.source and "tags" not in second.metadata
    (told,) = small.sentences(course, "alice")
    assert "speaks as the report of the grading does" in told


def test_only_text_is_taken_of_a_submission(course):
    """Metadata, outputs and attachments of a student reach nothing that a teacher opens."""

    def edit(notebook):
        for cell in notebook.cells:
            cell.metadata["evil"] = "<script>"
            if cell.cell_type == "code":
                cell.outputs = [nbformat.v4.new_output("stream", text="forged output")]
            else:
                cell["attachments"] = {"a.svg": {"image/svg+xml": "<svg onload='x'/>"}}

    small.submit(course, "alice", edit=edit)
    small.run(course)
    text = nbformat.writes(read_graded(course, "alice"))
    assert "evil" not in text and "forged output" not in text and "svg" not in text


def test_an_answer_whose_cell_has_lost_its_name_is_put_before_the_teacher(course):
    """As after cutting and pasting it elsewhere than in Jupyter. Retyped words need no sentence."""
    template = courses.template(course, NAME)
    own = rebuild.Handed("code", None, None, f"import math\n{small.DOUBLE}")
    others = [
        rebuild.Handed("code", name, None, source)
        for name, source in template.released.items()
        if name != "double"
    ]
    (said,) = rebuild.rebuild(template, [*others, own]).looks
    assert "defines 'double'" in said and "does not count" in said
    helper = rebuild.Handed("code", None, None, "def doubles(x):\n    return 2")
    assert rebuild.rebuild(template, [*others, helper]).looks == []
    named = rebuild.Handed("code", "double", None, small.DOUBLE)
    assert rebuild.rebuild(template, [*others, named, own]).looks == []


def test_rebuilding_never_needs_the_students_word(course):
    """Whatever names are claimed, the template's own cells stay as they are, in their order."""
    template = courses.template(course, NAME)
    claims = [rebuild.Handed("code", name, None, "x") for name in (*template.released, "other")]
    for handed in (claims[:1], claims, claims[::-1], claims * 3):
        rebuilt = rebuild.rebuild(template, handed)
        locked = [
            c
            for c in rebuilt.notebook.cells
            if courses.marks(c) and not courses.marks(c)["solution"]
        ]
        wanted = [
            c
            for c in template.notebook.cells
            if courses.marks(c) and not courses.marks(c)["solution"]
        ]
        assert [cell.source for cell in locked] == [cell.source for cell in wanted]


def test_a_submission_is_read_the_same_way_whatever_else_lies_there(course):
    small.submit(course, "alice")
    small.submit(course, "alice", zipped="student")
    small.submit(course, "alice", zipped="assignment")
    one = submissions.read(course, "alice", NAME)
    assert "There is more than one; graded is submitted/alice/" in one.notes[0]
    small.run(course)
    assert small.points(course, "alice") == POINTS


@pytest.mark.parametrize("zipped", ["student", "assignment", "inside"])
def test_of_two_versions_the_teacher_decides(course, zipped):
    small.submit(course, "alice")
    other = small.submit(course, "alice", SOLUTION | {"shout": STUB}, zipped=zipped)
    small.run(course)
    assert set(small.points(course, "alice").values()) == {None}
    assert any("They differ" in one for one in small.sentences(course, "alice"))
    other.unlink()
    small.run(course)
    assert small.points(course, "alice") == POINTS and not small.card(course, "alice").open


def test_a_release_has_the_weights_of_every_seed_that_its_notebook_loads():
    from tools.grading.release import used

    one, other = (ROOT / "checkpoints" / f"verdicts-first{seed}.json" for seed in ("", "-1"))
    plain = 'load_checkpoint("verdicts-first")\nworld.sample(9, seed=1)'
    assert used(one, plain) and not used(other, plain)
    for notebook in ('load_seeds("verdicts-first")', 'load_checkpoint("verdicts-first", 1)'):
        assert used(one, notebook) and used(other, notebook)
    assert not used(other, 'load_seeds("verdicts-last")')


def test_no_python_is_parsed_while_several_are_graded_at_a_time(course, monkeypatch):
    """Parsed in two threads, CPython 3.11 raises a SystemError now and then."""
    template = courses.template(course, NAME)
    parsed, parse = [], ast.parse
    monkeypatch.setattr(ast, "parse", lambda *args, **more: parsed.append(args) or parse(*args))
    monkeypatch.setattr(sandbox, "run", lambda *args, **more: sandbox.Ended(None, "not run"))
    small.submit(course, "alice")
    job = grade.Job(course, template, small.LIMITS, False)
    job.examine(submissions.read(course, "alice", NAME))
    assert parsed == []
