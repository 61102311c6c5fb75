import math
from itertools import permutations

import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation.sampling import score
from utils.measure.likelihood import bits_per_character, bound_per_character, exact, excess_nats
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


def test_a_text_shorter_than_a_window_is_refused():
    causal, blind = (
        lively(TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=8, causal=causal))
        for causal in (True, False)
    )
    for text, message in (
        (tokens(1, 7, 9)[0], "tokens are 7; give a text of at least 8"),
        (tokens(2, 8, 9), "tokens have shape"),
    ):
        with pytest.raises(ValueError, match=f"^{message}"):
            bits_per_character(causal, text, 7)
        with pytest.raises(ValueError, match=f"^{message}"):
            bound_per_character(blind, text, 7, 9, samples=1)
    with pytest.raises(TypeError, match=r"^tokens are list; give int64 ids"):
        bits_per_character(causal, [1, 2, 3], 3)


def test_a_bound_comes_closer_with_more_samples_and_is_the_same_each_time():
    config = TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=8, causal=False)
    model, text = lively(config), tokens(1, 40, 9)[0]
    once, again = (bound_per_character(model, text, 40, 9, samples=4) for _ in range(2))
    many = bound_per_character(model, text, 40, 9, samples=400)
    assert once == again and abs(once - many) < 0.2 * many


@pytest.mark.parametrize("given", [1, 3])
def test_exact_is_the_chain_rule_in_the_order_of_filling(given):
    """By hand: left to right with blanks to the right, and over all orders."""
    config = TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=6, causal=False)
    model, texts = lively(config), tokens(3, 6, 9)

    def along(text, order):
        hidden, nats = list(order), 0.0
        for at in order:
            noisy = text.clone()
            noisy[hidden] = 9
            logits = model(noisy[None])[0, at, :9]  # a blank is no answer
            nats += float(logits.log_softmax(-1)[text[at]])
            hidden.remove(at)
        return nats

    places = range(given, 6)
    expected = [along(text, places) for text in texts]
    found = exact(model, texts, 9, order="left-to-right", given=given)
    assert found.tolist() == pytest.approx(expected, rel=1e-4)
    orders = list(permutations(places))
    every = torch.tensor([[along(text, order) for order in orders] for text in texts[:1]])
    expected = every.double().logsumexp(1) - math.log(len(orders))
    found = exact(model, texts[:1], 9, given=given)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_exact_of_a_causal_model_is_its_score():
    model, texts = lively(TransformerConfig(10, d_model=16, n_layers=1, n_heads=2)), tokens(3, 6, 9)
    assert torch.allclose(exact(model, texts), score(model, texts).sum(1))
    assert torch.allclose(exact(model, texts, given=4), score(model, texts)[:, 3:].sum(1))


def test_exact_says_what_it_cannot_do():
    config = TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=16, causal=False)
    model, texts = Transformer(config), tokens(2, 16, 9)
    with pytest.raises(ValueError, match="order is 'backwards'; choose one of 'random'"):
        exact(model, texts, 9, order="backwards")
    with pytest.raises(ValueError, match="free names 15 positions"):
        exact(model, texts, 9)
    with pytest.raises(ValueError, match="given"):
        exact(model, texts, 9, given=16)
