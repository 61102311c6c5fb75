"""All recipes of the book: each can be followed, and says of itself what is so."""

import math
from dataclasses import replace

import pytest

from utils.checkpoints.recipe import first_losses, train
from utils.checkpoints.recipes import RECIPES
from utils.checkpoints.store import load_checkpoint, read_card
from utils.models.transformer import Transformer

AT_ONCE = {"graphs-several": 3}  # tokens that models so named predict at once, a guess for each


def each(names):
    """The King James Bible takes seconds to be read, the others do not."""
    slow = pytest.mark.slow
    return [pytest.param(n, marks=slow) if n.startswith("kjv") else n for n in names]


@pytest.mark.slow
@pytest.mark.parametrize("name", each(n for n, recipe in RECIPES.items() if not recipe.parent))
def test_a_model_without_a_parent_begins_by_knowing_nothing(name):
    """The first loss is about that of a guess among the vocabulary (less where it may look at what
    it is to say), and then they fall."""
    recipe = RECIPES[name]
    losses = first_losses(recipe, 0, None, 24)
    heads = max((n for begins, n in AT_ONCE.items() if name.startswith(begins)), default=1)
    guess = heads * math.log(recipe.config(recipe.world()).vocab_size)
    assert 0.7 * guess < losses[0] < 1.1 * guess
    assert max(losses[-2:]) < losses[0]


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.parent])
def test_a_model_with_a_parent_begins_where_that_ended(name):
    recipe = RECIPES[name]
    start, _ = load_checkpoint(recipe.parent)
    assert start.config == recipe.config(recipe.world())
    goes_on, new = (
        first_losses(recipe, 0, model, 1)[0] for model in (start, Transformer(start.config))
    )
    # Lessons are new to a parent; in one it is surely wrong, so that its loss is above a new one's.
    assert goes_on == pytest.approx(read_card(name).first_losses[0], abs=0.01)
    assert abs(goes_on - new) > 0.1


@pytest.mark.parametrize("name", each(RECIPES))
def test_the_seed_decides_the_batches(name):
    recipe = replace(RECIPES[name], steps=1, progress=None, progress_at=())
    world = recipe.world()
    start = Transformer(recipe.config(world))
    seen = {
        seed: train(recipe, seed, Transformer(recipe.config(world)), progress=False)[1].losses
        for seed in (0, 1)
    }
    assert seen[0] != seen[1]
    assert seen[0] == train(recipe, 0, start, progress=False)[1].losses


@pytest.mark.parametrize("name", each(RECIPES))
def test_what_is_said_of_a_recipe_is_so(name):
    """The number of steps and of rows stand in a line that nothing else compares with the code."""
    recipe = RECIPES[name]
    assert recipe.about.endswith(".") and len(recipe.about) < 100
    if "batches" in recipe.data:
        assert f"{recipe.steps} " in recipe.data or f"{recipe.steps} more " in recipe.data
        rows = next(iter(recipe.batches(recipe.world(), 0)))
        assert f"of {len(rows)} " in recipe.data
