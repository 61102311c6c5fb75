from dataclasses import fields

import pytest

from utils.checkpoints.recipes.graphs import RECIPES
from utils.checkpoints.store import at_seed, load_checkpoint, read_card
from utils.models.transformer import Transformer

ARMS = {"two": 2, "four": 4, "five": 5}
OTHER_ARMS = [name for name in RECIPES if ARMS.keys() & set(name.split("-"))]
OF_THREE = [name for name in RECIPES if name not in OTHER_ARMS]


def differ(one, other):
    one, other = RECIPES[f"graphs-{one}"], RECIPES[f"graphs-{other}"]
    return {f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name)}


def test_all_are_of_one_size_and_see_as_many_stars():
    sizes = {name: read_card(name).parameters for name in OF_THREE}
    several = {size for name, size in sizes.items() if "several" in name}
    assert len(several) == 1 and len(set(sizes.values())) == 2
    assert max(sizes.values()) - min(sizes.values()) < 0.01 * max(sizes.values())
    equal = [name for name in RECIPES if not name.endswith("long")]
    assert len({(RECIPES[name].steps, RECIPES[name].lr) for name in equal}) == 1


def test_the_names_say_how_many_arms():
    assert len(OTHER_ARMS) >= 7
    for name in OTHER_ARMS:
        assert RECIPES[name].world().arms == ARMS[name.split("-")[2]]


@pytest.mark.parametrize("name", OTHER_ARMS)
def test_with_other_arms_only_the_numbers_of_nodes_and_edges_are_others(name):
    card, three = read_card(name), read_card("-".join(name.split("-")[:2]))
    assert card.steps == three.steps * (2 if name.endswith("long") else 1)
    shape, as_with_three = vars(card.config).copy(), vars(three.config).copy()
    for key in ("vocab_size", "max_len"):
        assert shape.pop(key) != as_with_three.pop(key)
    assert shape == as_with_three


@pytest.mark.parametrize(
    "long, short, times",
    [
        ("long", "forward", 3),
        ("blind-long", "blind", 3),
        ("several-long", "several", 3),
        ("forward-four-long", "forward-four", 2),
        ("backward-four-long", "backward-four", 2),
        ("blind-four-long", "blind-four", 2),
        ("several-four-long", "several-four", 2),
        ("diffusion-four-long", "diffusion-four", 2),
    ],
)
def test_the_long_training_differs_in_its_length_alone(long, short, times):
    assert differ(long, short) - {"seeds", "about"} == {"data", "steps"}
    assert RECIPES[f"graphs-{long}"].steps == times * RECIPES[f"graphs-{short}"].steps


def test_the_first_head_alone_is_trained_as_all_of_them_are():
    assert differ("first-head-long", "several-long") == {"about", "loss"}
    recipe = RECIPES["graphs-first-head-long"]
    world, model = recipe.world(), Transformer(recipe.config(recipe.world()))
    recipe.loss(model, world.sample(8, seed=20_000_003), world).backward()
    heads = model.layers[-world.steps :]
    assert heads[0].feed_forward.up.grad.abs().sum() > 0
    assert all(weight.grad is None for head in heads[1:] for weight in head.parameters())


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
