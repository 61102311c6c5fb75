import math

import pytest
import torch

from utils.worlds.pairs import Pairs


def test_every_name_differs_and_the_order_is_told_by_the_case():
    world = Pairs(50, size=2, both=0.5)
    names = torch.cat([world.firsts, world.seconds]).tolist()
    assert len(set(map(tuple, names))) == 100
    assert len(world.texts) == 75
    first, second = world.vocab.decode(world.forward()[3]).split(" is ")
    assert first.islower() and second.isupper()
    assert world.vocab.decode(world.backward()[3]) == f"{second} is {first}"


def test_only_what_is_told_has_a_probability():
    world = Pairs(10, size=3, both=0.2)
    told = world.log_prob(world.texts)
    assert torch.allclose(told.exp().sum(), torch.tensor(1.0, dtype=torch.float64))
    backward = world.log_prob(world.backward())
    assert backward[:2].tolist() == pytest.approx([-math.log(12)] * 2)
    assert torch.isinf(backward[2:]).all()
    assert (world.log_prob(world.sample(30, seed=1)) > -math.inf).all()


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="n is 65; choose 1 to 64"):
        Pairs(65, size=1)
    with pytest.raises(ValueError, match="tokens has 4 positions"):
        Pairs(4).log_prob(Pairs(4).texts[:, :4])
