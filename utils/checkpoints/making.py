"""Making checkpoints by their recipes, measuring them, and telling when one is out of date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from utils.checkpoints import store
from utils.checkpoints.provenance import changes
from utils.checkpoints.recipe import Recipe, first_losses, train
from utils.checkpoints.recipes import RECIPES
from utils.checkpoints.store import FOLDER, Card, at_seed, read_card
from utils.models.transformer import Transformer

NAMES = {at_seed(name, seed): (name, seed) for name, r in RECIPES.items() for seed in r.seeds}


def recipe_of(name: str) -> tuple[Recipe, int]:
    """The recipe and the seed of a checkpoint, one of the book's or at another seed. Raises
    ValueError for a name without one."""
    if name in NAMES:
        recipe, seed = NAMES[name]
        return RECIPES[recipe], seed
    recipe, _, seed = name.rpartition("-")
    if recipe in RECIPES and seed.isdecimal() and at_seed(recipe, int(seed)) == name:
        return RECIPES[recipe], int(seed)
    raise ValueError(f"there is no recipe for {name!r}; there are: {', '.join(NAMES)}")


def remake(name: str, *, folder: Path = FOLDER, progress=True) -> Card:
    """Follow the recipe and keep what it makes; until that is whole, the old checkpoint stays."""
    recipe, seed = recipe_of(name)
    start, parent_weights = _parent(recipe, seed, folder)
    made_by = recipe.made_by(parent_weights)  # now: files may change while the training runs
    measured_by = recipe.measured_by()
    store.check_folder(folder)
    model, history = train(recipe, seed, start, progress=progress)
    weights = store.pack(model)  # rounds the model, too
    kept = weights if recipe.keeps(seed) else None
    card = Card(
        name=name,
        data=recipe.data,
        config=model.config,
        parameters=sum(weight.numel() for weight in model.parameters()),
        seed=seed,
        steps=history.steps,
        tokens=history.tokens[-1],
        seconds=round(history.seconds[-1], 1),
        threads=torch.get_num_threads(),
        first_losses=[round(loss, 4) for loss in history.losses[:20]],
        final_loss=round(history.final_loss, 4),
        results=_results(recipe, model),
        curve=[
            (history.tokens[step - 1], round(history.seconds[step - 1], 1), round(value, 4))
            for step, value in history.measured
        ],
        torch_version=store.torch_version(),
        weights_sha256=kept and store.sha256(kept),
        made_by=made_by,
        measured_by=measured_by,
    )
    store.write_checkpoint(card, kept, folder=folder)
    return card


def stale(name: str, *, folder: Path = FOLDER) -> dict[str, list[str]]:
    """What has changed, by name, since the checkpoint was made, and since it was measured."""
    recipe, seed = recipe_of(name)
    card = read_card(name, folder=folder)
    parent = read_card(at_seed(recipe.parent, seed), folder=folder) if recipe.parent else None
    made_by = recipe.made_by(parent and parent.weights_sha256)
    return {
        "made": changes(card.made_by, made_by),
        "measured": changes(card.measured_by, recipe.measured_by()),
    }


def measure(name: str, *, folder: Path = FOLDER) -> Card:
    """Measure a checkpoint again, as its recipe now says, and keep the results on its card."""
    recipe, _ = recipe_of(name)
    measured_by = recipe.measured_by()
    model, card = store.load_checkpoint(name, folder=folder)
    card = replace(card, results=_results(recipe, model), measured_by=measured_by)
    store.write_card(card, folder=folder)
    return card


def rehearse(name: str, *, folder: Path = FOLDER) -> float:
    """Train the first steps again: how far their losses are from those on the card, in nats."""
    recipe, seed = recipe_of(name)
    card = read_card(name, folder=folder)
    start, _ = _parent(recipe, seed, folder)
    losses = first_losses(recipe, seed, start, len(card.first_losses))
    return max(abs(a - b) for a, b in zip(losses, card.first_losses, strict=True))


def accept(name: str, *, measured=False, folder: Path = FOLDER) -> float:
    """Keep the weights although what made them has changed, because it still trains alike: as far
    as a rehearsal can tell, and you by what `stale` names. Returns the rehearsal's distance; raises
    ValueError, and accepts nothing, if that is more than rounding.

    Of what measured it nothing is accepted: measure it again. But where only the card is kept there
    is nothing to measure, and what has trained alike is taken to measure alike. measured: there,
    all that measures is accepted, for you have seen that another model still measures alike.
    """
    apart = rehearse(name, folder=folder)
    if apart > 1e-3:
        raise ValueError(
            f"{name}: the first losses are up to {apart:.4f} nats from those on the card, so it no "
            f"longer trains alike; make it again: python -m utils.checkpoints remake {name}"
        )
    recipe, seed = recipe_of(name)
    _, parent_weights = _parent(recipe, seed, folder)
    card, made_by = read_card(name, folder=folder), recipe.made_by(parent_weights)
    measured_by = card.measured_by
    if card.weights_sha256 is None and measured:
        measured_by = recipe.measured_by()
    elif card.weights_sha256 is None:
        tried = {piece: found for piece, found in made_by.items() if piece.startswith("utils.")}
        measured_by = {piece: tried.get(piece, found) for piece, found in measured_by.items()}
    card = replace(card, made_by=made_by, measured_by=measured_by)
    store.write_card(card, folder=folder)
    return apart


def _parent(recipe: Recipe, seed: int, folder: Path) -> tuple[Transformer | None, str | None]:
    """The model that a training starts from, and the hash of its weights."""
    if recipe.parent is None:
        return None, None
    model, card = store.load_checkpoint(recipe.parent, seed, folder=folder)
    return model, card.weights_sha256


def _results(recipe, model):
    found = recipe.results(model.eval(), recipe.world())
    return {key: round(value, 4) for key, value in found.items()}
