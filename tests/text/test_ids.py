"""Tokens by their ids. What takes them is tried with them in tests/test_arguments.py."""

import numpy as np
import pytest
import torch

from tests.small_models import lively
from utils.models.transformer import TransformerConfig
from utils.text.ids import check_text, check_texts, checked_mask, size_for, token_ids


def test_a_mere_function_knows_no_vocabulary():
    assert size_for(lambda tokens: tokens) is None
    assert size_for(lively(TransformerConfig(7, 8, 1, 1, max_len=4))) == 7


@pytest.mark.parametrize("ids", [3, [3], (3.0,), {3}, range(3, 4), np.int8(3), torch.tensor([3])])
def test_ids_in_any_form_are_a_row(ids):
    found = token_ids("ids", ids, 4)
    assert found.tolist() == [3] and found.dtype == torch.int64


def test_ids_outside_a_vocabulary():
    for ids in (4, [0, 4], torch.tensor([[0, 1], [2, 4]])):
        with pytest.raises(ValueError, match=r"^ids is 4; .* one of the vocabulary \(0..3\)"):
            token_ids("ids", ids, 4)
        assert token_ids("ids", ids).max() == 4  # where it is not known


def test_there_may_be_none_where_that_is_said():
    assert token_ids("stop", [], 4, fewest=0).tolist() == []
    with pytest.raises(ValueError, match=r"^stop is empty; give the ids of tokens"):
        token_ids("stop", [], 4)


def test_a_mask_is_in_the_vocabulary_where_that_is_known():
    assert checked_mask(np.int64(19), 20) == checked_mask(torch.tensor(19)) == 19
    with pytest.raises(ValueError, match=r"^mask_id is 20; the model's vocabulary is 0..19; give"):
        checked_mask(20, 20)
    with pytest.raises(ValueError, match=r"^mask_id is -1; give the id"):
        checked_mask(-1)


def test_texts_and_one_text():
    rows = torch.tensor([[3, 1], [0, 2]])
    check_texts(rows, 4)
    check_text(rows[0])
    with pytest.raises(ValueError, match=r"^token 3 is outside the vocabulary \(0..2\)"):
        check_texts(rows, 3)
    with pytest.raises(ValueError, match=r"^tokens have shape"):
        check_text(rows)
    with pytest.raises(TypeError, match=r"^tokens are list; give int64 ids"):
        check_text([3, 1])
