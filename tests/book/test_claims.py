from tests.places import CHAPTERS
from utils.page import claims


def test_the_book_keeps_its_word():
    """Every claim of a written chapter has evidence in its outputs, and it meets the bound."""
    assert CHAPTERS
    assert claims.check(claims.load(), claims.collect(CHAPTERS)) == []
