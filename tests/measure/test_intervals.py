"""The intervals hold what they promise: compared with scipy, and by repeating experiments."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from utils.measure.intervals import bootstrap_mean, bootstrap_ratio, newcombe, wilson


@settings(deadline=None)
@given(st.integers(1, 500), st.data())
def test_wilson_is_scipys(n, data):
    successes = data.draw(st.integers(0, n))
    confidence = data.draw(st.sampled_from([0.5, 0.9, 0.95, 0.99]))
    theirs = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert wilson(successes, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_nothing_or_everything_right_still_leaves_doubt():
    assert wilson(0, 20)[0] == 0.0 and wilson(0, 20)[1] > 0.1
    assert wilson(20, 20)[1] == 1.0 and wilson(20, 20)[0] < 0.9


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_the_difference_of_two_rates_lies_in_its_interval(n, m, data):
    k, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    low, high = newcombe(k, n, other, m)
    assert -1 <= low <= k / n - other / m <= high <= 1
    back = newcombe(other, m, k, n)
    assert (-back[1], -back[0]) == pytest.approx((low, high))


def test_the_difference_of_two_rates_covers_the_true_one_as_often_as_promised():
    rng = np.random.default_rng(0)
    pairs = zip(rng.binomial(40, 0.9, 2000), rng.binomial(60, 0.7, 2000), strict=True)
    bounds = [newcombe(int(k), 40, int(other), 60) for k, other in pairs]
    assert 0.93 <= np.mean([low <= 0.9 - 0.7 <= high for low, high in bounds]) <= 0.98


def test_bootstrap_covers_the_true_mean_about_as_often_as_promised():
    rng = np.random.default_rng(0)
    samples = rng.exponential(1.0, (200, 40))
    bounds = [bootstrap_mean(row, seed=i, resamples=400) for i, row in enumerate(samples)]
    covered = np.mean([low <= 1.0 <= high for low, high in bounds])
    assert 0.86 <= covered <= 0.98  # 0.95 promised; a skewed sample of 40 gives a little less


def test_bootstrap_depends_on_its_seed_alone():
    values = [1.0, 2.0, 4.0, 8.0]
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    low, high = bootstrap_mean(values, seed=3)
    assert 1 < low < 3.75 < high < 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(0, 0), "n is 0; an interval needs at least one try"),
        (lambda: wilson(5, 4), "successes is 5; it must be between 0 and n = 4"),
        (lambda: wilson(1, 2, 95), "confidence is 95; give a share between 0 and 1"),
        (lambda: bootstrap_mean([1.0], seed=0), "at least two finite numbers"),
        (lambda: bootstrap_mean([1.0, float("nan")], seed=0), "at least two finite numbers"),
        (lambda: bootstrap_mean([1.0, 2.0], seed=0, confidence=1), "confidence is 1"),
        (lambda: newcombe(1, 2, 1, 0), "m is 0; an interval needs at least one try"),
        (lambda: newcombe(1, 2, 5, 4), "others is 5; it must be between 0 and m = 4"),
        (lambda: newcombe(1, 2, True, 4), "others is True; it must be between 0 and m = 4"),
        (lambda: newcombe(1, 0, 1, 2), "n is 0; an interval needs at least one try"),
    ],
)
def test_bad_input_is_refused_with_a_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()


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


@pytest.mark.parametrize(
    "values",
    ["12", ["1", "2"], [1, None], [1, 10**400], [1j, 2], [[1], [2]], None, 3, [np.zeros(2)] * 2],
)
def test_what_are_no_numbers_is_refused(values):
    with pytest.raises(ValueError, match=r"^values must be at least two finite numbers, got"):
        bootstrap_mean(values, seed=0)
    for part, whole in ((values, [1, 2]), ([1, 2], values)):
        with pytest.raises(ValueError, match=r"^part .* whole "):
            bootstrap_ratio(part, whole, seed=0)


@pytest.mark.parametrize("values", [(1, 2, 4), np.array([1, 2, 4]), torch.tensor([1.0, 2, 4])])
def test_numbers_of_every_kind_are_taken(values):
    assert bootstrap_mean(values, seed=0) == bootstrap_mean([1.0, 2.0, 4.0], seed=0)


@pytest.mark.parametrize("part, whole", [([1], [2]), ([1, 2], [1, 2, 3]), ([1, 1], [2, 0])])
def test_bad_input_is_refused(part, whole):
    with pytest.raises(ValueError):
        bootstrap_ratio(part, whole, seed=0)
