"""Show on another page what a cell of a chapter shows.

`:::{div} stored-output chapters/00_start_here ott-player` takes the first HTML output stored in
that chapter which contains the given text, here a player. It stands in place of what the block
holds, which is for JupyterLab and for who reads the page in an editor.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ELSEWHERE = re.compile(r"^:::\{div\} (stored-output) (\S+ \S+)\n.*?^:::$", re.MULTILINE | re.DOTALL)


class StoredOutput(SphinxDirective):
    required_arguments = 2

    def run(self) -> list[nodes.Node]:
        chapter, wanted = self.arguments
        path = Path(self.env.srcdir) / f"{chapter}.ipynb"
        self.env.note_dependency(str(path))
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for output in (output for cell in cells for output in cell.get("outputs", [])):
            page = "".join(output.get("data", {}).get("text/html", ""))
            if wanted in page:
                raw = nodes.raw("", page, format="html")
                return [nodes.container("", raw, classes=["stored-output"])]
        raise self.error(f"{path.name} has no stored HTML output with {wanted!r}")


def put_in_place(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = ELSEWHERE.sub(r"```{\1} \2\n```", source[0])


def setup(app: Sphinx) -> dict:
    app.add_directive("stored-output", StoredOutput)
    app.connect("source-read", put_in_place, priority=600)  # after written_pages, which fills pages
    return {"parallel_read_safe": True, "parallel_write_safe": True}
