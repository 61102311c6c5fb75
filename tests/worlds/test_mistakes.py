import pytest
import torch

from tests.verdicts import RIGHT, WORLD, texts
from utils.worlds.judging import judge, undo
from utils.worlds.mistakes import begun_wrong, with_correction, with_undo, wrong_token


@pytest.mark.parametrize("at", range(7, 16))
def test_the_other_token_is_another_of_its_kind(at):
    rows = WORLD.sample(200, seed=3)
    wrong = wrong_token(WORLD, rows, at, torch.Generator().manual_seed(0))
    assert bool((wrong != rows[:, at]).all())
    yes_no = {WORLD.vocab.id("yes"), WORLD.vocab.id("no")}
    if at == 7:
        assert set(wrong.tolist()) == yes_no
    else:
        numbers = bool((rows[:, at] <= 38).all())
        assert bool(((wrong <= 38) == numbers).all()) and not yes_no & set(wrong.tolist())


@pytest.mark.parametrize("part", ["a", "b"])
def test_possible_slips_are_numbers_that_occur_there(part):
    rows, at = WORLD.sample(200, seed=4), WORLD.positions[part][1]
    dice = torch.Generator().manual_seed(0)
    slips = wrong_token(WORLD, rows, at, dice, possible=True)
    assert (slips != rows[:, at]).all()
    assert slips.min() >= WORLD.low and slips.max() == WORLD.high
    assert wrong_token(WORLD, rows, at, dice).max() > WORLD.high


def test_texts_that_show_how_to_mend_a_mistake():
    rows = WORLD.sample(300, seed=0)
    undone = with_undo(WORLD, rows, torch.Generator().manual_seed(0))
    undo_id = WORLD.vocab.id("<undo>")
    for row, longer in zip(rows.tolist(), undone.tolist(), strict=True):
        assert undo(longer, undo_id) == row and longer.count(undo_id) == 1
        assert longer[:7] == row[:7]
    assert len({row.index(undo_id) for row in undone.tolist()}) == 9  # at every place
    corrected = with_correction(WORLD, rows)
    assert WORLD.vocab.decode(with_correction(WORLD, texts(RIGHT))[0]) == (
        "is 2 + 9 = 11 ? no , because 2 + 9 = 11 , yes ."
    )
    assert bool(judge(WORLD, corrected).verdict_right.all())
    assert bool((corrected[:, 7] != rows[:, 7]).all())


def test_only_wrong_verdicts_are_slips_of_a_corrected_text():
    rows = WORLD.sample(40, seed=0)
    assert not begun_wrong(WORLD, rows).any()
    wrong = begun_wrong(WORLD, with_correction(WORLD, rows))
    assert wrong[:, 7].all() and int(wrong.sum()) == 40
