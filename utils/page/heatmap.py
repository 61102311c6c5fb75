"""A heat map in which every cell is an experiment, and shows what came of it when it is chosen.

`show(cells, rows=, columns=, title=, alt=)` displays a table of numbers, shaded by their size.
Under it, folded away, stands the text that belongs to each cell: so it reads where nothing but text
survives. Where scripts run, heatmap.js turns the cells into buttons, which one chooses by touch or
by the arrow keys to read what came of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from utils.page.theme import asset, check_alt, theme
from utils.text.numbers import real
from utils.text.publish import publish


@dataclass(frozen=True)
class Cell:
    """share: from 0, not shaded, to 1, as dark as can be; outside, it is shown as it is and shaded
    like the nearer end. None, shown as a dash, where the experiment was made and tells nothing.
    came_out: what one reads when the cell is chosen; its lines stay lines."""

    share: float | None
    came_out: str


def show(
    cells: Sequence[Sequence[Cell | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    alt: str,
) -> None:
    """Display the heat map in a notebook. See `html` for the arguments and errors."""
    bundle = {
        "text/html": html(cells, rows=rows, columns=columns, title=title, alt=alt),
        "text/plain": text(cells, rows=rows, columns=columns, title=title),
    }
    publish(bundle)


def html(
    cells: Sequence[Sequence[Cell | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    alt: str,
) -> str:
    """The heat map as HTML that stands on its own; the same cells give the same bytes.

    cells: a list for each row; None where there is no experiment. rows, columns: their names, the
    columns' short. title: its finding. alt: what a sighted reader would conclude. Raises ValueError
    where the cells are not as many as the names, or there are none.
    """
    _check(cells, rows, columns)
    alt = check_alt(alt)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body, folded = [], []
    for name, row in zip(rows, cells, strict=True):
        body.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(map(_cell, row))}</tr>')
        folded += [
            f"<dt>{escape(name)}, {escape(column)}: {_number(cell)}</dt>"
            f"<dd>{escape(cell.came_out)}</dd>"
            for column, cell in zip(columns, row, strict=True)
            if cell
        ]
    inside = (
        f'<figcaption class="ott-title"><strong>{escape(title)}</strong></figcaption>'
        f'<p class="ott-alt">{escape(alt)}</p>'
        f'<table class="ott-cells"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
        "<details><summary>What came out, cell by cell</summary>"
        f"<dl>{''.join(folded)}</dl></details>"
    )
    key = hashlib.sha256(inside.encode()).hexdigest()[:10]
    return (
        f'<figure class="ott ott-heat" id="heat-{key}"><style>{theme()}</style>'
        f"<style>{asset('heatmap.css')}</style>{inside}<script>{asset('heatmap.js')}</script>"
        f'<script>oneTokenHeat("heat-{key}")</script></figure>'
    )


def text(
    cells: Sequence[Sequence[Cell | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
) -> str:
    """The same as plain text: the table of numbers."""
    _check(cells, rows, columns)
    shown = [["", *list(columns)]]
    for name, row in zip(rows, cells, strict=True):
        shown.append([name, *(_number(cell) if cell else "" for cell in row)])
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]
    return "\n".join([title, *lines])


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "<td></td>"
    shade = round(100 * min(max(cell.share or 0.0, 0.0), 1.0))
    return f'<td style="--shade-of:{shade}%">{_number(cell)}</td>'


def _number(cell: Cell) -> str:
    if cell.share is None:
        return "–"
    return f"{round(cell.share, 2) + 0.0:.2f}"  # never -0.00


def _check(cells, rows, columns):
    if not cells or len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        raise ValueError(
            f"there are {len(rows)} names of rows and {len(columns)} of columns; give as many "
            "lists of cells as rows, each with a cell or None for every column"
        )
    for cell in (cell for row in cells for cell in row if cell and cell.share is not None):
        real("share", cell.share, "a cell holds a finite number, or None for a dash")
