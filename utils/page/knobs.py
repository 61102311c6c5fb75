"""Knobs that turn in a live notebook, and on a page with no kernel behind it.

`turn(function, temperature=[0.5, 1.0], word=["yes", "no"])` calls the function once for every
combination and stores all the answers in the cell's output. In a live kernel JupyterLab shows
ipywidgets; on the site, and wherever the output is only stored, knobs.js puts the same controls
over the same answers. Without scripts the first combination stands open and the others are folded.

The function returns text, a list of dicts (a table), a matplotlib figure, or anything that has
HTML of its own, such as a player: IPython.display.HTML(player.html(...)).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape, unescape
from itertools import pairwise, product
from typing import Any

from matplotlib.figure import Figure

from utils.page import plotting
from utils.page.theme import asset, check_alt, theme
from utils.text.publish import in_kernel, publish

MOST = 48  # combinations: what a page can carry and a reader can survey


def turn(
    function: Callable[..., Any],
    /,
    *,
    title: str | None = None,
    alt: str | None = None,
    start: dict[str, Any] | None = None,
    **choices: Sequence | dict[str, Any],
) -> None:
    """Display the function's answers behind one knob for each keyword.

    choices: for each of the function's arguments, the values to choose from, or {label: value}.
        Underscores in an argument's name are shown as spaces. At most 48 combinations; all are
        computed before anything is shown, so keep the function quick.
    start: what to begin with, {argument: value or label}; the first of each where not given.
    alt: needed when the function draws: what to see in its figures, whatever the knobs say.

    Raises ValueError for no choices, an empty or ambiguous one, too many combinations, a start that
    is no choice, or an answer that cannot be shown.
    """
    knobs = [_knob(name, values, start or {}) for name, values in choices.items()]
    _check(knobs, start or {})
    panels = [_panel(function, knobs, places, alt) for places in _places(knobs)]
    first = panels[_index(knobs, [knob.start for knob in knobs])]
    words = "\n".join([title] * bool(title) + [first.name, first.text])
    bundle = {"text/html": _html(knobs, panels, title, words), "text/plain": words}
    publish(_live(knobs, panels, title) | bundle)


@dataclass(frozen=True)
class _Knob:
    argument: str
    name: str
    labels: list[str]
    values: list
    start: int  # place of the value to begin with
    kind: str  # "toggle", "slider" or "menu"


@dataclass(frozen=True)
class _Panel:
    """One combination's answer, as HTML and as text; its name says which combination."""

    name: str
    html: str
    text: str


def _knob(argument: str, choice: Sequence | dict, start: dict[str, Any]) -> _Knob:
    if not isinstance(choice, dict) and (
        isinstance(choice, str) or not hasattr(choice, "__iter__")
    ):
        raise ValueError(f"{argument} is {choice!r}; give a list of values to choose from")
    labels = [str(value) for value in choice]  # of a dict: its keys
    values = list(choice.values()) if isinstance(choice, dict) else list(choice)
    if not values:
        raise ValueError(f"{argument} has no values to choose from; give at least one")
    if len(set(labels)) < len(labels):
        raise ValueError(f"two values of {argument} look the same: {', '.join(labels)}")
    begin = str(start.get(argument, labels[0]))
    if begin not in labels:
        raise ValueError(f"start has {argument} = {begin}; choose one of {', '.join(labels)}")
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if len(values) > 2 and numbers and all(a < b for a, b in pairwise(values)):
        kind = "slider"
    else:
        short = len(values) <= 4 and max(map(len, labels)) <= 14 and sum(map(len, labels)) <= 32
        kind = "toggle" if short else "menu"
    return _Knob(argument, argument.replace("_", " "), labels, values, labels.index(begin), kind)


def _check(knobs: list[_Knob], start: dict[str, Any]) -> None:
    if not knobs:
        raise ValueError("no choices: name an argument and its values, as in temperature=[0.5, 1]")
    total, counts = 1, " × ".join(str(len(knob.values)) for knob in knobs)
    for knob in knobs:
        total *= len(knob.values)
    if total > MOST:
        raise ValueError(
            f"{counts} = {total} combinations are more than {MOST}; offer fewer values"
        )
    unknown = set(start) - {knob.argument for knob in knobs}
    if unknown:
        raise ValueError(
            f"start names {', '.join(sorted(unknown))}, which is not among the choices"
        )


def _places(knobs: list[_Knob]) -> list[tuple[int, ...]]:
    return list(product(*(range(len(knob.values)) for knob in knobs)))


def _index(knobs: list[_Knob], places: Sequence[int]) -> int:
    """Where a combination stands among the panels: the last knob turns fastest."""
    index = 0
    for knob, place in zip(knobs, places, strict=True):
        index = index * len(knob.values) + place
    return index


def _panel(
    function: Callable, knobs: list[_Knob], places: Sequence[int], alt: str | None
) -> _Panel:
    pairs = list(zip(knobs, places, strict=True))
    name = ", ".join(f"{knob.name} {knob.labels[place]}" for knob, place in pairs)
    answer = function(**{knob.argument: knob.values[place] for knob, place in pairs})
    if isinstance(answer, str):
        return _Panel(name, f'<pre class="ott-pre">{escape(answer)}</pre>', answer)
    if isinstance(answer, Figure):
        words = f"{check_alt(alt)} Here: {name}."
        html = plotting.html(answer, words)
        plotting.close(answer)
        return _Panel(name, html, words)
    if isinstance(answer, list) and answer and all(isinstance(row, dict) for row in answer):
        return _Panel(name, *_table(answer))
    html = answer._repr_html_() if hasattr(answer, "_repr_html_") else None
    if html is None:
        raise ValueError(
            f"the function returned {type(answer).__name__} for {name}; return text, a figure, a "
            "list of dicts, or an object with _repr_html_, such as HTML(player.html(...))"
        )
    return _Panel(name, html, _plain(html))


def _table(rows: list[dict]) -> tuple[str, str]:
    """A list of dicts as an HTML table and as text; the first row's keys are the columns."""
    cells = [[str(name) for name in rows[0]]]
    cells += [[_cell(row.get(name, "")) for name in rows[0]] for row in rows]
    head, *body = [[escape(cell) for cell in row] for row in cells]
    html = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    html = f"<thead><tr>{html}</tr></thead><tbody>" + "".join(
        f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body
    )
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
    return f'<table class="ott-table">{html}</tbody></table>', text


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _html(knobs: list[_Knob], panels: list[_Panel], title: str | None, words: str) -> str:
    """Every panel, folded but for the one shown; knobs.js adds controls and unfolds the others.

    It is named by its words: a drawing's coordinates differ from one computer to the next."""
    shown = _index(knobs, [knob.start for knob in knobs])
    folds = [
        f'<details class="ott-panel"{" open" if i == shown else ""}>'
        f"<summary>{escape(panel.name)}</summary>{panel.html}</details>"
        for i, panel in enumerate(panels)
    ]
    data = [{"name": k.name, "kind": k.kind, "labels": k.labels, "start": k.start} for k in knobs]
    data = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    key = hashlib.sha256(f"{data}\0{words}".encode()).hexdigest()[:10]
    others = "".join(fold for i, fold in enumerate(folds) if i != shown)
    if others:
        others = f'<details class="ott-others"><summary>Other settings</summary>{others}</details>'
    heading = f'<p class="ott-title"><strong>{escape(title)}</strong></p>' if title else ""
    return _once(
        f'<div class="ott ott-knobs" id="knobs-{key}"><style>{theme()}</style>'
        f"<style>{asset('knobs.css')}</style>{heading}{folds[shown]}{others}"
        f"<script>{asset('knobs.js')}</script>"
        f'<script>oneTokenKnobs("knobs-{key}",{data},{shown})</script></div>'
    )


def _once(html: str) -> str:
    """The same page with the styles and scripts that several players share kept only once."""
    seen: set[str] = set()

    def keep(block: re.Match) -> str:
        new = block[0] not in seen
        seen.add(block[0])
        return block[0] if new else ""

    return re.sub(r"<style>.*?</style>|<script>window\..*?</script>", keep, html, flags=re.S)


def _live(knobs: list[_Knob], panels: list[_Panel], title: str | None) -> dict[str, Any]:
    """The ipywidgets view of the same panels, for a kernel that is running; else nothing."""
    if not in_kernel():
        return {}
    import ipywidgets as widgets

    controls = []
    for knob in knobs:
        options = [(label, place) for place, label in enumerate(knob.labels)]
        make = {
            "slider": widgets.SelectionSlider,
            "toggle": widgets.ToggleButtons,
            "menu": widgets.Dropdown,
        }[knob.kind]
        narrow = (
            {"button_width": "auto"} if knob.kind == "toggle" else {"description_width": "initial"}
        )
        controls.append(
            make(options=options, value=knob.start, description=knob.name, style=narrow)
        )
    shown = widgets.Output()

    def show(_change: Any = None) -> None:
        panel = panels[_index(knobs, [control.value for control in controls])]
        html = f'<div class="ott ott-knobs"><style>{asset("knobs.css")}</style>{panel.html}</div>'
        data = {"text/html": html, "text/plain": panel.text}
        shown.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)

    for control in controls:
        control.observe(show, names="value")
    show()
    heading = [widgets.HTML(f"<b>{escape(title)}</b>")] if title else []
    row = widgets.Box(
        controls,
        layout=widgets.Layout(flex_flow="row wrap", align_items="flex-end", grid_gap="4px 28px"),
    )
    return widgets.VBox([*heading, row, shown])._repr_mimebundle_()


def _plain(html: str) -> str:
    """The words of a page: what is left without tags, a line for each row and paragraph."""
    html = re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.S)
    html = re.sub(r"</(tr|p|figcaption|caption|div|li|h\d)>|<br>", "\n", html)
    html = re.sub(r"</t[hd]>", "  ", html)
    lines = unescape(re.sub(r"<[^>]+>", "", html)).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())
