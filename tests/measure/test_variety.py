import math

import pytest
import torch

from utils.measure import variety


def test_distinct_counts_what_comes_for_the_first_time():
    texts = torch.tensor([[1, 2, 1, 2], [1, 2, 3, 3]])
    assert variety.distinct(texts, 1) == 3 / 8
    assert variety.distinct(texts, 2) == 4 / 6  # 12 21 12 and 12 23 33: 12, 21, 23, 33
    assert variety.distinct(torch.zeros(5, 6, dtype=torch.int64)) == 1 / 25


def test_entropy_is_in_bits():
    assert variety.entropy(torch.arange(8).repeat(3)) == pytest.approx(3.0)
    assert variety.entropy(torch.zeros(9, dtype=torch.int64)) == 0.0
    assert variety.entropy(torch.tensor([0, 0, 0, 5])) == pytest.approx(2 - 0.75 * math.log2(3))


@pytest.mark.parametrize("n", [0, 5])
def test_runs_that_do_not_fit(n):
    with pytest.raises(ValueError, match=f"n is {n}; choose 1 to the 4 tokens"):
        variety.distinct(torch.zeros(2, 4, dtype=torch.int64), n)
