import torch

from utils.training.rearranged import cut, in_any_order, middle_last, placed

ROWS = torch.tensor([[9, 0, 1, 2, 3], [9, 4, 5, 6, 7]])


def test_every_token_stands_behind_its_own_place():
    told = in_any_order(ROWS, 20, torch.Generator().manual_seed(0))
    assert told.shape == (2, 9) and (told[:, 0] == 9).all()
    places, tokens = told[:, 1::2] - 20, told[:, 2::2]
    assert places.sort(1).values.tolist() == [[1, 2, 3, 4]] * 2
    assert torch.equal(ROWS.gather(1, places), tokens)


def test_a_stated_order():
    assert placed(ROWS[:1], torch.tensor([[4, 1]]), 20).tolist() == [[9, 24, 3, 21, 0]]


def test_the_middle_comes_last_after_a_gap():
    assert cut(ROWS, 2, 2, 20).tolist() == [[9, 0, 20, 3, 21, 1, 2], [9, 4, 20, 7, 21, 5, 6]]
    assert cut(ROWS[:1], 1, 4, 20).tolist() == [[9, 20, 21, 0, 1, 2, 3]]
    assert cut(ROWS[:1], 4, 1, 20).tolist() == [[9, 0, 1, 2, 20, 21, 3]]


def test_every_middle_is_met_and_nothing_is_lost():
    rows = ROWS[:1].repeat(4000, 1)
    told = middle_last(rows, 20, torch.Generator().manual_seed(0))
    assert (told.sort(1).values == torch.tensor([0, 1, 2, 3, 9, 20, 21])).all()
    assert (told[:, 0] == 9).all()
    kinds = told.unique(dim=0)
    assert len(kinds) == 10  # 4 + 3 + 2 + 1 places for a middle of 1, 2, 3, 4 letters
    sizes = 6 - (told == 21).int().argmax(1)
    shares = torch.bincount(sizes, minlength=5)[1:] / 4000
    assert (shares - 0.25).abs().max() < 0.03
