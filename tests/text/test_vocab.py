import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from utils.text.vocab import Vocab


@given(st.text(min_size=1, max_size=50))
def test_characters_survive_a_round_trip(text):
    vocab = Vocab(sorted(set(text)))
    ids = vocab.encode(text)
    assert ids.dtype == torch.int64 and ids.shape == (len(text),)
    assert vocab.decode(ids) == text


def test_words_are_joined_by_a_space_and_hidden_tokens_left_out():
    vocab = Vocab(["<pad>", "a", "dog"], joiner=" ", hidden=["<pad>"])
    assert vocab.encode("a  dog\na").tolist() == [1, 2, 1]
    assert vocab.decode([1, 2, 0, 0]) == "a dog"
    assert vocab.decode([]) == "" and vocab.encode("").shape == (0,)


def test_an_unknown_token_is_named_with_the_nearest_known_one():
    vocab = Vocab(["house", "garden"], joiner=" ")
    with pytest.raises(
        ValueError, match="'gardn' is not among the 2 tokens; did you mean 'garden'"
    ):
        vocab.encode("house gardn")


def test_an_unknown_id_is_named_with_the_range():
    with pytest.raises(ValueError, match=r"token 2 is outside the vocabulary \(0..1\)"):
        Vocab("ab").decode(torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="token -1 is outside"):
        Vocab("ab").decode([-1])


def test_a_missing_special_token_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="'<mask>' is not among"):
        _ = Vocab("ab").mask_id


def test_a_token_may_occur_once_only():
    with pytest.raises(ValueError, match="twice in the vocabulary: a"):
        Vocab(["a", "b", "a"])
