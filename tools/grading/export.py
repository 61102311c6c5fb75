"""`make export`: the table of grades, and the same in the columns that Canvas and Moodle import.

    grades.csv                    everybody, in nbgrader's columns and one more, `status`
    late_days.csv                 who is late or has more days, and what lateness has taken
    grades_canvas/ASSIGNMENT.csv  with FORMAT=canvas: the grades that are final, and no others
    grades_moodle/ASSIGNMENT.csv  with FORMAT=moodle: the same, with feedback in words

What a platform's file leaves out, and why, is in platforms.py.
"""

import csv
import dataclasses
import io
import math

from nbgrader.api import MissingEntry

from . import collect, platforms, submissions
from .cards import read_card
from .course import GradingError, write
from .feedback import unsettled
from .roster import enter, roster
from .scores import extension, late_by, penalise_all

COLUMNS = (  # nbgrader's, and one more
    "assignment duedate timestamp student_id last_name first_name email raw_score"
    " late_submission_penalty score max_score status"
).split()
LATE = "id assignment days_late extension days_counted points_off".split()


@dataclasses.dataclass
class Exported:
    """paths: of the files. open: [(student, assignment, status, why)] of grades that are not final.
    missing: {assignment: those who have handed in nothing}. looks: [(student, assignment,
    sentence)] about final grades that you were asked to look at. nobodys: sentences about hand-ins
    that were given to nobody. left_out: sentences about those who are in no file for a platform
    although their grade is final. said: sentences about what the platform will do."""

    paths: list = dataclasses.field(default_factory=list)
    open: list = dataclasses.field(default_factory=list)
    missing: dict = dataclasses.field(default_factory=dict)
    looks: list = dataclasses.field(default_factory=list)
    nobodys: list = dataclasses.field(default_factory=list)
    left_out: list = dataclasses.field(default_factory=list)
    said: list = dataclasses.field(default_factory=list)


def export(course, only=None, form=None):
    """Write grades.csv and late_days.csv, of what somebody has handed in, with a line for
    everybody; and for a platform, form, a file for each assignment. Returns Exported.

    The status is final, not final (answers wait for points by hand), undecided, not graded,
    unreadable, no notebook, unclear (it fits others as well), missing. There are points for the
    first two only: an empty field is no zero. Raises GradingError if there are no grades, or
    students.csv lacks what the platform needs.
    """
    if form not in (None, *platforms.PLATFORMS):
        raise GradingError(f"FORMAT={form} is none of {', '.join(platforms.PLATFORMS)}.")
    known = {one.id: one for one in roster(course)}
    if form:
        platforms.needed(course, form, known)
    names = course.names(only)
    with course.gradebook() as book:
        names = [name for name in names if graded(book, name)]
        if not names:
            raise GradingError("There are no grades yet: run `make grade` first.")
        enter(course, book, submissions.students(course)[0])
        students = [(one.id, about(one)) for one in book.students]
    rows, done, late = [], Exported(), []
    for name in names:
        penalise_all(course, name)
        done.nobodys += collect.look(course, name).nobodys
        states = unsettled(course, name)
        with course.gradebook() as book:
            for student, them in students:
                status, why = states.get(student, ("final", ""))
                grade = grade_of(book, name, student, status)
                rows.append({**them, **grade, "status": status})
                late += late_days(course, book, name, student)
                if status == "missing":
                    done.missing.setdefault(name, []).append(student)
                elif why:
                    done.open.append((student, name, status, why))
                elif (card := read_card(course, student, name)) and not card.accepted:
                    done.looks += [(student, name, one) for one in card.looks]
    done.paths.append(put(course.root / "grades.csv", COLUMNS, rows))
    done.paths.append(put(course.root / "late_days.csv", LATE, late))
    for name in names if form else ():
        mine = [row for row in rows if row["assignment"] == name]
        columns, lines, nameless = platforms.PLATFORMS[form](course, name, mine, known)
        done.left_out += [f"{one}, {name}: {why}" for one, why in nameless]
        path = course.root / f"grades_{form}" / f"{name}.csv"
        done.paths.append(put(path, columns, lines))
        done.said.append(platforms.on_import(form, name, columns, mine[0]["max_score"]))
    return done


def put(path, columns, rows):
    """Write a table; its texts are none that a spreadsheet takes for a formula."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({key: platforms.safe(field) for key, field in row.items()})
    write(path, text.getvalue())
    return path


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
    penalty = round(one.late_submission_penalty, 2)
    points = {"raw_score": one.score, "score": max(0.0, round(one.score - penalty, 2))}
    return {**found, **points, "late_submission_penalty": penalty}


def graded(book, name):
    try:
        return bool(book.assignment_submissions(name))
    except MissingEntry:
        return False


def late_days(course, book, name, student):
    """The line about lateness, in a list: [] for who was in time and has no extension.
    days_counted: those that have begun after an extension."""
    more = extension(course, student, name)
    line = {"id": student, "assignment": name, "extension": f"{more:g}" if more else ""}
    try:
        one = book.find_submission(name, student)
    except MissingEntry:
        return [line] if more else []
    days = one.total_seconds_late / 86_400
    if not days and not more:
        return []
    counted = math.ceil(late_by(course, one, student, name) / 86_400)
    off = platforms.number(one.late_submission_penalty)
    return [{**line, "days_late": f"{days:.2f}", "days_counted": counted, "points_off": off}]
