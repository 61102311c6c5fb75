"""`make statistics`: what the class did not understand, question by question, as a page.

It is read off what grading has left: the gradebook, the graded notebooks and the cards. No
student's code runs, and nothing on the page is in a student's words: of a check that failed it has
the teacher's words for that check, or its line; of an error the name that Python has for it.
"""

import builtins
import dataclasses
import re

import nbformat
from nbgrader.api import MissingEntry

from . import pages, statistics_page
from .course import GradingError, marks, template
from .feedback import unsettled
from .grade import read_card
from .inside.magics import plain
from .inside.reading import defines, hidden_lines, names, own_words

COUNTED = ("final", "not final")
STOPPED = {"CellTimeout", "TestEnded", "SessionEnded", "NotRun", "Stopped"}
NOT_WRITTEN = "Not written: the cell is as it was released."
DID_NOT_END = "It was stopped, or did not come to its end."
HIDDEN = "A hidden test failed."


@dataclasses.dataclass
class Question:
    """A cell with points. asks: what a test calls of the students'; nothing for a written answer.
    points: {student: what they have}; waiting: whose answer nobody has marked. failed: {why:
    [students]}. seconds: that the test ran, of each student."""

    name: str
    most: float
    written: bool
    asks: set
    points: dict = dataclasses.field(default_factory=dict)
    waiting: list = dataclasses.field(default_factory=list)
    failed: dict = dataclasses.field(default_factory=dict)
    seconds: list = dataclasses.field(default_factory=list)

    def shares(self):
        """How many have all points, some, none, or wait for a person; they add up to the class."""
        marked = [self.points[one] for one in self.points if one not in self.waiting]
        full, none = (sum(test(one) for one in marked) for test in (self.is_full, self.is_none))
        return full, len(marked) - full - none, none, len(self.waiting)

    @property
    def number_failed(self):
        return sum(map(len, self.failed.values()))

    def is_full(self, points):
        return points >= self.most

    def is_none(self, points):
        return points <= 0 < self.most


@dataclasses.dataclass
class Class:
    """What is known of a class. totals: {student: points of all}. apart: {status: [students]} of
    whom nothing is counted. seconds: that grading each took."""

    questions: dict
    totals: dict = dataclasses.field(default_factory=dict)
    apart: dict = dataclasses.field(default_factory=dict)
    seconds: list = dataclasses.field(default_factory=list)

    @property
    def most(self):
        return sum(one.most for one in self.questions.values())


def statistics(course, only=None, *, with_names=False):
    """Write reports/ASSIGNMENT-statistics.html of each assignment of which something is graded.
    Returns the paths. with_names: say who it is that failed. Raises GradingError if nothing is."""
    paths = []
    for name in course.names(only):
        found = gather(course, template(course, name))
        if found.totals:
            path = course.root / "reports" / f"{name}-statistics.html"
            paths.append(
                pages.put(path, f"{name}: the class", statistics_page.parts(found, with_names))
            )
    if not paths:
        raise GradingError("Nothing is graded yet: run `make grade` first.")
    return paths


def gather(course, pattern):
    """The Class, of an assignment's template."""
    found, defined = Class({}), solutions(course, pattern.name)
    for cell in pattern.notebook.cells:
        mark = marks(cell)
        if mark.get("grade") and mark["points"]:
            asks = names(cell.source)[1] & set().union(*defined.values())
            one = Question(mark["grade_id"], mark["points"], bool(mark.get("solution")), asks)
            found.questions[one.name] = one
    states = unsettled(course, pattern.name)
    for student, (status, _) in states.items():
        if status not in COUNTED:
            found.apart.setdefault(status, []).append(student)
    apart = {student for students in found.apart.values() for student in students}
    with course.gradebook() as book:
        try:
            submissions = book.assignment_submissions(pattern.name)
        except MissingEntry:
            return found
        for one in submissions:
            if one.student_id not in apart:
                add(found, one, course, pattern, defined)
    return found


def solutions(course, name):
    """{name of a cell: names that the instructor's solution defines in it}."""
    source = nbformat.read(course.folder("source", assignment=name) / f"{name}.ipynb", 4)
    cells = [one for one in source.cells if one.cell_type == "code" and marks(one).get("solution")]
    return {marks(one)["grade_id"]: defines(plain(one.source)[0]) for one in cells}


def add(found, submission, course, pattern, defined):
    """Add a graded submission, of nbgrader's gradebook, to the Class."""
    student, questions = submission.student_id, found.questions
    card = read_card(course, student, pattern.name)
    graded = course.folder("autograded", student, pattern.name) / f"{pattern.name}.ipynb"
    cells = {marks(one).get("grade_id"): one for one in nbformat.read(graded, 4).cells}
    found.totals[student] = max(0, submission.score - submission.late_submission_penalty)
    found.seconds.append(card.seconds)
    for grade in submission.notebooks[0].grades:
        if grade.name in questions:
            questions[grade.name].points[student] = grade.score
            if grade.needs_manual_grade:
                questions[grade.name].waiting.append(student)
    unwritten = set()
    for name, some in defined.items():
        if cells[name].source.strip() == pattern.released[name].strip():
            unwritten |= some
    tests = {marks(one).get("grade_id"): plain(one.source)[0] for one in pattern.notebook.cells}
    for question in questions.values():
        if question.name in card.times:
            question.seconds.append(card.times[question.name])
        why = None if question.written else reason(cells[question.name], tests[question.name])
        if why:
            why = NOT_WRITTEN if question.asks & unwritten else why
            question.failed.setdefault(why, []).append(student)


def reason(cell, source):
    """Why a test failed, in the teacher's words as far as there are any, and the line of the test;
    None if it did not fail."""
    error = next((one for one in cell.get("outputs", ()) if one.output_type == "error"), None)
    if error is None:
        return None
    kind, lines = error["ename"], source.splitlines()
    if kind in STOPPED:
        return DID_NOT_END
    if kind == "HiddenTest":
        hidden = {own_words(source, at): at for at in sorted(hidden_lines(source), reverse=True)}
        said = error["evalue"]
        return f"{said} (line {hidden[said]})" if said and said in hidden else HIDDEN
    said = [re.fullmatch(r"line (\d+): (.*)", line) for line in error["traceback"]]
    way = [int(one[1]) for one in said if one and one[2] in lines[int(one[1]) - 1 : int(one[1])]]
    if not way:
        return "An error, nobody knows where."
    at, where = way[0], lines[way[0] - 1].strip()
    if kind == "AssertionError":
        spoken = [(number, one) for number in way if (one := own_words(source, number))]
        at, words = spoken[-1] if spoken else (at, where)
        return f"{words} (line {at})"
    known = isinstance(getattr(builtins, kind, None), type)
    return f"{kind if known else 'An error of their own'}, called in line {at}: {where}"
