import math

import pytest
import torch
from scipy import stats

from utils.worlds import Totals


@pytest.mark.parametrize("carry, last", [(True, "4 4 8 2 1 3 5 8"), (False, "4 4 8 2 1 9 5 6")])
def test_totals_by_hand(carry, last):
    world = Totals(4, carry=carry)
    rows = world.write(torch.tensor([[4, 8, 1, 5]]))
    assert world.vocab.decode(rows[0]) == last
    assert torch.equal(world.expected(rows), rows[:, 2::2])
    assert rows[0, 0] == world.vocab.start_id
    rows[0, 4] = 7  # a mistake: with a carry, the next answer is to go on from it
    assert world.expected(rows)[0].tolist() == ([4, 2, 8, 8] if carry else [4, 2, 9, 6])


@pytest.mark.parametrize("carry", [True, False])
def test_totals_have_exact_probabilities(carry):
    world = Totals(3, carry=carry)
    rows = world.sample(100, seed=0)
    assert torch.allclose(world.log_prob(rows), torch.tensor(-3 * math.log(10)).double())
    assert torch.allclose(world.log_prob(rows[:, :4]), torch.tensor(-2 * math.log(10)).double())
    digits = torch.cartesian_prod(*[torch.arange(10)] * 3)
    assert world.log_prob(world.write(digits)).exp().sum().item() == pytest.approx(1)
    assert torch.equal(world.log_prob(rows[:, :1]), torch.zeros(100).double())
    rows[:, 4] = (rows[:, 4] + 1) % 10
    assert bool(torch.isinf(world.log_prob(rows)).all())


@pytest.mark.parametrize("bad", [0, -3])
def test_a_list_needs_a_digit(bad):
    with pytest.raises(ValueError, match=f"n is {bad}"):
        Totals(bad)
    with pytest.raises(ValueError, match="n is -1"):
        Totals().sample(-1, seed=0)


@pytest.mark.parametrize("carry", [True, False])
def test_samples_are_right_even_and_drawn_by_the_seed_alone(carry):
    world = Totals(5, carry=carry)
    rows = world.sample(4000, seed=1)
    assert rows.shape == (4000, world.length) and rows.dtype == torch.int64
    assert torch.equal(rows[:, 2::2], world.expected(rows))
    assert torch.equal(rows, world.sample(4000, seed=1))
    assert not torch.equal(rows, world.sample(4000, seed=2))
    counts = rows[:, 1::2].flatten().bincount(minlength=10)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_both_tasks_ask_for_all_hundred_additions():
    for carry in (True, False):
        rows = Totals(8, carry=carry).sample(2000, seed=0)
        left = rows[:, 2:-2:2] if carry else rows[:, 1:-2:2]
        assert (
            len(set(zip(left.flatten().tolist(), rows[:, 3::2].flatten().tolist(), strict=True)))
            == 100
        )


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (torch.tensor([[1, 11]]), ValueError, r"token 11 is outside the vocabulary \(0..10\)"),
        (torch.zeros(1, 8, dtype=torch.int64), ValueError, "expected .* t from 1 to 7"),
        (torch.zeros(1, 6), TypeError, "int64"),
    ],
)
def test_rows_that_cannot_be_scored(rows, error, message):
    with pytest.raises(error, match=message):
        Totals(3).log_prob(rows)
