"""Tables of final grades as Canvas and Moodle import them, each assignment in one of its own.

An empty field would take away a grade that stands there, so only what is final is in them. Moodle
gives up the whole file for one line that fits nobody, and a line without a student may count for
the one above it; so who cannot be named there is left out, and the teacher is told.
"""

import html
import re

from .course import GradingError, template
from .reasons import titles_of
from .report import lateness
from .roster import CANVAS, squeezed, table
from .scores import standing


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


BEGINS = re.compile(r'(^|[;,|"\t\r\n])(?=\s*[=+\-@＝＋－＠\t\r])')


def safe(field):
    """A field in which no part begins as a formula does, not where a program takes a semicolon for
    the end of a field either: an apostrophe before it makes it text. Numbers stay numbers."""
    return BEGINS.sub(r"\1'", field) if isinstance(field, str) else field


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
    columns = ["Student", *CANVAS, points]
    rows, nameless = [{"Student": "    Points Possible", points: number(given[0]["max_score"])}], []
    for row in final(given):
        one = known.get(row["student_id"])
        ids = {} if one is None else {key: one.canvas.get(key, "") for key in CANVAS}
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
    for column in table(course.root / "students.csv")[0]:
        title = re.sub(r"\s*\(\d+\)\s*$", "", column or "")
        if squeezed(title) == squeezed(name):
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


PLATFORMS = {"canvas": for_canvas, "moodle": for_moodle}


def number(points):
    return f"{points:.2f}".rstrip("0").rstrip(".")
