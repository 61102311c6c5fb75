"""The debate as a picture: who claims what, and what became of it.

`show()` displays the ledger of claims as a table, a row for each test. It reads well where nothing
but text survives. Where scripts run, debate.js folds the table away and draws it as a picture: a
row for each side of the debate, a column for each way a test can end, a mark for each test, which
one chooses by touch or by the arrow keys to read what was asked. Everything in the picture is taken
from the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from utils.page import claims
from utils.page.theme import asset, theme
from utils.text.publish import publish

# Sides by the first word of `held_by`; who takes no side, or another, stands in the last row.
SIDES = {
    "critics": "Critics of one token at a time",
    "defenders": "Its defenders",
    "enthusiasts": "Enthusiasts of text diffusion",
    "makers": "Enthusiasts of text diffusion",
    "sceptics": "Its sceptics",
    "both": "Both sides",
}
OTHERS = "Others"
BUILT, WAITS = "by construction", "waits"  # how else a claim can stand than by a verdict


@dataclass(frozen=True)
class _Row:
    """One test of a claim, or a claim without one."""

    verdict: str
    asked: str
    chapter: str  # two digits, or the topic of a chapter to come


def show(listed: Iterable[claims.Claim], *, start: str) -> None:
    """Display the debate in a notebook. See `html` for the arguments and errors."""
    listed = tuple(listed)
    publish({"text/html": html(listed, start=start), "text/plain": text(listed)})


def html(listed: Iterable[claims.Claim], *, start: str) -> str:
    """The table, and the script that draws it; the same claims give the same bytes.

    listed: such as `claims.load()`. start: the id of the claim that is chosen at first. Raises
    ValueError where it is none of the claims.
    """
    listed = tuple(listed)
    if start not in {claim.id for claim in listed}:
        raise ValueError(f"start is {start!r}; give the id of a claim that is shown")
    body = "".join(
        f"<tbody{' data-start' * (claim.id == start)}>{_rows(claim)}</tbody>" for claim in listed
    )
    return (
        f'<figure class="ott ott-debate"><style>{theme()}</style>'
        f"<style>{asset('debate.css')}</style>"
        f'<figcaption class="ott-title"><strong>{escape(_title(listed))}</strong></figcaption>'
        '<table class="ott-tests"><thead><tr><th scope="col">Claim</th>'
        '<th scope="col">What was asked</th><th scope="col">What became of it</th></tr></thead>'
        f"{body}</table><script>{asset('debate.js')}</script>"
        "<script>oneTokenDebate()</script></figure>"
    )


def text(listed: Iterable[claims.Claim]) -> str:
    """The same as plain text: a line for each claim, and one for each of its tests."""
    listed = tuple(listed)
    lines = [_title(listed)]
    for claim in listed:
        lines += ["", " ".join(claim.statement.split())]
        lines += [f"  {row.verdict} ({_place(row.chapter)})" for row in _tests(claim)]
    return "\n".join(lines)


def _side(claim: claims.Claim) -> tuple[int, str]:
    """Whose claim it is: in which row of the picture it stands, and what that is called."""
    sides = [*dict.fromkeys([*SIDES.values(), OTHERS])]
    name = SIDES.get(claim.held_by.split()[0], OTHERS)
    return sides.index(name), name


def _title(listed: tuple[claims.Claim, ...]) -> str:
    tests = sum(len(claim.tests) for claim in listed)
    tested = sum(bool(claim.tests) for claim in listed)
    return (
        f"The debate so far: {len(listed)} claims, of which {tested} were tested, "
        f"some more than once, in {tests} tests"
    )


def _tests(claim: claims.Claim) -> list[_Row]:
    if claim.by_construction:
        return [_Row(BUILT, claim.by_construction, claim.chapter)]
    if not claim.tests:
        return [_Row(WAITS, "Its test is still to come.", claim.later[0])]
    return [_Row(test.verdict, test.question, test.chapter) for test in claim.tests]


def _rows(claim: claims.Claim) -> str:
    tests, (place, side) = _tests(claim), _side(claim)
    ledger = f'<a href="../book/claims.md#claim-{claim.id}">{_words(claim.statement)}</a>'
    short = _words(claim.short or claim.statement)
    head = (
        f'<th scope="rowgroup" rowspan="{len(tests)}" data-row="{place}" '
        f'data-side="{escape(side)}" data-short="{short}">{ledger}'
        f"<small>Held by {_words(claim.held_by)}</small></th>"
    )
    found = []
    for row in tests:
        name = _place(row.chapter)
        link = _notebook(row.chapter)
        where = f'<a href="../chapters/{link}">{name}</a>' if link else escape(name)
        found.append(
            f"<tr>{'' if found else head}<td>{_words(row.asked)} <small>{where}</small></td>"
            f'<td class="ott-is-{row.verdict.replace(" ", "-")}">{row.verdict}</td></tr>'
        )
    return "".join(found)


def _place(chapter: str) -> str:
    return f"Chapter {chapter}" if chapter.isdigit() else f"A chapter on {chapter}"


def _notebook(chapter: str) -> str:
    """The file of a chapter; "" while it is not there."""
    found: list[Path] = sorted((claims.ROOT / "chapters").glob(f"{chapter}_*.ipynb"))
    return found[0].name if found else ""


def _words(words: str) -> str:
    return escape(" ".join(words.split()))
