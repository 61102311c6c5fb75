"""`make export`: the table of grades, and the same in the columns that Canvas and Moodle import.

    grades.csv                    everybody, in nbgrader's columns and one more, `status`
    late_days.csv                 who is late or has more days, and what lateness has taken
    grades_canvas/ASSIGNMENT.csv  with FORMAT=canvas: the grades that are final, and no others
    grades_moodle/ASSIGNMENT.csv  with FORMAT=moodle: the same, with feedback in words

Only what is final goes to a platform, in a file for each assignment: an empty field would take away
a grade that stands there. Moodle gives up the whole file for one line that fits nobody, and a line
without a student may count for the one above it; so who cannot be named there is left out, and you
are told.
"""

import csv
import dataclasses
import html
import io
import math
import re

from nbgrader.api import MissingEntry

from . import collect, submissions
from .course import GradingError, template, write
from .feedback import unsettled
from .grade import read_card
from .report import lateness
from .scores import extension, late_by, penalise_all, standing
from .statistics import titles_of

COLUMNS = (  # nbgrader's, and one more
    "assignment duedate timestamp student_id last_name first_name email raw_score"
    " late_submission_penalty score max_score status"
).split()
LATE = "id assignment days_late extension days_counted points_off".split()
PLATFORMS = ("canvas", "moodle")


@dataclasses.dataclass
class Exported:
    """paths: of the files. open: [(student, assignment, status, why)] of grades that are not final.
    missing: {assignment: those who have handed in nothing}. looks: [(student, assignment,
    sentence)] about final grades that you were asked to look at. left_out: sentences about those
    who are in no file for a platform although their grade is final. said: sentences about what
    the platform will do."""

    paths: list = dataclasses.field(default_factory=list)
    open: list = dataclasses.field(default_factory=list)
    missing: dict = dataclasses.field(default_factory=dict)
    looks: list = dataclasses.field(default_factory=list)
    left_out: list = dataclasses.field(default_factory=list)
    said: list = dataclasses.field(default_factory=list)


def export(course, only=None, form=None):
    """Write grades.csv and late_days.csv, of what somebody has handed in, with a line for
    everybody; and for a platform, form, a file for each assignment. Returns Exported.

    The status is final, not final (answers wait for points by hand), undecided, not graded,
    unreadable, no notebook, missing. There are points for the first two only: an empty field is no
    zero. Raises GradingError if there are no grades, or students.csv lacks what the platform needs.
    """
    if form not in (None, *PLATFORMS):
        raise GradingError(f"FORMAT={form} is none of {', '.join(PLATFORMS)}.")
    known = {one.id: one for one in collect.roster(course)}
    if form:
        needed(course, form, known)
    names = course.names(only)
    with course.gradebook() as book:
        names = [name for name in names if graded(book, name)]
        if not names:
            raise GradingError("There are no grades yet: run `make grade` first.")
        collect.enter(course, book, submissions.students(course)[0])
        students = [(one.id, about(one)) for one in book.students]
    rows, done, late = [], Exported(), []
    for name in names:
        penalise_all(course, name)
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
                else:
                    done.looks += [
                        (student, name, one) for one in to_look_at(course, student, name)
                    ]
    done.paths.append(put(course.root / "grades.csv", COLUMNS, rows))
    done.paths.append(put(course.root / "late_days.csv", LATE, late))
    for name in names if form else ():
        mine = [row for row in rows if row["assignment"] == name]
        make = {"canvas": for_canvas, "moodle": for_moodle}[form]
        columns, lines, nameless = make(course, name, mine, known)
        done.left_out += [f"{one}, {name}: {why}" for one, why in nameless]
        path = course.root / f"grades_{form}" / f"{name}.csv"
        done.paths.append(put(path, columns, lines))
        done.said.append(on_import(form, name, columns, mine[0]["max_score"]))
    return done


def to_look_at(course, student, name):
    """What the report asks you to look at in work that counts all the same."""
    card = read_card(course, student, name)
    return [] if card is None or card.accepted else card.looks


def on_import(form, name, columns, most):
    """What to know before a file is imported."""
    if form == "moodle":
        return f"{name} is of {number(most)} points: set that maximum in Moodle first."
    if re.search(r"\(\d+\)\s*$", columns[-1]):
        return f"{name} is of {number(most)} points, in Canvas's column {columns[-1]!r}."
    return (
        f"{name} is of {number(most)} points. Canvas will make a new assignment {columns[-1]!r}; "
        "to fill one that is there, give its name and number in nbgrader_config.py: "
        f'c.Export.columns = {{"{name}": "Homework 1 (48213)"}}.'
    )


def put(path, columns, rows):
    """Write a table; its texts are none that a spreadsheet takes for a formula."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({key: safe(field) for key, field in row.items()})
    write(path, text.getvalue())
    return path


BEGINS = re.compile(r'(^|[;,|"\t\r\n])(?=\s*[=+\-@＝＋－＠\t\r])')


def safe(field):
    """A field in which no part begins as a formula does, not where a program takes a semicolon for
    the end of a field either: an apostrophe before it makes it text. Numbers stay numbers."""
    return BEGINS.sub(r"\1'", field) if isinstance(field, str) else field


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
    off = number(one.late_submission_penalty)
    return [{**line, "days_late": f"{days:.2f}", "days_counted": counted, "points_off": off}]


def needed(course, form, known):
    """Raise GradingError if students.csv lacks a column that the platform needs."""
    path, given = course.root / "students.csv", [*known.values()]
    if form == "moodle" and not any(one.email for one in given):
        raise GradingError(f"FORMAT=moodle needs the column `email` in {path}, filled in.")
    columns = {key for one in given for key in one.canvas}
    if form == "canvas" and ("Section" not in columns or not columns - {"Section"}):
        raise GradingError(
            f"FORMAT=canvas needs the columns `Section` and one of `SIS Login ID`, `SIS User ID`, "
            f"`ID` in {path}. Canvas's own export of its gradebook has them. If you have graded "
            "already, add the columns to your own list and leave `id` as it is; before that, put "
            "the export there in place of it."
        )


def for_canvas(course, name, given, known):
    """(columns, rows, [(student, why not)]) of a gradebook as Canvas exports and imports it."""
    points = column_in_canvas(course, name)
    columns = ["Student", *collect.CANVAS, points]
    rows, nameless = [{"Student": "    Points Possible", points: number(given[0]["max_score"])}], []
    for row in final(given):
        one = known.get(row["student_id"])
        ids = {} if one is None else {key: one.canvas.get(key, "") for key in collect.CANVAS}
        if one is None:
            nameless.append((row["student_id"], "is not in students.csv"))
        elif not any(text for key, text in ids.items() if key != "Section"):
            nameless.append((row["student_id"], "has none of Canvas's ids in students.csv"))
        elif any(safe(text) != text for text in ids.values()):
            nameless.append((one.id, "has an id or a section that begins as a formula does"))
        else:
            called = ", ".join(filter(None, (row["last_name"], row["first_name"])))
            rows.append({"Student": called, **ids, points: number(row["score"])})
    return columns, rows, nameless


def final(rows):
    return [row for row in rows if row["status"] == "final"]


def column_in_canvas(course, name):
    """What Canvas calls the assignment: as the course's configuration says, or as in its gradebook
    in students.csv, "01 Markov chains (48213)"; by another name it would make a new one."""
    if named := course.config.Export.get("columns", {}).get(name):
        return named
    for column in collect.table(course.root / "students.csv")[0]:
        title = re.sub(r"\s*\(\d+\)\s*$", "", column or "")
        if collect.squeezed(title) == collect.squeezed(name):
            return column
    return name


def for_moodle(course, name, given, known):
    """(columns, rows, [(student, why not)]) of a table that Moodle imports, each by the address."""
    columns = ["Email address", name, f"Feedback: {name}"]
    rows, nameless = [], []
    for row in final(given):
        one = known.get(row["student_id"])
        if one is None or not one.email:
            nameless.append((row["student_id"], "has no email in students.csv"))
        elif safe(one.email) != one.email:
            nameless.append((one.id, "has an email that begins as a formula does"))
        else:
            said = html.escape(in_words(course, name, one.id), quote=False)
            rows.append(dict(zip(columns, (one.email, number(row["score"]), said), strict=True)))
    return columns, rows, nameless


def in_words(course, name, student):
    """Where points were lost, what lateness took, and your comments."""
    with course.gradebook() as book:
        notebook = book.find_submission_notebook(name, name, student)
        titles = titles_of(template(course, name).notebook)
        place = {title: number for number, title in enumerate(titles)}
        grades = sorted(notebook.grades, key=lambda one: place.get(one.name, len(place)))
        said = [
            f"{titles.get(one.name) or one.name}: {one.score:g} of {one.max_score:g}"
            for one in grades
            if one.score < one.max_score
        ]
        said += [one.manual_comment for one in notebook.comments if one.manual_comment]
    late = lateness(standing(course, student, name))
    return "; ".join(said + ([f"late: {late}"] if late else []))


def number(points):
    return f"{points:.2f}".rstrip("0").rstrip(".")
