"""The pages on which models run: their scripts, and the weights, exported with each build."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from utils.checkpoints import javascript
from utils.worlds import Verdicts

MODELS = ("verdicts-first", "verdicts-diffusion")
SCRIPTS = {
    "book/playground": ("transformer.js", "writers.js", "lane.js", "playground.js"),
    "book/intro": ("transformer.js", "writers.js", "lane.js", "mouth.js"),
}


def add_scripts(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    for script in SCRIPTS.get(page, ()):
        app.add_js_file(f"playground/{script}", loading_method="defer")
    if page in SCRIPTS:
        app.add_css_file("playground/playground.css")


def export_weights(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        folder = Path(app.outdir) / "_static" / "playground"
        for name in MODELS:
            text = javascript.script(name, Verdicts().vocab)
            (folder / f"{name}.js").write_text(text, encoding="ascii")


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", export_weights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
