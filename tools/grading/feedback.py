"""`make feedback`: a page for each student, by nbgrader; `make export`: the table of grades."""

import csv
import io
import logging
import re

from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateFeedback

from . import collect, rebuild, submissions
from .course import GradingError, template, write
from .grade import read_card
from .progress import Progress
from .scores import penalise_all, standing


def feedback(course, only=None, *, unmarked=False):
    """Make feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html. Returns ({(student, assignment): path},
    [(student, assignment, why)] of those that get no page yet).

    unmarked: make pages, too, of work with answers that nobody has marked; they show 0 points.
    """
    made, held_back = {}, []
    for name in course.names(only):
        states = unsettled(course, name)
        folders = sorted((course.root / "autograded").glob(f"*/{name}"))
        ready = [folder.parent.name for folder in folders]
        allowed = ("final", "not final") if unmarked else ("final",)
        ready = [one for one in ready if states.get(one, ("final",))[0] in allowed]
        with Progress(name, len(ready), "pages made") as progress:
            for student in ready:
                try:
                    made[student, name] = page(course, student, name)
                except GradingError as error:  # something in this work; the others get theirs
                    held_back.append((student, name, str(error)))
                progress.step()
        held_back += [
            (student, name, why)
            for student, (status, why) in states.items()
            if student not in ready and status != "missing"
        ]
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


COLUMNS = (  # nbgrader's, and one more
    "assignment duedate timestamp student_id last_name first_name email raw_score"
    " late_submission_penalty score max_score status"
).split()


def export(course, only=None):
    """Write grades.csv, of what somebody has handed in, with a line for everybody. Returns (its
    path, [(student, assignment, why)] of grades that are not final, {assignment: those who have
    handed in nothing}).

    The columns are those of nbgrader's export, and `status`: final, not final (answers wait for
    points by hand), undecided, not graded, unreadable, no notebook, missing. There are points for
    the first two only: an empty field is no zero.
    """
    table, open_ones, missing = io.StringIO(), [], {}
    rows = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    rows.writeheader()
    names = course.names(only)
    with course.gradebook() as book:
        names = [name for name in names if graded(book, name)]
        if not names:
            raise GradingError("There are no grades yet: run `make grade` first.")
        collect.enter(course, book, submissions.students(course)[0])
        students = [(one.id, about(one)) for one in book.students]
    for name in names:
        penalise_all(course, name)
        states = unsettled(course, name)
        with course.gradebook() as book:
            for student, them in students:
                status, why = states.get(student, ("final", ""))
                rows.writerow({**them, **grade_of(book, name, student, status), "status": status})
                if status == "missing":
                    missing.setdefault(name, []).append(student)
                elif why:
                    open_ones.append((student, name, why))
    path = course.root / "grades.csv"
    write(path, table.getvalue())
    return path, open_ones, missing


def about(student):
    """What a line says of a student, whoever wrote it into the gradebook."""
    known = {key: getattr(student, key) for key in ("last_name", "first_name", "email")}
    known = {key: " ".join((text or "").split()) for key, text in known.items()}
    return {"student_id": student.id, **known}


def grade_of(book, name, student, status):
    """What a line says of the assignment and of a student's grade; no points if there are none."""
    assignment = book.find_assignment(name)
    found = {"assignment": name, "duedate": assignment.duedate, "max_score": assignment.max_score}
    try:
        one = book.find_submission(name, student)
    except MissingEntry:
        return found
    found["timestamp"] = one.timestamp
    if status not in ("final", "not final"):
        return found
    penalty = one.late_submission_penalty
    points = {"raw_score": one.score, "score": max(0.0, one.score - penalty)}
    return {**found, **points, "late_submission_penalty": penalty}


def graded(book, name):
    try:
        return bool(book.assignment_submissions(name))
    except MissingEntry:
        return False


def unsettled(course, name):
    """{student: (status, why)} of all whose grade for that assignment is not final. why: a sentence
    without its subject."""
    pattern, found = template(course, name), collect.look(course, name)
    states = {}
    for one in collect.roster(course):
        if one.id in found.without:
            states[one.id] = "no notebook", f"has handed in {found.without[one.id]}, no notebook"
        else:
            states[one.id] = "missing", "has handed in nothing"
    with course.gradebook() as book:
        known = {one.id for one in book.students}
    for student in {*submissions.students(course)[0], *known, *states}:
        state = of_submission(course, pattern, student)
        if state is None:
            states.setdefault(student, ("missing", "has handed in nothing"))
        elif state[0] == "final":
            states.pop(student, None)
        else:
            states[student] = state
    return dict(sorted(states.items()))


def of_submission(course, pattern, student):
    """(status, why) of what lies in `submitted` or was graded; None if there is neither."""
    name = pattern.name
    card = read_card(course, student, name)
    try:
        one = submissions.read(course, student, name)
        if one is not None:
            rebuild.rebuild(pattern, rebuild.handed(one.data))
    except submissions.Refused as reason:
        return "unreadable", f"cannot be graded: it {reason}"
    if one is None and card is None:
        return None
    now = (one.digest, pattern.digest) if one else None
    if card is None or now not in (None, (card.digest, card.template)):
        return "not graded", "is not graded yet"
    if card.open:
        return "undecided", "needs your decision"
    try:
        waiting = standing(course, student, name).waiting
    except MissingEntry:  # the gradebook is another one
        return "not graded", "is not graded yet"
    if waiting:
        return "not final", f"has answers to be marked by hand: {', '.join(waiting)}"
    return "final", ""
