"""Numbers that a reader gives: each is one, finite and in range, or an error says what would do.

A comparison alone is no check. `nan` is neither too small nor too large, `inf` steps never end, a
string compares with nothing, and Python, NumPy and torch each have numbers of their own. So what
comes in is turned into one of Python's, and what comes back is safe to compute with.

    steps = whole("steps", steps, "take at least 1", least=1)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

LARGEST = 2**63 - 1  # the largest whole number of a tensor
SEED = {"advice": "choose a whole number from 0 on", "least": 0}  # for `whole`


def whole(name: str, value: Any, advice: str, *, least=-math.inf, most=LARGEST) -> int:
    """The value as an int, if it is a whole number from `least` to `most`; 2.0 is one.

    name: the argument's; advice: what would do. Raises ValueError for anything else.
    """
    number = _one(name, value, advice)
    if not math.isfinite(number) or number != int(number) or not least <= number <= most:
        raise ValueError(f"{name} is {number}; {advice}")
    return int(number)


def real(
    name: str,
    value: Any,
    advice: str,
    *,
    least=-math.inf,
    most=math.inf,
    above=-math.inf,
    below=math.inf,
) -> float:
    """The value as a float, if it is finite, from `least` to `most`, more than `above` and less
    than `below`. Raises like `whole`."""
    number = float(_one(name, value, advice))
    if not (math.isfinite(number) and least <= number <= most and above < number < below):
        raise ValueError(f"{name} is {_plain(value)}; {advice}")
    return number


def row_of_ids(ids: Iterable | Any, size: int) -> list[int]:
    """A row of token ids as ints: a list, an array or a tensor. Raises ValueError for an id outside
    a vocabulary of this size, and for what is no row of numbers."""
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise ValueError(
            f"{_short(ids)} is no row of ids; give a list of them, or a tensor (length,)"
        )
    found = []
    for each in ids:
        number = each if type(each) is int else _plain(each)
        if number is None:
            raise ValueError(
                f"token {_short(each)} is no number; give one row of ids, such as rows[0]"
            )
        if not 0 <= number < size or number != int(number):
            raise ValueError(f"token {number} is outside the vocabulary (0..{size - 1})")
        found.append(int(number))
    return found


def _one(name, value, advice):
    number = _plain(value)
    if number is None:
        raise ValueError(f"{name} is {_short(value)}; {advice}")
    return number


def _plain(value):
    """One number of Python, NumPy or torch as one of Python's, too large for a float as infinite;
    None for anything else."""
    if hasattr(value, "item") and not getattr(value, "ndim", 0):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    if isinstance(value, int) and abs(value) < 2**1000:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _short(value):
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= 60 else shown[:59] + "…"
