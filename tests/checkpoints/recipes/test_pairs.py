import pytest
import torch

from utils.checkpoints.recipes import pairs
from utils.checkpoints.recipes.pairs import RECIPES
from utils.checkpoints.store import read_card
from utils.worlds.pairs import Pairs

ONE_WAY = ["pairs-ar", "pairs-any-order", "pairs-middle", "pairs-diffusion", "pairs-second"]
PER_TEXT = {"pairs-diffusion": 5, "pairs-second": 2.5}  # predictions; all others predict nine


class Recorder:
    """A model that knows nothing and remembers what it was shown."""

    config = None

    def __init__(self, world):
        self.vocab_size, self.shown = len(world.vocab) + world.length, []

    def __call__(self, tokens):
        self.shown.append(tokens)
        return torch.zeros(*tokens.shape, self.vocab_size)


@pytest.mark.parametrize("name", ONE_WAY)
def test_all_predict_as_much_and_are_of_one_size(name):
    recipe = RECIPES[name]
    assert recipe.steps * 50 * PER_TEXT.get(name, 9) == 450_000
    assert recipe.config(Pairs()).d_model == 48
    assert RECIPES["pairs-middle-long"].steps * 50 * 9 == 1_800_000
    assert read_card(name).parameters == read_card("pairs-ar").parameters


def test_denoisers_predict_as_much_on_average_as_the_recipe_says():
    world = Pairs()
    rows = world.texts.repeat(40, 1)
    for loss, expected in ((pairs.hidden, 5), (pairs.second_name, 2.5), (pairs.whole_name, 4)):
        model = Recorder(world)
        torch.manual_seed(0)
        loss(model, rows, world)
        blanks = (model.shown[0] == world.vocab.mask_id).sum(1).double().mean()
        assert float(blanks) == pytest.approx(expected, abs=0.1)


def test_one_whole_name_is_hidden_and_each_as_often():
    world, model = Pairs(), Recorder(Pairs())
    pairs.whole_name(model, world.texts.repeat(20, 1), world)
    hidden = model.shown[0] == world.vocab.mask_id
    first, second = hidden[:, 1:5], hidden[:, 6:]
    assert (first.all(1) ^ second.all(1)).all() and not hidden[:, [0, 5]].any()
    assert (first.any(1) == first.all(1)).all()
    assert float(first.all(1).double().mean()) == pytest.approx(0.5, abs=0.05)


def test_a_denoiser_of_second_names_never_has_a_blank_in_the_first():
    world, model = Pairs(), Recorder(Pairs())
    pairs.second_name(model, world.texts, world)
    assert not (model.shown[0] == world.vocab.mask_id)[:, :6].any()


def test_what_the_chapter_says_of_them_is_on_the_cards():
    in_place = {name: read_card(name).results.get("in_place") for name in RECIPES}
    assert in_place["pairs-diffusion"] > 0.95 < in_place["pairs-any-order"]
    assert in_place["pairs-middle"] < 0.5 < 0.95 < in_place["pairs-middle-long"]
    assert in_place["pairs-second"] == 0 and in_place["pairs-ar"] is None
    new = {name: read_card(name).results["new_order"] for name in RECIPES}
    assert new["pairs-half-short"] > 0.5 and 0.1 < new["pairs-middle-long"] < 0.5
    assert max(new[f"pairs-half-{kind}"] for kind in ("ar", "diffusion", "whole")) < 0.05
    assert new["pairs-half-single"] > 0.95 and new["pairs-half-single-ar"] < 0.05
