"""The page of claims as Markdown that JupyterLab, the site and a text editor all show.

`book/claims.md` begins with words and goes on, below a mark, with what is written here: each claim
of `book/claims.yml` with the measurements from the chapters' stored outputs beside it. `make
refresh` writes that part, the site renders it anew, and a test compares. A page links to one claim
as [words](#claim-narrowing).
"""

from __future__ import annotations

import datetime
import html
import json
import re
from collections import Counter
from pathlib import Path

from utils.page import claims

MARK = "<!-- What follows is written by `make refresh`, from claims.yml and the chapters. -->\n"


def page(root: Path | str = claims.ROOT) -> str:
    """The whole of `book/claims.md`, as it should be."""
    root = Path(root)
    words = (root / "book" / "claims.md").read_text(encoding="utf-8").partition(MARK)[0]
    listed = claims.load(root / "book" / "claims.yml")
    notebooks = sorted((root / "chapters").glob("*.ipynb"))
    evidence = claims.collect(notebooks).values()
    found = {item.id: item for items in evidence for item in items}
    links = {path.name[:2]: _link(path) for path in notebooks}
    parts = [
        _summary(listed, found),
        "## Tested",
        *(_card(claim, found, links) for claim in listed if claim.tests),
    ]
    constructed = [_constructed(claim, links) for claim in listed if claim.by_construction]
    if constructed:
        parts += ["## Settled by how the models are built", BUILT, *constructed]
    parts += [
        "## Still to be tested",
        "These wait for their chapters.",
        *(_line(claim, links) for claim in listed if not (claim.tests or claim.by_construction)),
    ]
    return words + MARK + "\n" + "\n\n".join(parts) + "\n"


BUILT = (
    "These are true, or false, of every model built in the way they speak of. An experiment could "
    "fail only by a mistake in the code, so they are guarded by tests, and have no measurement."
)


def _summary(listed: tuple[claims.Claim, ...], found: dict[str, claims.Evidence]) -> str:
    """How many claims there are, and how their tests have ended so far: those with evidence."""
    tests = (test for claim in listed for test in claim.tests)
    verdicts = Counter(test.verdict for test in tests if test.id in found)
    ended = ", ".join(f"{verdicts[name]} *{name}*" for name in claims.VERDICTS if verdicts[name])
    tested = sum(bool(claim.tests) for claim in listed)
    built = sum(bool(claim.by_construction) for claim in listed)
    waiting = len(listed) - tested - built
    return (
        f"{len(listed)} claims: {tested} tested, {built} settled by how the models are built, "
        f"{waiting} waiting for their chapters. Verdicts so far, one for each test (a claim may "
        f"have several): {verdicts.total()}, of which {ended}."
    )


def _card(claim: claims.Claim, found: dict[str, claims.Evidence], links: dict[str, str]) -> str:
    """A tested claim, with each test's verdict, measurement and limits."""
    parts = [f"**{_text(claim.statement)}**", f"Held by {_text(claim.held_by)}."]
    parts += [_test(test, found.get(test.id), links) for test in claim.tests]
    if claim.later:
        parts.append(f"To be tested again: {_places(claim.later, links)}.")
    return _box("::::", "claim-card", parts, name=f"claim-{claim.id}")


def _test(test: claims.Experiment, item: claims.Evidence | None, links: dict[str, str]) -> str:
    verdict = test.verdict if item else "no evidence yet"
    badge = (
        f'<span class="verdict verdict-{verdict.replace(" ", "-")}">{html.escape(verdict)}</span>'
    )
    parts = [f"{badge} in {_places([test.chapter], links)}", _text(test.question)]
    if item:
        note = f" ({_text(item.note)})" if item.note else ""
        outcome = f"; the claim needs {_text(item.needs)}: {item.outcome()}"
        parts.append(f"**{_text(item.measured())}**{outcome}{note}")
    for name, words in (("Why open", test.open), ("The limit that matters", test.decisive_limit)):
        parts += [f"*{name}:* {_text(words)}"] if words else []
    parts.append(f"*What it cannot show:* {_text(test.limits)}")
    amended = ", and how that was amended" * bool(test.amended)
    parts.append(f"<details><summary>What was measured, the control{amended}</summary>")
    parts += [*_registered(test, item), "</details>"]
    return _box(":::", "claim-test", parts)


def _registered(test: claims.Experiment, item: claims.Evidence | None) -> list[str]:
    """What was to be measured, against which control, since when, and what was changed later."""
    parts = [f"*Measured:* {_text(test.measure)}."]
    if isinstance(test.control, str):
        parts.append(f"*Control:* {_text(test.control)}.")
    else:
        result = f": **{_text(item.controlled())}**" if item else f", clean if {test.control.clean}"
        parts.append(f"*Control:* {_text(test.control.measure)}{result}.")
    when = "before the final measurement" if test.beforehand else "together with its measurement"
    parts.append(f"*Registered* on {_day(test.registered)}, {when}.")
    for change in test.amended:
        parts.append(
            f"*Amended* on {_day(change.date)}. Registered before: {_text(change.was)}. "
            f"Measured by then: {_text(change.measured)}. Why: {_text(change.why)}"
        )
    return parts


def _day(date: datetime.date) -> str:
    return f"{date.day} {date:%B %Y}"


def _constructed(claim: claims.Claim, links: dict[str, str]) -> str:
    """A claim that needs no experiment, with why, and where it is shown."""
    parts = [
        f"**{_text(claim.statement)}**",
        f"Held by {_text(claim.held_by)}. {_text(claim.by_construction)}",
        f"Shown in {_places([claim.chapter], links)}; tested in `{claim.shown_by}`.",
    ]
    return _box(":::", "claim-constructed", parts, name=f"claim-{claim.id}")


def _line(claim: claims.Claim, links: dict[str, str]) -> str:
    """A claim that waits for its chapter."""
    places = f"To be tested: {_places(claim.later, links)}."
    parts = [f"**{_text(claim.statement)}**", f"Held by {_text(claim.held_by)}. {places}"]
    return _box(":::", "claim-awaited", parts, name=f"claim-{claim.id}")


def _box(fence: str, kind: str, parts: list[str], name: str = "") -> str:
    option = f":name: {name}\n" if name else ""
    inside = "\n\n".join(parts)
    return f"{fence}{{div}} {kind}\n{option}\n{inside}\n{fence}"


def _link(notebook: Path) -> str:
    """A Markdown link to a chapter, by the title in its first cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    title = re.search(r"^# (.+)$", "".join(cells[0]["source"]), re.MULTILINE)
    return f"[{title[1] if title else notebook.stem}](../chapters/{notebook.name})"


def _places(chapters: tuple[str, ...] | list[str], links: dict[str, str]) -> str:
    """`chapter 01, Markov chains`, linked if it is there, or `a chapter on planning`."""
    names = []
    for chapter in chapters:
        name = f"chapter {chapter}" if chapter.isdigit() else f"a chapter on {_text(chapter)}"
        names.append(f"{name}, {links[chapter]}" if chapter in links else name)
    return "; ".join(names)


def _text(words: str) -> str:
    """Words that Markdown would take for its own, shown as they are, on one line."""
    return re.sub(r"([\\`*_\[\]{}<>$~|#&])", r"\\\1", " ".join(words.split()))
