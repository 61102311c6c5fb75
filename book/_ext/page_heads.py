"""What a page says of itself to search engines, to whoever shares its address, and to who is lost.

Each page is described by its first paragraph. With a base address (`make site BASE=https://…`) it
has a canonical link, a card for those who share it, and a place in the sitemap. `404.html` is for
the server to show where there is no page.
"""

from __future__ import annotations

import textwrap
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import social_cards
from docutils import nodes
from sphinx.application import Sphinx

LOST = """<h1>No such page</h1>
<p>There is nothing at this address. The book begins <a href="book/intro.html">here</a>; search
finds what is in it, and so does the list of chapters.</p>"""


def description(doctree: nodes.document) -> str:
    """The first paragraph that says something, at most about 160 characters of it."""
    paragraphs = (" ".join(each.astext().split()) for each in doctree.findall(nodes.paragraph))
    first = next((text for text in paragraphs if len(text) > 40), "")
    return textwrap.shorten(first.removeprefix("The question. "), 160, placeholder=" …")


def add_head(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    base, tags = app.config.html_baseurl, []
    if page == app.config.root_doc:
        context["docstitle"] = ""  # else its title would be the book's, twice
        context["titlesuffix"] = ""
    if page == "404":  # shown at any address, so that relative ones would lead anywhere
        tags.append(f'<base href="{escape(urlsplit(base).path or "/")}">')
        tags.append('<meta name="robots" content="noindex">')
    if doctree is not None:
        said = escape(description(doctree))
        title = escape(nodes.document.astext(app.env.titles[page]))
        tags.append(f'<meta name="description" content="{said}">')
        tags.append(f'<meta property="og:title" content="{title}">')
        tags.append(f'<meta property="og:description" content="{said}">')
        tags.append('<meta property="og:type" content="article">')
        tags.append(f'<meta property="og:site_name" content="{escape(app.config.html_title)}">')
        if base:
            tags.append(f'<meta property="og:url" content="{escape(base)}{page}.html">')
            tags.append(f'<meta property="og:image" content="{escape(base)}{card(page)}">')
            tags.append(f'<meta property="og:image:alt" content="{title}. {said}">')
            tags.append('<meta property="og:image:width" content="1200">')
            tags.append('<meta property="og:image:height" content="630">')
            tags.append('<meta name="twitter:card" content="summary_large_image">')
    context["metatags"] = "\n".join([*tags, context.get("metatags", "")])


def lost_page(app: Sphinx):
    yield "404", {"title": "No such page", "body": LOST}, "page.html"


def write_sitemap(app: Sphinx, failed: Exception | None) -> None:
    base = app.config.html_baseurl
    if failed is None and base and app.builder.format == "html":
        places = [
            f"<url><loc>{escape(base)}{page}.html</loc></url>"
            for page in sorted(app.env.found_docs)
        ]
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
            *places,
            "</urlset>",
        ]
        (Path(app.outdir) / "sitemap.xml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def card(page: str) -> str:
    """Where the picture of a page is."""
    return f"_static/cards/{page.replace('/', '-')}.png"


def draw_cards(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.config.html_baseurl and app.builder.format == "html":
        (Path(app.outdir) / "_static" / "cards").mkdir()
        for page in app.env.found_docs:
            title = app.env.titles[page].astext()
            said = description(app.env.get_doctree(page))
            social_cards.draw(Path(app.outdir) / card(page), app.config.html_title, title, said)


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_head)
    app.connect("html-collect-pages", lost_page)
    app.connect("build-finished", write_sitemap)
    app.connect("build-finished", draw_cards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
