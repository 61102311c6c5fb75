"""What the teacher is told: after grading, in a file, and at the top of each graded notebook."""

import nbformat

from .course import write
from .scores import standing

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


def printable(text):
    """Text that a terminal and a file can take. A student's words, and names of files, may hold
    half a character, a line break or an order to the terminal; these are shown as Python's repr
    shows them."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def lines(job):
    """(what needs the teacher, what was only unusual), each [(student, sentence)] in order."""
    urgent = [(student, f"This submission {why}.") for student, why in job.refused.items()]
    urgent += [(student, f"Grading it failed: {why}.") for student, why in job.failed.items()]
    noted = []
    for student, card in job.cards.items():
        notes = noted if not card.open else urgent
        notes += [(student, one) for one in card.decisions]
        looks = noted if card.accepted else urgent
        looks += [(student, one) for one in card.looks]
        noted += [(student, one) for one in card.notes]
        for name, points, most in standing(job.course, student, job.template.name).beyond:
            urgent.append((student, f"{name!r} has {points:g} points by hand, of {most:g}."))
    return tuple(
        sorted((printable(student), printable(sentence)) for student, sentence in told)
        for told in (urgent, noted)
    )


def write_report(job):
    """reports/ASSIGNMENT.md, for all that is handed in, whenever it was graded."""
    urgent, noted = lines(job)
    text = [f"# {job.template.name}", ""]
    if job.unfinished:
        text += [f"The grading was stopped; not graded yet: {', '.join(job.unfinished)}.", ""]
    text += ["| student | points | of | by hand |", "|---|---|---|---|"]
    rows = dict.fromkeys([*job.refused, *job.failed], "| – | | not graded, see below |")
    for one in job.roster:
        rows.setdefault(one.id, "| – | | not handed in |")
    for student in job.cards:
        now = standing(job.course, student, job.template.name)
        by_hand = "done" if now.marked else "nothing to do"
        if now.waiting:
            by_hand = f"to do: {', '.join(now.waiting)}"
        if job.cards[student].open:
            by_hand += "; points wait for your decision"
        rows[student] = f"| {now.points:g} | {now.most:g} | {by_hand} |"
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
    return path


def say(job, unchanged, seconds, path):
    """The same in short, on the terminal."""
    urgent, noted = lines(job)
    what = f"{job.graded} graded in {seconds:.0f} s, {unchanged} unchanged"
    print(f"{job.template.name}: {what}; {path}")
    for student, sentence in urgent:
        print(f"  NEEDS YOU  {student}: {sentence}")
    if any(card.open for card in job.cards.values()):
        print(
            "  Points that hang on it are withheld. Look at the notebook in `autograded`; then "
            f"`make grade ASSIGNMENT={job.template.name} TRUST=student` counts all that the tests "
            "gave, or give points by hand."
        )
    for student, sentence in noted:
        print(f"  noted      {student}: {sentence}")
