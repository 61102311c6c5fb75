"""What the teacher is told: after grading, in a file, and at the top of each graded notebook."""

import nbformat

from . import scores
from .course import marks, write
from .outcome import printable
from .scores import standings

ONLY = "*The grading speaks in this first cell and in no other.*"
TITLE = "report-of-the-grading"  # a tag, by which feedback finds the cell


def put_on_top(rebuilt, card):
    """Begin the notebook with what was unusual about it; so that nobody else's words can pass for
    it, with a cell that says so even if nothing was."""
    lines = [f"- {one}" for one in (*card.notes, *card.looks)]
    if card.decisions:
        decided = "Counted, as the teacher has decided:" if card.accepted else "To be decided:"
        lines += [f"- {decided} {one}" for one in card.decisions]
    text = "\n".join(map(plain, lines)) or "Nothing unusual."
    text = f"**What the grading noticed**\n\n{text}\n\n{ONLY}"
    cell = nbformat.v4.new_markdown_cell(text, metadata={"tags": [TITLE]})
    cell.id = TITLE
    rebuilt.notebook.cells.insert(0, cell)
    rebuilt.kinds.insert(0, None)


def plain(text):
    """Text in which nothing is markup: some of its words are a student's."""
    text = printable(text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("[", "&#91;").replace("`", "'")


def lines(job, now):
    """(what needs the teacher, what was only unusual), each [(student, sentence)] in order. now:
    the standings."""
    urgent = [(student, f"This submission {why}.") for student, why in job.refused.items()]
    urgent += [(student, f"Grading it failed: {why}.") for student, why in job.failed.items()]
    noted = []
    for student, card in job.cards.items():
        notes = noted if not card.open else urgent
        notes += [(student, one) for one in card.decisions]
        looks = noted if card.accepted else urgent
        looks += [(student, one) for one in card.looks]
        noted += [(student, one) for one in card.notes]
        stands = now[student]
        for name, points, most in stands.beyond:
            urgent.append((student, f"{name!r} has {points:g} points by hand, of {most:g}."))
        if not stands.points + stands.off and not stands.waiting and not card.open:
            urgent.append((student, f"It has no points; {as_released(job, student)}."))
        if stands.late and (file := by_its_file(job, student)):
            noted.append((student, f"It is late by the time of its file, {file}. {ELSE}"))
    return tuple(
        sorted((printable(student), printable(sentence)) for student, sentence in told)
        for told in (urgent, noted)
    )


def as_released(job, student):
    """How many parts with code a student has left as they were released."""
    released = job.template.released
    answers = scores.answers(job.course, student, job.template.name)
    parts = [
        marks(one)["grade_id"]
        for one in job.template.notebook.cells
        if one.cell_type == "code" and marks(one).get("solution")
    ]
    same = sum(answers.get(one, "").strip() == released[one].strip() for one in parts)
    return f"{same} of {len(parts)} parts are as released"


ELSE = (  # what to do about a time that is wrong
    "No platform has kept when it was handed in: if earlier, set the file's time, or give days in "
    "extensions.csv."
)


def by_its_file(job, student):
    """Where the file lies whose own time is that of the hand-in; None if a platform has kept it."""
    one = job.found.chosen.get(student)
    return None if one is None or one.kept else f"downloaded/{job.template.name}/{one.path}"


def lateness(now):
    """By how much work is late, and what that has taken; nothing for what is not."""
    if not now.late:
        return ""
    hours, days = now.late / 3600, now.late / 86_400
    long = f"{hours:.1f} hours" if days < 1 else f"{days:.1f} days"
    return f"{long}, {now.off:g} off" if now.off else long


def write_report(job):
    """Write reports/ASSIGNMENT.md, for all that is handed in, whenever it was graded. Returns its
    path and its `lines`."""
    standing = standings(job.course, job.cards, job.template.name)
    urgent, noted = lines(job, standing)
    text = [f"# {job.template.name}", ""]
    if job.unfinished:
        text += [f"The grading was stopped; not graded yet: {', '.join(job.unfinished)}.", ""]
    text += ["| student | points | of | late | by hand |", "|---|---|---|---|---|"]
    rows = dict.fromkeys([*job.refused, *job.failed], "| – | | | not graded, see below |")
    for one in job.roster:
        what = "no notebook, see below" if one.id in job.found.without else "not handed in"
        if one.id in job.found.unclear:
            what = "may be theirs or another's, see below"
        rows.setdefault(one.id, f"| – | | | {what} |")
    for student in job.cards:
        now = standing[student]
        by_hand = "done" if now.marked else "nothing to do"
        if now.waiting:
            by_hand = f"to do: {', '.join(now.waiting)}"
        points = f"{now.points:g}"
        if job.cards[student].open:
            by_hand, points = f"{by_hand}; points wait for your decision", "–"
        rows[student] = f"| {points} | {now.most:g} | {lateness(now)} | {by_hand} |"
    text += [f"| {plain(student)} {row}" for student, row in sorted(rows.items())]
    if urgent or job.strays:
        text += ["", "## Needs you", ""]
        text += [f"- {plain(sentence)}" for sentence in job.strays]
        text += [f"- **{plain(student)}**: {plain(sentence)}" for student, sentence in urgent]
    if noted:
        text += ["", "## Noticed", ""]
        text += [f"- **{student}**: {plain(sentence)}" for student, sentence in noted]
    path = job.course.root / "reports" / f"{job.template.name}.md"
    write(path, "\n".join(text) + "\n")
    return path, urgent, noted


def say(job, unchanged, seconds, path, urgent, noted):
    """The same in short, on the terminal."""
    what = f"{job.graded} graded in {seconds:.0f} s, {unchanged} unchanged"
    print(f"{job.template.name}: {what}; {path}")
    for student, sentence in urgent:
        print(f"  NEEDS YOU  {student}: {sentence}")
    waiting = sorted(student for student, card in job.cards.items() if card.open)
    if waiting:
        print(
            f"  The points of {', '.join(waiting)} wait for your decision. Look at the notebook in "
            f"`autograded`; then `make grade ASSIGNMENT={job.template.name} "
            f"TRUST={','.join(waiting)}` counts what the tests gave, and what you give by hand."
        )
    for student, sentence in noted:
        print(f"  noted      {student}: {sentence}")
