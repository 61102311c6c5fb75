from tests.places import CHAPTERS, ROOT
from utils.page import bibliography, claims, ledger


def test_the_book_keeps_its_word():
    """Every claim of a written chapter has evidence in its outputs, and it meets the bound."""
    assert CHAPTERS
    assert claims.check(claims.load(), claims.collect(CHAPTERS)) == []


def test_the_page_of_claims_says_what_the_chapters_store():
    page = (ROOT / "book" / "claims.md").read_text(encoding="utf-8")
    assert page == ledger.page(), "run make refresh, or: python tools/refresh.py --form-only"


def test_the_bibliography_has_every_entry():
    page = (ROOT / "book" / "bibliography.md").read_text(encoding="utf-8")
    assert page == bibliography.page(), "run make refresh, or: python tools/refresh.py --form-only"
