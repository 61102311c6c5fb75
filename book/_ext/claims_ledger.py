"""The page of claims says what the notebooks say, even if nobody has run `make refresh`."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from utils.page import ledger


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    if page == "book/claims":
        source[0] = ledger.page(Path(app.srcdir))


def always_read(app: Sphinx, env, added: set, changed: set, removed: set) -> list[str]:
    return ["book/claims"]  # anew whenever the site is


def setup(app: Sphinx) -> dict:
    app.connect("source-read", fill)
    app.connect("env-get-outdated", always_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
