from types import SimpleNamespace

import pytest
import torch

from utils.checkpoints.recipes import kjv
from utils.checkpoints.store import load_checkpoint
from utils.measure.likelihood import bits_per_character
from utils.text import corpus
from utils.text.tokenizer import byte_pair_tokenizer


@pytest.mark.slow
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


def test_windows_get_longer_and_batches_stay_as_large():
    """Always 2048 tokens, and all in all as many batches as the recipe has steps."""
    text = SimpleNamespace(tokens=torch.arange(5000))
    shapes = [tuple(batch.shape) for batch in kjv.longer_and_longer(text, 0)]
    assert len(shapes) == kjv.RECIPES["kjv-diffusion"].steps
    assert {rows * length for rows, length in shapes} == {2048}
    lengths = [length for _, length in shapes]
    assert lengths == sorted(lengths) and set(lengths) == {16, 32, 64, 128}


def test_the_blank_is_a_token_that_no_text_has():
    text = kjv.KingJames(range(1024), None, None, 0)
    assert kjv.both_ways(text).vocab_size == text.mask_id + 1 == kjv.causal(text).vocab_size + 1
    assert not kjv.both_ways(text).causal and kjv.causal(text).causal
