import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.text import corpus
from utils.text.tokenizer import WithMask, byte_pair_tokenizer
from utils.text.vocab import Vocab

TEXT = (
    "In the beginning was the word, and the word was with them.\nAnd the light — 'tis there!\n" * 20
)


@pytest.fixture(scope="module")
def tokenizer():
    return byte_pair_tokenizer(TEXT, 60)


@given(st.text(alphabet=sorted(set(TEXT)), max_size=60))
@settings(deadline=None)
def test_any_text_of_known_characters_comes_back(tokenizer, text):
    ids = tokenizer.encode(text)
    assert ids.dtype == torch.int64 and ids.dim() == 1
    assert tokenizer.decode(ids) == text == tokenizer.decode(ids.tolist())


def test_frequent_words_become_one_token(tokenizer):
    assert len(tokenizer) == tokenizer.vocab_size == 60
    assert len(tokenizer.encode(" the")) == 1
    assert len(tokenizer.encode(TEXT)) < len(TEXT) / 2


def test_the_same_text_gives_the_same_tokenizer(tokenizer):
    again = byte_pair_tokenizer(TEXT, 60)
    assert torch.equal(again.encode(TEXT), tokenizer.encode(TEXT))
    assert [again.decode([i]) for i in range(60)] == [tokenizer.decode([i]) for i in range(60)]


def test_the_king_james_bible_comes_back():
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = byte_pair_tokenizer(text, 1024)
    ids = tokenizer.encode(held_out)
    assert len(tokenizer) == 1024 and tokenizer.decode(ids) == held_out
    assert 2.8 < len(held_out) / len(ids) < 3.3  # characters per token


def test_characters_it_has_never_seen(tokenizer):
    with pytest.raises(ValueError, match=r"'😀' is not among the \d+ characters"):
        tokenizer.encode("light 😀")
    with pytest.raises(ValueError, match="'‘' is not among"):  # shares two of three bytes with "—"
        tokenizer.encode("‘")


@pytest.mark.parametrize("bad", [60, -1, 1.5])
def test_ids_it_does_not_have(tokenizer, bad):
    with pytest.raises(ValueError, match=rf"token {bad} is outside the vocabulary \(0..59\)"):
        tokenizer.decode([0, bad])


@pytest.mark.parametrize("vocab_size", [5, 100_000])
def test_a_vocabulary_the_text_does_not_yield(vocab_size):
    with pytest.raises(ValueError, match=f"vocab_size is {vocab_size}, but this text"):
        byte_pair_tokenizer(TEXT, vocab_size)


def test_text_without_masks_is_the_tokenizers(tokenizer):
    ids = tokenizer.encode("the word was")
    assert WithMask(tokenizer).decode(ids) == "the word was"
    assert WithMask(tokenizer).decode(ids.tolist()) == "the word was"


def test_a_mask_is_no_text(tokenizer):
    vocab = WithMask(tokenizer)
    assert vocab.mask_id == len(tokenizer)
    assert vocab.decode([vocab.mask_id]) == ""
    the, word = tokenizer.encode("the"), tokenizer.encode(" word")
    blank = torch.tensor([vocab.mask_id])
    assert vocab.decode(torch.cat([the, blank, word])) == "the word"


def test_an_unknown_id_is_still_refused_beside_a_mask(tokenizer):
    with pytest.raises(ValueError, match="outside the vocabulary"):
        WithMask(tokenizer).decode([len(tokenizer) + 1])


@pytest.mark.parametrize(
    "row", [np.array([1, 2]), np.array([1.0, 2.0]), [np.int64(1), torch.tensor(2)], (1, 2.0)]
)
def test_ids_of_any_kind(tokenizer, row):
    for vocab in (tokenizer, WithMask(tokenizer), Vocab("abc")):
        assert vocab.decode(row) == vocab.decode([1, 2])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (torch.tensor([[1, 2]]), r"token \[1, 2\] is no number; give one row of ids"),
        (torch.tensor(1), "1 is no row of ids"),
        (np.int64(1), "1 is no row of ids"),
        ("12", "'12' is no row of ids"),
        ([True], "token True is no number"),
        ([float("nan")], "token nan is outside the vocabulary"),
        ([None], "token None is no number"),
    ],
)
def test_what_is_no_row_of_ids(tokenizer, row, message):
    for vocab in (tokenizer, WithMask(tokenizer), Vocab("abc")):
        with pytest.raises(ValueError, match=message):
            vocab.decode(row)
