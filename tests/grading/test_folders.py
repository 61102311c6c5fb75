"""A course may lie in a folder of any name: the gradebook is in it, and every command works."""

import os
import zipfile

import nbformat
import pytest

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
