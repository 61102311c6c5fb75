import pytest
import torch

from tests.small_models import lively
from utils.experiments import gaps
from utils.models.transformer import TransformerConfig
from utils.worlds.tangle import Tangle

WORLD = Tangle("abc", 4)
SHAPE = {"d_model": 8, "n_layers": 1, "n_heads": 1, "max_len": 10}
ROOMY = lively(TransformerConfig(len(WORLD.vocab) + WORLD.length, **SHAPE))
CAUSAL = lively(TransformerConfig(len(WORLD.vocab), **SHAPE))
SAID = gaps.letters(CAUSAL, WORLD)
DENOISER = lively(TransformerConfig(len(WORLD.vocab), causal=False, **SHAPE))


@pytest.mark.parametrize("start,size", [(1, 1), (2, 2), (1, 4), (4, 1)])
def test_the_truth_sums_to_one_over_what_can_fill_the_gap(start, size):
    right = gaps.truth(WORLD, start, size).exp()
    rest = [i for i in range(1, 5) if not start <= i < start + size]
    keys = (WORLD.texts[:, rest] * 3 ** torch.arange(len(rest))).sum(1)
    sums = torch.zeros(3 ** len(rest), dtype=right.dtype).index_add(0, keys, right)
    assert sums.tolist() == pytest.approx([1.0] * len(sums))


def test_nobody_is_closer_to_the_truth_than_the_truth():
    assert gaps.apart(WORLD, gaps.truth(WORLD, 2, 2), 2, 2) == pytest.approx(0)
    for read, model in ((gaps.denoiser, DENOISER), (gaps.by_bayes, SAID)):
        assert min(gaps.all_apart(read, model, WORLD).values()) > 0


def test_every_gap_is_counted_once():
    found = gaps.all_apart(gaps.by_bayes, SAID, WORLD)
    every = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (2, 2), (3, 2), (1, 3), (2, 3), (1, 4)]
    assert list(found) == every
    said = gaps.by_bayes(SAID, WORLD, 2, 2)
    assert found[2, 2] == pytest.approx(gaps.apart(WORLD, said, 2, 2))


def test_a_gap_of_everything_asks_a_causal_model_for_the_text():
    """Then nothing stands around it, and adding up and writing on are the same."""
    whole = gaps.from_the_left(SAID, WORLD, 1, 4)
    normed = whole - whole.logsumexp(0)
    assert torch.allclose(gaps.by_bayes(SAID, WORLD, 1, 4), normed, atol=1e-5)


@pytest.mark.parametrize("read", [gaps.middle_last, gaps.any_order])
def test_what_stands_after_the_gap_is_seen(read):
    """Texts that differ after the gap alone are answered differently there."""
    said = WORLD.grid(read(ROOMY, WORLD, 1, 2))
    assert (said.amax((2, 3)) - said.amin((2, 3))).min() > 1e-3


def test_one_try_is_blind_two_are_added_up_exactly_and_many_are_bayes(monkeypatch):
    monkeypatch.setattr(gaps, "DRAWS", 20_000)
    blind = gaps.from_the_left(SAID, WORLD, 2, 2)
    grid = WORLD.grid(blind).view(3, 9, 3)
    blind = (grid - grid.logsumexp(1, keepdim=True)).flatten()
    once = gaps.by_weighing(SAID, WORLD, 2, 2, tries=1)
    assert torch.allclose(once, blind)

    follows = SAID[:, 3:].sum(1).exp().view(3, 9, 3)
    p = blind.exp().view(3, 9, 3)[..., 0]
    share = follows[:, :, None] / (follows[:, :, None] + follows[:, None])  # own gap, other gap
    exact = 2 * blind.exp() * torch.einsum("lo,lgor->lgr", p, share).flatten()
    twice = gaps.by_weighing(SAID, WORLD, 2, 2).exp()
    assert torch.allclose(twice, exact, atol=2e-3)
    assert not torch.allclose(exact, blind.exp(), atol=2e-3)

    monkeypatch.setattr(gaps, "DRAWS", 400)
    often = gaps.by_weighing(SAID, WORLD, 2, 2, tries=300)
    assert torch.allclose(often, gaps.by_bayes(SAID, WORLD, 2, 2), atol=0.05)


@pytest.mark.parametrize("model,read", [(DENOISER, gaps.denoiser), (ROOMY, gaps.any_order)])
def test_from_the_left_a_whole_text_is_a_gap_of_everything_and_another_order_is_not(model, read):
    forward = gaps.in_order(model, WORLD, [1, 2, 3, 4])
    assert torch.allclose(forward, read(model, WORLD, 1, 4), atol=1e-5)
    backward = gaps.in_order(model, WORLD, [4, 3, 2, 1])
    assert not torch.allclose(forward, backward, atol=1e-3)
