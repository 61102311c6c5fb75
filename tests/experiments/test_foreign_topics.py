import pytest
import torch

from tests.small_models import lively
from utils.experiments import foreign_topics, states
from utils.models.transformer import TransformerConfig
from utils.worlds import Topics

WORLD = Topics(24)
ROWS = WORLD.sample(40, seed=0)
CONFIG = TransformerConfig(40, d_model=16, n_layers=2, n_heads=2, max_len=25)
MODEL = lively(CONFIG)


class Words:
    """A tokenizer with a token for each word, 10 for the first of the language's own ids."""

    def __init__(self, *, split=None):
        self.split = split

    def encode(self, text):
        if text == foreign_topics.BEGIN:
            return torch.tensor([3])
        assert text[0] == " "
        word = text[1:]
        return torch.tensor([10 + WORLD.vocab.id(word)] * (2 if word == self.split else 1))


def test_each_word_is_its_own_token_and_a_text_begins_as_the_model_is_used_to():
    found = foreign_topics.in_tokens(WORLD, Words(), ROWS)
    assert (found[:, 0] == 3).all() and torch.equal(found[:, 1:], ROWS[:, 1:] + 10)


def test_a_word_of_two_tokens_is_refused():
    with pytest.raises(ValueError, match="'cow' is not one token"):
        foreign_topics.in_tokens(WORLD, Words(split="cow"), ROWS)


def test_streams_are_those_of_the_layers_that_were_asked_for():
    found = foreign_topics.streams(MODEL, ROWS, [1])
    assert torch.allclose(found[0], states.streams(MODEL, ROWS)[1], atol=1e-5)


def test_the_shares_of_words_are_counted_up_to_each_place():
    found = foreign_topics.counts(WORLD, ROWS)
    assert found.shape == (40, 25 - foreign_topics.FIRST, len(WORLD.vocab))
    by_hand = (ROWS[7, : foreign_topics.FIRST + 3] == 2).double().mean()
    assert float(found[7, 2, 2]) == pytest.approx(float(by_hand))


def test_whoever_forgets_nothing_older_has_nothing_older_to_add():
    found = foreign_topics.older_words(WORLD, ROWS)
    exact = WORLD.beliefs(ROWS) - WORLD.beliefs(ROWS, last=8)
    assert torch.equal(found, exact[:, 17:]) and found.abs().max() > 0.01


def test_all_of_every_state_exchanged_is_the_donors_text_at_the_next_word():
    """What is due is what the model expects after the donor's words: with all exchanged it comes
    about, with nothing exchanged none of it. (After further words it need not: the first layer
    reads the words themselves, which are still the text's own.)"""
    tokens, donors = foreign_topics.in_tokens(WORLD, Words(), ROWS).chunk(2)
    wanted = torch.arange(10, 16)
    everything, nothing = [torch.eye(16)] * 2, [torch.zeros(16, 2)] * 2
    found = foreign_topics.swap(MODEL, tokens, donors, everything, 12, 4, wanted)
    assert found.moved.shape == (20, 4) and (found.due > 0).all()
    assert found.shares()[0] == pytest.approx(1, abs=1e-4)
    found = foreign_topics.swap(MODEL, tokens, donors, nothing, 12, 4, wanted)
    assert found.shares() == pytest.approx([0.0] * 4, abs=1e-6)


def test_a_model_without_further_words_of_its_own_goes_on_as_the_donors_text():
    """Where the texts are the same up to the last word before the swap, what is due is that word's
    doing alone."""
    tokens = foreign_topics.in_tokens(WORLD, Words(), ROWS[:20])
    donors = tokens.clone()
    donors[:, 12] = tokens[:, 12].roll(1)
    wanted = torch.arange(10, 16)
    everything = [torch.eye(16)] * 2
    one, past = (
        foreign_topics.swap(MODEL, tokens, donors, everything, 12, 4, wanted, whole_past=x)
        for x in (False, True)
    )
    assert torch.allclose(one.moved, past.moved, atol=1e-6)
