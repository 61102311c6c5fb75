"""Why a test failed, in the teacher's words, read off a graded notebook.

No word is a student's: there is what the teacher wrote for the check that failed, or its line; of
an error the name that Python has for it; and, apart from these, the values that came out.
"""

import builtins
import re

from .course import marks
from .inside.reading import hidden_lines, own_words

STOPPED = {"CellTimeout", "TestEnded", "SessionEnded", "NotRun", "Stopped"}
NOT_WRITTEN = "Not written: the cell is as it was released."
DID_NOT_END = "It was stopped, or did not come to its end."
HIDDEN = "A hidden test failed."
HOLE = "\0"  # in a sentence about a check: what a value stands in


def reason(cell, source):
    """(why a test failed, in the teacher's words as far as there are any, and the line of the test,
    with a HOLE for each value; the values); None if it did not fail."""
    error = next((one for one in cell.get("outputs", ()) if one.output_type == "error"), None)
    if error is None:
        return None
    kind, lines, hidden = error["ename"], source.splitlines(), hidden_lines(source)
    if kind in STOPPED:
        return DID_NOT_END, ()
    if kind == "HiddenTest":
        spoken = {own_words(source, at): at for at in sorted(hidden, reverse=True)}
        said = error["evalue"]
        if not said or said not in spoken:
            return HIDDEN, ()
        return f"{with_line(said, spoken[said], source)} (line {spoken[said]})", ()
    said = [re.fullmatch(r"line (\d+): (.*)", line) for line in error["traceback"]]
    way = [int(one[1]) for one in said if one and one[2] in lines[int(one[1]) - 1 : int(one[1])]]
    if not way:
        return "An error, nobody knows where.", ()
    at, where = way[0], lines[way[0] - 1].strip()
    if kind == "AssertionError":
        spoken = [(number, one) for number in way if (one := own_words(source, number))]
        at, words = spoken[-1] if spoken else (at, f"{where}: …" if error["evalue"] else where)
        values = () if at in hidden else in_holes(words if spoken else "…", error["evalue"])
        if not values:
            return f"{with_line(words, at, source)} (line {at})", ()
        words = words.replace("…", HOLE) if spoken else f"{where}: {HOLE}"
        return f"{words} (line {at})", values
    if kind == "NameError" and (name := re.search(r"name '(\w+)'", error["evalue"])):
        return f"NameError: {HOLE}, called in line {at}: {where}", (name[1],)
    known = isinstance(getattr(builtins, kind, None), type)
    return f"{kind if known else 'An error of their own'}, called in line {at}: {where}", ()


def with_line(words, at, source):
    """Words of which few are left without their values, with the line of the check itself."""
    if words.count("…") * 3 < len(words.split()):
        return words
    return f"{words}: {source.splitlines()[at - 1].strip()}"


def in_holes(words, said):
    """What stands in a message where the words have …; () if they are not of that message."""
    first, *others = words.split("…")
    values, at = [], len(first)
    if not said.startswith(first):
        return ()
    for number, text in enumerate(others, start=1):
        last = number == len(others)
        end = len(said) - len(text) if last else said.find(text, at)
        if end < at or not said.startswith(text, end):
            return ()
        values.append(said[at:end])
        at = end + len(text)
    return tuple(values)


def titles_of(notebook):
    """{name of a cell with points: what students read above it, `where sentences begin and end` of
    `**Check: where sentences begin and end.** …`; nothing where no such title stands there}."""
    found, above = {}, ""
    for cell in notebook.cells:
        if marks(cell).get("grade"):
            said = re.match(r"\s*(?:\*\*|#+ +)(.+?)(?:\*\*|$)", above, re.M)
            said = said[1].strip().removesuffix(".") if said else ""
            said = re.sub(r" \([^()]*points?\b[^()]*\)$", "", said)
            found[marks(cell)["grade_id"]] = said.removeprefix("Check: ")
        above = cell.source if cell.cell_type == "markdown" else ""
    return found
