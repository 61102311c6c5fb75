"""What counts as a sentence, and what as a new one."""

import pytest
import torch

from utils.worlds import Sentences
from utils.worlds.membership import ended, is_new, is_sentence, without_padding


@pytest.fixture(scope="module")
def world():
    return Sentences()


@pytest.fixture(scope="module")
def written(world):
    """As a generator leaves them: the full stop repeated to the end of the row."""
    texts = (
        "<s> the boy runs . . . .",  # right
        "<s> the boy run . . . .",  # wrong
        "<s> the boy runs . the the .",  # right, and no matter what follows
        "<s> the boy runs in the village",  # not ended
    )
    return torch.stack([world.vocab.encode(text)[:7] for text in texts])


def test_a_sentence_is_right_up_to_its_first_full_stop(world, written):
    assert is_sentence(world, written).tolist() == [True, False, True, False]


def test_after_the_first_full_stop_there_is_padding(world, written):
    rows = ended(world, written)
    assert [len(row) for row in without_padding(world, rows)] == [5, 5, 5, 7]
    assert torch.equal(rows, ended(world, rows))
    assert torch.equal(rows[0], rows[2])


def test_what_the_world_writes_belongs_to_it(world):
    rows = world.sample(300, seed=1)
    assert is_sentence(world, rows).all()
    assert torch.equal(rows, ended(world, rows))


def test_new_is_what_is_not_known(world, written):
    known = {tuple(world.vocab.encode("<s> the boy runs .").tolist())}
    assert is_new(world, written, known).tolist() == [False, True, False, True]
    rows = world.sample(50, seed=2)
    seen = {tuple(row.tolist()) for row in without_padding(world, rows)}
    assert not is_new(world, rows, seen).any()
    assert is_new(world, rows, set()).all()


def test_no_rows_are_no_flags(world):
    none = torch.empty((0, 5), dtype=torch.int64)
    assert is_new(world, none, set()).tolist() == is_sentence(world, none).tolist() == []
