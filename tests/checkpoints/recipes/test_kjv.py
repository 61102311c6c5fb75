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


def test_a_very_small_denoiser_has_made_as_many_predictions_as_the_causal_model():
    """Of n tokens (n + 1) / 2 are hidden on average: the number of blanks is 1 to n, each as
    likely. A causal model predicts every token of its window."""
    text = SimpleNamespace(tokens=torch.arange(5000))
    causal, denoiser = (kjv.RECIPES[name] for name in ("kjv-tiny", "kjv-tiny-diffusion"))
    rows, length = next(iter(causal.batches(text, 0))).shape
    theirs = causal.steps * rows * (length - 1)
    shapes = [batch.shape for batch in denoiser.batches(text, 0)]
    assert len(shapes) == denoiser.steps
    ours = sum(rows * (length + 1) / 2 for rows, length in shapes)
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_windows_are_spread_over_all_of_the_text():
    text = kjv.KingJames(range(1024), None, torch.arange(1000), 0)
    rows = kjv.spread_windows(text, 10, 20)
    assert rows.shape == (20, 10) and rows[:, 0].tolist() == list(range(0, 1000, 50))
