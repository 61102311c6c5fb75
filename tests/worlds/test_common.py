import numpy as np
import pytest
import torch

from tests.small_models import lively
from utils.models.transformer import TransformerConfig
from utils.worlds import PETS, Sentences, Squares, Tangle, Totals, Verdicts
from utils.worlds.common import until_impossible

WORLDS = [
    *(Sentences(), Sentences(PETS), Totals(), Totals(carry=False), Verdicts()),
    *(Squares(), Tangle()),
]


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


# A causal transformer with relative positions sees which tokens stand before it and how far off. A
# run of one token from the start on is all that it cannot count: an average of equal things is the
# same, however many they are. So a world must not ask for different things after "4" and "4 4 4".


def last_logits(model, prefix):
    return model(prefix[None])[0, -1]


def backbone(world):
    shape = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": world.length}
    return lively(TransformerConfig(len(world.vocab), **shape), seed=3).double()


def test_a_backbone_cannot_count_a_run_of_one_token():
    model = backbone(Totals())
    once = last_logits(model, torch.tensor([4]))
    for k in (2, 3, 9):
        assert torch.allclose(last_logits(model, torch.tensor([4] * k)), once, atol=1e-9)
    start = Totals().vocab.start_id
    once = last_logits(model, torch.tensor([start, 4]))
    assert not torch.allclose(last_logits(model, torch.tensor([start, 4, 4])), once, atol=1e-3)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_no_text_begins_with_a_run(world):
    """Every text begins with the same token, and never goes on with it: no start is ambiguous."""
    rows = world.sample(3000, seed=0)
    assert len(rows[:, 0].unique()) == 1
    assert not bool((rows[:, 0] == rows[:, 1]).any())
    again = rows[:1, :2].clone()
    again[:, 1] = again[:, 0]
    assert bool(torch.isinf(world.log_prob(again)).all())


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_a_backbone_tells_all_prefixes_apart(world):
    rows = world.sample(25, seed=0).tolist()
    prefixes = {tuple(row[: t + 1]) for row in rows for t in range(len(row))}
    pad = world.vocab.id("<pad>") if "<pad>" in world.vocab else -1
    prefixes = [torch.tensor(p) for p in sorted(prefixes) if pad not in p]
    model = backbone(world)
    logits = torch.stack([last_logits(model, prefix) for prefix in prefixes])
    apart = torch.cdist(logits, logits) + torch.eye(len(logits))
    assert float(apart.min()) > 1e-6
