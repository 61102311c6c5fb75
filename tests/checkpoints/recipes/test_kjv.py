import pytest

from utils.checkpoints.store import load_checkpoint
from utils.measure.likelihood import bits_per_character
from utils.text import corpus
from utils.text.tokenizer import byte_pair_tokenizer


def test_the_king_james_model_beats_the_best_ngram():
    model, card = load_checkpoint("kjv-ar")
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = byte_pair_tokenizer(text, model.config.vocab_size)
    part = tokenizer.encode(held_out)[:20_000]
    bits = bits_per_character(model, part, len(tokenizer.decode(part)))
    assert card.results["bits_per_character"] < 1.72
    assert bits == pytest.approx(card.results["bits_per_character"], abs=0.15)
    values = [value for _, _, value in card.curve]
    assert len(values) >= 12 and values[0] > 2.4 > 1.72 > values[-1]
