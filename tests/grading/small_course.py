"""A course of one tiny assignment, for the tests of the grading: quick to run, without torch.

Five points for `double`, three for `shout`, one of which hangs on a hidden test each, and two for a
written answer.
"""

import dataclasses
import json
import shutil
import zipfile

import nbformat
from nbgrader import api

from tests.places import ROOT
from tools.grading import cards, course, grade, sandbox

NAME = "01_small"
LIMITS = sandbox.Limits(cell_seconds=4, seconds=40, memory=700 * sandbox.MEGABYTE)

DOUBLE = "def double(x):\n    return 2 * x"
SHOUT = "def shout(words):\n    return [word.upper() for word in words]"
STUB = 'raise NotImplementedError("write this")'
ANSWER = "Because doubling is adding to oneself."
CELLS = [
    ("markdown", "intro", "# Small\n\nWrite `double` and `shout`.", {}),
    ("code", "setup", "import math\nhalf = 0.5", {}),
    ("code", "double", f"### BEGIN SOLUTION\n{DOUBLE}\n### END SOLUTION", {"solution": True}),
    ("code", "test-double", "assert double(3) == 6, double(3)", {"points": 4}),
    (
        "code",
        "test-double-text",
        "assert callable(double)\n"
        "### BEGIN HIDDEN TESTS\n"
        'assert double("ab") == "abab", "secret message about texts"\n'
        "### END HIDDEN TESTS",
        {"points": 1},
    ),
    ("code", None, "print('look:', half)", {}),
    ("code", "shout", f"### BEGIN SOLUTION\n{SHOUT}\n### END SOLUTION", {"solution": True}),
    ("code", "test-shout", 'assert shout(["a", "b"]) == ["A", "B"]', {"points": 2}),
    (
        "code",
        "test-shout-none",
        "### BEGIN HIDDEN TESTS\nassert shout([]) == []\n### END HIDDEN TESTS\nshout([])",
        {"points": 1},
    ),
    ("markdown", "explain", "The model answer is a secret.", {"solution": True, "points": 2}),
]
POINTS = {"test-double": 4, "test-double-text": 1, "test-shout": 2, "test-shout-none": 1}
SOLUTION = {"double": DOUBLE, "shout": SHOUT, "explain": ANSWER}


def make(folder, cells=CELLS, name=NAME):
    """A course in that folder, with the book's own nbgrader_config.py; opened."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"display_name": "Python 3", "name": "python3"}
    notebook.metadata.kernelspec["language"] = "python"
    for number, (kind, grade_id, source, more) in enumerate(cells):
        cell = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
        cell = cell(source, id=f"c{number}")
        if grade_id:
            grade = "points" in more
            cell.metadata.nbgrader = {
                "grade_id": grade_id,
                "grade": grade,
                "solution": False,
                "locked": not more.get("solution", False),
                "schema_version": 3,
                "task": False,
                **more,
            }
        notebook.cells.append(cell)
    path = folder / "source" / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    shutil.copy(ROOT / "assignments" / "nbgrader_config.py", folder)
    return course.open_course(folder)


def answered(opened, answers, name=NAME):
    """The released notebook with these answers, {grade_id: text}, as a student would save it."""
    template = course.template(opened, name)
    notebook = nbformat.from_dict(json.loads(nbformat.writes(template.notebook)))
    for cell in notebook.cells:
        grade_id = course.marks(cell).get("grade_id")
        if grade_id:
            cell.source = answers.get(grade_id, template.released[grade_id])
    return notebook


def submit(opened, student, answers=SOLUTION, *, edit=None, name=NAME, zipped=None):
    """Hand in. edit: changes the notebook in place. zipped: "student", "assignment" or "inside"."""
    notebook = answered(opened, answers, name)
    if edit:
        edit(notebook)
    text = notebook if isinstance(notebook, str) else nbformat.writes(notebook)
    above = opened.root / "submitted"
    if zipped is None:
        path = above / student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path
    path = {
        "student": above / f"{student}.zip",
        "assignment": above / student / f"{name}.zip",
        "inside": above / student / name / "my work.zip",
    }[zipped]
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/{name}.ipynb", text)
    return path


def run(opened, **more):
    return grade.grade(opened, limits=more.pop("limits", LIMITS), **more)


def cell(notebook, grade_id):
    """That cell of a notebook, and its place."""
    for number, one in enumerate(notebook.cells):
        if course.marks(one).get("grade_id") == grade_id:
            return one, number
    raise KeyError(grade_id)


def marks(opened, student, name=NAME):
    """{grade_id: (points by tests, points by hand, whether a person is to look)}."""
    with opened.gradebook() as book:
        notebook = book.find_submission_notebook(name, name, student)
        return {
            one.name: (one.auto_score, one.manual_score, one.needs_manual_grade)
            for one in notebook.grades
        }


def points(opened, student, name=NAME):
    """{test cell: points}, without the written questions; what is withheld is None."""
    return {
        key: value[0]
        for key, value in marks(opened, student, name).items()
        if key.startswith("test-")
    }


def card(opened, student, name=NAME):
    return cards.read_card(opened, student, name)


def sentences(opened, student, name=NAME):
    """All that the teacher is told about a student's work."""
    text = (opened.root / "reports" / f"{name}.md").read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith(f"- **{student}**")]


def everything(opened):
    """The rows of the gradebook that hold grades and comments, to compare."""
    found = {}
    with opened.gradebook() as book:
        for submission in book.db.query(api.SubmittedAssignment):
            for notebook in submission.notebooks:
                whose = submission.student_id, notebook.name
                for one in notebook.grades:
                    scores = (one.auto_score, one.manual_score, one.extra_credit)
                    found[(*whose, one.name)] = (*scores, one.needs_manual_grade)
                for one in notebook.comments:
                    found[(*whose, one.name, "said")] = (one.auto_comment, one.manual_comment)
    return found


def frozen(limits=LIMITS, **changes):
    return dataclasses.replace(limits, **changes)
