"""`make feedback`: a page for each student, by nbgrader; `make export`: the table of grades."""

import logging
import re

from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateFeedback
from nbgrader.plugins import CsvExportPlugin

from utils.text.files import write_whole

from . import rebuild, submissions
from .course import GradingError, template, write
from .grade import read_card
from .scores import penalise_all, standing


def feedback(course, only=None, *, unmarked=False):
    """Make feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html. Returns ({(student, assignment): path},
    [(student, assignment, why)] of those that get no page yet).

    unmarked: make pages, too, of work with answers that nobody has marked; they show 0 points.
    """
    made, held_back = {}, []
    for name in course.names(only):
        waiting = unsettled(course, name)
        for folder in sorted((course.root / "autograded").glob(f"*/{name}")):
            student = folder.parent.name
            why, only_marks = waiting.pop(student, ("", False))
            if read_card(course, student, name) is None:
                held_back.append((student, name, why or NOT_YET))  # an interrupted grading
            elif why and not (only_marks and unmarked):
                held_back.append((student, name, why))
            else:
                try:
                    made[student, name] = page(course, student, name)
                except GradingError as error:  # something in this work; the others get theirs
                    held_back.append((student, name, str(error)))
        held_back += [(student, name, why) for student, (why, _) in waiting.items()]
    return made, held_back


# A page runs nothing and loads nothing: a host that it asked for a script would learn who looks at
# it when. Formulas are shown as they were written.
ALONE = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; img-src data:; font-src data:\">"
)


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
    path = course.folder("feedback", student, name) / f"{name}.html"
    text = re.sub(r"<script\b.*?</script\s*>", "", path.read_text("utf-8"), flags=re.S | re.I)
    write(path, text.replace("<head>", f"<head>\n{ALONE}", 1))
    return path


def export(course, only=None, to=None):
    """Write the table of grades as nbgrader makes it, CSV, of what somebody has handed in. Returns
    (its path, [(student, assignment, why)] of grades in it that are not final)."""
    path = to or course.root / "grades.csv"
    names = course.names(only)
    with course.gradebook() as book:
        names = [name for name in names if graded(book, name)]
        if not names:
            raise GradingError("There are no grades yet: run `make grade` first.")
        for name in names:
            penalise_all(course, name)
        write_whole(path, lambda new: CsvExportPlugin(to=str(new), assignment=names).export(book))
    waiting = [(name, unsettled(course, name)) for name in names]
    return path, [(who, name, why) for name, each in waiting for who, (why, _) in each.items()]


def graded(book, name):
    try:
        return bool(book.assignment_submissions(name))
    except MissingEntry:
        return False


NOT_YET = "is not graded yet"


def unsettled(course, name):
    """{student: (why, whether it is only that answers have no points)}: whose grade for that
    assignment is not final. why: a sentence without its subject."""
    found, pattern = {}, template(course, name)
    for student in submissions.students(course)[0]:
        try:
            one = submissions.read(course, student, name)
            if one is None:
                continue
            rebuild.rebuild(pattern, rebuild.handed(one.data))
        except submissions.Refused as reason:
            found[student] = f"cannot be read: it {reason}", False
            continue
        card = read_card(course, student, name)
        if card is None or (card.digest, card.template) != (one.digest, pattern.digest):
            found[student] = NOT_YET, False
        elif card.open:
            found[student] = "needs your decision", False
        elif waiting := standing(course, student, name).waiting:
            found[student] = f"has answers to be marked by hand: {', '.join(waiting)}", True
    return found
