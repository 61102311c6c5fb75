import pytest
import torch

from utils.experiments import planted
from utils.models.transformer import TransformerConfig
from utils.worlds import Squares

WORLD = Squares(held_out=0)
ROWS = WORLD.sample(6, seed=1)


class Knows:
    """A model that knows all squares: given the others, what may stand in each cell of an answer,
    as a denoiser; or, `causal`, what may come next."""

    def __init__(self, causal=False):
        config = TransformerConfig(len(WORLD.vocab), d_model=8, n_heads=2, max_len=34)
        self.config = config if causal else None
        self.causal, self.passes = causal, 0

    def __call__(self, tokens):
        self.passes += 1
        said = torch.full((*tokens.shape, len(WORLD.vocab)), -30.0)
        for row, text in enumerate(tokens):
            for at in range(WORLD.answer.start, WORLD.length):
                if self.causal:
                    if at > len(text):
                        break
                    left, where = WORLD.possible(text[:at]), at - 1
                else:
                    left, where = WORLD.possible(text), at
                if len(left):
                    digits = left[:, at - WORLD.answer.start].bincount(minlength=4)
                    said[row, where, :4] = (digits / len(left)).clamp(min=1e-12).log()
        return said


def test_a_planted_digit_is_wrong_in_one_cell_that_is_no_clue():
    broken, place = planted.plant(WORLD, ROWS, seed=0)
    assert ((broken != ROWS).sum(1) == 1).all() and not WORLD.valid(broken).any()
    at = torch.arange(len(ROWS)), place
    assert (broken[at] != ROWS[at]).all() and (broken[at] < WORLD.order).all()
    assert not WORLD.clues(ROWS)[at[0], place - WORLD.answer.start].any()


def test_bayes_restores_every_square_with_all_candidates_and_harms_none():
    knows = Knows(causal=True)
    broken, _ = planted.plant(WORLD, ROWS[:3], seed=2)
    everywhere = {"places": WORLD.cells, "candidates": 3}
    assert torch.equal(planted.by_bayes(knows, WORLD, broken, **everywhere), ROWS[:3])
    assert knows.passes == 1 + 3 * WORLD.cells
    few = {"places": 2, "candidates": 2}
    assert torch.equal(planted.by_bayes(knows, WORLD, ROWS[:3], **few), ROWS[:3])
    assert knows.passes == 2 + 3 * WORLD.cells + 4
    for name, value, advice in (
        ("candidates", 4, "try 1 to 3 other digits"),
        ("places", 17, "try 1 to 16 cells"),
    ):
        with pytest.raises(ValueError, match=f"{name} is {value}; {advice}"):
            planted.by_bayes(knows, WORLD, broken, **(everywhere | {name: value}))


def test_bayes_spends_its_readings_where_it_was_surprised():
    """A model that finds one digit of each text odd, in another cell of each, and cares for nothing
    else: one reading there is enough, and one anywhere else is wasted."""
    rows = ROWS[:3]
    odd = torch.tensor([3, 0, 15])  # cells, the first and the last among them
    wanted = (rows[torch.arange(3), WORLD.answer.start + odd] + 1) % WORLD.order
    read = []

    def model(tokens):
        read.append(tokens)
        said = torch.zeros(*tokens.shape, len(WORLD.vocab))
        said[torch.arange(3), WORLD.answer.start + odd - 1, wanted] = 5.0
        return said

    after = planted.by_bayes(model, WORLD, rows, places=1, candidates=1)
    assert len(read) == 2 and ((after != rows).sum(1) == 1).all()
    assert torch.equal(after[torch.arange(3), WORLD.answer.start + odd], wanted)


def test_whoever_is_shown_the_clues_alone_reads_no_other_cell():
    read = []

    def model(tokens):
        read.append(tokens)
        return torch.zeros(*tokens.shape, len(WORLD.vocab))

    planted.clues_only(model, WORLD, ROWS)
    assert (read[0][:, WORLD.answer.start :] == WORLD.vocab.mask_id).all()
    assert torch.equal(read[0][:, : WORLD.answer.start], ROWS[:, : WORLD.answer.start])


def test_the_clues_alone_leave_the_planted_cell_open_to_whoever_knows_all_squares():
    """The control that the experiment rests on: exact knowledge of what the clues allow restores
    few squares, for many of them answer the same question."""
    rows = WORLD.sample(60, seed=3)
    broken, _ = planted.plant(WORLD, rows, seed=3)
    restored = (planted.clues_only(Knows(), WORLD, broken) == rows).all(1).double().mean()
    assert restored < 0.5
