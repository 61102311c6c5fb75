import math

import numpy as np
import pytest
import torch

from utils.generation.rounds import check_one_text, checked_positions, until_settled

TEXTS = torch.tensor([[0, 0, 0], [3, 3, 3], [1, 0, 2]])


def counting_down(seen):
    """Takes one from each number above 0, and remembers how many rows it was given."""

    def change(rows):
        seen.append(len(rows))
        return (rows - 1).clamp(min=0)

    return change


def test_rows_are_read_until_nothing_changes_and_then_left_alone():
    seen, before = [], TEXTS.clone()
    assert until_settled(TEXTS, counting_down(seen), 9).tolist() == [[0] * 3] * 3
    assert seen == [3, 2, 2, 1]  # each row once more than it has changed
    assert torch.equal(TEXTS, before)


def test_rounds_are_the_most_there_are():
    seen = []
    assert until_settled(TEXTS, counting_down(seen), 2)[1].tolist() == [1, 1, 1]
    assert seen == [3, 2]


def test_a_row_that_has_settled_is_not_changed_by_the_others():
    """What is done to a row may depend on those beside it, as with chance; not once it is done."""

    def change(rows):
        return rows if len(rows) == 3 else rows + 1

    assert torch.equal(until_settled(TEXTS, change, 5), TEXTS)


@pytest.mark.parametrize("rounds", [0, -1])
def test_no_rounds_at_all(rounds):
    with pytest.raises(ValueError, match=f"rounds is {rounds}; choose 1 or more"):
        until_settled(TEXTS, counting_down([]), rounds)


def test_positions_may_be_given_in_any_form():
    two = [0, 2], (0.0, 2), range(0, 3, 2), {0, 2}, np.array([0, 2]), [np.int64(0), torch.tensor(2)]
    for positions in (*two, torch.tensor([0, 2]), torch.tensor([0.0, 2.0])):
        assert checked_positions(TEXTS, positions).tolist() == [0, 2]
    for position in (1, 1.0, np.int32(1), torch.tensor(1), torch.tensor(1.0)):
        assert checked_positions(TEXTS, position).tolist() == [1]


@pytest.mark.parametrize("positions", [[], [3], [-1], [0, 7]])
def test_positions_outside_the_text(positions):
    with pytest.raises(ValueError, match=r"positions is \[.*\]; name at least one of 0 to 2"):
        checked_positions(TEXTS, positions)


@pytest.mark.parametrize(
    "position", [math.nan, math.inf, 0.5, 1e40, 2**70, "1", None, True, np.float64("nan"), object()]
)
def test_positions_that_are_no_places(position):
    for positions in (position, [position], [0, position]):
        with pytest.raises(ValueError, match=r"positions is .*; name at least one of 0 to 2"):
            checked_positions(TEXTS, positions)


def test_a_mask_of_truth_values_is_no_list_of_positions():
    with pytest.raises(ValueError, match="positions is True; name at least one of 0 to 2"):
        checked_positions(TEXTS, torch.tensor([True, False, True]))


def test_a_trace_follows_one_text():
    check_one_text(TEXTS, None)
    check_one_text(TEXTS[:1], [])
    with pytest.raises(ValueError, match="there are 3 rows; pass one row"):
        check_one_text(TEXTS, [])
