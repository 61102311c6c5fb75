import itertools
from contextlib import nullcontext

import pytest
import torch

from tests.small_models import lively
from utils.experiments import planning
from utils.measure.patching import patched, states
from utils.models.transformer import TransformerConfig
from utils.training.losses import next_token_loss
from utils.worlds import Couplets

WORLD = Couplets()
CONFIG = TransformerConfig(len(WORLD.vocab), d_model=16, n_layers=2, n_heads=2, max_len=9)
MODEL = lively(CONFIG)
ROWS = WORLD.sample(12, seed=0)


class Exact:
    """A model that gives the exact probabilities of the next word."""

    def __call__(self, rows):
        said = torch.full((*rows.shape, len(WORLD.vocab)), -torch.inf)
        options = WORLD.options(rows.shape[1])
        for token in options.tolist():
            longer = torch.cat([rows, torch.full((len(rows), 1), token)], 1)
            said[:, -1, token] = WORLD.token_log_probs(longer)[:, -1].float()
        return said


def test_a_model_that_knows_the_language_leaves_open_what_the_language_does():
    for t in range(WORLD.at["break"], WORLD.at["last"] + 1):
        found = planning.open_words(Exact(), WORLD, ROWS[:3, :t])
        assert torch.allclose(found, WORLD.open_words(ROWS[:3, :t]), atol=1e-5)


def test_what_is_open_sums_over_all_that_can_stand_between():
    found = planning.open_words(MODEL, WORLD, ROWS[:1, :6])[0]
    between = [WORLD.options(WORLD.at[part]).tolist() for part in ("number", "kind")]
    expected = torch.zeros(48, dtype=torch.float64)
    for path in itertools.product(*between):
        row = torch.cat([ROWS[0, :6], torch.tensor(path)])[None]
        said = MODEL(row)[0].double().softmax(-1)
        weight = said[5, path[0]] * said[6, path[1]]
        expected += weight * said[7, WORLD.last]
    assert torch.allclose(found, expected)


def test_bits_of_an_even_choice_and_of_none():
    assert float(planning.bits(torch.full((8,), 1 / 8))) == pytest.approx(3)
    assert float(planning.bits(torch.tensor([1.0, 0.0]))) == 0


def test_all_information_is_used_by_the_language_itself_and_none_by_its_average():
    assert planning.information_used(Exact(), WORLD, ROWS) == pytest.approx(1, abs=1e-6)

    class Average:
        def __call__(self, rows):
            said = torch.zeros(*rows.shape, len(WORLD.vocab))
            share = WORLD.plural_share().mean()
            said[..., WORLD.vocab.id("these")] = share.logit().float()
            return said

    assert planning.information_used(Average(), WORLD, ROWS) == pytest.approx(0, abs=1e-6)


def test_donors_differ_in_the_rhyming_words_alone_and_are_couplets():
    rows = WORLD.sample(500, seed=1)
    given = planning.donors(WORLD, rows, seed=0)
    changed = (rows != given).any(0).nonzero()[:, 0].tolist()
    assert changed == [WORLD.at["first"], WORLD.at["last"]]
    assert WORLD.log_prob(given).isfinite().all()
    before, after = (WORLD.rhyme[WORLD.place(each[:, WORLD.at["first"]])] for each in (rows, given))
    assert (before != after).all()


def test_the_state_of_the_one_word_that_differs_moves_everything_and_of_one_before_it_nothing():
    rows = WORLD.sample(50, seed=1)
    given = planning.donors(WORLD, rows, seed=0)
    for part in ("number", "last"):
        moved = planning.shares_moved(MODEL, WORLD, rows, given, part)
        assert moved.shape == (3, WORLD.at[part])
        assert float(moved[0, WORLD.at["first"]]) == pytest.approx(1, abs=1e-4)
        assert float(moved[2, -1]) == pytest.approx(1, abs=1e-4)  # from where it is said
        assert (moved[:, : WORLD.at["first"]] == 0).all() and (moved[2, :-1] == 0).all()


def test_a_narrow_model_is_moved_by_the_break_alone():
    rows, at = WORLD.sample(50, seed=1), WORLD.at["break"]
    given = planning.donors(WORLD, rows, seed=0)
    line, other = rows[:, : at + 1], given[:, : at + 1]
    after = rows[:, at + 1 : -1]
    with planning.narrow(MODEL, at):
        one, two = MODEL(torch.cat([line, after], 1)), MODEL(torch.cat([other, after], 1))
        assert not torch.allclose(one[:, -1], two[:, -1], atol=1e-3)
        for layer in (1, 2):  # with the states of the break exchanged, the rest follows the donor
            with patched(MODEL, layer, at, states(MODEL, other, layer, at)):
                mixed = MODEL(torch.cat([line, after], 1))
            if layer == 1:
                assert torch.allclose(mixed[:, -1], two[:, -1], atol=1e-4)
            else:
                assert torch.allclose(mixed[:, -1], one[:, -1], atol=1e-4)
    assert torch.equal(MODEL(rows), MODEL(rows)) and not MODEL.layers[0]._forward_pre_hooks


def gradient(context, target, layer):
    """Of the loss at one position, with respect to what each position hands to this layer."""
    model = lively(CONFIG)
    for weight in model.parameters():
        weight.requires_grad_(True)
    kept = []
    hook = model.layers[layer].register_forward_pre_hook(
        lambda layer, given: kept.append(given[0]) or given[0].retain_grad()
    )
    with context(model):
        said = model(ROWS)[:, target].log_softmax(-1)[:, 0].sum()
    said.backward()
    hook.remove()
    return kept[0].grad.abs().sum((0, 2))


@pytest.mark.parametrize("layer", [0, 1])
def test_no_loss_of_a_myopic_model_reaches_an_earlier_state_in_any_layer(layer):
    """Not even a word's own vector, with which it enters layer 0."""
    usual = gradient(lambda model: nullcontext(), 5, layer)
    found = gradient(planning.myopic, 5, layer)
    assert (usual[:6] > 0).all() and (usual[6:] == 0).all()
    assert (found[[0, 1, 2, 3, 4, 6, 7, 8]] == 0).all() and found[5] > 0


def test_a_myopic_model_computes_the_same():
    before = MODEL(ROWS)
    with planning.myopic(MODEL):
        assert torch.allclose(MODEL(ROWS), before, atol=1e-4)
        assert float(next_token_loss(MODEL, ROWS)) > 0
    assert torch.equal(MODEL(ROWS), before)
