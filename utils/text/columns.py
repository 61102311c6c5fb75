"""Printed columns as a table.

What stands in columns where all letters are equally wide is a table to the eye alone: on a phone it
runs off the page, and read aloud it is a string of numbers. `html` finds the columns in printed
text, by the gaps that go down through its lines, and makes them a table; other lines stay as they
are.

    label              0.34  0.31
    another label      1.20  0.96      two gaps: three columns, the first of which names the rows
"""

from __future__ import annotations

import re
from html import escape
from itertools import pairwise, takewhile

from utils.text.publish import publish

_APART = re.compile(r"(^|\S) {2,}\S")  # in a line of a table, cells are two spaces apart or more
_TOGETHER = re.compile(r"[\[(][^\[\]()]*[\])](?: of [\d,]+)?")  # an interval, and of how many
_NUMBER = re.compile(
    r"–|(?:± ?|[-+])?[\d.,e+]+%?( to [\d.,]+%?)?( [\[(][^\[\]()]*[\])])?( of [\d,]+)?|"
)
_VALUE = re.compile(r"\s*(tensor|array)\(")  # numbers in columns, and no table: a printed tensor
_ALIGNED = re.compile(r".*(█|  ).*|[\d. ]+ [\d. ]+")  # a bar, or several things in one cell


def show(text: str) -> None:
    """Display printed columns: a table in JupyterLab, and the text itself wherever that is read."""
    publish({"text/html": html(text), "text/plain": text})


def html(text: str) -> str:
    """The text as HTML: its columns as tables, what stands between them in `<pre>`."""
    pieces = [
        _table(piece) if isinstance(piece, list) else f"<pre>{escape(piece)}</pre>"
        for piece in parts(text)
    ]
    return f'<div class="ott-columns">{"".join(pieces)}</div>'


def has_table(text: str) -> bool:
    """Whether any of it stands in columns."""
    return any(isinstance(piece, list) for piece in parts(text))


def parts(text: str) -> list[str | list[list[str]]]:
    """What was printed, piece by piece: other text, or a table as its rows, lists of cells."""
    if _VALUE.match(text):
        return [text.strip("\n")]
    lines, found, at = text.split("\n"), [], 0
    while at < len(lines):
        start, end, gaps = _next_table(lines, at)
        plain = lines[at:start]
        if any(line.strip() for line in plain):
            found.append("\n".join(plain).strip("\n"))
        if gaps:
            cuts = [0, *(min(gap) for gap in gaps), None]
            rows = lines[start:end]
            found.append([[row[a:b].strip() for a, b in pairwise(cuts)] for row in rows])
        at = end
    return found


def _next_table(lines, at):
    """From which line to which the next table reaches, and for each of its gaps the places (a set)
    that are blank in all of its lines. No gaps, and the end of the lines, if there is no table."""
    for start in range(at, len(lines)):
        filled = len([*takewhile(str.strip, lines[start:])])
        for end in range(start + filled, start + 1, -1):
            gaps = _common(lines[start:end])
            follows = "".join(lines[end : end + 1])
            if not gaps or _APART.search(follows):  # with gaps elsewhere: all of them by chance
                continue
            while start > at and (narrower := _with(gaps, lines[start - 1])):
                gaps, start = narrower, start - 1
            return start, end, gaps
    return len(lines), len(lines), []


def _common(lines):
    """The gaps that all these lines have: two places wide or more in at least two of them, the
    first among these, and a single space in the others. [] if they have none."""
    apart = [line for line in lines if _APART.search(line)]
    if len(apart) < 2 or not _APART.search(lines[0]):
        return []
    width = max(map(len, apart))
    columns = zip(*(line.ljust(width) for line in apart), strict=True)
    inked = "".join("x" if any(map(str.strip, column)) else " " for column in columns)
    gaps = [{*range(*gap.span())} for gap in re.finditer(r"(?<=x) {2,}(?=x)", inked)]
    if not gaps or any(len(line.rstrip()) <= max(gaps[0]) for line in apart):
        return []
    for line in lines:
        gaps = gaps if _APART.search(line) else gaps and _with(gaps, line)
    return gaps


def _with(gaps, line):
    """What is left of a table's gaps beside another line, which may have single spaces there; []
    unless its cells begin where the others do."""
    text = line.rstrip()
    blank = {i for i, sign in enumerate(text) if sign == " "}
    left = [_run(gap & blank, max(gap)) for gap in gaps]
    return left if text[:1].strip() and all(left) else []


def _run(places, last):
    """Those of these places that reach up to the last without a break."""
    return {*takewhile(places.__contains__, range(last, -1, -1))}


def _table(rows):
    headed = not rows[0][0] or (
        not any(re.search(r"\d", cell) for cell in rows[0])
        and all(any(re.search(r"\d", cell) for cell in row[1:]) for row in rows[1:])
    )
    body = rows[headed:]
    kinds = [_kind(column) for column in zip(*body, strict=True)]
    head = f"<thead>{_row(rows[0], kinds, 'col')}</thead>" if headed else ""
    return f"<table>{head}<tbody>{''.join(_row(row, kinds, 'row') for row in body)}</tbody></table>"


def _kind(cells):
    """How a column is set: numbers to the right, words to the left, what is aligned in itself as it
    was printed."""
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        return ""
    return "aligned" if any(_ALIGNED.fullmatch(cell) for cell in cells) else "words"


def _row(cells, kinds, scope):
    parts = []
    for i, (cell, kind) in enumerate(zip(cells, kinds, strict=True)):
        names = bool(cell) and (i == 0 or scope == "col")
        tag, more = ("th", f' scope="{scope}"') if names else ("td", "")
        more += f' class="ott-{kind}"' if kind else ""
        parts.append(f"<{tag}{more}>{_unbroken(escape(cell))}</{tag}>")
    return f"<tr>{''.join(parts)}</tr>"


def _unbroken(cell):
    """A cell that may break before an interval, but not within it."""
    return _TOGETHER.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), cell)
