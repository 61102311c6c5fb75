"""Leave out of a page the scripts it has no use for.

Sphinx loads MathJax, a megabyte, on a page with formulas and on every page above such a page in the
table of contents, as the front page is.
"""

from __future__ import annotations

from sphinx.application import Sphinx


def drop_unused_mathjax(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    has_formulas = app.env.get_domain("math").data["has_equations"].get(page, False)
    if not has_formulas and "script_files" in context:
        context["script_files"] = [
            script for script in context["script_files"] if "/mathjax/" not in str(script.filename)
        ]


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", drop_unused_mathjax, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
