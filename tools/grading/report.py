"""What the teacher is told: after grading, in a file, and at the top of each graded notebook."""

import nbformat

from .course import write
from .scores import totals

TITLE = "report-of-the-grading"  # a tag, by which feedback finds the cell


def put_on_top(rebuilt, card):
    """Begin the notebook with what was unusual about it, if anything was."""
    lines = [f"- {one}" for one in card.notes]
    if card.decisions:
        decided = "Counted, as the teacher has decided:" if card.accepted else "To be decided:"
        lines += [f"- {decided} {one}" for one in card.decisions]
    if lines:
        text = "**What the grading noticed**\n\n" + "\n".join(map(plain, lines))
        cell = nbformat.v4.new_markdown_cell(text, metadata={"tags": [TITLE]})
        cell.id = TITLE
        rebuilt.notebook.cells.insert(0, cell)
        rebuilt.kinds.insert(0, None)


def plain(text):
    """Text in which nothing is markup: some of its words are a student's."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("[", "&#91;").replace("`", "'")


def lines(job):
    """(what needs the teacher, what was only unusual), each [(student, sentence)] in order."""
    urgent = [(student, f"This submission {why}.") for student, why in job.refused.items()]
    urgent += [(student, f"Grading it failed: {why}.") for student, why in job.failed.items()]
    noted = []
    for student, card in job.cards.items():
        notes = noted if not card.open else urgent
        notes += [(student, one) for one in card.decisions]
        noted += [(student, one) for one in card.notes]
    return sorted(urgent), sorted(noted)


def write_report(job):
    """reports/ASSIGNMENT.md, for all that is handed in, whenever it was graded."""
    urgent, noted = lines(job)
    text = [f"# {job.template.name}", ""]
    text += ["| student | points | of | by hand |", "|---|---|---|---|"]
    for student in sorted(job.cards):
        score, most, by_hand = totals(job.course, student, job.template.name)
        text.append(f"| {student} | {score:g} | {most:g} | {'to do' if by_hand else ''} |")
    for heading, items in (("Needs you", urgent), ("Noticed, and put right", noted)):
        if items:
            text += ["", f"## {heading}", ""]
            text += [f"- **{student}**: {plain(sentence)}" for student, sentence in items]
    path = job.course.root / "reports" / f"{job.template.name}.md"
    write(path, "\n".join(text) + "\n")
    return path


def say(job, graded, unchanged, seconds, path):
    """The same in short, on the terminal."""
    urgent, noted = lines(job)
    graded -= len(set(job.refused) | set(job.failed)) if graded else 0
    print(
        f"{job.template.name}: {max(0, graded)} graded in {seconds:.0f} s, "
        f"{unchanged} unchanged; {path}"
    )
    for student, sentence in urgent:
        print(f"  NEEDS YOU  {student}: {sentence}")
    if any(card.open for card in job.cards.values()):
        print(
            "  Points that hang on it are withheld. Look at the notebook in `autograded`; then "
            f"`make grade ASSIGNMENT={job.template.name} TRUST=student` counts them, or give "
            "points by hand."
        )
    for student, sentence in noted:
        print(f"  noted      {student}: {sentence}")
