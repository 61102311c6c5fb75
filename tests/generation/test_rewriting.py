import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation.rewriting import backtrack, gibbs
from utils.generation.sampling import generate, score
from utils.measure.passes import Counted
from utils.models.transformer import TransformerConfig

CAUSAL = lively(TransformerConfig(10, d_model=16, n_layers=2, n_heads=2, max_len=8), seed=1)


def test_backtracking_rewrites_from_the_least_likely_token_on():
    text = tokens(4, 8, 9)
    model = Counted(CAUSAL)
    revised = backtrack(model, text, range(3, 8), rounds=1)
    weakest = 3 + score(CAUSAL, text)[:, 2:].argmin(1)
    for before, after, start in zip(text, revised, weakest.tolist(), strict=True):
        assert torch.equal(before[:start], after[:start])
        for at in range(start, 8):
            assert after[at] == CAUSAL(after[None, :at])[0, -1].argmax()
    assert model.passes == 4 + int((8 - weakest).sum())


def test_gibbs_with_a_causal_model_weighs_whole_texts():
    """With all candidates, the share drawn at each position is p(text) over all that differ there
    alone."""
    text = tokens(1, 4, 9)
    everything = torch.arange(10)
    texts = text.repeat(10, 1)
    texts[:, 2] = everything
    exact = score(CAUSAL, texts).sum(1).softmax(0)
    generator = torch.Generator().manual_seed(0)
    drawn = gibbs(
        CAUSAL,
        text.repeat(4000, 1),
        [2],
        sweeps=1,
        candidates=10,
        temperature=1.0,
        generator=generator,
    )
    found = drawn[:, 2].bincount(minlength=10) / 4000
    assert (found - exact).abs().sum() / 2 < 0.04
    best = gibbs(CAUSAL, text, [2], sweeps=1, candidates=10)
    assert int(best[0, 2]) == int(exact.argmax())
    assert torch.equal(best[:, [0, 1, 3]], text[:, [0, 1, 3]])


def test_a_text_that_has_settled_is_left_alone():
    """What is greedily written from the start is what backtracking would write again."""
    text = generate(CAUSAL, tokens(3, 2, 9), 6)
    model = Counted(CAUSAL)
    assert torch.equal(backtrack(model, text, range(2, 8), rounds=5), text)
    weakest = 2 + score(CAUSAL, text)[:, 1:].argmin(1)
    assert model.passes == 3 + int((8 - weakest).sum())  # one round, and no second


def test_each_candidate_costs_the_reading_of_a_text():
    model = Counted(CAUSAL)
    gibbs(model, tokens(2, 5, 9), [1, 3], sweeps=3, candidates=4)
    assert model.passes == 2 * 2 * 3 * (1 + 4 + 1)  # one ahead, four likely ones, the present one


@pytest.mark.parametrize("rewrite", [backtrack, gibbs])
def test_positions_outside_the_text(rewrite):
    how = {"rounds": 1} if rewrite is backtrack else {"sweeps": 1, "candidates": 2}
    with pytest.raises(ValueError, match=r"positions is \[8\]; name at least one of 0 to 7"):
        rewrite(CAUSAL, tokens(1, 8, 9), [8], **how)
