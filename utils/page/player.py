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
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from utils.page.theme import asset, check_alt, theme
from utils.text.publish import publish
from utils.text.trace import Step, Trace, kind_of

MASK = "▒"
PART = "◔"  # a part of a character: a token may be one byte of three
_LOST = "�"  # what decoding makes of bytes that are no character, or none yet
_HINT = f"Marked: written at this step, with the model's probability. {MASK}: not yet written."
_PARTS = f" {PART}: a part of a character, which is shown by the token that completes it."
# what has no shape would vanish, and what turns the direction of text would turn the page's; but
# U+200C and U+200D shape the characters beside them, as in Persian words and emoji of families
_VISIBLE = {c: 0x2400 + c for c in range(32)} | {9: "⇥", 127: "␡"}
_VISIBLE |= dict.fromkeys((*range(0x80, 0xA0), 0xAD, 0x200B, *range(0x2060, 0x2065)), "�")
_VISIBLE |= dict.fromkeys((0xFEFF, *range(0xFFF9, 0xFFFC)), "�")
_VISIBLE |= dict.fromkeys((0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F)), "�")
_VISIBLE |= dict.fromkeys(range(0x2066, 0x206A), "�")
_VISIBLE |= dict.fromkeys((10, 0x85, 0x2028, 0x2029), "⏎")  # each ends a line


def show(trace: Trace | list[Trace], vocab: Any, *, title: str, alt: str) -> None:
    """Display the player in a notebook. See `html` for the arguments and errors."""
    bundle = {
        "text/html": html(trace, vocab, title=title, alt=alt),
        "text/plain": text(trace, vocab, title=title),
    }
    publish(bundle)


def html(trace: Trace | list[Trace], vocab: Any, *, title: str, alt: str) -> str:
    """The player as HTML that stands on its own; the same trace gives the same bytes.

    trace: one trace, or a list of two to show side by side. vocab: anything whose decode(ids) is
    the text of some tokens, or of one; its `joiner` (default "") stands between tokens, its
    `mask_id`, if it has one, is shown as a grey box. A token that is a part of a character shows
    none; the one that completes it does. title: what to look for. alt: what a sighted reader would
    conclude.

    Raises ValueError for an empty trace, more than two traces, or a missing title or alt.
    """
    films = [_film(each, vocab) for each in _traces(trace)]
    title, alt = _title(title), check_alt(alt)
    words: dict[tuple, int] = {}  # token id and text -> place in the list of texts the script gets
    changes = _data([_changes(film, words) for film in films])
    texts = _data([shown for _, shown in words])
    hint = _HINT + _PARTS * any(shown is None or PART in shown for _, shown in words)
    key = hashlib.sha256("\0".join([title, alt, texts, changes]).encode()).hexdigest()[:10]
    return (
        f'<figure class="ott ott-player" id="player-{key}"><style>{theme()}</style>'
        f"<style>{asset('player.css')}</style>"
        f'<figcaption class="ott-title"><strong>{escape(title)}</strong></figcaption>'
        f'<p class="ott-alt">{escape(alt)}</p><p class="ott-hint">{hint}</p>'
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
    texts: list[str | None]  # what each shows there; None: a later token shows its character
    step: Step | None  # None: the text as it was given


@dataclass(frozen=True)
class _Film:
    """What the strip, the transcript and the script are all made from."""

    kind: str
    label: str
    joiner: str
    read: Callable[..., list[str | None]]  # what each of some tokens in a row shows
    frames: list[_Frame]  # frames[k] is the text after step k

    def rival(self, frame: _Frame, at: int, token: int) -> str | None:
        """What another token would have shown in this place."""
        return self.read([*frame.tokens[:at], token, *frame.tokens[at + 1 :]])[at]


def _traces(trace: Trace | list[Trace]) -> list[list[Step]]:
    several = isinstance(trace, list | tuple) and trace and not isinstance(trace[0], Step)
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
    new = set(trace[0].changed)
    # Before the first step these were blank; or not there at all, where a text grows at its end.
    blank = kind == "diffusion" or max(new, default=0) < len(blanked[0]) - 1
    given = [
        None if at in new else token
        for at, token in enumerate(blanked[0])
        if blank or at not in new
    ]
    decode = cache(lambda *tokens: vocab.decode(list(tokens)))

    def read(tokens):
        return [shown and shown.translate(_VISIBLE) for shown in _texts(decode, tokens)]

    frames = [_Frame(given, read(given), None)]
    frames += [_Frame(tokens, read(tokens), s) for tokens, s in zip(blanked, trace, strict=True)]
    return _Film(kind, getattr(trace, "label", ""), getattr(vocab, "joiner", ""), read, frames)


def _texts(decode: Callable[..., str], tokens: list[int | None]) -> list[str | None]:
    """What each token shows where it stands: its own text, or, where it is not whole characters,
    those that it completes. None: it completes nothing, and a later one does.
    """
    texts = ["" if token is None else decode(token) for token in tokens]
    broken = [_LOST in text for text in texts]
    for first in [i for i, b in enumerate(broken) if b and not (i and broken[i - 1])]:
        after = next((i for i in range(first, len(tokens)) if not broken[i]), len(tokens))
        more = after == len(tokens) or tokens[after] is None  # may come, and complete the last
        found = _completed(decode, tokens[first:after], more)
        if first and tokens[first - 1] is None and (found[0] or "").startswith(_LOST):
            found[0] = PART + found[0].lstrip(_LOST)  # its first bytes are still to come
        texts[first:after] = found
    return texts


def _completed(decode: Callable[..., str], run: list[int], more: bool) -> list[str | None]:
    """The same for a run of tokens that are, each on its own, not whole characters. more: whether
    what is open at the end may still be completed."""
    texts: list[str | None] = [None] * len(run)
    start, done, waiting = 0, 0, 0  # first token of an open character; shown of it; who waits
    for k in range(len(run)):
        text = decode(*run[start : k + 1])
        new = text.rstrip(_LOST)[done:]
        if new.strip(" "):
            done += len(new)
            lost = new[: len(new) - len(new.lstrip(_LOST))] if waiting < k else ""
            if lost:  # bytes that the next ones did not complete
                texts[waiting] = (texts[waiting] or "") + lost
            texts[k], waiting = new[len(lost) :], k
            if done == len(text):
                start, done, waiting = k + 1, 0, k + 1
    if start < len(run):
        rest = text[done:]
        texts[waiting] = (texts[waiting] or "") + (rest.rstrip(_LOST) + PART if more else rest)
        texts[waiting + 1 :] = [PART if more else None] * (len(run) - waiting - 1)
    return texts


def _changes(film: _Film, words: dict[tuple, int]) -> dict:
    """The film as player.js wants it: the first text, then only what changes. Fills in `words`."""

    def word(token: int | None, shown: str | None) -> int:
        return -1 if token is None else words.setdefault((token, shown), len(words))

    def pairs(frame):
        return list(zip(frame.tokens, frame.texts, strict=True))

    before, steps = pairs(film.frames[0]), []
    start = [word(*pair) for pair in before]
    for frame in film.frames[1:]:
        after, step = pairs(frame), frame.step
        new = [[i, word(*w)] for i, w in enumerate(after) if i >= len(before) or before[i] != w]
        chances = [_hundredths(p) for p in step.probability]
        rivals = [
            [[word(t, film.rival(frame, at, t)), _hundredths(p)] for t, p in others]
            for at, others in zip(step.changed, step.alternatives, strict=False)
        ]
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
        did = _did(film, film.frames[k - 1], frame) if frame.step else "as given"
        rows.append(f'<tr><th scope="row">{k}</th><td {left}>{line}</td><td {left}>{did}</td></tr>')
    caption = f"<caption>{escape(film.label)}</caption>" if film.label else ""
    return (
        f'<table class="ott-strip ott-{film.kind}">{caption}<thead><tr><th scope="col">Step</th>'
        f'<th scope="col" {left}>Text after it</th>'
        f'<th scope="col" {left}>Written, with probability</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _did(film: _Film, before: _Frame, frame: _Frame) -> str:
    """“no” 0.02; instead “yes” 0.69, “maybe” 0.15: a line for each token written or taken back."""

    def quote(shown: str | None) -> str:
        name = PART if shown is None else shown.strip(" ") or "␣"
        return f"“{'◌' * _joins(name)}{escape(name)}”"

    def quoted(frame, at):
        return MASK if frame.tokens[at] is None else quote(frame.texts[at])

    step, lines = frame.step, []
    for i, at in enumerate(step.changed):
        undone = frame.tokens[at] is None and at < len(before.tokens)
        name = f"took back {quoted(before, at)}" if undone else quoted(frame, at)
        rivals = [
            f"{quote(film.rival(frame, at, token))} {_odds(p)}"
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
        shown = MASK if token is None else frame.texts[at]
        if shown is None:
            shown = PART if at in changed else ""
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


def _joins(text: str) -> bool:
    """Whether it is drawn onto what stands before it, and so needs something to be drawn onto."""
    return text[0] == "\u200d" or unicodedata.category(text[0]).startswith("M")


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
