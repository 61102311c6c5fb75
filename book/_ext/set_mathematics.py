"""Mathematics, set when the site is built.

Docutils turns LaTeX into MathML, which browsers draw and screen readers read aloud. So no page
loads a script for it, and none has to wait for one. What the converter does not know is an error,
not a hole in the page.
"""

from __future__ import annotations

import re
from html import escape

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
# what the converter lacks: dots that know where they stand, and fractions without braces
SPELT = {r"\\dots(?![a-zA-Z])": r"\\ldots", r"\\([td]?frac)(\d)(\d)": r"\\\1{\2}{\3}"}


def mathml(tex: str, block: bool = False) -> str:
    """A formula of LaTeX as MathML. Raises MathError for what the converter does not know."""
    for ours, theirs in SPELT.items():
        tex = re.sub(ours, theirs, tex)
    if block and r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    return tex2mathml(tex.strip(), as_block=block)


def written(node: nodes.Element, block: bool) -> str:
    try:
        return mathml(node.astext(), block)
    except MathError as error:
        logger.warning("no MathML for %r: %s", node.astext(), error, location=node)
        return f"<code>{escape(node.astext())}</code>"


def visit_inline(self, node: nodes.math) -> None:
    start = self.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    self.body.append(f"{start}{written(node, block=False)}</span>")
    raise nodes.SkipNode


def visit_display(self, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(f"{written(node, block=True)}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
