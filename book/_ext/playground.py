"""The pages on which models run: their scripts, and the weights, exported with each build."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from utils.checkpoints import javascript
from utils.checkpoints.recipes.verdicts import MOMENTS
from utils.worlds import Verdicts

KINDS = ("first", "diffusion")
MODELS = {f"verdicts-{kind}": False for kind in KINDS} | {
    f"verdicts-small-{kind}-after-{steps}": True for kind in KINDS for steps in MOMENTS
}  # {name: whether a byte a weight will do}
SCRIPTS = {
    "book/playground": ("transformer.js", "writers.js", "lane.js", "playground.js"),
    "book/intro": ("transformer.js", "writers.js", "lane.js", "mouth.js"),
}


def add_scripts(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    for script in SCRIPTS.get(page, ()):
        app.add_js_file(f"playground/{script}", loading_method="defer")
    if page in SCRIPTS:
        app.add_css_file("playground/playground.css")


def name_scenes(app: Sphinx, env) -> None:
    """Let a page link to `playground.md#scene=NAME`, for the scenes there are."""
    script = Path(app.srcdir) / "book" / "_static" / "playground" / "playground.js"
    slugs = env.metadata["book/playground"].setdefault("myst_slugs", {})
    for name in re.findall(r"(?m)^    (\w+): \{$", script.read_text(encoding="utf-8")):
        slugs[f"scene={name}"] = (0, f"scene={name}", "Playground")


def export_weights(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        folder = Path(app.outdir) / "_static" / "playground"
        for name, in_bytes in MODELS.items():
            script = javascript.script(name, Verdicts().vocab, in_bytes=in_bytes)
            (folder / f"{name}.js").write_bytes(script)


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", add_scripts)
    app.connect("env-updated", name_scenes)
    app.connect("build-finished", export_weights)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
