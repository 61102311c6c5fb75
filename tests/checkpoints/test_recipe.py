from dataclasses import fields, replace

import pytest

from tests.checkpoints import counting
from tests.checkpoints.counting import TINY
from utils.checkpoints.provenance import changes
from utils.checkpoints.recipe import Recipe, first_losses, train
from utils.checkpoints.recipes import RECIPES
from utils.models.transformer import Transformer


def test_a_recipe_is_followed_to_the_letter():
    seen = []

    def batches(world, seed):
        for batch in counting.batches(world, seed):
            seen.append(batch)
            yield batch

    model, history = train(replace(TINY, batches=batches), 1, None, progress=False)
    assert model.config == counting.shape(None) and history.steps == len(seen) == 20
    assert (seen[0] == counting.Counting().texts(16, 1)).all()
    assert [step for step, _ in history.measured] == [10]
    start = Transformer(counting.shape(None), seed=9)
    assert train(TINY, 1, start, progress=False)[0] is start


def test_first_losses_are_those_of_the_whole_training():
    _, history = train(TINY, 0, None, progress=False)
    assert first_losses(TINY, 0, None, 7) == [round(loss, 4) for loss in history.losses[:7]]
    assert first_losses(TINY, 0, None) == [round(loss, 4) for loss in history.losses]


def other(*_):
    """Another function, for whatever asks for one."""


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_each_field_counts_where_it_should(name):
    changed = {"steps": 21, "lr": 0.5, "parent": "tiny", "seeds": (3,), "progress_at": (0.1,)}
    changed |= {"about": "Other words.", "data": "Other words."}
    made, measured = (
        changes(
            getattr(TINY, by)(*given),
            getattr(replace(TINY, **{name: changed.get(name, other)}), by)(*given),
        )
        for by, given in (("made_by", [None]), ("measured_by", []))
    )
    assert made == (
        [name] if name in ("world", "config", "batches", "loss", "steps", "lr", "parent") else []
    )
    assert measured == ([name] if name in ("world", "results") else [])


def test_the_parents_weights_count():
    assert changes(TINY.made_by("abc"), TINY.made_by("abd")) == ["parent_weights"]
    assert "parent_weights" not in TINY.made_by(None)


@pytest.mark.parametrize("name", RECIPES)
def test_weights_depend_on_no_bookkeeping(name):
    """Who improves a figure, a card or the taking of fingerprints need not train anything again."""
    pieces = [*RECIPES[name].made_by(None), *RECIPES[name].measured_by()]
    assert {"utils.models.transformer.Transformer", "utils.training.fit.fit"} <= set(pieces)
    idle = (
        "utils.page.",
        "utils.checkpoints.provenance.",
        "utils.checkpoints.store.",
        "utils.checkpoints.making.",
    )
    assert [
        piece
        for piece in pieces
        if piece.startswith(idle) or piece == "utils.checkpoints.recipe.Recipe"
    ] == []
