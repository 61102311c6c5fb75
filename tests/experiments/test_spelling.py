from utils.experiments import spelling
from utils.text.tokenizer import byte_pair_tokenizer

TEXT = "in the beginning was the word, and the word was with the light and the night. " * 20


def test_words_that_begin_after_the_place_are_looked_up_and_the_last_is_left_out():
    tokenizer = byte_pair_tokenizer(TEXT, 40)
    known = spelling.words_of(TEXT)
    assert {"beginning", "light"} <= known
    before, after = "the word was", " the worght and nighning was the li"
    start = len(tokenizer.encode(before))
    tokens = tokenizer.encode(before + after)
    assert spelling.unknown(tokenizer, tokens, start, known) == (2, 6)
