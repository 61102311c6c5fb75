"""Pages that are made from others say what those say, even if nobody has run `make refresh`."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from utils.page import bibliography, ledger

PAGES = {"book/claims": ledger.page, "book/bibliography": bibliography.site_page}


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    if page in PAGES:
        source[0] = PAGES[page](Path(app.srcdir))


def always_read(app: Sphinx, env, added: set, changed: set, removed: set) -> list[str]:
    return [*PAGES]  # anew whenever the site is


def setup(app: Sphinx) -> dict:
    app.connect("source-read", fill)
    app.connect("env-get-outdated", always_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
