"""Past a section with one key.

A chapter has some two hundred stops for whoever goes through it with the Tab key: boxes that
scroll, buttons, links, players. Each section begins with a link past it, which is seen when it has
the focus. The links of headings to themselves are no stops: the table of contents has the same.
"""

from __future__ import annotations

import re
from html import escape

from sphinx.application import Sphinx

SECTION = re.compile(
    r'<section (?:class="[^"]*" )?id="([^"]+)">\s*(?:<span [^>]*></span>\s*)*<h([23])>(.*?)</h[23]>'
)
HEADING_LINK = '<a class="headerlink" '


def add_links(body: str) -> str:
    """The page's HTML, with a link at the head of each section to the one after it, if there is one
    on the same level or above."""
    sections = [*SECTION.finditer(body)]
    for number in reversed(range(len(sections))):
        here, later = sections[number], sections[number + 1 :]
        there = next((each for each in later if each[2] <= here[2]), None)
        if there is not None:
            title = re.sub(r"<a .*?</a>|<[^>]+>", "", there[3]).strip()
            link = f'<a class="section-skip" href="#{escape(there[1])}">Skip to {title}</a>\n'
            at = here.end() - len(f"<h2>{here[3]}</h2>")
            body = body[:at] + link + body[at:]
    return body.replace(HEADING_LINK, f'{HEADING_LINK}tabindex="-1" ')


def skip(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if "body" in context:
        context["body"] = add_links(context["body"])


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
