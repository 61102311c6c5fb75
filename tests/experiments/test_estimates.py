import itertools
from functools import partial

import pytest
import torch

from tests.small_models import lively_letters
from utils.experiments import estimates, reward
from utils.generation import trajectories
from utils.worlds.tangle import Tangle

WORLD = Tangle("ab", 3)
PRAISED = reward.even(WORLD)


small = partial(lively_letters, WORLD)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("eagerness", [0.0, 2.0])
def test_the_gradient_of_the_steps_is_exact(eagerness):
    """Over all texts and all orders, weighed by how likely they are: no estimate is left."""
    model = small()
    orders = torch.tensor(list(itertools.permutations(range(1, 4))))
    texts, order = WORLD.texts.repeat_interleave(6, 0), orders.repeat(8, 1)
    written = trajectories.Written(texts, order)
    asked = trajectories.by_steps(written, WORLD.vocab.mask_id)
    said = trajectories.stand_in(model, texts, asked, WORLD.vocab.mask_id, eagerness=eagerness)
    likely = said.detach().exp() / (1 if eagerness else 6)
    assert float(likely.sum()) == pytest.approx(1, abs=1e-4)
    aim = (likely * PRAISED.repeat_interleave(6) * said).sum()
    found = torch.cat([g.flatten() for g in torch.autograd.grad(aim, list(model.parameters()))])
    exact = estimates.exact_gradient(model, WORLD, PRAISED, eagerness)
    assert float((found - exact).norm() / exact.norm()) < 1e-3


def test_without_the_choices_of_places_it_is_not():
    model = small()
    exact = estimates.exact_gradient(model, WORLD, PRAISED, 2.0)
    found = estimates.expected_gradient(model, WORLD, PRAISED, "steps, tokens only", 2.0)
    assert float((found - exact).norm() / exact.norm()) > 0.01
    even = estimates.expected_gradient(model, WORLD, PRAISED, "steps, tokens only", 0.0)
    exact = estimates.exact_gradient(model, WORLD, PRAISED, 0.0)
    assert float((even - exact).norm() / exact.norm()) < 1e-3  # every order is as likely anyhow


@pytest.mark.parametrize(
    ("by", "expected"), [("1 mask", "masks"), ("one pass", "one pass"), ("pairs", "masks")]
)
def test_many_batches_give_what_is_expected(by, expected):
    model, generator = small(), dice(3)
    how = {"generator": generator}
    found = torch.stack(
        [estimates.sampled_gradient(model, WORLD, PRAISED, by, **how) for _ in range(150)]
    )
    wanted = estimates.expected_gradient(model, WORLD, PRAISED, expected)
    error = float(((found - found.mean(0)) ** 2).sum(1).mean() / 150) ** 0.5  # of the mean
    assert float((found.mean(0) - wanted).norm()) < 2.5 * error


def test_an_expected_gradient_has_a_name():
    with pytest.raises(ValueError, match="'masks'"):
        estimates.expected_gradient(small(), WORLD, PRAISED, "all")


def test_the_upper_bound_is_what_brute_force_says():
    model = small()
    with torch.no_grad():
        table = reward.listed(model, WORLD)
        found = estimates.upper_bound(table, power=2.0)
    for text in (0, 5):
        total = 0.0
        for i in range(3):
            means = []
            for size in (1, 2, 3):
                sets = [s for s in range(8) if s >> i & 1 and s.bit_count() == size]
                means.append(
                    sum(float(table.log_probs[text, s, i].exp() ** 2) for s in sets) / len(sets)
                )
            total += torch.tensor(sum(means) / 3).log() / 2
        assert float(found[text]) == pytest.approx(float(total), abs=1e-5)


def test_two_bounds_differ_from_one():
    one, two = (
        estimates.expected_gradient(small(), WORLD, PRAISED, by) for by in ("masks", "two bounds")
    )
    assert float((one - two).norm() / one.norm()) > 0.01


def test_estimates_with_masks_of_their_own_do_not_agree_with_themselves():
    model = small()
    sure = estimates.ratios(model, WORLD, "one pass", 50, generator=dice())
    assert sure == pytest.approx(1, abs=1e-5)
    one, many = (
        estimates.ratios(model, WORLD, by, 400, generator=dice()) for by in ("1 mask", "16 masks")
    )
    off = [((each < 0.8) | (each > 1.25)).double().mean() for each in (one, many)]
    assert off[0] > 0.5 and off[1] < off[0]
