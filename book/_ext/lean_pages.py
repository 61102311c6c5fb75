"""Leave out of a page what it has no use for.

Each player and each set of knobs brings its look and its behaviour along, so that an output stands
on its own; a page needs them once, and as they are now. The bibliography has roles that are out of
use, and a fold a name that is not what it shows. What a cell prints is either columns, which scroll
where they are too wide, or sentences, which wrap.
"""

from __future__ import annotations

import re
from html import unescape

from sphinx.application import Sphinx

from utils.page.theme import asset

SHARED = {
    "<style>.ott-player{": f"<style>{asset('player.css')}</style>",
    "<style>.ott-knobs{": f"<style>{asset('knobs.css')}</style>",
    "<script>window.oneTokenPlayer ": f"<script>{asset('player.js')}</script>",
    "<script>window.oneTokenKnobs ": f"<script>{asset('knobs.js')}</script>",
}


def share(body: str) -> str:
    """The page's HTML, each of the shared styles and scripts in it once, where it comes first."""
    left = dict(SHARED)

    def once(found: re.Match) -> str:
        start = next((start for start in SHARED if found[0].startswith(start)), None)
        return found[0] if start is None else left.pop(start, "")

    return re.sub(r"(?s)<(style|script)>.*?</\1>", once, body)


def columns(text: str) -> bool:
    """Whether printed text is set in columns: gaps within several of its lines."""
    return sum(bool(re.search(r"\S {2,}\S", line)) for line in text.splitlines()) > 1


def tell_columns(body: str) -> str:
    """The page's HTML, each printed output marked as columns or as sentences."""

    def mark(found: re.Match) -> str:
        text = unescape(re.sub(r"<[^>]+>", "", found[3]))
        kind = "printed-columns" if columns(text) else "printed-sentences"
        return f'{found[1]} {kind}"{found[2]}{found[3]}</pre>'

    printed = r'(?s)(<div class="output (?:stream|text_plain)[^"]*)"([^>]*>.*?<pre>)(.*?)</pre>'
    return re.sub(printed, mark, body)


def tidy(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if "body" in context:
        body = context["body"].replace(' role="doc-biblioentry"', ' role="listitem"')
        body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
        context["body"] = tell_columns(share(body))


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", tidy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
