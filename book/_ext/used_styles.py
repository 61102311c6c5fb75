"""Of each style sheet, the rules for what there is in the book.

The theme brings one for every purpose, of four thousand rules, and few of them ever meet anything
in a page. A browser waits for all of them before it paints anything, and tries them on every
element. A rule stays if each class and each name in it occurs somewhere in the site's pages or
scripts.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF16_LE
from pathlib import Path

from first_paint import rules
from sphinx.application import Sphinx

MADE = re.compile(r"bs-tooltip")  # how names begin that a script puts together
BRACKETS = r"\([^()]*\)"
for _ in range(4):  # how deep they may be within each other
    BRACKETS = rf"\((?:[^()]|{BRACKETS})*\)"
NEGATED = re.compile(rf":not{BRACKETS}")
NAME = re.compile(r"[.#](-?[A-Za-z_][\w-]*)")


def words(out: Path) -> set[str]:
    """Whatever may be a class or a name, in the pages and scripts of the site."""
    files = (path.read_bytes() for end in ("html", "js") for path in out.rglob(f"*.{end}"))
    texts = (file.decode() for file in files if not file.startswith(BOM_UTF16_LE))  # weights
    return {word for text in texts for word in re.findall(r"[\w-]+", text)}


def used(css: str, known: set[str]) -> str:
    """The style sheet without what none of these words can be meant by."""
    kept = []
    for head, inside in rules(css):
        if head.startswith(("@media", "@supports", "@container", "@layer")):
            inner = used(inside, known)
            kept += [f"{head}{{{inner}}}"] * bool(inner)
        elif head.startswith("@"):
            kept.append(f"{head}{{{inside}}}")
        else:
            selectors = [each for each in split(head) if meets(each, known)]
            kept += [f"{','.join(selectors)}{{{inside}}}"] * bool(selectors)
    return "\n".join(kept)


def split(selectors: str) -> list[str]:
    """At the commas that are not in brackets."""
    return [each.strip() for each in re.findall(rf"(?:[^,(]|{BRACKETS})+", selectors)]


def meets(selector: str, known: set[str]) -> bool:
    names = NAME.findall(NEGATED.sub("", selector))
    return all(name in known or MADE.match(name) for name in names)


def cut(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    known = words(out)
    for path in (out / "_static").rglob("*.css"):
        css = path.read_text("utf-8")
        first = re.findall(r"@(?:charset|import)[^;{]*;", css)
        path.write_text("\n".join([*first, used(css, known)]) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", cut, priority=600)  # once all are there
    return {"parallel_read_safe": True, "parallel_write_safe": True}
