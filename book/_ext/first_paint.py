"""The right colours at once, and without scripts.

The theme leaves `data-theme="auto"` to a deferred script, and knows no colours for it. A line in
the head decides it before anything is painted. Where scripts do not run, a style sheet does: it is
made from all the others, whose rules for `data-theme="dark"` it gives to who prefers the dark. It
also takes away the buttons that would do nothing, and on a phone shows below each page the list of
all pages, which slides in at the side only with a script.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

from utils.page.theme import theme

DECIDE = """(() => {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  if (!["light", "dark"].includes(root.dataset.theme)) root.dataset.theme = dark ? "dark" : "light";
})();"""
SHEET = "_static/undecided.css"
WITHOUT = """.bd-main :is(.sidebar-toggle, .dropdown-download-buttons) { display: none !important; }
html #pg[data-waiting] { min-height: 0; }
@media (max-width: 959.98px) {
  html .bd-container .bd-container__inner { flex-wrap: wrap; }
  html .bd-container .bd-sidebar-primary {
    position: static; order: 1; visibility: visible;
    width: 100%; max-width: none; height: auto; max-height: none; margin: 0;
  }
}"""


def rules(css: str) -> list[tuple[str, str]]:
    """A style sheet's outermost rules: (what stands before the braces, what is in them)."""
    css, found = re.sub(r"(?s)/\*.*?\*/", "", css), []
    depth = start = opened = 0
    for at in (match.start() for match in re.finditer(r"[{}]", css)):
        if css[at] == "{":
            depth += 1
            if depth == 1:
                opened = at
        else:
            depth -= 1
            if depth == 0:
                head = css[start:opened].rpartition(";")[2].strip()  # after @import and the like
                found.append((head, css[opened + 1 : at]))
                start = at + 1
    return found


def undecided(css: str, name: str) -> str:
    """The rules for one theme, as rules for a page on which none was chosen."""
    chosen, kept = re.compile(rf"""\[data-theme=["']?{name}["']?\]"""), []
    for head, inside in rules(css):
        if head.startswith(("@media", "@supports")):
            inner = undecided(inside, name)
            kept += [f"{head}{{{inner}}}"] * bool(inner)
        elif chosen.search(head):
            kept.append(f"{chosen.sub('[data-theme]', head)}{{{inside}}}")
    return "\n".join(kept)


def link_sheet(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    sheet = context["pathto"](SHEET, 1)
    link = f'<noscript><link rel="stylesheet" href="{sheet}"></noscript>'
    context["metatags"] = context.get("metatags", "") + link


def write_sheet(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        folder = Path(app.outdir) / "_static"
        paths = sorted(folder.rglob("*.css"), key=lambda path: (path.name == "custom.css", path))
        css = "\n".join([*(path.read_text("utf-8") for path in paths), theme()])  # ours come last
        both = [
            f"@media (prefers-color-scheme:{name}){{\n{undecided(css, name)}\n}}"
            for name in ("light", "dark")
        ]
        (Path(app.outdir) / SHEET).write_text("\n".join([*both, WITHOUT, ""]), encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.add_js_file(None, body=DECIDE, priority=1)
    app.connect("html-page-context", link_sheet)
    app.connect("build-finished", write_sheet, priority=700)  # of what used_styles leaves
    return {"parallel_read_safe": True, "parallel_write_safe": True}
