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
            tags.append(f'<meta property="og:image" content="{escape(base)}_static/card.png">')
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
        draw_card(Path(app.outdir) / "_static" / "card.png")


def draw_card(path: Path) -> None:
    """What stands beside the address where it is shared: 1200 by 630 pixels."""
    import matplotlib.pyplot as plt

    from utils.page.theme import AR, DIFFUSION

    words = "no , because 1 + 1 = 2 .".split()
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="#15191f")
    figure.text(0.06, 0.8, "One Token at a Time?", size=50, weight="bold", color="white")
    figure.text(0.06, 0.7, "Do language models think the way they write?", size=26, color="#a0a8b3")
    for row, (color, first) in enumerate([(AR, "no"), (DIFFUSION, "yes")]):
        for i, word in enumerate([first, *words[1:]]):
            figure.text(
                0.09 + 0.1 * i + (0.05 if i > 2 else 0) + (0.025 if i == 2 else 0),
                0.42 - 0.2 * row,
                word,
                size=30,
                color="white",
                ha="center",
                bbox={"facecolor": color, "edgecolor": "none", "boxstyle": "round,pad=0.35"},
            )
    figure.savefig(path)
    plt.close(figure)


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_head)
    app.connect("html-collect-pages", lost_page)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
