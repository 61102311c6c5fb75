"""A number is made sure of once: finite, in range, and one of Python's own.

Where it is used is tested for all arguments at once, in tests/test_arguments.py.
"""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from utils.text.numbers import real, row_of_ids, whole

KINDS = [int, float, Fraction, np.float64, np.longdouble, np.array, torch.tensor, np.int16]


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_of_any_kind_becomes_one_of_pythons(kind):
    assert whole("n", kind(3), "") == 3 and type(whole("n", kind(3), "")) is int
    assert real("x", kind(3), "") == 3 and type(real("x", kind(3), "")) is float


@given(st.floats() | st.integers(-(10**400), 10**400))
def test_what_comes_back_is_finite_and_in_range(number):
    for check in (whole, real):
        try:
            found = check("x", number, "no", least=-2, most=9)
        except ValueError as error:
            assert str(error).startswith("x is ") and str(error).endswith("; no")
        else:
            assert found == number and -2 <= found <= 9
    assert whole("n", 2**63 - 1, "") == 2**63 - 1  # as large as a tensor's
    with pytest.raises(ValueError, match="n is 9223372036854775808; no"):
        whole("n", 2**63, "no")
    assert whole("n", 10**300, "", most=math.inf) == 10**300


def test_the_ends_count_or_not():
    assert real("x", 1, "", least=1) == 1
    for ends in ({"above": 1}, {"below": 1}):
        with pytest.raises(ValueError, match="x is 1; not the end"):
            real("x", 1, "not the end", **ends)


@pytest.mark.parametrize("value", ["1", None, True, [1], 1j, Decimal(1), np.ones(1), torch.ones(2)])
def test_what_is_no_number_is_shown(value):
    for check in (whole, real):
        with pytest.raises(ValueError, match=r"^x is .*; give a number$"):
            check("x", value, "give a number")


def test_a_long_value_is_cut():
    with pytest.raises(ValueError) as caught:
        whole("n", "word " * 100, "give a number")
    assert len(str(caught.value)) < 100


@given(st.lists(st.integers(-2, 12)), st.integers(1, 10))
def test_a_row_of_ids(ids, size):
    wrong = [i for i in ids if not 0 <= i < size]
    for kind in (list, tuple, np.array, torch.tensor):
        if wrong:
            with pytest.raises(
                ValueError, match=rf"token {wrong[0]} is outside .* \(0..{size - 1}\)"
            ):
                row_of_ids(kind(ids), size)
        else:
            assert row_of_ids(kind(ids), size) == ids


def test_infinities_are_named():
    with pytest.raises(ValueError, match="seconds is inf; take less"):
        real("seconds", math.inf, "take less")
