import math

import pytest
import torch

from tests.small_models import lively, tokens
from utils.measure.likelihood import bits_per_character, bound_per_character, excess_nats
from utils.models.transformer import Transformer, TransformerConfig
from utils.worlds import Sentences


@pytest.mark.parametrize("n", [8, 9, 11, 12, 13, 20, 31, 40, 131])
def test_bits_per_character_counts_each_token_once(n):
    """A model that finds all 4 tokens equally likely needs 2 bits for each but the first."""
    uniform = Transformer(TransformerConfig(4, d_model=8, n_layers=1, n_heads=1, max_len=8))
    with torch.no_grad():
        uniform.scale.zero_()
    bits = bits_per_character(uniform, tokens(1, n, 4)[0], n_characters=1)
    assert bits == pytest.approx(2 * (n - 1), rel=1e-5)


@pytest.mark.parametrize("n", [8, 9, 11, 12, 13, 20, 31, 40, 300])
def test_bound_per_character_counts_each_token_once(n):
    """A denoiser that finds all 4 tokens equally likely needs 2 bits for each."""
    config = TransformerConfig(5, d_model=8, n_layers=1, n_heads=1, max_len=8, causal=False)
    uniform = Transformer(config)
    with torch.no_grad():
        uniform.scale.zero_()
    bits = bound_per_character(uniform, tokens(1, n, 4)[0], 1, 4, samples=2)
    assert bits == pytest.approx(2 * n, rel=1e-5)


def test_excess_is_zero_for_the_truth_and_exact_for_a_guess():
    world = Sentences()
    sentences = world.sample(50, seed=0)
    truth = world.next_probs(sentences)

    def perfect(tokens):
        return truth[:, : tokens.shape[1]].log().clamp_min(-1e9)

    assert excess_nats(perfect, world, sentences) == pytest.approx(0, abs=1e-6)

    def uniform(tokens):
        return torch.zeros(*tokens.shape, len(world.vocab), dtype=torch.float64)

    words = sentences[:, 1:] != world.vocab.pad_id
    entropy = -torch.xlogy(truth, truth).sum(-1)[:, :-1]
    expected = (torch.tensor(len(world.vocab)).log() - entropy)[words].mean()
    assert excess_nats(uniform, world, sentences) == pytest.approx(float(expected))


def test_bits_per_character_are_the_mean_surprise_with_half_a_window_before():
    """By hand: of each window but the first only the second half counts."""
    model = lively(TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=8))
    text, nats = tokens(1, 19, 10)[0], 0.0
    for at in range(1, 19):
        start = 0 if at < 8 else min(4 * (at // 4 - 1), 11)
        said = model(text[None, start:at])[0, -1].log_softmax(-1)
        nats -= float(said[text[at]])
    assert bits_per_character(model, text, 7) == pytest.approx(nats / math.log(2) / 7, rel=1e-4)


def test_a_bound_comes_closer_with_more_samples_and_is_the_same_each_time():
    config = TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=8, causal=False)
    model, text = lively(config), tokens(1, 40, 9)[0]
    once, again = (bound_per_character(model, text, 40, 9, samples=4) for _ in range(2))
    many = bound_per_character(model, text, 40, 9, samples=400)
    assert once == again and abs(once - many) < 0.2 * many
