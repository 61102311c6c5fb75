"""The teacher's notebook with the student's answers in their places.

Of a submission only text is taken: of each cell that was for the student to write, by its name, and
of cells the student has added. All else, the tests first, comes from the teacher's source in the
teacher's order. So an edited, deleted, doubled or moved test cell changes nothing; it is reported.
"""

import copy
import dataclasses
import json
import re
import unicodedata

import nbformat

from .course import few, marks
from .zips import Refused

MAX_CELLS = 400
MAX_CELL = 100_000  # characters
MAX_TEXT = 1_000_000


@dataclasses.dataclass(frozen=True)
class Handed:
    """One cell as handed in: kind "code" or "markdown", the name it claims, its id and text."""

    kind: str
    name: str | None
    id: str | None
    source: str


@dataclasses.dataclass
class Rebuilt:
    """notebook: to be run and shown. kinds: for each cell "given", "student", "test" or None (no
    code). originals: of given cells that the student has edited, by number. notes: what the
    submission had otherwise, in sentences. doubts: what of it the teacher has to look at before any
    test counts. looks: what besides."""

    notebook: nbformat.NotebookNode
    kinds: list
    originals: dict
    notes: list
    doubts: list
    looks: list

    def plan(self, template):
        """What the sandbox is asked to do; see inside/run.py."""
        cells = []
        for number, cell, kind in self.code():
            original = self.originals.get(number - 1)
            ours = {} if original is None else {"ours": original}
            name = title(cell, number)
            cells.append({"name": name, "kind": kind, "source": cell.source, **ours})
        return {"cells": cells, "names": list(template.names), "without": template.without}

    def code(self):
        """[(number in the notebook, from 1, cell, kind)] of those that run, in order."""
        both = zip(self.notebook.cells, self.kinds, strict=True)
        return [(number, *one) for number, one in enumerate(both, start=1) if one[1]]


def title(cell, number):
    """How we call a cell when we speak of it."""
    return marks(cell).get("grade_id") or f"cell {number}"


def handed(data):
    """The cells of a notebook's bytes. Raises Refused when it is not a notebook."""
    try:
        notebook = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Refused("is not a notebook: it cannot be read as JSON; ask for it again") from None
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise Refused("is not a notebook of format 4")
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise Refused("is not a notebook: it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise Refused(f"has {len(cells):,} cells; {MAX_CELLS} are the limit")
    found = [cell(one) for one in cells]
    if sum(len(one.source) for one in found) > MAX_TEXT:
        raise Refused(f"has more than {MAX_TEXT:,} characters in its cells")
    return found


def cell(given):
    if not isinstance(given, dict):
        raise Refused("is not a notebook: one of its cells is not an object")
    source = given.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise Refused("is not a notebook: the text of a cell is not text")
    if len(source) > MAX_CELL:
        raise Refused(f"has a cell of {len(source):,} characters; {MAX_CELL:,} are the limit")
    source = source.encode("utf-8", "replace").decode().replace("\0", "")
    name = given.get("metadata")
    for key in ("nbgrader", "grade_id"):
        name = name.get(key) if isinstance(name, dict) else None
    return Handed(
        kind="code" if given.get("cell_type") == "code" else "markdown",
        name=name if isinstance(name, str) else None,
        id=given.get("id") if isinstance(given.get("id"), str) else None,
        source=source,
    )


def rebuild(template, cells):
    """Put what was handed in (a list of Handed) into the template. Returns Rebuilt. Raises Refused
    when it is another assignment, or no cell of it has the name of one of the template's."""
    refuse_another(template, cells)
    notes, changed = [], {}  # changed: {what happened: [name of the cell]}
    chosen, extras = match(template, cells, notes, changed)
    if not any(marks(template.notebook.cells[position]) for position in chosen):
        raise Refused(
            "has no cell of the assignment: it is another notebook, or was saved by a program that "
            "drops the names of cells; ask for one that was made from the released file"
        )
    report_order(template, chosen, cells, notes)
    notebook = nbformat.v4.new_notebook(metadata=copy.deepcopy(template.notebook.metadata))
    kinds, originals = [], {}

    def add(cell, kind):
        cell.id = f"cell-{len(notebook.cells) + 1}"
        notebook.cells.append(cell)
        kinds.append(kind if cell.cell_type == "code" else None)

    def add_extras(anchor):
        for extra in extras.get(anchor, ()):
            if extra.kind == "code":
                add(nbformat.v4.new_code_cell(extra.source), "student")
            else:
                add(nbformat.v4.new_markdown_cell(extra.source), None)

    add_extras(None)
    for position, original in enumerate(template.notebook.cells):
        ours, theirs = copy.deepcopy(original), chosen.get(position)
        mark = marks(ours)
        kind = "test" if mark.get("grade") and not mark.get("solution") else "given"
        if mark.get("solution"):
            kind = "student"
            if theirs is None:
                changed.setdefault(MISSING, []).append(mark["grade_id"])
            else:
                ours.source = theirs.source
        elif mark:
            report_locked(template, mark["grade_id"], theirs, changed)
        elif theirs is not None and theirs.source.strip() != ours.source.strip():
            originals[len(notebook.cells)] = ours.source
            kind, ours.source = "student", theirs.source
        add(ours, kind)
        add_extras(position)
    notes += [sentence for what, names in changed.items() for sentence in told(what, names)]
    notes += list(dict.fromkeys(imitations(cells)))[:3]
    own = [one.source for ones in extras.values() for one in ones]
    answers = [one.source for one in chosen.values()]
    looks = elsewhere(template, changed.get(MISSING), answers, own)
    return Rebuilt(notebook, kinds, originals, notes, doubts(cells), looks)


def refuse_another(template, cells):
    """Raise Refused when most names of its cells are those of another assignment."""
    names = {one.name for one in cells}
    own = len(names & set(template.released))
    fits = {other: len(names & theirs) for other, theirs in template.others.items()}
    likely = max(fits, key=fits.get, default=None)
    if likely and fits[likely] > own and 2 * own < len(template.released):
        raise Refused(
            f"is {likely}, by the names of its cells, and not {template.name}; ask for that"
        )


MISSING = "is missing: no answer"
DELETED = "was deleted; it has been put back"
EDITED = "was edited; the original has been used"
UNKNOWN = "has a name that the assignment does not know; it counts as one of the student's own"


def told(what, names):
    """What happened to cells, a sentence for each, or one for all if they are many."""
    names = [name[:60] for name in names]
    if len(names) <= 3:
        return [f"The cell {name!r} {what}." for name in names]
    return [f"Of {len(names)} cells each {what}: {', '.join(map(repr, names[:3]))} and others."]


def doubts(cells):
    """A sentence if a student has what only the teacher's copy has."""
    for one in cells:
        found = re.search(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS)", one.source)
        if found:
            where = f"the cell {one.name[:60]!r}" if one.name else "a cell"
            return [f"It was made from the teacher's copy: {where} says {found[0]!r}."]
    return []


def elsewhere(template, missing, answers, own):
    """A sentence if answers are missing and a cell of the student's own has what no answer has, and
    the solutions do: some programs drop a cell's name when it is cut and pasted."""
    lost = (defined(own) - defined(answers)) & set(template.names)
    if not missing or not lost:
        return []
    names = few([*map(repr, sorted(lost))])
    said = "It may be the answer that is missing, and does not count as one"
    return [f"A cell of the student's own defines {names}. {said}."]


def defined(sources):
    """The functions and classes that some cells define, as far as one can see without parsing."""
    return {name for one in sources for name in re.findall(r"^(?:def|class) (\w+)", one, re.M)}


def imitations(cells):
    """A note on each cell in which a student speaks as the grading does."""
    for one in cells:
        text = unicodedata.normalize("NFKC", one.source).casefold()
        if "whatthegradingnoticed" in "".join(filter(str.isalpha, text)):
            where = f"The cell {one.name[:60]!r}" if one.name else "A cell of the student's"
            yield f"{where} speaks as the report of the grading does, and is none."


def match(template, cells, notes, changed):
    """({position in the template: Handed}, {position or None: extra cells that followed it})."""
    by_name = {marks(one).get("grade_id"): i for i, one in enumerate(template.notebook.cells)}
    by_name.pop(None, None)
    plain = {i: one for i, one in enumerate(template.notebook.cells) if not marks(one)}
    by_id = {one.get("id"): i for i, one in plain.items() if one.get("id")}
    by_text = {(one.cell_type, one.source.strip()): i for i, one in plain.items()}
    last = {one.name: number for number, one in enumerate(cells) if one.name in by_name}
    chosen, extras, anchor = {}, {}, None
    for number, one in enumerate(cells):
        position = by_name.get(one.name)
        if position is None:
            position = by_id.get(one.id, by_text.get((one.kind, one.source.strip())))
            position = None if position in chosen else position
        elif last[one.name] != number:
            notes.append(f"There is more than one cell {one.name!r}; the last of them counts.")
            if not marks(template.notebook.cells[position]).get("solution"):
                continue
            position = None
        if position is not None:
            chosen[position] = one
            anchor = position
        elif one.source.strip():
            if one.name and one.name not in by_name:
                changed.setdefault(UNKNOWN, []).append(one.name)
            extras.setdefault(anchor, []).append(one)
    return chosen, extras


def report_locked(template, name, theirs, changed):
    if theirs is None:
        changed.setdefault(DELETED, []).append(name)
    elif theirs.source.strip() != template.released[name].strip():
        changed.setdefault(EDITED, []).append(name)


def report_order(template, chosen, cells, notes):
    """Say which cells stand elsewhere than in the assignment: the fewest that explain the order."""
    place = {id(one): number for number, one in enumerate(cells)}
    order = [(place[id(chosen[position])], position) for position in sorted(chosen)]
    best = []  # the longest runs of cells in the right order, by their last cell
    for where, position in order:
        before = max((run for run in best if run[-1][0] < where), key=len, default=[])
        best.append([*before, (where, position)])
    kept = {position for _, position in max(best, key=len, default=[])}
    for position in sorted(set(chosen) - kept):
        name = marks(template.notebook.cells[position]).get("grade_id")
        if name:
            notes.append(f"The cell {name!r} was moved; it has been put back in its place.")
