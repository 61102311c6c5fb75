"""The exact laws of steered writing, against the code that writes, in a world of 81 texts."""

import itertools

import pytest
import torch

from utils.generation import guided
from utils.measure import enumeration, steered
from utils.measure.posterior import Listed
from utils.measure.steered import Law, favour, off_by_weights, variation
from utils.worlds.automata import at_place, counted
from utils.worlds.chains import Chains

WORLD = Chains("abc", 4, seed=1)
LOG_PROBS, BLANK = WORLD.log_prob(WORLD.texts), WORLD.vocab.mask_id
TABLE = enumeration.by_bayes(WORLD.grid(LOG_PROBS.exp()))
SAID = steered.next_letters(WORLD, LOG_PROBS)
CONSTRAINTS = [at_place(5, 3, [2], range(3)), counted(5, 0, 2, range(3)), at_place(5, 0, [1])]


def filled(tokens):
    """The world as a model that fills blanks, by adding up."""
    fits = ((tokens[:, None] == BLANK) | (tokens[:, None] == WORLD.texts)).all(-1)
    said = (fits * LOG_PROBS.exp()) @ torch.nn.functional.one_hot(WORLD.texts, 5).double().flatten(
        1
    )
    return said.view(len(tokens), 5, 5).log().nan_to_num(neginf=-torch.inf)


def accepted(automaton):
    return automaton.accepted(WORLD.rows)


def test_letters_from_left_to_right_multiply_to_the_text():
    own = SAID.gather(-1, WORLD.rows[..., None])[..., 0].sum(1)
    assert torch.allclose(own, LOG_PROBS)
    assert torch.allclose(SAID.exp().sum(-1), torch.ones(81, 4).double())


@pytest.mark.parametrize("automaton", CONSTRAINTS)
def test_what_is_fitted_is_what_fitting_says(automaton):
    """The table, bent by looking at all texts, and the sampler's own masks, bent by reach."""
    model = guided.Fitting(filled, automaton, BLANK)
    asked = enumeration.full_table(WORLD, lambda t: model(t).log_softmax(-1))
    bent = steered.fitted(WORLD, TABLE, accepted(automaton))
    assert torch.allclose(bent.log_probs.exp(), asked.log_probs.exp())
    assert torch.allclose(bent.peaks[..., 1:, :].exp(), asked.peaks[..., 1:, :].exp())


@pytest.mark.parametrize("automaton", CONSTRAINTS)
def test_a_mask_obeys_and_a_look_ahead_writes_the_posterior(automaton):
    exact = Listed(WORLD.texts, LOG_PROBS, automaton)
    mask = guided.Mask(automaton, 5)
    masked, ahead = (
        steered.left_to_right(WORLD, SAID, accepted(automaton), weigh)
        for weigh in (mask, exact.future)
    )
    assert masked.met == pytest.approx(1) and ahead.off < 1e-9
    assert torch.allclose(masked.target, exact.posterior)
    early = automaton is CONSTRAINTS[2]
    assert (masked.off < 1e-9) == early


def test_each_beginning_is_weighed_once():
    mask, asked = guided.Mask(CONSTRAINTS[1], 5), []

    def weigh(tokens):
        asked.append(tokens)
        return mask(tokens)

    steered.left_to_right(WORLD, SAID, accepted(CONSTRAINTS[1]), weigh)
    for t, tokens in enumerate(asked, start=1):
        assert torch.equal(tokens, WORLD.texts[:, :t].unique(dim=0)), "in the order of the texts"


def test_orders_are_as_likely_and_each_is_weighed_by_its_own():
    automaton = CONSTRAINTS[0]
    bent = steered.fitted(WORLD, TABLE, accepted(automaton))
    orders = list(itertools.permutations(range(4)))
    law = steered.in_orders(TABLE, bent, accepted(automaton), orders)
    expected = enumeration.write_probs(bent, "random")[0].exp().nan_to_num(0.0)
    assert torch.allclose(law.probs, expected)
    exact = Listed(WORLD.texts, LOG_PROBS, automaton).posterior
    assert torch.allclose(law.target, exact), "with the truth, every order declares the same"
    assert steered.in_orders(TABLE, bent, accepted(automaton), [(3, 0, 1, 2)]).off < 1e-9


def pair_law(law):
    """The law of one picked among two, by adding up all pairs."""
    q, weights = law.written.exp()[0], (law.declared - law.written)[0].exp()
    weights = torch.where(q > 0, weights, 0.0)
    share = weights[:, None] / (weights[:, None] + weights)
    return (q[:, None] * q * 2 * share.nan_to_num(0.0)).sum(1)


def test_one_of_two_is_picked_as_all_pairs_say():
    law = steered.left_to_right(
        WORLD, SAID, accepted(CONSTRAINTS[1]), guided.Mask(CONSTRAINTS[1], 5)
    )
    assert torch.equal(law.picked(1), law.probs / law.probs.sum())
    assert variation(law.picked(2), pair_law(law)) < 0.005
    offs = [variation(law.picked(n), law.target) for n in (1, 4, 32, 256)]
    assert offs == sorted(offs, reverse=True) and offs[-1] < 0.02


def test_weights_alone_tell_the_same():
    """Of texts that cannot be listed one has only their weights; here both are known."""
    automaton = CONSTRAINTS[0]
    law = steered.left_to_right(WORLD, SAID, accepted(automaton), guided.Mask(automaton, 5))
    exact = Listed(WORLD.texts, LOG_PROBS, automaton)
    drawn = torch.multinomial(law.probs, 20_000, True, generator=torch.Generator().manual_seed(0))
    log_weights = (law.declared - law.written)[0, drawn]
    evidence = torch.tensor(exact.probability).log()
    for n in (1, 8):
        estimate = float(off_by_weights(log_weights, evidence, n).mean())
        assert estimate == pytest.approx(variation(law.picked(n), law.target), abs=0.01)


def test_who_weighs_nothing_is_never_picked():
    found = favour(
        torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([0.5, 0.3, 0.2]).double(), 3
    )
    assert found[0] == 0 and found[2] > found[1] > 1


def test_guidance_is_what_the_sampler_does():
    soft = (LOG_PROBS + 1.5 * (WORLD.rows == 2).sum(1)).log_softmax(0)
    theirs = enumeration.by_bayes(WORLD.grid(soft.exp()))
    assert torch.allclose(steered.guided(WORLD, theirs, TABLE, 1.0).log_probs, theirs.log_probs)

    def bent(tokens):
        fits = ((tokens[:, None] == BLANK) | (tokens[:, None] == WORLD.texts)).all(-1)
        hot = torch.nn.functional.one_hot(WORLD.texts, 5).double().flatten(1)
        return (
            ((fits * soft.exp()) @ hot).view(len(tokens), 5, 5).log().nan_to_num(neginf=-torch.inf)
        )

    model = guided.Guided(bent, filled, 2.0)
    asked = enumeration.full_table(WORLD, model)
    found = steered.guided(WORLD, theirs, TABLE, 2.0)
    assert torch.allclose(found.log_probs, asked.log_probs)


def test_variation_is_half_the_difference():
    p, q = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.5, 0.0, 0.5])
    assert variation(p, q) == 0.5 and variation(p, p) == 0
    law = Law(torch.tensor([[0.0, 0.0, -torch.inf]]), torch.tensor([[0.25, 0.25, 0.5]]).log())
    assert law.met == 0.5 and law.off == pytest.approx(0.5)


def test_a_number_of_texts_that_cannot_be():
    with pytest.raises(ValueError, match="n is 0; write at least 1 text"):
        favour(torch.ones(2), torch.ones(2), 0)
