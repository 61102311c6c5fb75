import numpy as np
import pytest
import torch

from utils.worlds import PETS, Sentences, Totals, Verdicts
from utils.worlds.common import until_impossible

WORLDS = [Sentences(), Sentences(PETS), Totals(), Totals(carry=False), Verdicts()]


def test_nothing_counts_after_the_first_impossible_token():
    inf = np.inf
    scores = until_impossible(
        np.array([[-1, -inf, -2, -inf], [-1, -2, -3, -4], [-inf, -inf, 0, 0]])
    )
    assert scores.tolist() == [[-1, -inf, 0, 0], [-1, -2, -3, -4], [-inf, 0, 0, 0]]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_every_world_keeps_the_contract(world):
    """What a chapter does with one world works with all: see `utils/worlds/__init__.py`."""
    rows = world.sample(30, seed=0)
    assert rows.shape == (30, world.length) and rows.dtype == torch.int64
    assert torch.equal(rows, world.sample(30, seed=0)) and not torch.equal(
        rows, world.sample(30, seed=1)
    )
    scores = world.log_prob(rows)
    assert scores.shape == (30,) and scores.dtype == torch.float64
    assert torch.isfinite(scores).all() and bool((scores < 0).all())
    assert 0 <= int(rows.min()) <= int(rows.max()) < len(world.vocab)
    assert world.vocab.decode(rows[0])


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
@pytest.mark.parametrize("token", [-1, 10_000])
def test_every_world_names_a_token_it_does_not_have(world, token):
    rows = world.sample(2, seed=0)
    rows[1, 1] = token
    with pytest.raises(
        ValueError, match=rf"token {token} is outside .*; encode the text with world.vocab"
    ):
        world.log_prob(rows)
