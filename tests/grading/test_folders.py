"""A course may lie in a folder of any name: the gradebook is in it, and every command works."""

import pytest

from tests.grading import small_course as small
from tools.grading.export import export
from tools.grading.feedback import feedback
from tools.grading.release import release

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
    assert [path.name for path in tmp_path.iterdir()] == [ODD]
