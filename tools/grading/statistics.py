"""`make statistics`: what the class did not understand, question by question, as a page.

It is read off what grading has left: the gradebook, the graded notebooks and the cards. No
student's code runs, and nothing on the page is in a student's words: of a check that failed it has
the teacher's words for that check, or its line; of an error the name that Python has for it.
"""

import builtins
import dataclasses
import re
from statistics import median

import nbformat
from matplotlib.figure import Figure
from nbgrader.api import MissingEntry

from utils.page import plotting
from utils.page.theme import INK, MASK

from . import pages
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
            paths.append(pages.put(path, f"{name}: the class", parts(found, with_names)))
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
    tests = {marks(one).get("grade_id"): one.source for one in pattern.notebook.cells}
    for question in questions.values():
        if question.name in card.times:
            question.seconds.append(card.times[question.name])
        why = None if question.written else reason(cells[question.name], tests[question.name])
        if why:
            why = NOT_WRITTEN if question.asks & unwritten else why
            question.failed.setdefault(why, []).append(student)


def reason(cell, source):
    """Why a test failed, in the teacher's words as far as there are any; None if it did not."""
    error = next((one for one in cell.get("outputs", ()) if one.output_type == "error"), None)
    if error is None:
        return None
    kind, lines = error["ename"], source.splitlines()
    if kind in STOPPED:
        return DID_NOT_END
    hidden = {own_words(source, number) for number in hidden_lines(source)} - {""}
    if kind == "HiddenTest":
        return error["evalue"] if error["evalue"] in hidden else HIDDEN
    said = [re.fullmatch(r"line (\d+): (.*)", line) for line in error["traceback"]]
    way = [int(one[1]) for one in said if one and one[2] in lines[int(one[1]) - 1 : int(one[1])]]
    if kind == "AssertionError":
        words = [one for one in (own_words(source, number) for number in way) if one]
        return (
            words[-1] if words else f"Line {way[0]}: {lines[way[0] - 1].strip()}" if way else HIDDEN
        )
    known = isinstance(getattr(builtins, kind, None), type)
    where = f", called in line {way[0]}: {lines[way[0] - 1].strip()}" if way else ""
    return f"{kind if known else 'An error of their own'}{where}"


def parts(found, with_names):
    """The page's parts, HTML."""
    tests = [one for one in found.questions.values() if not one.written]
    tests.sort(key=lambda one: -number_failed(one))
    failed = [one for one in tests if one.failed]
    passed = [one.name for one in tests if not one.failed]
    return [
        *summary(found, failed),
        plotting.html(*totals_drawn(found)),
        plotting.html(*questions_drawn(found)),
        "<h2>What failed</h2>",
        *(part for one in failed for part in test_in_words(one, found, with_names)),
        f"<p>All passed {listed(passed)}.</p>" if passed else "",
        *written_in_words(found),
        "<p class=muted>A test stops at the first check that fails, so each student stands in one "
        "line of a test; what would have failed after it nobody knows.</p>",
    ]


def number_failed(question):
    return sum(map(len, question.failed.values()))


def summary(found, failed):
    totals, n = sorted(found.totals.values()), len(found.totals)
    yield (
        f"<p><b>{n} graded</b>: from {totals[0]:g} to {totals[-1]:g} of {found.most:g} points, "
        f"median {median(totals):g}. Grading one took {median(found.seconds):.0f} s (median; "
        f"the longest {max(found.seconds):.0f} s).</p>"
    )
    if found.apart:
        apart = [f"{len(who)} {status}" for status, who in sorted(found.apart.items())]
        yield f"<p>Not counted: {', '.join(apart)}.</p>"
    if failed:
        yield "<p>Most often failed:</p><ul>"
        for one in failed[:3]:
            why, who = max(one.failed.items(), key=lambda item: len(item[1]))
            mostly = f", {len(who)} of them: {pages.text(why)}" if len(who) > 1 else ""
            yield f"<li><b>{pages.text(one.name)}</b>, {number_failed(one)} of {n}{mostly}</li>"
        yield "</ul>"


def test_in_words(question, found, with_names):
    """How many failed a test, and by which check."""
    n, seconds = number_failed(question), question.seconds
    about = [f"{question.most:g} points" if question.most != 1 else "1 point"]
    about += [f"tests {', '.join(sorted(question.asks))}"] if question.asks else []
    about += [f"{median(seconds):.2f} s (longest {max(seconds):.2f} s)"] if seconds else []
    yield f"<h3>{pages.text(question.name)}: {n} of {len(found.totals)} failed</h3>"
    yield f"<p class=muted>{pages.text('; '.join(about))}</p><ul>"
    for why, students in sorted(question.failed.items(), key=lambda item: -len(item[1])):
        who = f" ({', '.join(sorted(students))})" if with_names else ""
        yield f"<li>{len(students)} × {pages.text(why + who)}</li>"
    yield "</ul>"


def written_in_words(found):
    written = [one for one in found.questions.values() if one.written]
    if written:
        yield "<h2>Written answers</h2><ul>"
        for one in written:
            marked = [points for who, points in one.points.items() if who not in one.waiting]
            said = f"median {median(marked):g} of {one.most:g}, " if marked else ""
            waits = f"; {len(one.waiting)} to be marked" if one.waiting else ""
            yield f"<li>{pages.text(one.name)}: {said}{len(marked)} marked{waits}</li>"
        yield "</ul>"


def listed(names):
    return ", ".join(map(pages.text, names))


def totals_drawn(found):
    """(figure, alt): how many have how many points."""
    plotting.style()
    totals, n = sorted(found.totals.values()), len(found.totals)
    fig = Figure(figsize=(plotting.WIDTH, 2.4))
    ax = fig.subplots()
    step = max(1, round(found.most / 12))
    edges = [step * i for i in range(int(max(found.most, totals[-1]) // step) + 2)]
    ax.hist(totals, edges, color=INK, alpha=0.7, rwidth=0.9)
    middle = median(totals)
    ax.axvline(middle, color=MASK, linestyle=":")
    ax.set_title(f"Half of the class has at least {middle:g} of {found.most:g} points")
    ax.set_xlabel("points")
    ax.set_ylabel("students")
    ax.yaxis.get_major_locator().set_params(integer=True)
    alt = f"The points of {n} students: from {totals[0]:g} to {totals[-1]:g}, median {middle:g}."
    return fig, alt


LOOKS = (  # of a bar's parts
    ("all points", {"color": INK, "alpha": 0.8}),
    ("some", {"color": INK, "alpha": 0.4}),
    ("none", {"color": INK, "alpha": 0.12}),
    ("to be marked", {"facecolor": "none", "edgecolor": MASK, "hatch": "////"}),
)


def questions_drawn(found):
    """(figure, alt): for each question how many have all its points, some, none."""
    plotting.style()
    questions = [*found.questions.values()]
    fig = Figure(figsize=(plotting.WIDTH, 1.5 + 0.3 * len(questions)))
    ax = fig.subplots()
    rows, start = range(len(questions)), [0] * len(questions)
    for part, (called, look) in enumerate(LOOKS):
        wide = [one.shares()[part] for one in questions]
        if any(wide):
            ax.barh(rows, wide, left=start, height=0.72, linewidth=0, label=called, **look)
        start = [a + b for a, b in zip(start, wide, strict=True)]
    ax.set_yticks(rows, [one.name[:22] for one in questions])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("students")
    fig.legend(loc="outside lower left", ncols=4, handlelength=1, columnspacing=1, title=None)
    hardest = min(questions, key=lambda one: one.shares()[0] + one.shares()[3])
    full, n = hardest.shares()[0], len(found.totals)
    ax.set_title(f"Fewest have all points of {hardest.name}: {full} of {n}")
    alt = "Students with all points of a question: " + ", ".join(
        f"{one.name} {one.shares()[0]}" for one in questions
    )
    return fig, f"{alt}; of {n}."
