"""Mathematics, set when the site is built.

Docutils turns LaTeX into MathML, which browsers draw and screen readers read aloud. So no page
loads a script for it, and none has to wait for one. What the converter does not know is an error,
not a hole in the page.

Browsers need a font that says how large a sum is and where its limits go, and few devices have one.
So the site brings STIX Two Math along (SIL Open Font License 1.1), cut down to the characters that
its formulas use. The package `ziamath` carries it; nothing else of that package is used.
"""

from __future__ import annotations

import re
from html import escape, unescape
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from fontTools import subset
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
# what the converter lacks: dots that know where they stand, fractions without braces, and the room
# that TeX leaves between the name of a function and what it is of, or a bracket before it
SPELT = {
    r"\\dots(?![a-zA-Z])": r"\\ldots",
    r"\\([td]?frac)(\d)(\d)": r"\\\1{\2}{\3}",
    r"(\\(?:log|ln|exp)(?![a-zA-Z])(?:_\w)?) *(?=[a-zA-Z\\])(?!\\(?:left|,|!))": r"\1\\,",
    r"\) *(?=\\(?:log|ln|exp)(?![a-zA-Z]))": r")\\,",
}
# what is said of a brace stands under it, not beside it
BRACED = re.compile(
    r"(?s)<msub>(\s*<munder>(?:(?!<msub>|<munder>).)*<mo>⏟</mo>\s*</munder>.*?)</msub>"
)


def mathml(tex: str, block: bool = False) -> str:
    """A formula of LaTeX as MathML. Raises MathError for what the converter does not know."""
    for ours, theirs in SPELT.items():
        tex = re.sub(ours, theirs, tex)
    if block and r"\\" in tex and r"\begin" not in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    found = tex2mathml(tex.strip(), as_block=block).replace("<mo>‖", '<mo stretchy="false">‖')
    return BRACED.sub(r"<munder>\1</munder>", found)


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


def characters(pages: list[str]) -> set[int]:
    """What the formulas of these pages are made of. A letter that stands alone is drawn in italics,
    which are characters of their own."""
    formulas = (found for page in pages for found in re.findall(r"(?s)<math\b.*?</math>", page))
    text = {ord(sign) for each in formulas for sign in unescape(re.sub("<[^>]+>", "", each))}
    italics = {0x1D434 + i - ord("A") for i in text if ord("A") <= i <= ord("Z")}
    italics |= {0x1D44E + i - ord("a") for i in text if ord("a") <= i <= ord("z")}
    italics |= {0x1D6FC + i - ord("α") for i in text if ord("α") <= i <= ord("ω")}
    root = {ord("√")} if any("<msqrt" in each for each in pages) else set()  # drawn, not written
    return text | italics | root | {0x210E}  # the italic h is Planck's constant


def write_font(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None or app.builder.format != "html":
        return
    package = find_spec("ziamath")
    if package is None:
        raise ExtensionError("the font for formulas is missing: requirements-nodeps.txt names it")
    font = Path(package.submodule_search_locations[0]) / "fonts" / "STIXTwoMath-Regular.ttf"
    pages = [path.read_text("utf-8") for path in Path(app.outdir).rglob("*.html")]
    options = subset.Options(flavor="woff", layout_features=["ssty"], hinting=False)
    cut = subset.load_font(font, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters(pages))
    subsetter.subset(cut)
    subset.save_font(cut, Path(app.outdir) / "_static" / "mathematics.woff", options)


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    app.connect("build-finished", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
