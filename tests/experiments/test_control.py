"""The arms of chapter 13, against what is known of them."""

import math

import pytest
import torch

from tests.small_models import lively
from utils.experiments import control
from utils.measure import enumeration, steered
from utils.measure.posterior import Hidden, Listed
from utils.measure.steered import variation
from utils.models.transformer import TransformerConfig
from utils.worlds.automata import counted
from utils.worlds.tangle import Tangle
from utils.worlds.topics import Topics

WORLD = Tangle("abc", 4, seed=100)
TRUE = control.truth(WORLD)


def posterior(automaton):
    return Listed(WORLD.texts, WORLD.log_prob(WORLD.texts), automaton).posterior


def test_both_writers_aim_at_the_posterior_and_obey():
    for automaton in control.registered(WORLD).values():
        for law in (TRUE.causal(automaton), TRUE.denoiser(automaton)):
            assert torch.allclose(law.target, posterior(automaton)) and law.met > 1 - 1e-9


def test_who_looks_ahead_or_fills_the_end_first_is_right():
    end = control.last(WORLD, "b")
    assert TRUE.looking_ahead(end).off < 1e-9 < 0.05 < TRUE.causal(end).off
    assert TRUE.denoiser(end, control.end_first(WORLD)).off < 1e-9
    count = control.exactly(WORLD, "b", 2)
    assert TRUE.looking_ahead(count).off < 1e-9
    assert TRUE.denoiser(count, control.end_first(WORLD)).off > 0.05


def test_several_at_once_may_break_what_each_alone_keeps():
    count = control.exactly(WORLD, "b", 2)
    one, two = TRUE.several(count, (1, 2))
    assert variation(one.probs, TRUE.denoiser(count).probs) < 1e-9
    assert torch.allclose(two.target, posterior(count)) and 0.5 < two.met < 0.99
    bent = steered.fitted(WORLD, TRUE.blanks, count.accepted(WORLD.rows))
    expected = enumeration.write_probs(bent, "random", size=2)[0].exp().nan_to_num(0.0)
    assert torch.allclose(two.probs, expected)


def test_drawn_together_they_keep_it():
    count = control.exactly(WORLD, "b", 2)
    one = TRUE.denoiser(count)
    singly, *several = TRUE.several(count, (1, 2, 4), together=True)
    assert variation(singly.probs, one.probs) < 1e-9
    for as_one in several:
        assert as_one.met == pytest.approx(1) and variation(as_one.probs, one.probs) > 0.01


def test_guidance_of_weight_one_is_the_condition():
    assert control.guidance(100, 1.0).off < 1e-9
    assert control.guidance(100, 2.0).off > 0.001
    some = control.guidance(100, 2.0, control.ORDERS[:5])
    assert torch.allclose(some.target, control.guidance(100, 2.0).target)


def test_guided_to_a_constraint_all_obey_and_a_weight_of_one_is_the_posterior():
    for automaton in (control.last(WORLD, "b"), control.exactly(WORLD, "b", 2)):
        for weight, near in ((0.5, False), (1, True), (2, False), (4, False)):
            law = control.guided_to(WORLD, automaton, weight)
            assert torch.allclose(law.target, posterior(automaton)) and law.met == pytest.approx(1)
            assert float(law.probs.sum()) == pytest.approx(1)
            assert (law.off < 1e-9) is near and (near or law.off > 0.005)


def test_a_perfect_foresight_writes_the_posterior():
    """A model that knows p(last letter | what stands) by adding up."""

    class Knows:
        def __call__(self, tokens):
            fits = (tokens[:, None] == WORLD.texts[:, : tokens.shape[1]]).all(-1)
            ends = torch.nn.functional.one_hot(WORLD.texts[:, -1]).double()
            said = (fits * WORLD.log_prob(WORLD.texts).exp()) @ ends
            return said.log()[:, None]

    end = control.last(WORLD, "c")
    assert TRUE.causal(end, control.Foresight(Knows(), WORLD, "c")).off < 1e-9


def test_the_last_letter_is_asked_for_after_each_beginning():
    said = torch.zeros(1, 4, 5)
    said[..., 1] = 3.0
    rows = torch.tensor([[3, 0, 2, 0, 1]])
    expected = math.log(math.exp(3) + 2) - 3
    assert float(control.last_letter_loss(lambda rows: said, rows, 3)) == pytest.approx(expected)


def test_its_own_texts_come_as_often_as_it_writes_them():
    rows = next(control.own_texts(TRUE, batch_size=20_000, seed=0))
    shares = (rows[:, None] == WORLD.texts).all(-1).double().mean(0)
    assert variation(shares, WORLD.log_prob(WORLD.texts).exp()) < 0.05


def test_counted_texts_are_weighed_under_both_laws():
    """With the world itself as the model both weights are the same, and known."""
    world = Topics(6)

    def model(tokens):
        if tokens.shape[1] == world.length:
            return torch.zeros(len(tokens), 1, len(world.vocab))  # there is nothing more to say
        said = world.next_probs(world.beliefs(tokens)[:, -1:], tokens.shape[1] - 1).log()
        return said.nan_to_num(neginf=-1e9)

    automaton = counted(len(world.vocab), world.vocab.id("wave"), 3)
    exact = math.log(Hidden(world, automaton).probability)

    class AsModel:
        """Scored as a whole, asked for the next word alone."""

        def __call__(self, tokens):
            return torch.cat([model(tokens[:, : t + 1]) for t in range(tokens.shape[1])], 1)

    masked, ahead = control.counting(AsModel(), world, "wave", 3, rows=400, seed=0, cache=False)
    for found in (masked, ahead):
        assert automaton.accepted(found.texts[:, 1:]).all()
        assert torch.allclose(found.log_weights, found.true_log_weights, atol=1e-4)
        assert found.true_log_evidence == pytest.approx(exact)
    assert ahead.log_evidence == pytest.approx(exact, abs=1e-6)
    assert float(ahead.off().mean()) < 1e-6 < 0.05 < float(masked.off().mean())
    assert float(masked.truly_off(16).mean()) < float(masked.truly_off().mean())


def test_blanks_of_a_hidden_markov_language_are_filled_as_bayes_has_it():
    """Against a list of all texts of four places, two of them given; and all obey, each weighed by
    how likely it is over how it was written, so that the mean weight is P(accepted)."""
    world = Topics(4)
    words = torch.cartesian_prod(*[torch.arange(6)] * 4)
    texts = torch.nn.functional.pad(words, (1, 0), value=world.vocab.start_id)
    probs = world.log_prob(texts).exp()
    fits = probs * ((words[:, 1] == 0) & (words[:, 3] == 4))
    seen = torch.ones(1, 4, 3, dtype=torch.float64)
    seen[:, 1], seen[:, 3] = world.emits[1, :, 0], world.emits[3, :, 4]
    said = control._topics(world, seen)[0, 2] @ world.emits[2]
    expected = torch.stack([fits[words[:, 2] == word].sum() for word in range(6)]) / fits.sum()
    assert torch.allclose(said[:6], expected)
    found = control.filling(world, "wave", 2, rows=4000, seed=0)
    assert ((found.texts == world.vocab.id("wave")).sum(1) == 2).all()
    chance = float(probs[(words == 0).sum(1) == 2].sum())
    assert found.log_evidence == pytest.approx(math.log(chance))
    weights = found.log_weights.exp()
    assert float(weights.mean()) == pytest.approx(chance, abs=4 * float(weights.std()) / 4000**0.5)
    assert float(found.off(8).mean()) < float(found.off().mean())


def test_a_real_model_is_asked_for_letters_alone():
    shape = TransformerConfig(5, d_model=8, n_layers=1, n_heads=2, max_len=5)
    found = control.trained(WORLD, lively(shape), TRUE.blanks)
    assert found.said.shape == (81, 4, 3)
    assert float(found.own.exp().sum()) == pytest.approx(1, abs=1e-6)
