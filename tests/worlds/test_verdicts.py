import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from utils.worlds import Verdicts

TINY = {"low": 1, "high": 4, "held_out": 0.25}


@pytest.fixture(scope="module")
def world():
    return Verdicts()


def test_texts_read_as_promised(world):
    right, wrong = world.write([2, 2], [9, 9], [11, 12])
    assert world.vocab.decode(right) == "is 2 + 9 = 11 ? yes , because 2 + 9 = 11 ."
    assert world.vocab.decode(wrong) == "is 2 + 9 = 12 ? no , because 2 + 9 = 11 ."
    late = Verdicts(verdict="last")
    assert late.vocab.decode(late.write([2], [9], [12])[0]) == (
        "is 2 + 9 = 12 ? because 2 + 9 = 11 , no ."
    )
    assert world.length == late.length == 16 and late.vocab.tokens == world.vocab.tokens


@pytest.mark.parametrize("verdict", ["first", "last"])
def test_positions_are_where_the_parts_are(verdict):
    world = Verdicts(verdict=verdict)
    row, at = world.write([2], [9], [12])[0].tolist(), world.positions
    assert [row[i] for i in at["a"]] == [2, 2] and [row[i] for i in at["b"]] == [9, 9]
    assert (row[at["claim"]], row[at["sum"]]) == (12, 11)
    assert row[at["verdict"]] == world.vocab.id("no") and row[at["answer"] - 1] == world.vocab.id(
        "?"
    )


@settings(max_examples=20)
@given(
    low=st.integers(0, 3),
    more=st.integers(1, 4),
    held_out=st.sampled_from([0.0, 0.2, 0.5]),
    verdict=st.sampled_from(["first", "last"]),
)
def test_probabilities_add_up_to_one(low, more, held_out, verdict):
    world = Verdicts(low, low + more, held_out=held_out, verdict=verdict)
    for part in [False, True] if held_out else [False]:
        every = world.every(held_out=part)
        assert len(set(map(tuple, every.tolist()))) == len(every)
        assert math.isclose(world.log_prob(every, held_out=part).exp().sum(), 1, rel_tol=1e-9)


def test_a_prefix_has_the_probability_of_all_its_endings():
    world = Verdicts(**TINY)
    every = world.every()
    probs = world.log_prob(every).exp()
    for length in range(1, 17):
        prefix = every[5, :length]
        same = (every[:, :length] == prefix).all(1)
        got = float(world.log_prob(prefix[None]).exp())
        assert math.isclose(got, float(probs[same].sum()), rel_tol=1e-9)


def test_samples_follow_the_probabilities():
    world = Verdicts(**TINY)
    every, n = world.every(), 40_000
    number = {tuple(row): i for i, row in enumerate(every.tolist())}
    counts = np.zeros(len(every))
    for row in world.sample(n, seed=3).tolist():
        counts[number[tuple(row)]] += 1
    expected = world.log_prob(every).exp().numpy()
    assert stats.chisquare(counts, expected * n).pvalue > 1e-4


def test_samples_are_drawn_by_the_seed_alone(world):
    assert torch.equal(world.sample(50, seed=1), world.sample(50, seed=1))
    assert not torch.equal(world.sample(50, seed=1), world.sample(50, seed=2))
    assert world.sample(0, seed=1).shape == (0, 16) and world.sample(2, seed=1).dtype == torch.int64


def test_held_out_sums_never_appear_unasked(world):
    hidden = {tuple(pair) for pair in world.unseen.tolist()}
    assert len(hidden) == 40 and len(world.seen) == 360
    shown = {(row[1], row[3]) for row in world.sample(20_000, seed=0).tolist()}
    asked = {(row[1], row[3]) for row in world.sample(2_000, seed=0, held_out=True).tolist()}
    assert not shown & hidden and asked == hidden
    assert torch.isinf(world.log_prob(world.sample(9, seed=0, held_out=True))).all()


def test_impossible_texts(world):
    row = world.write([2], [9], [11])[0]
    for position, other in [(0, "no"), (1, "is"), (5, "is"), (7, "no"), (14, "12"), (15, "<undo>")]:
        changed = row.clone()
        changed[position] = world.vocab.id(other)
        scores = world.token_log_probs(changed[None])[0]
        assert torch.isinf(scores[position]) and (scores[position + 1 :] == 0).all()
        assert scores[:position].isfinite().all() and world.log_prob(changed[None]) == -torch.inf


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"low": 5, "high": 5}, "low is 5; high is 5; choose whole numbers"),
        ({"low": -1}, "0 <= low < high"),
        ({"held_out": 1.0}, "held_out is 1.0; choose a share"),
        ({"verdict": "middle"}, "verdict is 'middle'; choose 'first' or 'last'"),
    ],
)
def test_worlds_that_cannot_be(wrong, says):
    with pytest.raises(ValueError, match=says):
        Verdicts(**wrong)


def test_bad_rows(world):
    with pytest.raises(ValueError, match=r"token 99 is outside the vocabulary"):
        world.log_prob(torch.full((1, 16), 99))
    with pytest.raises(ValueError, match="expected"):
        world.log_prob(torch.zeros(1, 17, dtype=torch.int64))
    with pytest.raises(TypeError, match="int64"):
        world.log_prob(torch.zeros(1, 16))
    with pytest.raises(ValueError, match="n is -1"):
        world.sample(-1, seed=0)
    with pytest.raises(ValueError, match="holds no sums out"):
        Verdicts(held_out=0).sample(1, seed=0, held_out=True)
