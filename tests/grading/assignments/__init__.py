"""Wrong and right solutions of the assignments, which the tests of the grading hand in.

There is a text for each assignment. A solution in it begins with `== name`. What follows may be
`loses:`, the tests that it must fail (and no others), `told:`, a name that the teacher must be told
it uses, and `like:`, the name of another solution that it takes its cells from. With neither of the
first two it is right. Then, after `-- grade_id`, the source of each cell that is not the
instructor's; or, in lines that begin with `-`, `+` and a space, how it differs from that one (or
from the cell of the solution that it is like): blocks of lines, each of which stands there once.
"""

from dataclasses import dataclass
from pathlib import Path

from . import instructor


@dataclass(frozen=True)
class Variant:
    """A way to solve an assignment that differs from the instructor's.

    cells: the source of each solution cell that is replaced, by its grade_id.
    loses: the test cells that it must fail; it fails no others.
    told: a name that the teacher must be told it uses.
    """

    name: str
    cells: dict[str, str]
    loses: frozenset[str]
    told: str

    @property
    def wrong(self):
        return bool(self.loses or self.told)


def variants(assignment):
    """The solutions of an assignment that are not the instructor's, by name."""
    text, found, waiting = Path(__file__).with_name(f"{assignment}.txt").read_text(), {}, []
    for part in ("\n" + text).split("\n== ")[1:]:
        head, *cells = part.strip("\n").split("\n-- ")
        name, *notes = head.splitlines()
        waiting.append((name, dict(note.split(": ", 1) for note in notes), cells))
    for name, notes, cells in sorted(waiting, key=lambda one: "like" in one[1]):
        sources = dict(found[notes["like"]].cells) if "like" in notes else {}
        for cell in cells:
            grade_id, _, source = cell.partition("\n")
            before = sources.get(grade_id) or instructor.solution(assignment, grade_id)
            sources[grade_id] = changed(before, source) if source[:1] in "-+ " else source
        loses = frozenset(notes.get("loses", "").split())
        found[name] = Variant(name, sources, loses, notes.get("told", ""))
    return {name: found[name] for name, _, _ in waiting}


def changed(source, blocks):
    """A text in which some lines are replaced; each block of old lines must stand there once."""
    source = f"\n{source.strip()}\n"
    for block in blocks.strip("\n").split("\n\n"):
        lines = block.splitlines()
        old, new = (
            "".join(f"\n{line[1:]}" for line in lines if line[0] in signs) for signs in ("- ", "+ ")
        )
        if source.count(f"{old}\n") != 1:
            raise ValueError(f"{old!r} stands {source.count(old)} times in: {source}")
        source = source.replace(f"{old}\n", f"{new}\n")
    return source.strip("\n")
