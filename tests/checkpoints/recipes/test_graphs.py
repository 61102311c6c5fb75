from dataclasses import fields

from utils.checkpoints.recipes.graphs import RECIPES
from utils.checkpoints.store import read_card

EQUAL = ("graphs-forward", "graphs-backward", "graphs-blind", "graphs-diffusion")


def test_all_are_of_one_size_and_see_as_many_stars():
    assert len({read_card(name).parameters for name in RECIPES}) == 1
    assert len({(RECIPES[name].steps, RECIPES[name].lr) for name in EQUAL}) == 1
    assert RECIPES["graphs-long"].steps == 3 * RECIPES["graphs-forward"].steps


def test_the_long_training_differs_in_its_length_alone():
    long, short = RECIPES["graphs-long"], RECIPES["graphs-forward"]
    differ = {f.name for f in fields(long) if getattr(long, f.name) != getattr(short, f.name)}
    assert differ == {"about", "data", "steps", "seeds"}
