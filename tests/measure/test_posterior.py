"""The exact posterior and look-ahead, by listing all texts and by states, against each other."""

import itertools

import pytest
import torch

from utils.measure.posterior import Hidden, Listed
from utils.worlds.automata import at_place, counted
from utils.worlds.chains import Chains
from utils.worlds.topics import Topics

CHAINS = Chains("abc", 4)
TOPICS = Topics(4, line=3)
ALL = torch.tensor(list(itertools.product(range(7), repeat=4)))
ALL = torch.nn.functional.pad(ALL, (1, 0), value=TOPICS.vocab.start_id)
CONSTRAINTS = [at_place(8, 0, [1, 2]), at_place(8, 3, [4]), counted(8, 0, 2), counted(8, 3, 3)]


def test_the_posterior_is_the_language_where_it_is_accepted():
    found = Listed(CHAINS.texts, CHAINS.log_prob(CHAINS.texts), counted(5, 0, 1))
    accepted, p = (CHAINS.texts[:, 1:] == 0).sum(1) == 1, CHAINS.log_prob(CHAINS.texts).exp()
    assert found.probability == pytest.approx(float(p[accepted].sum()))
    assert torch.allclose(found.posterior, torch.where(accepted, p / p[accepted].sum(), 0.0))


@pytest.mark.parametrize("automaton", CONSTRAINTS)
def test_states_and_lists_agree_about_every_beginning(automaton):
    listed = Listed(ALL, TOPICS.log_prob(ALL), automaton)
    hidden = Hidden(TOPICS, automaton)
    assert hidden.probability == pytest.approx(listed.probability, abs=1e-12)
    for t in range(1, 5):
        begun = ALL[TOPICS.log_prob(ALL[:, :t]) > -torch.inf][:, :t].unique(dim=0)[::5]
        one, other = listed.future(begun), hidden.future(begun)
        assert (one - other[:, :7]).abs().max() < 1e-9
        assert other[:, 7].abs().max() == 0, "a start token never comes again"


def test_writing_with_the_look_ahead_writes_the_posterior():
    """The product of p(token) * future, each row brought to a sum of 1, along every text."""
    listed = Listed(CHAINS.texts, CHAINS.log_prob(CHAINS.texts), counted(5, 0, 2))
    total = torch.zeros(len(CHAINS.texts), dtype=torch.float64)
    for t in range(1, 5):
        begun = CHAINS.texts[:, :t]
        now = CHAINS.texts[:, : t + 1].clone()
        after = []
        for letter in range(3):
            now[:, t] = letter
            after.append(CHAINS.log_prob(now))
        said = torch.stack(after, 1).softmax(-1) * listed.future(begun)
        said = said / said.sum(-1, keepdim=True)
        total += said.gather(-1, CHAINS.texts[:, t, None])[:, 0].log()
    written = total.nan_to_num(-torch.inf).exp()
    assert torch.allclose(written, listed.posterior, atol=1e-12)


def test_a_rare_constraint_on_a_long_text_has_its_exact_probability():
    """Topics of 48 words: waves are counted; all counts together are certain."""
    world = Topics()
    found = [Hidden(world, counted(8, 0, times)).probability for times in range(49)]
    assert sum(found) == pytest.approx(1.0, abs=1e-12)
    assert min(found[:30]) < 1e-4 < max(found)


def test_a_constraint_that_nothing_meets():
    with pytest.raises(ValueError, match="accepts no text of this language"):
        Listed(CHAINS.texts, CHAINS.log_prob(CHAINS.texts), at_place(5, 9, [0]))
