"""The page of claims: what it says of each, and that every reader of Markdown can show it."""

import json
import re

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
        control: {measure: the same without words, clean: {at_most: 0.1}}
        registered: 2026-11-20
        beforehand: true
        amended:
          - {date: 2026-11-21, was: at most 0.6, measured: "0.55", why: A better floor.}
        decisive_limit: One language.
        verdict: holds with limits
        limits: A toy.
      - id: narrowing-again
        chapter: "02"
        question: And on real text?
        measure: a share
        bound: {at_least: 0.5}
        control: Nothing else could
        registered: 2026-11-22
        beforehand: false
        verdict: holds
        limits: One text.
by_construction:
  - id: frozen
    statement: The past is frozen.
    held_by: both camps
    by_construction: Nothing looks ahead.
    chapter: "01"
    shown_by: tests/models/test_transformer.py
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
    spans = {"interval": (0.0, 0.1), "control_interval": (0.0, 0.0)}
    claims.evidence("narrowing", 0.0, n=10, baseline=1.0, control=0.0, **spans)
    data = json.loads(json.dumps(shown[0]._repr_mimebundle_()))
    notebook = book(code("x", html(data.pop("text/html"), **data)))
    path = tmp_path / "chapters" / "01_words.ipynb"
    path.write_text(json.dumps(normalise(notebook)), encoding="utf-8")
    return tmp_path


def test_a_claim_with_what_was_measured(root):
    page = ledger.page(root)
    assert page.startswith("# Claims\n\nWords.\n\n" + ledger.MARK)
    assert "3 claims: 1 tested, 1 settled by how the models are built, 1 waiting" in page
    assert "(a claim may have several): 1, of which 1 *holds with limits*." in page
    assert ":name: claim-narrowing\n" in page and ":name: claim-speed\n" in page
    assert "holds with limits</span> in chapter 01, [Title](../chapters/01_words.ipynb)" in page
    assert "To be tested again: chapter 02; a chapter on planning." in page


def test_numbers_have_their_digits_though_jupyterlab_stores_1_for_1_00(root):
    page = ledger.page(root)
    assert (
        r"**0.00 \[0.00, 0.10\], n = 10, baseline 1.00**; the claim needs at most 0.5: met" in page
    )


def test_control_registration_and_amendments_are_on_the_page(root):
    page = ledger.page(root)
    control = r"the same without words: **0.00 \[0.00, 0.00\], clean if at most 0.1**."
    assert f"*Control:* {control}" in page
    assert "*Control:* Nothing else could." in page
    assert "*The limit that matters:* One language." in page
    assert "*Registered* on 20 November 2026, before the final measurement." in page
    assert "*Registered* on 22 November 2026, together with its measurement." in page
    assert (
        "*Amended* on 21 November 2026. Registered before: at most 0.6. Measured by then: 0.55. "
        "Why: A better floor." in page
    )


def test_what_is_settled_by_construction_says_why_and_where(root):
    page = ledger.page(root)
    assert ":name: claim-frozen\n" in page and "Nothing looks ahead." in page
    assert "tested in `tests/models/test_transformer.py`" in page


def test_a_test_without_evidence_says_so(root):
    assert "no evidence yet</span> in chapter 02" in ledger.page(root)


def test_words_are_not_taken_for_markup(root):
    assert r"**Each \*word\* costs \$1, and leaves \$2 \[or less\].**" in ledger.page(root)


def test_the_count_adds_up_and_is_that_of_the_verdicts_on_the_page():
    page = ledger.page()
    summary = next(line for line in page.splitlines() if "claims: " in line)
    total, tested, built, waiting, ended, *verdicts = map(int, re.findall(r"\d+", summary))
    assert total == tested + built + waiting == page.count(":name: claim-")
    assert ended == sum(verdicts)
    shown = re.findall(r'<span class="verdict verdict-[\w-]+">(.*?)</span>', page)
    counted = re.findall(r"(\d+) \*(.*?)\*", summary)
    assert {name: int(n) for n, name in counted} == {
        name: shown.count(name) for name in set(shown) - {"no evidence yet"}
    }
    assert page.count("{div} claim-card") == tested


def test_writing_it_again_changes_nothing(root):
    page = ledger.page(root)
    (root / "book" / "claims.md").write_text(page, encoding="utf-8")
    assert ledger.page(root) == page
