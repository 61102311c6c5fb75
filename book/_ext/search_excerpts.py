"""Search results with excerpts, on a site opened from its files too.

Sphinx's search fetches each page that it has found, to show where the words are. A page that was
opened from a file may not fetch, but may load a script. So `pages.js` holds what all pages say, and
`search_from_file.js` gives it to the search; from a server neither is asked for.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from sphinx.application import Sphinx

ARTICLE = re.compile(r'(?s)<article class="bd-article">(.*?)</article>')
UNSAID = re.compile(
    r'(?s)<(script|style|svg|annotation)\b.*?</\1>|<a class="(?:headerlink|section-skip)".*?</a>'
)
BLOCKS = re.compile(r"</?(?:dd|div|dl|h\d|li|ol|option|p|pre|td|th|ul)\b[^>]*>")
OTHER_TAGS = re.compile(r"<(?!/?(?:section|dt)\b)[^>]*>")  # these two are what results lead to


def said(page: str) -> str:
    """What a finished page says, with its sections and terms, as Sphinx's search expects it."""
    text = OTHER_TAGS.sub("", BLOCKS.sub(" ", UNSAID.sub("", ARTICLE.search(page)[1])))
    return f'<div role="main">{" ".join(text.split())}</div>'


def write_pages(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = {
        page: said((out / f"{page}.html").read_text("utf-8")) for page in sorted(app.env.found_docs)
    }
    text = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    (out / "_static" / "pages.js").write_text(f"window.bookPages = {text};\n", encoding="utf-8")


def add_script(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if page == "search":
        app.add_js_file("search_from_file.js")


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_script)
    app.connect("build-finished", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
