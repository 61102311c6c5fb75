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
            tags.append(f'<meta property="og:image:alt" content="{escape(SAID)}">')
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
        draw_card(Path(app.outdir) / "_static" / "card.png")


SAID = "One token at a time: no, because 1 + 1 = 2. All tokens at once: yes, because 1 + 1 = 2."


def draw_card(path: Path) -> None:
    """What stands beside the address where it is shared: 1200 by 630 pixels."""
    import matplotlib.pyplot as plt

    from utils.page.theme import AR, DIFFUSION

    left, size, pad, gap = 72, 31, 0.42, 12  # pixels, points, of a word's size, pixels
    figure = plt.figure(figsize=(12, 6.3), dpi=100, facecolor="#15191f")
    inside = pad * size * figure.dpi / 72  # between a word and the edge of its box

    def write(x, y, words, size, **how):
        text = figure.text(x / 1200, y / 630, words, size=size, va="center", **how)
        return text.get_window_extent(figure.canvas.get_renderer()).x1

    write(left, 540, "One Token at a Time?", 54, weight="bold", color="white")
    write(left, 456, "Do language models think the way they write?", 27, color="#c3c9d1")
    rows = (
        (300, AR, "no", "One token at a time, made to begin with “no”:"),
        (122, DIFFUSION, "yes", "All tokens at once, allowed to take it back:"),
    )
    for y, color, verdict, name in rows:
        write(left, y + 68, name, 19, color="#a0a8b3")
        at = left
        for word in (verdict, *", because 1 + 1 = 2 .".split()):
            box = {"facecolor": color, "edgecolor": "none", "boxstyle": f"round,pad={pad}"}
            at = write(at + inside, y, word, size, color="white", bbox=box) + inside + gap
    figure.savefig(path)
    plt.close(figure)


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_head)
    app.connect("html-collect-pages", lost_page)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
