"""`make feedback`: a page for each student, by nbgrader; `make export`: the table of grades."""

import logging
import os

from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateFeedback
from nbgrader.plugins import CsvExportPlugin

from . import rebuild, submissions
from .course import GradingError, template
from .grade import read_card
from .scores import standing


def feedback(course, only=None, *, unmarked=False):
    """Make feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html. Returns ({(student, assignment): path},
    [(student, assignment, why)] of those that get no page yet).

    unmarked: make pages, too, of work with answers that nobody has marked; they show 0 points.
    """
    made, held_back, final = {}, [], {None, BY_HAND} if unmarked else {None}
    for name in course.names(only):
        waiting = unsettled(course, name)
        for folder in sorted((course.root / "autograded").glob(f"*/{name}")):
            student = folder.parent.name
            card, (kind, why) = read_card(course, student, name), waiting.pop(student, (None, ""))
            if kind in final and card is not None:
                made[student, name] = page(course, student, name)
            else:
                held_back.append((student, name, why or "is not graded yet"))
        held_back += [(student, name, why) for student, (_, why) in waiting.items()]
    return made, held_back


def page(course, student, name):
    """Let nbgrader make one page. Returns its path."""
    converter = GenerateFeedback(
        coursedir=course.directory(name, student), config=course.config, force=True
    )
    converter.log = logging.getLogger("feedback")
    converter.log.setLevel(logging.ERROR)
    try:
        converter.start()
    except (Exception, SystemExit) as error:
        raise GradingError(f"nbgrader cannot make {student}'s {name}: {error}") from error
    return course.folder("feedback", student, name) / f"{name}.html"


def export(course, only=None, to=None):
    """Write the table of grades as nbgrader makes it, CSV, of what somebody has handed in. Returns
    (its path, [(student, assignment, why)] of grades in it that are not final)."""
    path = to or course.root / "grades.csv"
    names = course.names(only)
    with course.gradebook() as book:
        names = [name for name in names if graded(book, name)]
        if not names:
            raise GradingError("There are no grades yet: run `make grade` first.")
        partial = path.with_name(path.name + ".part")
        CsvExportPlugin(to=str(partial), assignment=names).export(book)
    os.replace(partial, path)
    waiting = [(name, unsettled(course, name)) for name in names]
    return path, [(who, name, why) for name, each in waiting for who, (_, why) in each.items()]


def graded(book, name):
    try:
        return bool(book.assignment_submissions(name))
    except MissingEntry:
        return False


UNREADABLE, NOT_YET, UNDECIDED, BY_HAND = "unreadable", "not graded", "undecided", "by hand"


def unsettled(course, name):
    """{student: (one of the four words above, a sentence without its subject)}: whose grade for
    that assignment is not final."""
    found, pattern = {}, template(course, name)
    for student in submissions.students(course)[0]:
        try:
            one = submissions.read(course, student, name)
            if one is None:
                continue
            rebuild.rebuild(pattern, rebuild.handed(one.data))
        except submissions.Refused as reason:
            found[student] = UNREADABLE, f"cannot be read: it {reason}"
            continue
        card = read_card(course, student, name)
        if card is None or (card.digest, card.template) != (one.digest, pattern.digest):
            found[student] = NOT_YET, "is not graded yet"
        elif card.open:
            found[student] = UNDECIDED, "needs your decision"
        elif waiting := standing(course, student, name).waiting:
            found[student] = BY_HAND, f"has answers to be marked by hand: {', '.join(waiting)}"
    return found
