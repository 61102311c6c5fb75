"""The site's style sheets are short, and lack nothing that a page uses."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.places import ROOT

THEME = Path(find_spec("pydata_sphinx_theme").origin).parent / "theme" / "pydata_sphinx_theme"
SHEETS = {  # as written -> as the site has it
    THEME / "static" / "styles" / "pydata-sphinx-theme.css": "styles/pydata-sphinx-theme.css",
    ROOT / "book" / "_static" / "custom.css": "custom.css",
    ROOT / "book" / "_static" / "playground" / "playground.css": "playground/playground.css",
}
# Those that are for something in the page, whatever state it is in.
MEANT = """(selectors) => selectors.filter((selector) => {
  const still = selector.replace(/::?(?!not|is|where|has)[a-z-]+(\\([^)]*\\))?/g, "");
  try { return document.querySelector(still || "*"); } catch { return false; }
})"""


@pytest.fixture
def styles(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    yield __import__("used_styles")
    for name in ("used_styles", "first_paint"):
        del sys.modules[name]


def selectors(css, styles):
    found = set()
    for head, inside in styles.rules(css):
        nested = head.startswith(("@media", "@supports"))
        found |= selectors(inside, styles) if nested else {*styles.split(head)}
    return {each for each in found if not each.startswith("@")}


@pytest.mark.parametrize("name", ["book/intro", "book/playground", "chapters/00_start_here"])
def test_a_page_has_the_rules_that_it_uses(visit, html, styles, name):
    page = visit(f"{name}.html", reduced_motion="reduce")
    for written, sent in SHEETS.items():
        before = selectors(written.read_text("utf-8"), styles)
        after = selectors((html / "_static" / sent).read_text("utf-8"), styles)
        meant = {*page.evaluate(MEANT, sorted(before))}
        assert len(meant) > 20 or "playground" in sent
        assert meant <= after


def test_the_themes_sheet_is_a_third_of_what_it_was(html):
    written, sent = next(iter(SHEETS.items()))
    assert (html / "_static" / sent).stat().st_size < written.stat().st_size / 3


def test_rules_go_one_by_one(styles):
    css = ".a:not(.z) .b, .c{d:e}@media print{.c{d:e}.a{f:g}}@font-face{h:i}#k>.a{l:m}"
    kept = ".a:not(.z) .b{d:e}\n@media print{.a{f:g}}\n@font-face{h:i}"
    assert styles.used(css, {"a", "b"}) == kept


def test_brackets_stand_in_brackets_and_hold_commas(styles):
    deep = ".a:not(:has(.b:not(:is(.y, .z)))){c:d}"
    assert styles.used(f"{deep}.e,{deep}", {"a"}) == f"{deep}\n{deep}"
