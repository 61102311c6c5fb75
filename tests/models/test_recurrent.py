import torch

from tests.small_models import tokens
from utils.models.recurrent import Recurrent

MODEL, TEXT = Recurrent(20, 8, 12, seed=0), tokens(3, 9, 19)


@torch.no_grad()
def test_a_state_is_all_that_is_handed_on():
    states = MODEL.states(TEXT)
    again = MODEL.states(TEXT[:, 4:], states[:, 3][None].contiguous())
    assert torch.allclose(again, states[:, 4:], atol=1e-6)
    assert torch.allclose(MODEL(TEXT), MODEL.output(states))


@torch.no_grad()
def test_a_change_is_made_where_it_is_asked_for_and_handed_on():
    at = slice(3, 4)

    def nudged(layer, states):
        states = states.clone()
        states[:, at] += 1
        return states

    moved = (MODEL.changed(TEXT, at, nudged) - MODEL(TEXT)).abs().amax((0, 2))
    assert (moved[:3] < 1e-6).all() and (moved[3:] > 1e-5).all()
    same = MODEL.changed(TEXT, at, lambda layer, states: states)
    assert torch.allclose(same, MODEL(TEXT), atol=1e-6)


def test_one_seed_gives_one_network_and_leaves_the_dice_alone():
    torch.manual_seed(1)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    other = Recurrent(20, 8, 12, seed=0)
    assert torch.equal(torch.rand(1), drawn)
    assert torch.equal(other.output.weight, MODEL.output.weight)
