"""A share whose counts come in groups: the interval allows for what the groups share."""

import numpy as np
import pytest

from utils.measure.intervals import bootstrap_mean, bootstrap_ratio, wilson


def test_groups_of_one_are_a_mean():
    values = np.random.default_rng(0).normal(size=30)
    ratio = bootstrap_ratio(values, np.ones(30), seed=1)
    assert ratio == pytest.approx(bootstrap_mean(values, seed=1))


def test_what_a_group_shares_makes_the_interval_wider():
    wrong = np.repeat([0, 10], 20)  # twenty sentences all wrong, twenty all right
    low, high = bootstrap_ratio(wrong, np.full(40, 10), seed=0)
    narrow_low, narrow_high = wilson(200, 400)
    assert low < narrow_low < 0.5 < narrow_high < high


def test_covers_the_truth_about_as_often_as_promised():
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        chance = rng.beta(2, 6, 60)  # of each group its own; 1/4 on average
        whole = rng.integers(3, 15, 60)
        low, high = bootstrap_ratio(rng.binomial(whole, chance), whole, seed=seed, resamples=400)
        hits += low <= 0.25 <= high
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize("part, whole", [([1], [2]), ([1, 2], [1, 2, 3]), ([1, 1], [2, 0])])
def test_bad_input_is_refused(part, whole):
    with pytest.raises(ValueError):
        bootstrap_ratio(part, whole, seed=0)
