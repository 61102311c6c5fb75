"""How far to trust a number that came from a handful of tries.

Nineteen right out of twenty is not "95%": another twenty tries would have given another count.
Each rate in the book comes with an interval from `wilson`, each average over seeds with one from
`bootstrap_mean`. Both answer the same question: which true values would make what we saw ordinary?
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np

from utils.text.numbers import SEED, real, whole


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval (low, high) of success rates that `successes` out of `n` tries leave plausible.

    It holds every rate p whose standard error, sqrt(p(1-p)/n), puts the observed rate within z of
    it. Unlike rate ± z·error it stays inside [0, 1] and does not collapse when nothing, or
    everything, succeeded. Source: E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", JASA 22 (1927) 209-212.

    Raises ValueError unless 0 <= successes <= n, n >= 1 and 0 < confidence < 1.
    """
    successes, n = _counts("successes", successes, "n", n)
    z = _quantile(confidence)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def newcombe(
    successes: int, n: int, others: int, m: int, confidence: float = 0.95
) -> tuple[float, float]:
    """The interval (low, high) for the difference of two rates, successes / n less others / m.

    It joins the two intervals of `wilson`: each rate's distance to its own end, squared, added, and
    the root taken. Source: R. G. Newcombe, "Interval estimation for the difference between
    independent proportions", Statistics in Medicine 17 (1998) 873-890, method 10. Raises ValueError
    like `wilson`.
    """
    successes, n = _counts("successes", successes, "n", n)
    others, m = _counts("others", others, "m", m)
    low, high = wilson(successes, n, confidence)
    other_low, other_high = wilson(others, m, confidence)
    rate, other = successes / n, others / m
    below = math.hypot(rate - low, other_high - other)
    above = math.hypot(high - rate, other - other_low)
    return rate - other - below, rate - other + above


def bootstrap_mean(
    values: Iterable[float], *, seed: int, confidence: float = 0.95, resamples: int = 5000
) -> tuple[float, float]:
    """The interval (low, high) for the mean of `values`, whatever their distribution.

    Draw as many values again, with replacement; take their mean; do so many times; keep the middle
    of those means (the percentile method). With fewer than about ten values it is too narrow.
    Source: B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7
    (1979) 1-26. Raises ValueError for fewer than two values, or one that is not finite.
    """
    found = _numbers(values)
    if len(found) < 2 or not np.isfinite(found).all():
        raise ValueError(f"values must be at least two finite numbers, got {values}")
    picks, tails = _resampled(len(found), seed, confidence, resamples)
    low, high = np.quantile(found[picks].mean(1), tails)
    return float(low), float(high)


def bootstrap_ratio(
    part: Iterable[float],
    whole: Iterable[float],
    *,
    seed: int,
    confidence: float = 0.95,
    resamples: int = 5000,
) -> tuple[float, float]:
    """The interval (low, high) for sum(part) / sum(whole), where what is counted comes in groups.

    The words of one sentence are not independent; the sentences are. So whole groups are drawn
    again, as in `bootstrap_mean`. part, whole: of each group, such as words that are wrong and
    words. Raises ValueError for fewer than two groups, or a whole that is not positive.
    """
    part, whole = _numbers(part), _numbers(whole)
    if part.shape != whole.shape or len(part) < 2:
        raise ValueError(f"part {part.shape} and whole {whole.shape} must name the same groups")
    if not (np.isfinite(part).all() and np.isfinite(whole).all() and (whole > 0).all()):
        raise ValueError("part must be finite in each group, and whole finite and above 0")
    picks, tails = _resampled(len(part), seed, confidence, resamples)
    low, high = np.quantile(part[picks].sum(1) / whole[picks].sum(1), tails)
    return float(low), float(high)


def _counts(of, successes, among, tries):
    """Both as ints; of, among: what the arguments are called."""
    tries = whole(among, tries, "an interval needs at least one try", least=1)
    advice = f"it must be between 0 and {among} = {tries}"
    return whole(of, successes, advice, least=0, most=tries), tries


def _numbers(values):
    """Them as float64, (n,); what is no number as nan."""
    values = values if isinstance(values, Iterable) else [values]
    return np.array([_number(each) for each in values], dtype=float)


def _number(value):
    try:
        return math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):  # a list, a tensor of several, 10**400
        return math.nan


def _resampled(n, seed, confidence, resamples):
    """Which of n values are drawn, (resamples, n), and the quantiles that a confidence asks for."""
    tail = (1 - _checked_confidence(confidence)) / 2
    resamples = whole("resamples", resamples, "draw at least once", least=1)
    dice = np.random.default_rng(whole("seed", seed, **SEED))
    return dice.integers(n, size=(resamples, n)), [tail, 1 - tail]


def _quantile(confidence: float) -> float:
    share = (1 + _checked_confidence(confidence)) / 2
    return NormalDist().inv_cdf(min(share, math.nextafter(1, 0)))  # at 1 it would be infinite


def _checked_confidence(confidence):
    advice = "give a share between 0 and 1, such as 0.95"
    return real("confidence", confidence, advice, above=0, below=1)
