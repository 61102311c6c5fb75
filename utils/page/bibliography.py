"""The bibliography as Markdown that JupyterLab, the site and a text editor all show.

`book/bibliography.md` begins with words and goes on, below a mark, with what is written here: each
entry of `book/references.bib`, in the words of the site's own list. `make refresh` writes that part
and a test compares. The site has that list of its own in its place, to which citations would lead.
"""

from __future__ import annotations

import re
from pathlib import Path

from pybtex.backends.markdown import Backend
from pybtex.database import parse_file
from pybtex.style.formatting.plain import Style

from utils.page.claims import ROOT

MARK = "<!-- What follows is written by `make refresh`, from references.bib. -->\n"
ON_THE_SITE = "```{bibliography}\n:all:\n```\n"


class Readable(Backend):
    """Markdown with a backslash only where it is needed, for who reads it in an editor."""

    def format_str(self, text: str) -> str:
        return re.sub(r"([\\`*_\[\]{}<>$~|#&])", r"\\\1", text)


def page(root: Path | str = ROOT) -> str:
    """The whole of `book/bibliography.md`, as it should be."""
    parts = [_words(root) + MARK]
    for entry in Style().format_bibliography(parse_file(Path(root) / "book" / "references.bib")):
        text = " ".join(entry.text.render(Readable()).split())
        parts.append(f"{entry.label}. {text}")
    return "\n".join(parts) + "\n"


def site_page(root: Path | str = ROOT) -> str:
    """The same page with the list that the site makes of the entries."""
    return _words(root) + ON_THE_SITE


def _words(root: Path | str) -> str:
    text = (Path(root) / "book" / "bibliography.md").read_text(encoding="utf-8")
    return text.partition(MARK)[0]
