"""The page of claims as Markdown that JupyterLab, the site and a text editor all show.

`book/claims.md` begins with words and goes on, below a mark, with what is written here: each claim
of `book/claims.yml` with the measurements from the chapters' stored outputs beside it. `make
refresh` writes that part, the site renders it anew, and a test compares. A page links to one claim
as [words](#claim-narrowing).
"""

from __future__ import annotations

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
        _summary(listed),
        "## Tested",
        *(_card(claim, found, links) for claim in listed if claim.tests),
        "## Still to be tested",
        "These wait for their chapters.",
        *(_line(claim, links) for claim in listed if not claim.tests),
    ]
    return words + MARK + "\n" + "\n\n".join(parts) + "\n"


def _summary(listed: tuple[claims.Claim, ...]) -> str:
    """How many claims there are, and how the tests of them have ended so far."""
    verdicts = Counter(test.verdict for claim in listed for test in claim.tests)
    ended = [f"{name}: {verdicts[name]}" for name in claims.VERDICTS if verdicts[name]]
    tested = sum(bool(claim.tests) for claim in listed)
    return f"Tested so far: {tested} of {len(listed)} claims ({'; '.join(ended)})."


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
        outcome = f"; needs {_text(item.needs)}: {item.outcome()}"
        parts.append(f"**{_text(item.measured())}**{outcome}{note}")
    parts.append(f"*Measured:* {_text(test.measure)}.")
    parts.append(f"*What it cannot show:* {_text(test.limits)}")
    return _box(":::", "claim-test", parts)


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
