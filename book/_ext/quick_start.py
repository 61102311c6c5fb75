"""What a page need not wait for when it starts.

Scripts run when the page has been read, in their order; else nothing is painted before all are
there. On the page of the search, what comes later needs them at once.

The theme makes every box that scrolls a stop of the keyboard. It measures and changes one after the
other, so that the browser lays out the page anew for each of them, at the start and whenever
anything in the page changes, such as a player's step. `_static/wide.js` does it all at once.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

SCRIPT = Path("_static", "scripts", "pydata-sphinx-theme.js")
NEEDED = "documentation_options.js"  # by a line of script in the page itself
AT_START = ',"complete"===document.readyState?I():window.addEventListener("load",I)'


def cut(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None or app.builder.format != "html":
        return
    path = Path(app.outdir) / SCRIPT
    text = path.read_text("utf-8")
    if text.count(AT_START) != 1:
        raise ExtensionError(f"{SCRIPT.name} has changed: quick_start.py no longer knows its start")
    path.write_text(text.replace(AT_START, ""), encoding="utf-8")


def wait(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    for script in context["script_files"]:
        name = getattr(script, "filename", None) or ""
        if name and not name.endswith(NEEDED):
            script.attributes.pop("defer", None)  # the pages share what is said of a script
            script.attributes.update({"defer": "defer"} if page != "search" else {})


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", wait, priority=900)  # when all are named
    app.connect("build-finished", cut)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
