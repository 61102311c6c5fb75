"""Let a chapter link to a term as [a Markov chain](../book/glossary.md#markov-chain).

That form works everywhere: in JupyterLab it opens the glossary, on the site it leads to the term.
The anchor is the term in lower case, with one hyphen for whatever is neither letter nor digit.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx


def anchor(term: str) -> str:
    return re.sub(r"[\W_]+", "-", term.lower()).strip("-")


def add_anchors(app: Sphinx, document: nodes.document) -> None:
    anchors = app.env.metadata[app.env.docname].get("myst_slugs")
    if anchors is None:
        return
    for glossary in document.findall(addnodes.glossary):
        for term in glossary.findall(nodes.term):
            anchors[anchor(term.astext())] = (term.line, term["ids"][0], term.astext())


def setup(app: Sphinx) -> dict:
    app.connect("doctree-read", add_anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
