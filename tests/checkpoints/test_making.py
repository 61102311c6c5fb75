import json
from dataclasses import replace

import pytest
import torch

from tests.checkpoints import counting
from tests.checkpoints.conftest import contents
from utils.checkpoints import making, store
from utils.checkpoints.making import NAMES, RECIPES, accept, measure, rehearse, remake, stale
from utils.checkpoints.store import load_checkpoint, read_card

NOTHING = {"made": [], "measured": []}


@pytest.fixture
def recipe(monkeypatch, folder):
    """Change the recipe of `tiny`."""

    def change(**changes):
        changed = counting.RECIPES | {"tiny": replace(counting.TINY, **changes)}
        monkeypatch.setattr(making, "RECIPES", changed)

    return change


# -- remaking ------------------------------------------------------------------------------------


def test_a_checkpoint_is_made_from_nothing(empty):
    card = remake("tiny-1", progress=False)
    model, read = load_checkpoint("tiny", 1)
    assert sorted(contents(empty)) == ["tiny-1.json", "tiny-1.safetensors"]
    assert (read.name, read.seed, read.steps, read.tokens) == ("tiny-1", 1, 20, 20 * 16 * 8)
    # what the card says was measured on the rounded weights that are stored
    assert read.results == {"total": round(counting.total(model, None), 4)}
    assert [tokens for tokens, _, _ in read.curve] == [10 * 16 * 8]
    assert len(read.first_losses) == 20 and read.first_losses[0] == pytest.approx(2.3, abs=0.2)
    assert read.final_loss == read.first_losses[-1]  # of twenty steps the last is a twentieth
    assert read.seconds >= 0 and read.threads == torch.get_num_threads()
    assert card.weights_sha256 == read.weights_sha256 and stale("tiny-1") == NOTHING


def test_the_same_recipe_and_seed_give_the_same_weights(folder):
    before = contents(folder)["tiny.safetensors"]
    remake("tiny", progress=False)
    assert contents(folder)["tiny.safetensors"] == before
    remake("tiny-1", progress=False)
    assert contents(folder)["tiny-1.safetensors"] != before


def test_a_child_goes_on_from_its_parent_at_the_same_seed(folder):
    remake("tiny-1", progress=False)
    for name, parent in (("more", "tiny"), ("more-1", "tiny-1")):
        card = remake(name, progress=False)
        assert card.first_losses[0] < read_card(parent).first_losses[0] - 0.5
        assert card.made_by["parent_weights"] == read_card(parent).weights_sha256
    with pytest.raises(FileNotFoundError, match="there is no checkpoint 'tiny'"):
        (folder / "tiny.json").unlink()
        remake("more", progress=False)


def test_of_some_seeds_only_the_card_is_kept(folder, recipe):
    """Weights that were there go; what can be known from the card can still be known."""
    before = remake("tiny-1", progress=False)
    recipe(weights_of=(0,))
    card = remake("tiny-1", progress=False)
    assert sorted(contents(folder)) == ["tiny-1.json", "tiny.json", "tiny.safetensors"]
    assert card.weights_sha256 is None and card.results == before.results
    assert stale("tiny-1") == NOTHING and accept("tiny-1") == 0
    for use in (load_checkpoint, measure):
        with pytest.raises(ValueError, match=r"only the card is kept; .* read_card\('tiny-1'\)"):
            use("tiny-1")
    remake("tiny", progress=False)
    load_checkpoint("tiny")


def test_a_name_without_a_recipe(empty):
    with pytest.raises(ValueError, match="no recipe for 'huge'; there are: tiny, tiny-1, more"):
        remake("huge")


def test_results_are_a_models_at_rest(folder, recipe):
    recipe(results=at_rest)
    assert remake("tiny", progress=False).results == {"training": 0.0}


def at_rest(model, world):
    return {"training": float(model.training)}


@pytest.mark.parametrize("moment", ["train", "_results", "pack", "dumps"])
def test_an_interrupted_remake_leaves_the_old_checkpoint(folder, recipe, monkeypatch, moment):
    before = contents(folder)
    recipe(lr=1e-3)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    where = {"pack": store, "dumps": json}.get(moment, making)
    with monkeypatch.context() as patch:
        patch.setattr(where, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            remake("tiny", progress=False)
    found = contents(folder)
    assert {name: found[name] for name in before} == before
    assert set(found) - set(before) <= {"tiny.safetensors.part"}
    load_checkpoint("tiny")
    remake("tiny", progress=False)
    assert set(contents(folder)) == set(before)


def test_code_that_changes_while_it_trains_is_noticed(folder, recipe, monkeypatch):
    """The fingerprints are those of the beginning: of the code that trained, not of the file that
    has been saved meanwhile."""
    real = making.train

    def slow(*arguments, **more):
        recipe(lr=5e-3)  # somebody edits, and saves
        return real(*arguments, **more)

    monkeypatch.setattr(making, "train", slow)
    remake("tiny", progress=False)
    assert stale("tiny") == {"made": ["lr"], "measured": []}


# -- what is out of date -------------------------------------------------------------------------


def test_a_changed_setting_is_named(folder, recipe):
    assert stale("tiny") == NOTHING
    recipe(lr=2e-2, steps=21)
    assert stale("tiny") == {"made": ["lr", "steps"], "measured": []}
    recipe(results=at_rest)
    assert stale("tiny") == {"made": [], "measured": ["results"]}
    recipe(about="Other words.", data="more words", progress=None, progress_at=(), seeds=(0, 1, 2))
    assert stale("tiny") == NOTHING


def test_a_parent_made_anew_is_named(folder, recipe):
    remake("more", progress=False)
    assert stale("more") == NOTHING
    recipe(lr=2e-2)
    remake("tiny", progress=False)
    assert stale("more") == {"made": ["parent_weights"], "measured": []}


def test_measuring_again_keeps_the_weights(folder, recipe):
    before, card = contents(folder), read_card("tiny")
    recipe(results=at_rest)
    assert measure("tiny").results == {"training": 0.0}
    assert contents(folder)["tiny.safetensors"] == before["tiny.safetensors"]
    assert stale("tiny") == NOTHING and read_card("tiny").made_by == card.made_by


def test_code_that_trains_alike_is_accepted_and_other_code_is_not(folder, recipe):
    assert rehearse("tiny") == 0
    recipe(loss=the_same)
    assert stale("tiny")["made"] == ["loss"] and accept("tiny") == 0
    assert stale("tiny") == NOTHING
    before = contents(folder)
    recipe(loss=half)
    with pytest.raises(
        ValueError, match=r"tiny: the first losses are up to 1\.\d+ nats .* remake tiny"
    ):
        accept("tiny")
    assert contents(folder) == before and stale("tiny")["made"] == ["loss"]


def test_where_only_the_card_is_kept_what_trained_alike_measures_alike(folder):
    """The pieces of both; and only there, for elsewhere it can be measured again."""
    card, both = read_card("tiny"), "utils.models.transformer.Transformer"
    assert both in card.made_by
    old = {both: "old", "results": "old"}
    for weights, expected in ((card.weights_sha256, "old"), (None, card.made_by[both])):
        store.write_card(replace(card, measured_by=old, weights_sha256=weights))
        assert accept("tiny") == 0
        assert read_card("tiny").measured_by == {both: expected, "results": "old"}


def test_what_measures_alike_is_accepted_on_a_person_s_word_where_only_the_card_is_kept(folder):
    card = read_card("tiny")
    for weights, expected in ((card.weights_sha256, {}), (None, card.measured_by)):
        store.write_card(replace(card, measured_by={}, weights_sha256=weights))
        assert accept("tiny", measured=True) == 0
        assert read_card("tiny").measured_by == expected


def the_same(model, batch, world):
    return 2 * half(model, batch, world)


def half(model, batch, world):
    return counting.next_numbers(model, batch, world) / 2


# -- those of the book ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_nothing_has_changed_since_it_was_made(name):
    assert stale(name) == NOTHING, (
        f"what made or measured {name} has changed; `python -m utils.checkpoints accept {name}` if "
        f"it still trains alike, else `measure {name}` or `remake {name}`"
    )


@pytest.mark.slow
def test_the_cheapest_of_the_book_can_be_made_from_nothing(tmp_path):
    """The weights may differ in their last digits on another machine; what they can do may not."""
    from_nothing = [name for name, recipe in RECIPES.items() if recipe.parent is None]
    cheapest = min(from_nothing, key=lambda name: read_card(name).seconds)
    kept, card = read_card(cheapest), remake(cheapest, folder=tmp_path, progress=False)
    load_checkpoint(cheapest, folder=tmp_path)
    assert card.results == pytest.approx(kept.results, abs=0.02)
    assert card.final_loss == pytest.approx(kept.final_loss, abs=0.02)
    same = ("config", "steps", "tokens", "seed", "parameters", "made_by", "measured_by")
    assert [getattr(card, key) for key in same] == [getattr(kept, key) for key in same]


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.parent])
def test_parents_come_before_their_children_and_have_their_seeds(name):
    names, recipe = list(RECIPES), RECIPES[name]
    assert names.index(recipe.parent) < names.index(name)
    assert set(recipe.seeds) <= set(RECIPES[recipe.parent].seeds)
