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
    for read, model in ((gaps.denoiser, DENOISER), (gaps.by_bayes, CAUSAL)):
        assert min(gaps.mean_apart(read, model, WORLD).values()) > 0


def test_a_gap_of_everything_asks_a_causal_model_for_the_text():
    """Then nothing stands around it, and adding up and writing on are the same."""
    whole = gaps.from_the_left(CAUSAL, WORLD, 1, 4)
    normed = whole - whole.logsumexp(0)
    assert torch.allclose(gaps.by_bayes(CAUSAL, WORLD, 1, 4), normed, atol=1e-5)


def test_one_blank_is_the_same_at_once_and_in_turn():
    for start in gaps.gaps(WORLD, 1):
        at_once = gaps.denoiser(DENOISER, WORLD, start, 1, at_once=True)
        assert torch.equal(at_once, gaps.denoiser(DENOISER, WORLD, start, 1))
    assert len(gaps.gaps(WORLD, 4)) == 1


@pytest.mark.parametrize("read", [gaps.middle_last, gaps.any_order])
def test_what_stands_after_the_gap_is_seen(read):
    """Texts that differ after the gap alone are answered differently there."""
    said = WORLD.grid(read(ROOMY, WORLD, 1, 2))
    assert (said.amax((2, 3)) - said.amin((2, 3))).min() > 1e-3
