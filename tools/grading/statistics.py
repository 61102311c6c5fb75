"""`make statistics`: what the class did not understand, question by question, as a page.

It is read off what grading has left: the gradebook, the graded notebooks and the cards. No
student's code runs, and nothing on the page is in a student's words: why a test failed is said as
in reasons.py, and of the values that came out, outside hidden lines, there is what is a number or a
word of the assignment.
"""

import builtins
import collections
import dataclasses
import functools
import itertools
import keyword
import math
import operator
import random
import re
import string
import sys

import nbformat
from nbgrader.api import MissingEntry

from . import pages
from .cards import read_card
from .course import GradingError, marks, solutions, template
from .feedback import unsettled
from .inside.magics import plain
from .inside.reading import defines, names
from .reasons import DID_NOT_END, NOT_WRITTEN, reason, titles_of

COUNTED = ("final", "not final")
DAMAGED = "damaged in `autograded`"
LONGEST = 60  # signs of a value
USUAL = (builtins, collections, functools, itertools, math, operator, random, string)
PYTHONS = {*keyword.kwlist, *sys.stdlib_module_names, "inf", "nan"}.union(*map(dir, USUAL))


@dataclasses.dataclass
class Question:
    """A cell with points. title: what the cell above calls it. asks: what a test calls of the
    students'; nothing for a written answer. points: {student: what they have}; waiting: whose
    answer nobody has marked. failed: {why, with a HOLE for each value: {student: the values}}.
    follows: {student: tests before it that they failed, too, and that call the same functions}.
    seconds: that the test ran, of each student."""

    name: str
    title: str
    most: float
    written: bool
    asks: set
    known: set
    points: dict = dataclasses.field(default_factory=dict)
    waiting: list = dataclasses.field(default_factory=list)
    failed: dict = dataclasses.field(default_factory=dict)
    follows: dict = dataclasses.field(default_factory=dict)
    seconds: list = dataclasses.field(default_factory=list)

    def shares(self):
        """How many have all points, some, none, or wait for a person; they add up to the class."""
        marked = [self.points[one] for one in self.points if one not in self.waiting]
        full = sum(points >= self.most for points in marked)
        none = sum(points <= 0 for points in marked)
        return full, len(marked) - full - none, none, len(self.waiting)

    @property
    def number_failed(self):
        return sum(map(len, self.failed.values()))

    @property
    def called(self):
        return f"{self.name} ({self.title})" if self.title else self.name

    def words(self, value, *, openly=False):
        """A value, cut; words in it that are neither the teacher's nor Python's as …, so that a
        student cannot write on the page. openly: these, too."""
        if not openly:
            word = r"[^\W\d]\w*"
            value = re.sub(word, lambda one: one[0] if one[0] in self.known else "…", value)
        return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"


@dataclasses.dataclass
class Class:
    """What is known of a class. totals: {student: points of all, before lateness}; unfinished: of
    whom an answer is not marked. apart: {status: [students]} of whom nothing is counted. seconds:
    that grading each took."""

    questions: dict
    totals: dict = dataclasses.field(default_factory=dict)
    unfinished: set = dataclasses.field(default_factory=set)
    apart: dict = dataclasses.field(default_factory=dict)
    seconds: list = dataclasses.field(default_factory=list)

    @property
    def most(self):
        return sum(one.most for one in self.questions.values())


def statistics(course, only=None, *, with_names=False):
    """Write reports/ASSIGNMENT-statistics.html of each assignment of which something is graded.
    Returns the paths. with_names: say who it is that failed, on a page of its own that ends in
    -names.html. Raises GradingError if nothing is graded."""
    from . import statistics_page  # draws, which takes long to load

    paths = []
    for name in course.names(only):
        found = gather(course, template(course, name))
        if found.totals:
            names, title = ("-names", ", with names") if with_names else ("", "")
            path = course.root / "reports" / f"{name}-statistics{names}.html"
            parts = statistics_page.parts(found, with_names)
            paths.append(pages.put(path, f"{name}: the class{title}", parts))
    if not paths:
        raise GradingError("Nothing is graded yet: run `make grade` first.")
    return paths


def gather(course, pattern):
    """The Class, of an assignment's template."""
    found, solved = Class({}), solutions(course, pattern.name)
    defined = {name: defines(plain(text)[0]) for name, text in solved.items()}
    titles = titles_of(pattern.notebook)
    words = re.findall(r"[^\W\d]\w*", "\n".join(one.source for one in pattern.notebook.cells))
    known = {*PYTHONS, *pattern.names, *words}
    for cell in pattern.notebook.cells:
        mark = marks(cell)
        if mark.get("grade") and mark["points"]:
            asks = names(cell.source)[1] & set().union(*defined.values())
            name, written = mark["grade_id"], bool(mark.get("solution"))
            one = Question(name, titles[name], mark["points"], written, asks, known)
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
            if one.student_id in apart:
                continue
            cells = graded_cells(course, one.student_id, pattern)
            if cells is None:
                found.apart.setdefault(DAMAGED, []).append(one.student_id)
            else:
                add(found, one, cells, course, pattern, defined)
    tests = [one for one in found.questions.values() if not one.written]
    for number, one in enumerate(tests):
        before = [other for other in tests[:number] if of_one_function(one.asks, other.asks)]
        for student in students_of(one):
            if too := [other.name for other in before if student in students_of(other)]:
                one.follows[student] = too
    return found


def students_of(question):
    """Who failed a test."""
    return {student for those in question.failed.values() for student in those}


def alike(found):
    """{(student, student): [how both failed the same check]}, but for what was not written or did
    not end."""
    pairs = {}
    for one in found.questions.values():
        for why, those in one.failed.items():
            if why not in (NOT_WRITTEN, DID_NOT_END):
                many = f" ({len(those)} of {len(found.totals)} did)"
                for pair in itertools.product(those, repeat=2):
                    pairs.setdefault(pair, []).append(f"{one.name} by the same check{many}")
    return pairs


def of_one_function(some, others):
    """Whether two tests are of the same function, by what they ask for: all that one of them asks
    for. Two that need a third for what they do, as `crop` and `decode` need `step`, are two."""
    return bool(some and others) and (some <= others or others <= some)


def graded_cells(course, student, pattern):
    """{name: cell} of a graded notebook; None if it is gone or damaged."""
    try:
        cells = nbformat.read(course.notebook("autograded", pattern.name, student), 4).cells
        cells = {marks(one).get("grade_id"): one for one in cells}
    except Exception:  # whatever is wrong with one, the page is of the others
        return None
    return cells if set(pattern.released) <= set(cells) else None


def add(found, submission, cells, course, pattern, defined):
    """Add a graded submission, of nbgrader's gradebook, to the Class. cells: of its notebook."""
    student, questions = submission.student_id, found.questions
    card = read_card(course, student, pattern.name)
    found.totals[student] = submission.score
    found.seconds.append(card.seconds)
    for grade in submission.notebooks[0].grades:
        if grade.name in questions:
            questions[grade.name].points[student] = grade.score
            if grade.needs_manual_grade:
                questions[grade.name].waiting.append(student)
                found.unfinished.add(student)
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
            why = (NOT_WRITTEN, ()) if question.asks & unwritten else why
            question.failed.setdefault(why[0], {})[student] = why[1]
