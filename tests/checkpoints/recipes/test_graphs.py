from dataclasses import fields

import pytest

from utils.checkpoints.recipes.graphs import RECIPES
from utils.checkpoints.store import at_seed, load_checkpoint, read_card

EQUAL = ("graphs-forward", "graphs-backward", "graphs-blind", "graphs-diffusion")


def test_all_are_of_one_size_and_see_as_many_stars():
    assert len({read_card(name).parameters for name in RECIPES}) == 1
    assert len({(RECIPES[name].steps, RECIPES[name].lr) for name in EQUAL}) == 1


@pytest.mark.parametrize("long, short", [("long", "forward"), ("blind-long", "blind")])
def test_the_long_training_differs_in_its_length_alone(long, short):
    long, short = RECIPES[f"graphs-{long}"], RECIPES[f"graphs-{short}"]
    differ = {f.name for f in fields(long) if getattr(long, f.name) != getattr(short, f.name)}
    assert differ == {"about", "data", "steps", "seeds"}
    assert long.steps == 3 * short.steps


def test_the_card_of_the_denoiser_says_what_it_finds():
    recipe = RECIPES["graphs-diffusion"]
    model, card = load_checkpoint("graphs-diffusion")
    assert recipe.results(model, recipe.world()) == pytest.approx(card.results, abs=0.005)


@pytest.mark.parametrize("name", RECIPES)
def test_all_are_measured_by_the_same_names(name):
    """The chapter has the shares of most models from their cards alone."""
    shares = {"first_step", "second_step", "whole_way"}
    for seed in RECIPES[name].seeds:
        found = read_card(at_seed(name, seed)).results
        assert shares <= set(found) and all(0 <= share <= 1 for share in found.values())
