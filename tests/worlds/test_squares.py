import itertools
import math

import pytest
import torch

from utils.worlds import Squares


@pytest.fixture(scope="module")
def world():
    return Squares()


@pytest.mark.parametrize(("order", "count"), [(2, 2), (3, 12), (4, 576), (5, 161280)])
def test_there_are_as_many_latin_squares_as_is_known(order, count):
    """1, 2, 12, 576, 161280: the numbers of Latin squares, OEIS A002860."""
    squares = torch.from_numpy(Squares(order, 0).squares).long()
    assert squares.shape == (count, order**2)
    assert len(squares.unique(dim=0)) == count
    lines = squares.unflatten(1, (order, order))
    for across in (lines, lines.transpose(1, 2)):
        assert (across.sort(-1).values == torch.arange(order)).all()


def test_a_text_is_a_question_and_its_answer(world):
    rows = world.sample(50, seed=3)
    start, cells = world.vocab.id("<s>"), world.cells
    assert rows.shape == (50, world.length) and (rows[:, [0, cells + 1]] == start).all()
    clues = world.clues(rows)
    assert (clues.sum(1) == world.given).all()
    assert torch.equal(rows[:, 1 : 1 + cells][clues], rows[:, world.answer.start :][clues])
    assert world.valid(rows).all() and not world.question[world.answer.start :].any()
    assert torch.equal(rows, world.sample(50, seed=3))


def test_a_picture_shows_question_and_answer(world):
    row = world.vocab.encode(
        "<s> . 2 . . . . . 3 . . . . . . . 1 <s> 3 2 1 4 1 4 2 3 4 1 3 2 2 3 4 1"
    )
    lines = world.picture(row).splitlines()
    assert len(lines) == 4 and lines[1] == ". . . 3     1 4 2 3"


def test_no_two_texts_look_alike_where_the_answer_begins(world):
    """The start token says where a cell stands: every cell has another distance to it, so a model
    of relative positions can tell the first row from the second."""
    rows = world.sample(10, seed=0)
    assert (rows == world.vocab.id("<s>")).sum(1).eq(2).all()


def test_what_is_wrong_is_not_valid(world):
    rows = world.sample(20, seed=1)
    assert world.valid(world.sample(20, seed=1, held_out=True)).all()
    for at in world.answer:
        wrong = rows.clone()
        wrong[:, at] = (wrong[:, at] + 1) % world.order
        assert not world.valid(wrong).any()
    other = world.write(torch.from_numpy(world.squares[:20]).long(), world.clues(rows))
    swapped = torch.cat([rows[:, : world.answer.start], other[:, world.answer.start :]], 1)
    kept = (swapped == rows)[:, world.answer.start :].masked_fill(~world.clues(rows), True).all(1)
    assert torch.equal(world.valid(swapped), kept)  # a Latin square that lacks a clue is no answer


def test_probabilities_of_all_prefixes_sum_to_one():
    world = Squares(2, given=1, held_out=0)
    for t in range(1, 7):
        every = torch.tensor(list(itertools.product(range(len(world.vocab)), repeat=t)))
        assert float(world.log_prob(every).exp().sum()) == pytest.approx(1)


def test_a_text_has_the_probability_of_its_square_and_its_clues(world):
    rows = world.sample(5, seed=2)
    expected = torch.tensor(-math.log(480) - math.log(math.comb(16, 3)), dtype=torch.float64)
    assert torch.allclose(world.log_prob(rows), expected)
    assert world.log_prob(rows, held_out=True).isinf().all()
    rows[0, -1], rows[1, 0] = (rows[0, -1] + 1) % 4, 0
    assert world.log_prob(rows).isinf().tolist() == [True, True, False, False, False]


def test_squares_that_are_held_out_are_in_no_sample(world):
    assert (len(world.seen), len(world.unseen)) == (480, 96)
    seen = {tuple(square) for square in world.seen.tolist()}
    assert not seen & {tuple(square) for square in world.unseen.tolist()}
    asked_for = world.sample(200, seed=5, held_out=True)[:, world.answer.start :]
    assert not any(tuple(square) in seen for square in asked_for.tolist())
    with pytest.raises(ValueError, match="holds no squares out; make it with held_out above 0"):
        Squares(held_out=0).sample(1, seed=0, held_out=True)


def test_the_possible_squares_are_those_that_agree(world):
    row = world.sample(1, seed=4)[0]
    asked = world.possible(row[: world.answer.start])
    clues = world.clues(row[None])[0]
    assert (asked[:, clues] == row[world.answer.start :][clues]).all() and len(asked) > 2
    one_hidden = row.clone()
    one_hidden[world.answer[7]] = world.vocab.mask_id
    assert torch.equal(world.possible(one_hidden), row[None, world.answer.start :])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((6,), "order is 6; choose 2 to 5"), ((4, 17), "given is 17; choose 0 to 16 cells")],
)
def test_worlds_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        Squares(*arguments)
