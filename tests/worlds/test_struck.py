import pytest
import torch

from utils.worlds import Groups
from utils.worlds.struck import strike, wrong_states

WORLD = Groups(n=3)
ROWS = WORLD.vocab.encode("<s> a c b = BCADE CBDAE CBAED")[None]
WRONG = WORLD.vocab.encode("EABCD EABCD EABCD")[None]


def struck(before, kinds):
    rows = strike(WORLD, ROWS, torch.tensor([before]), torch.tensor([kinds]), WRONG)
    return rows, WORLD.vocab.decode(rows.tokens[0])


def test_a_text_shows_what_was_struck_out_before_the_line_that_stands():
    rows, text = struck([False, True, True], [0, 0, 1])
    assert text == "a c b = BCADE EABCD undo CBDAE <mask> undo CBAED"
    shown = [WORLD.vocab.tokens[t] for t in rows.tokens[rows.line]]
    assert shown == ["BCADE", "CBDAE", "CBAED"]
    assert rows.caught[0].nonzero().flatten().tolist() == [7]
    assert struck([True, False, False], [2, 0, 0])[1] == "a c b = BCADE undo BCADE CBDAE CBAED"


def test_the_shorter_of_two_texts_is_filled_up_and_its_filling_is_no_line():
    rows = strike(
        WORLD,
        ROWS.expand(2, -1),
        torch.tensor([[False, True, False], [False, False, False]]),
        torch.zeros(2, 3, dtype=torch.int64),
        WRONG.expand(2, -1),
    )
    assert WORLD.vocab.decode(rows.tokens[1]) == "a c b = BCADE CBDAE CBAED = ="
    assert rows.line.sum(1).tolist() == [3, 3] and rows.caught.sum(1).tolist() == [1, 0]


def test_a_wrong_state_is_wrong_and_any_other_as_likely():
    dice = torch.Generator().manual_seed(0)
    rows = WORLD.sample(4000, seed=0)
    wrong = wrong_states(WORLD, rows, generator=dice)
    assert bool((wrong != rows[:, WORLD.states]).all()) and int(wrong.max()) == 59
    counts = torch.bincount(wrong.flatten(), minlength=60)
    assert 0.5 < float(counts.min() / counts.double().mean())


@pytest.mark.parametrize("bad", ["CBDAE", "undo"])
def test_a_wrong_state_that_is_right_or_none_is_refused(bad):
    wrong = WRONG.clone()
    wrong[0, 1] = WORLD.vocab.id(bad)
    before, kinds = torch.tensor([[False, True, False]]), torch.zeros(1, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match="wrong holds a state that is right or none"):
        strike(WORLD, ROWS, before, kinds, wrong)
    strike(WORLD, ROWS, before, kinds + 1, wrong)  # nothing wrong is struck out here
