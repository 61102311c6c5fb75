import pytest
import torch
from torch.nn.functional import one_hot

from tests.small_models import lively, tokens
from tests.truth import TEXTS, P, oracle, shares
from utils.generation import remasking
from utils.measure.passes import Counted
from utils.models.transformer import TransformerConfig

MASK = 2  # beside the two words of the true language


def written(n, steps, most):
    blank = torch.full((n, 3), MASK)
    dice = torch.Generator().manual_seed(0)
    return remasking.sample(oracle, blank, MASK, steps=steps, most=most, generator=dice)


def exactly(steps, most):
    """How likely each of the eight texts comes out, by adding up all ways to write it: (8,)."""
    states = torch.cartesian_prod(*[torch.arange(3)] * 3)  # with blanks: (27, 3)
    said, blank = oracle(states).double().exp(), one_hot(torch.tensor(MASK), 3)
    chance = one_hot(states[:, 0] * 9 + states[:, 1] * 3 + states[:, 2], 27)[-1].double()
    for step in range(steps):
        hide, reveal = remasking.chances(step, steps, most)
        if_blank = reveal * said + (1 - reveal) * blank
        if_not = (1 - hide) * one_hot(states, 3) + hide * blank
        to = torch.where((states == MASK)[..., None], if_blank, if_not)  # (27, 3, 3)
        way = torch.stack([to[:, i][:, states[:, i]] for i in range(3)]).prod(0)  # (27, 27)
        chance = chance @ way
    return chance[(states != MASK).all(1)]


def off(shares):
    """Total variation from the truth."""
    return float((shares - P).abs().sum() / 2)


def test_with_the_truth_as_denoiser_and_enough_steps_the_truth_comes_out():
    """Each doubling of the steps halves what two tokens revealed in one step do to each other."""
    found = [off(exactly(steps, 0.0)) for steps in (32, 64, 128)]
    assert found[0] / 2 == pytest.approx(found[1], rel=0.03) and found[2] < 0.004
    assert off(exactly(256, 0.01)) < 0.003


def test_hiding_much_again_leaves_an_error_that_no_number_of_steps_takes_away():
    """What is hidden together is revealed together, to the end."""
    assert off(exactly(1024, 0.0)) < 0.0005
    assert 0.005 < off(exactly(1024, 0.05)) < off(exactly(1024, 1.0))


@pytest.mark.parametrize("most", [0.0, 0.3, 1.0])
def test_it_writes_each_text_as_often_as_the_equations_say(most):
    found = shares(written(20_000, 6, most))
    assert (found - exactly(6, most)).abs().sum() / 2 < 0.012


@pytest.mark.parametrize("most", [0.0, 0.03, 1.0])
def test_at_every_step_the_share_that_is_written_is_the_same(most):
    """That is why a denoiser needs no new training: what the equations must keep."""
    written = 0.0
    for step in range(40):
        hide, reveal = remasking.chances(step, 40, most)
        assert 0 <= hide <= most and 0 <= reveal <= 1 + 1e-9
        written = written * (1 - hide) + (1 - written) * reveal
        assert written == pytest.approx((step + 1) / 40)
    assert hide == pytest.approx(0) and reveal == pytest.approx(1)


def test_most_of_nothing_is_masked_diffusion():
    assert [remasking.chances(step, 4, 0.0) for step in range(4)] == [
        (0.0, pytest.approx(1 / (4 - step))) for step in range(4)
    ]


def test_what_was_given_stays_and_all_else_is_filled():
    model = Counted(lively(TransformerConfig(10, 16, 2, 2, max_len=8, causal=False)))
    start = tokens(5, 8, 9)
    start[:, 3:] = 9
    before = start.clone()
    dice = torch.Generator().manual_seed(0)
    found = remasking.sample(model, start, 9, steps=12, most=1.0, generator=dice)
    assert torch.equal(found[:, :3], before[:, :3]) and not (found == 9).any()
    assert torch.equal(start, before) and model.passes <= 5 * 12


@pytest.mark.parametrize(
    ("options", "message"),
    [({"steps": 0}, "steps is 0"), ({"most": 1.5}, "most is 1.5"), ({"temperature": -1}, "temp")],
)
def test_what_cannot_be(options, message):
    how = {"steps": 3, "most": 0.1} | options
    with pytest.raises(ValueError, match=message):
        remasking.sample(oracle, TEXTS * 0 + MASK, MASK, **how)
