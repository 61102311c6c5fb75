"""The page of claims: what it says of each, and that every reader of Markdown can show it."""

import json

import pytest

from tests.notebooks import book, code, html
from tools.refresh import normalise
from utils.page import claims, ledger

CLAIMS = """
claims:
  - id: narrowing
    short: words narrow
    statement: Each *word* costs $1, and leaves $2 [or less].
    held_by: both camps
    later: ["02", planning]
    tests:
      - chapter: "01"
        question: How fast?
        measure: a share
        bound: {at_most: 0.5}
        verdict: holds with limits
        limits: A toy.
      - id: narrowing-again
        chapter: "02"
        question: And on real text?
        measure: a share
        bound: {at_least: 0.5}
        verdict: holds
        limits: One text.
to_come:
  - id: speed
    statement: Diffusion is faster.
    held_by: enthusiasts
    later: ["06"]
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A book with two claims and one chapter, which has evidence for one test."""
    (tmp_path / "book").mkdir()
    (tmp_path / "chapters").mkdir()
    (tmp_path / "book" / "claims.yml").write_text(CLAIMS, encoding="utf-8")
    (tmp_path / "book" / "claims.md").write_text("# Claims\n\nWords.\n\n", encoding="utf-8")
    listed, shown = claims.load(tmp_path / "book" / "claims.yml"), []
    monkeypatch.setattr(claims, "load", lambda path=None: listed)
    monkeypatch.setattr(claims, "display", shown.append)
    claims.evidence("narrowing", 0.0, n=10, interval=(0.0, 0.1), baseline=1.0)
    data = json.loads(json.dumps(shown[0]._repr_mimebundle_()))
    notebook = book(code("x", html(data.pop("text/html"), **data)))
    path = tmp_path / "chapters" / "01_words.ipynb"
    path.write_text(json.dumps(normalise(notebook)), encoding="utf-8")
    return tmp_path


def test_a_claim_with_what_was_measured(root):
    page = ledger.page(root)
    assert page.startswith("# Claims\n\nWords.\n\n" + ledger.MARK)
    assert "1 of 2 claims (holds: 1; holds with limits: 1)" in page
    assert ":name: claim-narrowing\n" in page and ":name: claim-speed\n" in page
    assert "holds with limits</span> in chapter 01, [Title](../chapters/01_words.ipynb)" in page
    assert "To be tested again: chapter 02; a chapter on planning." in page


def test_numbers_have_their_digits_though_jupyterlab_stores_1_for_1_00(root):
    page = ledger.page(root)
    assert r"**0.00 \[0.00, 0.10\], n = 10, baseline 1.00**; needs at most 0.5: met" in page


def test_a_test_without_evidence_says_so(root):
    assert "no evidence yet</span> in chapter 02" in ledger.page(root)


def test_words_are_not_taken_for_markup(root):
    assert r"**Each \*word\* costs \$1, and leaves \$2 \[or less\].**" in ledger.page(root)


def test_writing_it_again_changes_nothing(root):
    page = ledger.page(root)
    (root / "book" / "claims.md").write_text(page, encoding="utf-8")
    assert ledger.page(root) == page
