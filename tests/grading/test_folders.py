"""A course may lie in a folder of any name: the gradebook is in it, and every command works. And
what it holds is whole, whenever a command is killed."""

import os
import zipfile

import nbformat
import pytest

from tests.disks import killed_at
from tests.grading import small_course as small
from tools.grading.course import GradingError, open_course
from tools.grading.export import export
from tools.grading.feedback import feedback
from tools.grading.release import release
from tools.grading.similarity import similarity
from tools.grading.statistics import statistics

ODD = """my course? #1 % : ; & 'a' "b" 100%20"""


def test_courses_whose_names_differ_after_a_question_mark_have_a_gradebook_each(tmp_path):
    courses = [small.make(tmp_path / f"Thinking? {number}") for number in (1, 2)]
    for course, student in zip(courses, ("ada", "bob"), strict=True):
        with course.gradebook() as book:
            book.add_student(student)
    for course, student in zip(courses, ("ada", "bob"), strict=True):
        with course.gradebook() as book:
            assert [one.id for one in book.students] == [student]
        assert (course.root / "gradebook.db").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Thinking? 1", "Thinking? 2"]


@pytest.mark.parametrize("name", ["course [2026]", os.fsdecode(b"Universit\xe4t")])
def test_a_folder_that_nbgrader_cannot_take_is_refused(tmp_path, name):
    with pytest.raises(GradingError, match=r"^The path .* (has brackets|is not UTF-8).*: move or"):
        small.make(tmp_path / name)


def test_an_assignment_that_nbgrader_cannot_take_is_refused(tmp_path):
    course = small.make(tmp_path, name="01 [draft]")
    with pytest.raises(GradingError, match=r"^The path '01 \[draft\]' has brackets"):
        course.names()


def test_a_folder_whose_name_fits_the_path_as_a_pattern_is_left_alone(tmp_path):
    small.make(tmp_path / "Thinking: 1")
    course = small.make(tmp_path / "Thinking? 1", name="1 what? *")
    path = course.root / "source" / "1 what? *" / "1 what? *.ipynb"
    nbformat.write(nbformat.read(path, 4), path.with_name("more.ipynb"))
    (archive,) = release(course)
    assert not (tmp_path / "Thinking: 1" / "release").exists()
    names = {one.name for one in (course.root / "release" / "1 what? *").iterdir()}
    assert names == {"1 what? *.ipynb", "more.ipynb"}
    with zipfile.ZipFile(archive) as opened:
        told = opened.read("1 what? */README.md").decode()
    assert '.venv/bin/jupyter lab "1 what? *.ipynb"\n' in told


def test_a_configuration_that_does_not_run_is_one_line(tmp_path):
    course = small.make(tmp_path)
    (tmp_path / "nbgrader_config.py").write_text("c.Exchange.root = 1 / 0\n")
    with pytest.raises(GradingError, match=r"nbgrader_config\.py does not run: ZeroDivisionError"):
        open_course(course.root)


@pytest.mark.slow
def test_a_course_in_a_folder_of_any_name(tmp_path):
    course = small.make(tmp_path / ODD)
    assert release(course)[0].is_file()
    small.submit(course, "ada")
    small.submit(course, "bob", zipped="student")
    assert small.run(course) == 0
    feedback(course, unmarked=True)
    pages = {path.parent.parent.name for path in (course.root / "feedback").rglob("*.html")}
    assert pages == {"ada", "bob"}
    path = export(course).paths[0]
    assert "ada" in path.read_text() and path.parent == course.root
    (page,) = statistics(course)
    assert "2 graded" in page.read_text("utf-8")
    (page,), _ = similarity(course)
    assert "2 hand-ins" in page.read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir()] == [ODD]


# -- killed ----------------------------------------------------------------------------------------


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_killed_while_releasing_what_was_released_is_whole(tmp_path):
    course = small.make(tmp_path)
    release(course)
    before = contents(course.root / "release")
    course = small.make(tmp_path, cells=small.CELLS[:-1])
    killed_at("fsync", lambda: release(course))  # the first time that anything is written
    left = contents(course.root / "release")
    assert {name: left.pop(name) for name in before} == before and all(
        name.startswith(".new-") for name in left
    )
    killed_at("chmod", lambda: release(course))
    release(course)
    notebook = contents(course.root / "release")[f"{small.NAME}.ipynb"]
    assert len(nbformat.reads(notebook.decode(), 4).cells) == len(small.CELLS) - 1


def test_what_is_no_longer_of_an_assignment_is_not_released(tmp_path):
    course = small.make(tmp_path)
    data = course.root / "source" / small.NAME / "data" / "words.txt"
    data.parent.mkdir()
    data.write_text("a b")
    release(course)
    released = course.root / "release" / small.NAME
    assert (released / "data" / "words.txt").read_text() == "a b"
    data.unlink()
    data.parent.rmdir()
    release(course)
    assert [path.name for path in released.iterdir()] == [f"{small.NAME}.ipynb"]


def test_what_shows_a_secret_is_not_even_written(tmp_path, monkeypatch):
    course = small.make(tmp_path)
    release(course)
    before = contents(course.root / "release")

    def refuse(course, name, released):
        raise GradingError("it shows a secret")

    monkeypatch.setattr("tools.grading.release.check", refuse)
    course = small.make(tmp_path, [*small.CELLS, ("markdown", None, "A secret.", {})])
    with pytest.raises(GradingError, match="it shows a secret"):
        release(course)
    assert contents(course.root / "release") == before


@pytest.mark.slow
def test_killed_while_making_feedback_each_page_is_whole(tmp_path):
    course = small.make(tmp_path)
    small.submit(course, "ada")
    assert small.run(course) == 0
    killed_at("replace", lambda: feedback(course, unmarked=True))
    assert not list((course.root / "feedback").rglob("*.html"))
    feedback(course, unmarked=True)
    before = contents(course.root / "feedback")
    assert b"<script" not in before[f"{small.NAME}.html"]
    for moment in ("fsync", "chmod"):
        killed_at(moment, lambda: feedback(course, unmarked=True))
        left = contents(course.root / "feedback")
        assert {name: left[name] for name in before} == before
