"""What came out of the sandbox, as scores in the gradebook; and what lateness takes off.

The scores are derived and stored by nbgrader's own code from the outputs of the test cells; here it
is only handed a session in which all of one submission is written, or nothing of it.
"""

import contextlib
import dataclasses
import sys

import nbformat
from nbgrader.preprocessors import AssignLatePenalties, SaveAutoGrades
from nbgrader.utils import parse_utc

from utils.text.numbers import real

from .course import GradingError, marks
from .roster import roster, table


def answers(course, student, assignment):
    """{name of a cell that students write: its text} of a graded notebook; {} if there is none."""
    try:
        return written(nbformat.read(course.notebook("autograded", assignment, student), 4))
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
    known, names = {one.id for one in roster(course)}, course.names()
    for number, row in enumerate(table(path), start=2):
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
    return standings(course, [student], assignment)[student]


def standings(course, students, assignment):
    """{student: Standing}. Raises MissingEntry if there is one of whom nothing is there."""
    with course.gradebook() as book:
        return {one: stands(course, book, one, assignment) for one in students}


def stands(course, book, student, assignment):
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
