"""Watch a text being written, step by step: the book's player.

`show(trace, vocab, title=, alt=)` displays a `Trace` as a film-strip: a plain table, a row a step,
with what was written marked, the model's probability, and the road not taken. It reads well where
nothing but text survives: a notebook not yet trusted, print, e-mail. Where scripts run, player.js
folds the strip away and puts a player in its place. Two traces stand side by side and step
together, so that a step of one is a step, a forward pass, of the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from utils.page.publish import publish
from utils.page.theme import asset, check_alt, theme
from utils.text.trace import Step, Trace, kind_of

MASK = "▒"
_HINT = f"Marked: written at this step, with the model's probability. {MASK}: not yet written."
# control characters would vanish, and those that turn the direction of text would turn the page's
_VISIBLE = {c: 0x2400 + c for c in range(32)} | {9: "⇥", 10: "⏎", 127: "␡"}
_VISIBLE |= dict.fromkeys((0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "�")


def show(trace: Trace | list[Trace], vocab: Any, *, title: str, alt: str) -> None:
    """Display the player in a notebook. See `html` for the arguments and errors."""
    bundle = {
        "text/html": html(trace, vocab, title=title, alt=alt),
        "text/plain": text(trace, vocab, title=title),
    }
    publish(bundle)


def html(trace: Trace | list[Trace], vocab: Any, *, title: str, alt: str) -> str:
    """The player as HTML that stands on its own; the same trace gives the same bytes.

    trace: one trace, or a list of two to show side by side. vocab: anything whose decode([id]) is
    the token's own text; its `joiner` (default "") stands between tokens, its `mask_id`, if it has
    one, is shown as a grey box. title: what to look for. alt: what a sighted reader would conclude.

    Raises ValueError for an empty trace, more than two traces, or a missing title or alt.
    """
    films = [_film(each, vocab) for each in _traces(trace)]
    title, alt = _title(title), check_alt(alt)
    words: dict[int, int] = {}  # token id -> its place in the list of texts the script gets
    changes = _data([_changes(film, words) for film in films])
    texts = _data([films[0].text(token) for token in words])
    key = hashlib.sha256("\0".join([title, alt, texts, changes]).encode()).hexdigest()[:10]
    return (
        f'<figure class="ott ott-player" id="player-{key}"><style>{theme()}</style>'
        f"<style>{asset('player.css')}</style>"
        f'<figcaption class="ott-title"><strong>{escape(title)}</strong></figcaption>'
        f'<p class="ott-alt">{escape(alt)}</p><p class="ott-hint">{_HINT}</p>'
        f"{''.join(map(_strip, films))}<script>{asset('player.js')}</script>"
        f'<script>oneTokenPlayer("player-{key}",{texts},{changes})</script></figure>'
    )


def text(trace: Trace | list[Trace], vocab: Any, *, title: str) -> str:
    """The film-strip as plain text, what was written at each step in [brackets]."""
    lines = [_title(title)]
    for film in (_film(each, vocab) for each in _traces(trace)):
        lines += ["", film.label] if film.label else []
        for k, frame in enumerate(film.frames):
            row = _line(film, frame, mark="[{}]".format)
            odds = ", ".join(f"{_odds(p)}" for p in frame.step.probability) if frame.step else ""
            lines.append(f"{k:3}  {row}" + (f"  ({odds})" if odds else ""))
    return "\n".join(lines)


@dataclass(frozen=True)
class _Frame:
    tokens: list[int | None]  # the text after the step; None: not yet written
    step: Step | None  # None: the text as it was given


@dataclass(frozen=True)
class _Film:
    """What the strip, the transcript and the script are all made from."""

    kind: str
    label: str
    joiner: str
    text: Callable[[int], str]  # of a token
    frames: list[_Frame]  # frames[k] is the text after step k


def _traces(trace: Trace | list[Trace]) -> list[list[Step]]:
    several = bool(trace) and not isinstance(trace, Trace) and not isinstance(trace[0], Step)
    traces = list(trace) if several else [trace]
    if len(traces) > 2:
        raise ValueError(f"got {len(traces)} traces; the player shows one, or two side by side")
    for each in traces:
        if not isinstance(each, list) or not all(isinstance(step, Step) for step in each):
            raise ValueError(f"trace must be a Trace, or a list of two of them; got {each!r}")
        if not each:
            raise ValueError(
                "the trace is empty: make one with trace = Trace(), pass it to the generator as "
                "trace=trace, and show it after the generator has run"
            )
    return traces


def _film(trace: list[Step], vocab: Any) -> _Film:
    try:
        mask = vocab.mask_id
    except (AttributeError, ValueError):  # the vocabulary of a language model need not have one
        mask = None
    kind = getattr(trace, "kind", "") or kind_of(trace)
    blanked = [[None if t == mask else t for t in step.tokens] for step in trace]
    new = set(trace[0].changed)  # before the first step: blank, or, left to right, not there at all
    given = [
        None if at in new else token
        for at, token in enumerate(blanked[0])
        if kind == "diffusion" or at not in new
    ]
    frames = [_Frame(given, None), *map(_Frame, blanked, trace)]
    text = cache(lambda token: vocab.decode([token]).translate(_VISIBLE))
    return _Film(kind, getattr(trace, "label", ""), getattr(vocab, "joiner", ""), text, frames)


def _changes(film: _Film, words: dict[int, int]) -> dict:
    """The film as player.js wants it: the first text, then only what changes. Fills in `words`."""

    def word(token: int | None) -> int:
        return -1 if token is None else words.setdefault(token, len(words))

    before, steps = film.frames[0].tokens, []
    start = [word(token) for token in before]
    for frame in film.frames[1:]:
        after, step = frame.tokens, frame.step
        new = [[i, word(t)] for i, t in enumerate(after) if i >= len(before) or before[i] != t]
        chances = [_hundredths(p) for p in step.probability]
        rivals = [[[word(t), _hundredths(p)] for t, p in pairs] for pairs in step.alternatives]
        steps.append([len(after), new, step.changed, chances, rivals, step.note])
        before = after
    return {
        "kind": film.kind,
        "label": film.label,
        "joiner": film.joiner,
        "start": start,
        "steps": steps,
    }


def _strip(film: _Film) -> str:
    """The film-strip: a table, a row for each step, that says the same without any attribute."""
    left = 'dir="auto" style="text-align:left"'  # JupyterLab aligns right where styles are lost
    rows = []
    for k, frame in enumerate(film.frames):
        line = _line(film, frame, mark="<mark>{}</mark>".format, safe=escape)
        did = _did(film, film.frames[k - 1].tokens, frame) if frame.step else "as given"
        rows.append(f'<tr><th scope="row">{k}</th><td {left}>{line}</td><td {left}>{did}</td></tr>')
    caption = f"<caption>{escape(film.label)}</caption>" if film.label else ""
    return (
        f'<table class="ott-strip ott-{film.kind}">{caption}<thead><tr><th scope="col">Step</th>'
        f'<th scope="col" {left}>Text after it</th>'
        f'<th scope="col" {left}>Written, with probability</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _did(film: _Film, before: list[int | None], frame: _Frame) -> str:
    """“no” 0.02; instead “yes” 0.69, “maybe” 0.15: a line for each token written or taken back."""

    def quote(token: int | None) -> str:
        return MASK if token is None else f"“{escape(film.text(token).strip(' ')) or '␣'}”"

    step, lines = frame.step, []
    for i, at in enumerate(step.changed):
        undone = frame.tokens[at] is None and at < len(before)
        name = f"took back {quote(before[at])}" if undone else quote(frame.tokens[at])
        rivals = [
            f"{quote(token)} {_odds(p)}"
            for token, p in (step.alternatives[i][:4] if step.alternatives else ())
            if token != step.tokens[at] and p >= 0.005
        ]
        instead = f"; instead {', '.join(rivals)}" if rivals else ""
        lines.append(f"<b>{name}</b> {_odds(step.probability[i])}{instead}")
    return "<br>".join(lines + [f"<em>{escape(step.note)}</em>"] * bool(step.note))


def _line(film: _Film, frame: _Frame, *, mark, safe=str, near: int = 20) -> str:
    """A row of text, what changed in `mark`. Of a long text: what is near a change, … for the rest.

    The last frame is always whole, so that no strip hides how the text ended.
    """
    changed = set(frame.step.changed) if frame.step else {len(frame.tokens)}
    whole = frame is film.frames[-1] or len(frame.tokens) <= 3 * near
    parts, skipped = [], False
    for at, token in enumerate(frame.tokens):
        shown = MASK if token is None else film.text(token)
        if not shown and at not in changed:
            continue  # padding and the like
        if not whole and all(abs(at - place) > near for place in changed):
            skipped = True
            continue
        body = shown.lstrip(" ")
        lead = shown[: len(shown) - len(body)]
        visible = safe(body) or ("␣" if lead else "∅")
        joiner = "… " if skipped else film.joiner if parts else ""
        parts.append(joiner + lead + (mark(visible) if at in changed else safe(body)))
        skipped = False
    return "".join(parts) + (" …" if skipped else "")


def _odds(p: float) -> str:
    return "<0.01" if 0 < p < 0.005 else f"{p:.2f}"


def _hundredths(p: float) -> float:
    return 0.1 if 0 < p < 0.005 else round(100 * float(_odds(p)))


def _data(value: list) -> str:
    """JSON that may stand inside a <script>: it cannot contain </script>."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _title(title: str) -> str:
    if not isinstance(title, str) or not title.strip():
        raise ValueError(f"title is {title!r}; say in a few words what to look for")
    return title.strip()
