"""A glossary that JupyterLab shows as well, and links from a chapter to one of its terms.

The directive takes a list of definitions as Markdown writes it, a term a line and `: ` before what
it means; Sphinx's own wants an indent there, which elsewhere runs term and meaning together.

A chapter links to a term as [a Markov chain](../book/glossary.md#markov-chain). In JupyterLab that
opens the glossary, on the site it leads to the term. The anchor is the term in lower case, with one
hyphen for whatever is neither letter nor digit. Where such a link stands, terms.js shows what the
glossary says; it reads that from glossary.js, which is made from the glossary's finished page.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.std import Glossary


class ListOfDefinitions(Glossary):
    def run(self) -> list[nodes.Node]:
        for number, line in enumerate(self.content):
            if line.startswith(": "):
                self.content[number] = " " + line[1:]
        return super().run()


def anchor(term: str) -> str:
    return re.sub(r"[\W_]+", "-", term.lower()).strip("-")


def add_anchors(app: Sphinx, document: nodes.document) -> None:
    anchors = app.env.metadata[app.env.docname].get("myst_slugs")
    if anchors is None:
        return
    for glossary in document.findall(addnodes.glossary):
        for term in glossary.findall(nodes.term):
            anchors[anchor(term.astext())] = (term.line, term["ids"][0], term.astext())


def explanations(page: str) -> dict[str, str]:
    """What the glossary's finished page says of each term, as HTML without links: {id: what}."""
    found = {}
    for names, said in re.findall(r"(?s)((?:<dt id=[^\n]*?</dt>)+)<dd>(.*?)\n?</dd>", page):
        for name in re.findall(r'<dt id="([^"]+)"', names):
            found[name] = re.sub(r"</?a\b[^>]*>| id=\"[^\"]*\"", "", said)
    return found


def write_explanations(app: Sphinx, failed: Exception | None) -> None:
    page = Path(app.outdir) / "book" / "glossary.html"
    if failed is None and app.builder.format == "html" and page.exists():
        text = json.dumps(explanations(page.read_text("utf-8")), ensure_ascii=False)
        script = Path(app.outdir) / "_static" / "glossary.js"
        script.write_text(f"window.bookTerms = {text};\n", encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.add_directive_to_domain("std", "glossary", ListOfDefinitions, override=True)
    app.connect("doctree-read", add_anchors)
    app.connect("build-finished", write_explanations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
