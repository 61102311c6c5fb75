"""What came out of the sandbox, as a notebook that people read and as scores in the gradebook.

The scores are derived and stored by nbgrader's own code from the outputs of the test cells; here it
is only handed a session in which all of one submission is written, or nothing of it.
"""

import base64
import contextlib
import dataclasses
import re
import struct
import sys

import nbformat
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from nbgrader.utils import parse_utc

from utils.text.numbers import real

from . import collect
from .course import GradingError, marks
from .rebuild import title

WITHHELD = (
    "This test passed, but its points are withheld until the teacher has decided, because of what "
    "the report at the top of this notebook says."
)


def fill_in(rebuilt, result, *, withhold):
    """Put what each cell showed into the rebuilt notebook. Returns the names of withheld tests.

    result: what inside/run.py hands back. withhold: whether passed tests earn nothing for now.
    """
    withheld, room = set(), MAX_PIXELS_IN_ALL
    for cell, got in zip(rebuilt.code(), result["cells"], strict=True):
        outputs = []
        for one in got["outputs"]:
            outputs.append(shown(one, room))
            room -= pixels((outputs[-1] or {}).get("data", {}).get("image/png")) or 0
        error = got["error"]
        if got["verdict"] == "failed" and error is None:
            error = {"ename": "TestFailed", "evalue": "", "traceback": ["the test failed"]}
        if error is not None:
            outputs.append({"output_type": "error", **told(error)})
        elif got["verdict"] == "passed" and withhold:
            withheld.add(marks(cell)["grade_id"])
            outputs.append({"output_type": "stream", "name": "stdout", "text": WITHHELD + "\n"})
        cell.outputs = [nbformat.from_dict(one) for one in outputs if one]
        cell.execution_count = None
    for cell in rebuilt.notebook.cells:
        cell.source = harmless(cell.source, code=cell.cell_type == "code")
    return withheld


def times(rebuilt, result):
    """{name of a test: seconds it ran}; of those that came to run."""
    cells = zip(rebuilt.code(), rebuilt.code_kinds(), result["cells"], strict=True)
    return {
        marks(cell)["grade_id"]: round(got["seconds"], 2)
        for cell, kind, got in cells
        if kind == "test" and "seconds" in got
    }


TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def harmless(text, *, code):
    """A cell as people are shown it: orders to a terminal are signs, \x1b is ␛; and in code what
    would turn the direction of writing, so that it is not read in the order in which it runs."""
    text = text.replace("\r\n", "\n")
    signs = {number: chr(0x2400 + number) for number in range(32) if chr(number) not in "\n\t"}
    signs |= {127: "\u2421"} | {number: f"\\x{number:x}" for number in range(128, 160)}
    signs |= {ord(one): f"\\u{ord(one):x}" for one in TURNING} if code else {}
    return text.translate(signs)


MAX_TEXT = 12_000  # characters of an output
MAX_LINE = 2000  # of an error's
MAX_PIXELS = 4_000_000
MAX_PIXELS_IN_ALL = 40_000_000  # of a notebook
MAX_PNG = 400_000  # bytes
CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"pHYs", b"tEXt", b"sBIT", b"gAMA", b"sRGB"}


def shown(output, room=MAX_PIXELS_IN_ALL):
    """An output as inside/cells.py makes it, text or a PNG picture of bounded size; else None."""
    if output.get("output_type") == "stream" and isinstance(output.get("text"), str):
        text = readable(output["text"], MAX_TEXT)
        return {"output_type": "stream", "name": "stdout", "text": text}
    data = output.get("data") if output.get("output_type") == "display_data" else None
    if not isinstance(data, dict) or not isinstance(data.get("text/plain"), str):
        return None
    found = {"text/plain": readable(data["text/plain"], MAX_TEXT)}
    if "image/png" in data:
        if 0 < pixels(data["image/png"]) <= min(MAX_PIXELS, room):
            found["image/png"] = data["image/png"]
        else:
            found["text/plain"] = "[a picture that is too large to show, or none]"
    return {"output_type": "display_data", "data": found, "metadata": {}}


def told(error):
    """An error without what a terminal or a page would take for orders."""
    trace = [readable(line, MAX_LINE) for line in error["traceback"]]
    ename, evalue = readable(error["ename"], 100), readable(error["evalue"], MAX_LINE)
    return {"ename": ename, "evalue": evalue, "traceback": trace}


def readable(text, most):
    """Text in several lines, without colours and other orders to a terminal, and not too long."""
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text[: 2 * most])[:most]
    return printable(text, "\n\t")


JOINERS = "\u200c\u200d"  # of emoji, and of letters in Persian and Hindi; they hide nothing


def printable(text, besides=""):
    """Text that a terminal and a file can take. A student's words, and names of files, may hold
    half a character, a line break or an order to the terminal; these, but for `besides`, are shown
    as Python's repr shows them."""
    kept = JOINERS + besides
    return "".join(
        one if one.isprintable() or one in kept else one.encode("unicode_escape").decode()
        for one in text
    )


def pixels(text):
    """How many points a PNG has when it is unpacked; 0 if it is none, or has more in it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        return 0
    if not 24 <= len(data) <= MAX_PNG or data[:8] != b"\x89PNG\r\n\x1a\n":
        return 0
    at, kinds = 8, []
    while at + 12 <= len(data):
        kinds.append(data[at + 4 : at + 8])
        at += 12 + struct.unpack_from("!I", data, at)[0]
    if at != len(data) or kinds[:1] != [b"IHDR"] or b"IHDR" in kinds[1:] or set(kinds) - CHUNKS:
        return 0
    width, height = struct.unpack_from("!II", data, 16)
    return width * height


def answers(course, student, assignment):
    """{name of a cell that students write: its text} of a graded notebook; {} if there is none."""
    path = course.folder("autograded", student, assignment) / f"{assignment}.ipynb"
    try:
        return written(nbformat.read(path, as_version=4))
    except Exception:  # whatever is wrong with it, it then says nothing
        return {}


def written(notebook):
    cells = [one for one in notebook.cells if marks(one).get("solution")]
    return {marks(one)["grade_id"]: one.source for one in cells}


def save(course, submission, rebuilt, withheld, same):
    """Write the scores of one submission into the gradebook, in one transaction.

    same: the names of cells of which nothing has changed since they were graded before; then what
    a person has decided about them needs no new look. Manual scores and comments are never touched.
    """
    student, assignment = submission.student, submission.assignment
    with course.gradebook() as book, one_transaction(book.db):
        book.update_or_create_student(student)
        when = {"timestamp": submission.when} if submission.when else {}
        book.update_or_create_submission(assignment, student, **when)
        Save(book, student, assignment, withheld, same).go(rebuilt.notebook)
        penalise(course, book, student, assignment)


def penalise_all(course, assignment, times=None):
    """Take off for lateness by what is now known of due dates and extensions, and of when work was
    handed in: times, {student: as in timestamp.txt, or None}."""
    with course.gradebook() as book, one_transaction(book.db):
        for one in book.assignment_submissions(assignment):
            if when := (times or {}).get(one.student_id):
                with contextlib.suppress(Exception):  # the others are not to suffer from it
                    one.timestamp = parse_utc(when)
            penalise(course, book, one.student_id, assignment)


def late_by(course, submission, student, assignment):
    """Seconds by which it is late, less the days of an extension."""
    days = extension(course, student, assignment)
    return max(0, submission.total_seconds_late - 86_400 * days)


def extension(course, student, assignment):
    """The days that extensions.csv (id, assignment, days) gives; a line without an assignment is
    for all of them, and of several the most days count. Raises GradingError for a line that means
    nobody, nothing or no days: it would be passed over in silence."""
    path, found = course.root / "extensions.csv", [0.0]
    if not path.exists():
        return 0.0
    known, names = {one.id for one in collect.roster(course)}, course.names()
    for number, row in enumerate(collect.table(path), start=2):
        who, what, text = ((row.get(key) or "").strip() for key in ("id", "assignment", "days"))
        try:
            days = float(text)
        except ValueError:
            days = -1
        if not 0 <= days < 1000:
            raise GradingError(f"{path}, line {number}: {text!r} is no number of days.")
        if not who or (known and who not in known):
            raise GradingError(f"{path}, line {number}: {who!r} is no id of students.csv.")
        if what and what not in names:
            raise GradingError(
                f"{path}, line {number}: there is no assignment {what!r}. There are: "
                f"{', '.join(names)}; an empty field means all."
            )
        if who == student and what in (assignment, ""):
            found.append(days)
    return max(found)


@contextlib.contextmanager
def one_transaction(db):
    """Make every commit on the way only a flush; commit at the end, or nothing at all."""
    commit, db.commit = db.commit, db.flush
    try:
        yield
        commit()
    except BaseException:
        db.rollback()
        raise
    finally:
        db.commit = commit


class Save(SaveAutoGrades):
    """nbgrader's step, writing to a gradebook that is already open."""

    def __init__(self, book, student, assignment, withheld, same):
        super().__init__()
        self.gradebook, self.student_id = book, student
        self.assignment_id = self.notebook_id = assignment
        self.withheld, self.same = withheld, same

    def go(self, notebook):
        for index, cell in enumerate(notebook.cells):
            self.preprocess_cell(cell, {}, index)

    def _add_score(self, cell, resources):
        name = marks(cell)["grade_id"]
        grade = self.gradebook.find_grade(
            name, self.notebook_id, self.assignment_id, self.student_id
        )
        before = (grade.auto_score, grade.needs_manual_grade)
        super()._add_score(cell, resources)
        if name in self.withheld:
            grade.auto_score, grade.needs_manual_grade = None, True
        if name in self.same and grade.manual_score is not None and grade.auto_score == before[0]:
            grade.needs_manual_grade = before[1]


def penalise(course, book, student, assignment):
    """Take off for lateness what the course's plugin says; nbgrader's own takes off nothing."""
    sys.path.insert(0, str(course.root))  # where a course keeps its late.py
    try:
        step = AssignLatePenalties(config=course.config)
        step.init_plugin()
    except Exception as error:
        raise GradingError(f"The plugin for late work cannot be used: {error}") from error
    finally:
        sys.path.remove(str(course.root))
    submission = book.find_submission(assignment, student)
    notebook = book.find_submission_notebook(assignment, assignment, student)
    notebook.late_submission_penalty = None
    late = late_by(course, submission, student, assignment)
    if late > 0:
        try:
            penalty = step.plugin_inst.late_submission_penalty(student, notebook.score, late)
            if penalty is not None:
                penalty = real("what it takes off", penalty, "give a number of points")
                notebook.late_submission_penalty = step._check_late_penalty(notebook, penalty)
        except Exception as error:  # the course's own code, and what it returns
            said = f"{type(error).__name__}: {error}"
            raise GradingError(f"The plugin for late work, asked for {student}: {said}.") from error


@dataclasses.dataclass(frozen=True)
class Standing:
    """points: from tests and people so far, less what is taken off for lateness, of `most`. late:
    by how many seconds, less the days of an extension; off: what that has taken, of points.
    waiting: the names of cells that wait for points by hand; marked: of those that have some;
    beyond: [(name, points, most)] of those that have more than there are."""

    points: float
    most: float
    late: float
    off: float
    waiting: list
    marked: list
    beyond: list


def standing(course, student, assignment):
    """How one submission stands in the gradebook. Raises MissingEntry if it is not there."""
    with course.gradebook() as book:
        submission = book.find_submission(assignment, student)
        notebook = book.find_submission_notebook(assignment, assignment, student)
        grades = sorted(notebook.grades, key=lambda one: one.name)
        by_hand = [one for one in grades if one.manual_score is not None]
        return Standing(
            points=max(0, submission.score - submission.late_submission_penalty),
            most=submission.max_score,
            late=late_by(course, submission, student, assignment),
            off=min(submission.score, submission.late_submission_penalty),
            waiting=[one.name for one in grades if one.needs_manual_grade],
            marked=[one.name for one in by_hand],
            beyond=[
                (one.name, one.manual_score, one.max_score)
                for one in by_hand
                if one.manual_score > one.max_score
            ],
        )


def where(rebuilt, index):
    """How to call the cell with that number in a plan: by its name, or how it begins."""
    cell = rebuilt.code()[index]
    name = title(cell, rebuilt.notebook.cells.index(cell) + 1)
    begins = cell.source.strip().partition("\n")[0]
    return name if marks(cell).get("grade_id") else f"{name}, {begins[:40]}"
