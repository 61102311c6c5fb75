import pytest

from utils.worlds.sentences import words_of


def test_the_words_of_a_rule_come_likeliest_first():
    assert words_of("PET", {"PET": "1 cat | 3 dog | 2 bird"}) == ["dog", "bird", "cat"]
    assert words_of("PERSON")[0] == "girl" and words_of("PEOPLE")[0] == "girls"


@pytest.mark.parametrize("rule", ["S", "PETS", "NOUN"])
def test_a_rule_that_does_not_choose_among_words_is_refused(rule):
    grammar = {"S": "the NOUN", "PETS": "cat | NOUN", "NOUN": "dog house | bird"}
    with pytest.raises(ValueError, match="single words"):
        words_of(rule, grammar)
