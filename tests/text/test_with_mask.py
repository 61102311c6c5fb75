"""A tokenizer with a mask writes what the tokenizer writes, and nothing for a mask."""

import pytest
import torch

from utils.text.tokenizer import WithMask, byte_pair_tokenizer

TEXT = "in the beginning was the word, and the word was with the text " * 20
TOKENIZER = byte_pair_tokenizer(TEXT, 40)


def test_text_without_masks_is_the_tokenizers():
    ids = TOKENIZER.encode("the word was")
    assert WithMask(TOKENIZER).decode(ids) == "the word was"
    assert WithMask(TOKENIZER).decode(ids.tolist()) == "the word was"


def test_a_mask_is_no_text():
    vocab = WithMask(TOKENIZER)
    assert vocab.mask_id == len(TOKENIZER)
    assert vocab.decode([vocab.mask_id]) == ""
    the, word = TOKENIZER.encode("the"), TOKENIZER.encode(" word")
    blank = torch.tensor([vocab.mask_id])
    assert vocab.decode(torch.cat([the, blank, word])) == "the word"


def test_an_unknown_id_is_still_refused():
    with pytest.raises(ValueError, match="outside the vocabulary"):
        WithMask(TOKENIZER).decode([len(TOKENIZER) + 1])
