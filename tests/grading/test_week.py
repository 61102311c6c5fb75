"""A teacher's week: grades for a platform, late days, statistics of a class, work that is alike."""

import csv
import datetime
import itertools
import json
import os
import random
import re
import subprocess
import sys
import zipfile

import nbformat
import pytest

from tests.disks import filling_up
from tests.grading import small_course as small
from tests.grading.small_course import NAME
from tools.grading import __main__ as commands
from tools.grading import (
    cards,
    export,
    feedback,
    measure,
    pages,
    platforms,
    reasons,
    rebuild,
    scores,
    similarity,
    statistics,
    winnowing,
)
from tools.grading import course as courses

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,01 small (48213),Final Score
,,,,,Manual Posting,
    Points Possible,,,,,10,(read only)
"Lovelace, Ada",901,s-1,ada,Morning,,
"=HYPERLINK(""http://x.org"")",902,s-2,bob,Evening,,
"Dee, Cyd",903,s-3,cyd,Evening,,
"Student, Test",904,,3f0c,Morning,,
"""
PLAIN = """id,name,email
ada,Ada Lovelace,ada@example.edu
bob,"=HYPERLINK(""http://x.org"")",b@example.edu
cyd,Cyd Dee,
dan,Dan;=1+1,+dan@example.edu
eve,Eve,eve@example.edu
"""
LIES = """class HiddenTest(Exception):
    pass

def shout(words):
    raise HiddenTest("<script>alert(1)</script> cyd was here")"""
HANDED_IN = {
    "ada": small.SOLUTION,
    "bob": {"double": "def double(x):\n    return x * x", "shout": small.SHOUT},
    "cyd": small.SOLUTION | {"shout": LIES},
    "dan": small.SOLUTION | {"double": "def double(n):\n    return n + n if n == 3 else 0"},
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Four have handed in, a fifth has not; the written answers of all but cyd are marked."""
    course = small.make(tmp_path_factory.mktemp("week"))
    (course.root / "students.csv").write_text(PLAIN, "utf-8")
    for student, answers in HANDED_IN.items():
        small.submit(course, student, answers)
    small.run(course)
    with course.gradebook() as book:
        for student in ("ada", "bob", "dan"):
            grade = book.find_grade("explain", NAME, NAME, student)
            grade.manual_score, grade.needs_manual_grade = 1.5, False
        said = book.find_comment("explain", NAME, NAME, "bob")
        said.manual_comment = "=why? <b>see me</b>"
        book.db.commit()
    return course


@pytest.fixture
def course(graded):
    """The same, with the roster as it was and nothing late."""
    (graded.root / "students.csv").write_text(PLAIN, "utf-8")
    (graded.root / "extensions.csv").unlink(missing_ok=True)
    yield graded
    with graded.gradebook() as book:
        book.update_or_create_assignment(NAME, duedate=None)


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_canvas_gets_the_columns_of_its_own_gradebook_and_no_grade_that_may_change(course):
    """Names, ids, Section last of what is no assignment, a row of what is to be had at most, and
    the assignment by the name and number that Canvas has for it."""
    (course.root / "students.csv").write_text(CANVAS, "utf-8")
    done = export.export(course, NAME, "canvas")
    header, possible, *rows = read(course.root / "grades_canvas" / f"{NAME}.csv")
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01 small (48213)"]
    assert possible[0].strip() == "Points Possible" and possible[1:] == ["", "", "", "", "10"]
    lines = {row[1]: row for row in rows}
    assert lines["901"] == ["Lovelace, Ada", "901", "s-1", "ada", "Morning", "9.5"]
    assert lines["902"][0].startswith("'=") and lines["902"][5] == "4.5"
    assert set(lines) == {"901", "902"}  # cyd's is not final, the student for tests is none
    assert [one[:3] for one in done.open] == [("cyd", NAME, "not final")]
    assert done.left_out == [f"dan, {NAME}: is not in students.csv"]
    assert done.said == [f"{NAME} is of 10 points, in Canvas's column '01 small (48213)'."]


def test_a_plain_roster_may_have_canvas_columns_too(course):
    text = "id,name,SIS Login ID,Section\nada,Ada Lovelace,ada@uni,\nbob,Bob,=1+1,\n"
    (course.root / "students.csv").write_text(text, "utf-8")
    course.config.Export.columns = {NAME: "Homework (7)"}
    done = export.export(course, NAME, "canvas")
    del course.config.Export
    header, _, *rows = read(done.paths[-1])
    assert header[-1] == "Homework (7)"
    assert rows == [["Ada Lovelace", "", "", "ada@uni", "", "9.5"]]
    assert f"bob, {NAME}: has an id or a section that begins as a formula does" in done.left_out


def test_moodle_gets_an_address_a_grade_and_feedback(course):
    with course.gradebook() as book:
        when = datetime.datetime(2026, 3, 5, 12, tzinfo=datetime.UTC)
        book.find_submission(NAME, "bob").timestamp = when.replace(tzinfo=None)
        book.update_or_create_assignment(NAME, duedate="2026-03-04T00:00:00")
    done = export.export(course, NAME, "moodle")
    header, *rows = read(course.root / "grades_moodle" / f"{NAME}.csv")
    assert header == ["Email address", NAME, f"Feedback: {NAME}"]
    found = {address: (points, said) for address, points, said in rows}
    assert set(found) == {"ada@example.edu", "b@example.edu"}  # none is empty: see platforms.py
    assert found["ada@example.edu"] == ("9.5", "explain: 1.5 of 2")
    points, said = found["b@example.edu"]
    assert points == "4.5" and "test-double: 0 of 4" in said and said.endswith("late: 1.5 days")
    assert "=why? &lt;b&gt;see me&lt;/b&gt;" in said
    assert done.left_out == [f"dan, {NAME}: has an email that begins as a formula does"]
    with course.gradebook() as book:
        book.find_submission(NAME, "bob").timestamp = None
        book.db.commit()


def test_who_is_graded_is_not_entered_once_more_by_another_id(tmp_path):
    """Canvas's list knows them by their addresses; the gradebook by the ids of your own."""
    course = small.make(tmp_path)
    (tmp_path / "students.csv").write_text(PLAIN, "utf-8")
    small.submit(course, "ada")
    small.run(course)
    theirs = CANVAS.replace("s-1,ada", "s-1,ada@example.edu")
    (tmp_path / "students.csv").write_text(theirs, "utf-8")
    with pytest.raises(courses.GradingError, match=r"ada@example\.edu \(who was ada\)"):
        export.export(course, NAME, "canvas")
    with course.gradebook() as book:
        assert "ada@example.edu" not in {one.id for one in book.students}
    namesake = PLAIN.replace("ada,Ada Lovelace,ada@", "ada2,Ada Lovelace,ada2@")
    (tmp_path / "students.csv").write_text(namesake, "utf-8")
    export.export(course, NAME)


def test_moodle_gets_each_page_in_the_folder_that_it_gave_the_student(tmp_path):
    """And in no other's, whatever a student calls a folder in a zip of their own."""
    course = small.make(tmp_path)
    (tmp_path / "students.csv").write_text(PLAIN, "utf-8")
    notebook = nbformat.writes(small.answered(course, small.SOLUTION))
    folder = tmp_path / "downloaded" / NAME
    for one in (
        os.fsdecode(b"Ada Lovel\xe0ce_48000_assignsubmission_file/ada"),
        "cyd/Cyd Dee_48000_assignsubmission_file",
    ):
        (folder / one).mkdir(parents=True)
        (folder / one / f"{NAME}.ipynb").write_text(notebook, "utf-8")
    (folder / "eve.ipynb").write_text(notebook, "utf-8")
    page = tmp_path / "page.html"
    page.write_text("a page", "utf-8")
    feedback.zip_for_moodle(course, NAME, dict.fromkeys(("ada", "cyd", "eve"), page))
    path = tmp_path / "grades_moodle" / f"{NAME}-feedback.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [f"Ada Lovelce_48000_assignsubmission_file/{NAME}.html"]
    made = {(one, NAME): page for one in ("ada", "cyd", "eve")}
    assert feedback.not_in_zip(course, made) == [("cyd", NAME), ("eve", NAME)]
    before = path.read_bytes()
    with filling_up(10), pytest.raises(OSError, match="File too large"):
        feedback.zip_for_moodle(course, NAME, {"ada": page})
    assert path.read_bytes() == before
    feedback.zip_for_moodle(course, NAME, {"eve": page})
    assert not path.exists()
    assert feedback.not_in_zip(course, {("eve", NAME): page}) == []


def test_a_platform_is_told_no_other_points_where_no_grade_is_final(tmp_path):
    course = small.make(tmp_path)
    (tmp_path / "students.csv").write_text(CANVAS, "utf-8")
    small.submit(course, "ada")
    small.run(course)
    done = export.export(course, NAME, "canvas")
    assert [row[-1] for row in read(done.paths[-1])[1:]] == ["10"]


def test_what_is_exported_says_what_to_look_at_and_what_a_platform_will_do(course):
    (course.root / "students.csv").write_text(PLAIN, "utf-8")
    path = cards.card_path(course, "ada", NAME)
    before = path.read_text("utf-8")
    card = json.loads(before) | {"looks": ["The cell 'shout' uses `world`."]}
    path.write_text(json.dumps(card), "utf-8")
    done = export.export(course, NAME, "moodle")
    path.write_text(before, "utf-8")
    assert ("ada", NAME, "The cell 'shout' uses `world`.") in done.looks
    assert done.said == [f"{NAME} is of 10 points: set that maximum in Moodle first."]


@pytest.mark.parametrize(
    "form, roster, told",
    [
        ("canvas", PLAIN, "`Section` and one of `SIS Login ID`"),
        ("canvas", "id,name,SIS User ID\nada,Ada,1\n", "`Section`"),
        ("moodle", "id,name\nada,Ada\n", "needs the column `email`"),
        ("moodle", "id,name,email\nada,Ada,\n", "filled in"),
        ("blackboard", PLAIN, "FORMAT=blackboard is none of canvas, moodle"),
    ],
)
def test_what_a_platform_needs_and_the_roster_lacks_is_said(course, form, roster, told):
    (course.root / "students.csv").write_text(roster, "utf-8")
    with pytest.raises(courses.GradingError, match=told):
        export.export(course, NAME, form)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@A1", "\t=1", "\r=1", " =1", "＝1", "a;=1"])
def test_nothing_begins_as_a_formula_does(text):
    """Where a program parts fields at commas, and where it parts them at semicolons."""
    for part in re.split("[;,]", platforms.safe(text)):
        assert part.lstrip()[:1] not in tuple("=+-@＝＋－＠")
    assert platforms.safe("O'Neil-Weiß, Ann a@b.org 3+4") == "O'Neil-Weiß, Ann a@b.org 3+4"
    assert platforms.safe(-1.5) == -1.5


def test_no_file_that_is_exported_has_a_formula(course):
    (course.root / "extensions.csv").write_text(f"id,assignment,days\neve,{NAME},2\n")
    paths = export.export(course, NAME, "moodle").paths
    assert [path.name for path in paths] == ["grades.csv", "late_days.csv", f"{NAME}.csv"]
    for path, between in itertools.product(paths, ",;"):
        for row in csv.reader(path.read_text("utf-8").splitlines(), delimiter=between):
            assert not [
                field
                for field in row
                if field.lstrip(" \t\r'\"")[:1] in tuple("=+-@") and not field.startswith("'")
            ], (path, row)


def test_late_days_and_extensions_are_a_table(course):
    with course.gradebook() as book:
        one = book.find_submission(NAME, "ada")
        one.timestamp = datetime.datetime(2026, 3, 5, 12)
        book.update_or_create_assignment(NAME, duedate="2026-03-04T00:00:00")
    (course.root / "extensions.csv").write_text("id;assignment;days\nada;;1\neve;01_small;2\n")
    header, *rows = read(export.export(course).paths[1])
    assert header == ["id", "assignment", "days_late", "extension", "days_counted", "points_off"]
    assert sorted(rows) == [["ada", NAME, "1.50", "1", "1", "0"], ["eve", NAME, "", "2", "", ""]]
    with course.gradebook() as book:
        book.find_submission(NAME, "ada").timestamp = None
        book.db.commit()


@pytest.mark.parametrize(
    "line, told",
    [
        (f"adda,{NAME},2", "line 2: 'adda' is no id of students.csv"),
        (",,2", "line 2: '' is no id"),
        ("ada,01_smal,2", "no assignment '01_smal'. There are: 01_small"),
        ("ada,,-1", "'-1' is no number of days"),
        ("ada,,nan", "'nan' is no number of days"),
        ("ada,,", "'' is no number of days"),
    ],
)
def test_an_extension_that_would_mean_nothing_is_not_passed_over(course, line, told):
    (course.root / "extensions.csv").write_text(f"id,assignment,days\n{line}\n")
    with pytest.raises(courses.GradingError, match=re.escape(told)):
        scores.penalise_all(course, NAME)


def words_of(path):
    """A page's text, without style and pictures."""
    text = re.sub(r"<(style|svg)\b.*?</\1>", "", path.read_text("utf-8"), flags=re.S)
    return re.sub(r"<[^>]*>", "", text)


def test_statistics_say_which_check_failed_for_how_many_in_the_teachers_words(course):
    (path,) = statistics.statistics(course)
    page, text = path.read_text("utf-8"), words_of(path)
    assert path.name == f"{NAME}-statistics.html" and page.count("<svg") == 2
    assert "4 graded: from 4.5 to 9.5 of 10 points, median 6.75, before" in text
    assert "; 1 not fully marked." in text
    assert "Not counted: 1 missing." in text
    assert "test-double: 1 of 4 failed" in text
    assert "1 × assert double(3) == 6, double(3): 9 (line 1)" in text
    assert (
        "test-double-text: 2 of 4 failed" in text
        and "2 × secret message about texts (line 3)" in text
    )
    assert "explain: median 1.5 of 2, 3 marked; 1 to be marked" in text
    for student in HANDED_IN:
        assert student not in text
    (path,) = statistics.statistics(course, with_names=True)
    assert path.name == f"{NAME}-statistics-names.html"  # the page for the class stays
    assert "With names: not for the class." in words_of(path)
    assert "2 × secret message about texts (line 3) (bob, dan)" in words_of(path)


def test_statistics_hold_no_words_of_a_students(course):
    """Who calls their exception HiddenTest speaks as little there as anybody else."""
    (path,) = statistics.statistics(course, NAME)
    page = path.read_text("utf-8")
    assert "was here" not in page and "<script" not in page and "default-src 'none'" in page
    assert "test-shout: 1 of 4 failed" in words_of(path)


def test_one_notebook_that_is_damaged_does_not_take_the_page_along(course):
    """By a disk, or by hand. The others are counted, and it is said that one is not."""
    path = course.root / "autograded" / "bob" / NAME / f"{NAME}.ipynb"
    before = path.read_bytes()
    other = nbformat.reads(before.decode(), 4)
    other.cells = other.cells[:3]
    try:
        for damaged in (b"", before[:1000], nbformat.writes(other).encode(), None):
            path.unlink() if damaged is None else path.write_bytes(damaged)
            text = words_of(statistics.statistics(course)[0])
            assert "3 graded" in text and "1 damaged in `autograded`, 1 missing" in text
            assert "4 hand-ins" in words_of(similarity.similarity(course)[0][0])
    finally:
        path.write_bytes(before)


def test_a_disk_that_takes_no_page_leaves_the_one_before(course):
    for make in (statistics.statistics, lambda course: similarity.similarity(course)[0]):
        (path,) = make(course)
        before = path.read_bytes()
        with filling_up(1000), pytest.raises(OSError, match=f"File too large: '{path}'"):
            make(course)
        assert path.read_bytes() == before


def test_statistics_tell_not_written_from_wrong(tmp_path):
    course = small.make(tmp_path)
    for student in ("ann", "ben"):
        small.submit(course, student, {"shout": "def shout(words):\n    return list(words) * 2"})
    small.submit(course, "cat", {}, edit=lambda notebook: notebook.cells.clear())  # refused
    small.run(course)
    (path,) = statistics.statistics(course)
    text = words_of(path)
    assert "test-double: 2 of 2 failed" in text and "Not counted: 1 unreadable." in text
    assert text.count("2 × Not written: the cell is as it was released.") == 2
    assert "2 × assert shout([&quot;a&quot;, &quot;b&quot;])" in text


CHECK = '''for x in (2, 3):
    assert double(x) == 2 * x, f"double of {x}: expected {2 * x}, got {double(x)!r}"'''


def test_statistics_keep_the_values_that_came_out_and_rank_what_follows_last(tmp_path):
    """Of an earlier test's failure and of a later one's, the later is no news where both call the
    same function; and what a student's function returns writes nothing on the page."""
    cells = [list(one) for one in small.CELLS]
    at = next(at for at, one in enumerate(cells) if one[1] == "test-double")
    cells[at][2] = CHECK
    cells.insert(at, ["markdown", "check", "**Check: twice as much.** Of numbers.", {}])
    course = small.make(tmp_path, cells)
    doubles = {
        "ann": "x * x * x",
        "ben": "x * x * x",
        "cat": "'secretly <b>cheers'",
        "dan": "x + nowhere",
    }
    for student, what in doubles.items():
        small.submit(
            course, student, small.SOLUTION | {"double": f"def double(x):\n    return {what}"}
        )
    small.submit(course, "eve", {})
    small.run(course)
    (path,) = statistics.statistics(course)
    text = words_of(path)
    assert "test-double (twice as much): 5 of 5 failed" in text
    assert (
        "3 × double of 2: expected 4, got … (line 2)got 8 (2), &#x27;… &lt;b&gt;…&#x27; (1)" in text
    )
    assert "1 × NameError: …, called in line 2" in text and "nowhere" not in text
    assert "5 of them failed test-double, too, which tests the same function" in text
    assert text.index("test-double (twice as much), 5 of 5") < text.index("test-double-text, 5")
    assert "Without any point: 1" in text
    (path,) = statistics.statistics(course, with_names=True)
    assert "1 × NameError: nowhere, called in line 2" in words_of(path)
    assert small.sentences(course, "eve") == [
        "- **eve**: It has no points; 2 of 2 parts are as released."
    ]


@pytest.mark.parametrize(
    "words, said, values",
    [
        ("a …, b …", "a 1, b 2, b 3", ("1", "2, b 3")),
        ("… …", "1 2", ("1", "2")),
        ("a …", "b 1", ()),
        ("a … b", "a b", ()),
        ("no holes", "no holes", ()),
    ],
)
def test_values_are_read_out_of_a_message(words, said, values):
    assert reasons.in_holes(words, said) == values


def test_a_long_value_is_cut():
    one = statistics.Question("t", "", 1, False, set(), {"a"})
    assert one.words("[" + "1, " * 999) == "[" + "1, " * 19 + "1…" and one.words("a b") == "a …"


def test_the_time_of_a_test_has_its_hidden_part_in_it(tmp_path):
    course = small.make(tmp_path)
    slow = 'import time\ndef double(x):\n    time.sleep(0.4 * (x == "ab"))\n    return 2 * x'
    small.submit(course, "ann", small.SOLUTION | {"double": slow})
    small.run(course)
    times = small.card(course, "ann").times
    assert set(times) == set(small.POINTS)
    assert times["test-double-text"] >= 0.4 > times["test-double"]


def test_of_nothing_there_are_no_statistics_and_no_pairs(tmp_path):
    course = small.make(tmp_path)
    with pytest.raises(courses.GradingError, match="run `make grade` first"):
        statistics.statistics(course)
    with pytest.raises(courses.GradingError, match="no two hand-ins"):
        similarity.similarity(course)


WORK = '''
def shout(words):
    """All of them, loudly."""
    found = []
    for place, word in enumerate(words):
        letters = [letter for letter in reversed(word)]
        if place >= 0 and letters:
            found.append("".join(reversed(letters)).upper())
        else:
            found += [word.upper()]
    return found
'''
DISGUISED = """
def shout(w):
    # I wrote this by myself <script>alert(1)</script>
    loud = []
    for (i, one) in enumerate(w):

        signs = [s for s in reversed(one)]
        if (i >= 0 and
                signs):
            loud.append(''.join(reversed(signs)).upper())   # turn round
        else: loud += [one.upper()]
    return loud
""".replace("(i, one)", "i, one").replace("(i >= 0 and\n                signs)", "i >= 0 and signs")
OTHER = """
def shout(words):
    at, result = 0, []
    while at < len(words):
        result = result + [str(words[at]).upper()]
        at = at + 1
    return result
"""


def test_a_copy_in_disguise_is_listed_and_other_work_is_not(tmp_path):
    course = small.make(tmp_path)
    for student, shout in (("ann", WORK), ("ben", DISGUISED), ("cat", OTHER)):
        small.submit(course, student, {"shout": shout, "double": small.DOUBLE})
    (path,), pairs = similarity.similarity(course)
    page, text = path.read_text("utf-8"), words_of(path)
    assert pairs == {NAME: 1} and "3 hand-ins, 3 pairs" in text
    assert "ann and ben: 100% of what ann has written, 100% of ben" in text
    assert "A list to look at, and no verdict." in text and "cat" not in text
    assert page.count("<div class=pair>") == 1  # `double` is the instructor's own
    assert "<script" not in page and "default-src 'none'" in page
    assert "<mark>found.append(" in page and "<mark>loud.append(" in page


def test_a_page_of_pairs_says_who_else_has_it_and_what_is_the_instructors(tmp_path):
    cells = [list(one) for one in small.CELLS]
    at = next(at for at, one in enumerate(cells) if one[1] == "double")
    long = (
        "def double(x):\n    # twice\n    y = "
        + " + ".join(["x - x"] * 15)
        + "\n    return y + x + x"
    )
    cells[at][2] = f"### BEGIN SOLUTION\n{long}\n### END SOLUTION"
    course = small.make(tmp_path, cells)
    wrong = WORK.replace("return found", "return found * 2")
    for student in ("ann", "ben", "cat"):
        double = long if student == "ann" else long.replace("twice", "2")
        small.submit(course, student, {"shout": wrong, "double": double})
    for student in ("dan", "eve", "fay"):
        small.submit(course, student, {"shout": OTHER.replace("+ 1", f"+ 1 + {student!r}")})
    small.run(course)
    (path,), _ = similarity.similarity(course)
    text = words_of(path)
    assert "Also in: cat." in text
    assert "Both failed test-shout by the same check (3 of 6 did)" in text
    assert text.rstrip().endswith("ann: double")  # the others' comment is their own


def test_two_functions_that_need_a_third_are_two():
    step, crop, decode = {"step"}, {"step", "crop"}, {"step", "decode"}
    assert statistics.of_one_function(crop, step) and statistics.of_one_function(step, decode)
    assert statistics.of_one_function({"decode"}, decode)
    assert not statistics.of_one_function(decode, crop)
    assert not statistics.of_one_function(step, set())


@pytest.mark.parametrize("name", ["01_markov_chains", "05_text_diffusion"])
def test_thirty_who_have_the_instructors_solution_are_not_accused(tmp_path, name):
    course = measure.fill(tmp_path, name, 30)
    works = similarity.read(course, courses.template(course, name))
    pairs, usual = winnowing.compare(works)
    assert len(works) == 30 and pairs == [] and usual == 0
    assert not any(one.own for one in works)


def test_a_line_that_the_assignment_gives_is_not_marked_whatever_its_names():
    course = courses.open_course()
    given = similarity.given_lines(courses.template(course, "01_markov_chains"))
    assert given("def next_probs(tabs, past, words, part):") and not given("    return lower")
    assert given("import math") and not given("import statistics")


def test_what_all_have_counts_nothing_and_what_many_have_little():
    assert winnowing.weigh(30, 2) == 1 and winnowing.weigh(30, 30) == 0
    assert 0 < winnowing.weigh(30, 20) < winnowing.weigh(30, 5) < 1
    assert winnowing.weigh(2, 2) == 1


def work(student, words):
    handed = rebuild.Handed("code", "a", None, " ".join(words))
    cell = winnowing.cell(handed, "a", set(words))
    return winnowing.Work(student, [cell], frozenset(cell.grams))


@pytest.mark.parametrize("seed", range(20))
def test_a_run_in_common_of_a_certain_length_is_always_found(seed):
    """Winnowing's guarantee: of K + WINDOW - 1 tokens both have a fingerprint, of K - 1 neither."""
    rng = random.Random(seed)

    def both_with(length):
        shared = [f"s{rng.randrange(9)}" for _ in range(length)]
        for who in "ab":
            before, after = ([f"{who}{rng.randrange(99)}" for _ in range(30)] for _ in "12")
            yield winnowing.fingerprints(work(who, [*before, *shared, *after]))

    one, other = both_with(winnowing.K + winnowing.WINDOW - 1)
    assert one & other
    one, other = both_with(winnowing.K - 1)
    assert not one & other


def test_what_is_no_python_is_compared_as_far_as_it_is_some(tmp_path):
    course = small.make(tmp_path)
    broken = WORK + "\n    return found)\n'''"
    small.submit(course, "ann", {"shout": broken})
    small.submit(course, "ben", {"shout": broken.replace("found", "all_of")})
    assert similarity.similarity(course)[1] == {NAME: 1}


def test_what_is_another_assignment_is_compared_with_nothing(tmp_path):
    course = small.make(tmp_path)
    others = [[kind, name and f"other-{name}", *more] for kind, name, *more in small.CELLS]
    small.make(tmp_path, others, "02_other")
    apart = small.make(tmp_path / "apart", others, NAME)
    for student in ("ann", "ben", "cat", "dan"):
        path = small.submit(course, student, {"shout": WORK})
        if student in ("cat", "dan"):
            path.write_text(nbformat.writes(small.answered(apart, {"other-shout": WORK})), "utf-8")
    works = similarity.read(course, courses.template(course, NAME))
    assert [one.student for one in works] == ["ann", "ben"]


def test_a_page_shows_the_scripts_of_all_languages(tmp_path):
    said = "👩‍👩‍👧 نمی‌شود क्‍ष é 床前明月 🇫🇷✈️"
    page = pages.put(tmp_path / "page.html", said, [pages.code(said)]).read_text("utf-8")
    assert page.count(said) == 3
    assert r"\u202e" in pages.code("\u202e") and r"\u2066" in pages.text("\u2066")


def test_a_page_shows_what_is_written_and_runs_nothing(tmp_path):
    path = pages.put(
        tmp_path / "a.html", "<b>&", [f"<p>{pages.text('<i>' + chr(27) + chr(0x202E))}"]
    )
    page = path.read_text("utf-8")
    assert "<b>&" not in page and "&lt;i&gt;\\x1b\\u202e" in page and "default-src 'none'" in page


def test_what_nobody_has_waited_for_is_counted_too():
    """Sandboxes are ended, and take what their processes have used with them."""
    before = measure.used()
    process = subprocess.Popen([sys.executable, "-c", "sum(range(20_000_000))"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert measure.used() - before > 0.1
    process.wait()


@pytest.mark.parametrize(
    "given, told",
    [
        (["01_markov_chains", "--students", "0"], "--students=0 is no number of students: give"),
        (["01_markov_chains", "--students", "nan"], "--students=nan is no number of students"),
        (["01_markov_chains", "--workers", "-1"], "--workers=-1 is no number of workers: give"),
        (["01_markov"], r"There is no assignment '01_markov'. There are: 01_markov_chains, "),
        (["01_markov_chains", "--cluster", "here"], "'here' is no address of a Dask scheduler"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(monkeypatch, given, told):
    monkeypatch.setattr(sys, "argv", ["measure", *given])
    with pytest.raises(SystemExit, match=told):
        measure.main()


def test_who_waits_for_the_same_is_counted(course, monkeypatch, capsys):
    absent = "".join(f"s{number:02},S {number},\n" for number in range(20))
    (course.root / "students.csv").write_text(PLAIN + absent, "utf-8")
    monkeypatch.setenv("COURSE", str(course.root))
    assert commands.main("export") == 0
    lines = capsys.readouterr().out.splitlines()
    (missing,) = [line for line in lines if "not handed in" in line]
    assert re.search(r"21 students \(\w+, s00, s01 and 18 more\)$", missing), missing
    waits = "answers to be marked by hand: explain"
    assert [line for line in lines if waits in line] == [f"  not final: cyd, {NAME}: has {waits}"]
    said = [("ada", "a"), ("bob", "b"), *((who, "a") for who in "yxwv")]
    assert commands.together(said) == [
        (("a",), "5 students (ada, v, w and 2 more)"),
        (("b",), "bob"),
    ]
