"""A recipe: all that a checkpoint depends on, as data.

The files in `recipes/` hold the book's; `python -m utils.checkpoints show NAME` prints one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from utils.checkpoints.provenance import provenance
from utils.models.transformer import Transformer, TransformerConfig
from utils.training.fit import History, fit


@dataclass(frozen=True)
class Recipe:
    """How a model is trained, and how what it has learned is measured.

    about: one line on what it is. data: one line on what it has seen.
    world: makes the language or the text that it learns.
    config: `config(world)` -> the model's shape.
    batches: `batches(world, seed)` -> what it is fed, batch by batch.
    loss: `loss(model, batch, world)` -> what it minimises, a scalar in nats.
    results: `results(model, world)` -> {name: number}, units in the name.
    progress, progress_at: `progress(model, world)` -> a number, at these shares of the way.
    seeds: it is made once for each. parent: the checkpoint that it starts from, at the same seed.
    weights_of: the seeds whose weights are kept; of the others only the card is. None: all.
    """

    about: str
    data: str
    world: Callable[[], Any]
    config: Callable[[Any], TransformerConfig]
    batches: Callable[[Any, int], Iterable]
    loss: Callable
    steps: int
    lr: float
    results: Callable[[Transformer, Any], dict[str, float]]
    progress: Callable[[Transformer, Any], float] | None = None
    progress_at: tuple[float, ...] = ()
    seeds: tuple[int, ...] = (0,)
    parent: str | None = None
    weights_of: tuple[int, ...] | None = None

    def keeps(self, seed: int) -> bool:
        """Whether the weights made at this seed are kept, or only their card."""
        return self.weights_of is None or seed in self.weights_of

    def made_by(self, parent_weights: str | None) -> dict[str, str]:
        """{name: fingerprint} of all that the weights depend on, by name: settings, functions near
        and far, constants, the parent's weights. What only describes or measures does not count."""
        measured = {"results", "progress", "progress_at"}
        described = {"about", "data", "seeds", "weights_of"} | measured
        settings = {name: v for name, v in vars(self).items() if name not in described}
        found = provenance(settings | {"train": train})
        return found | ({"parent_weights": parent_weights} if parent_weights else {})

    def measured_by(self) -> dict[str, str]:
        """The same of how it is measured."""
        return provenance({"world": self.world, "results": self.results})


def train(
    recipe, seed: int, start: Transformer | None, *, loss=None, **how
) -> tuple[Transformer, History]:
    """Follow a recipe, from the weights of `start` where it has a parent. how: for `fit`.

    `recipe` has no annotation: all that this code names counts as what the weights depend on, and
    how `Recipe` takes fingerprints is no part of that.
    """
    world = recipe.world()
    model = start or Transformer(recipe.config(world), seed=seed)
    loss = loss or recipe.loss
    history = fit(
        model,
        recipe.batches(world, seed),
        lambda model, batch: loss(model, batch, world),
        steps=recipe.steps,
        lr=recipe.lr,
        seed=seed,
        measure=lambda model: recipe.progress(model, world),
        measure_at=recipe.progress_at,
        **how,
    )
    return model, history


class _Enough(Exception):
    """Ends a rehearsal."""


def first_losses(recipe: Recipe, seed: int, start: Transformer | None, n=20) -> list[float]:
    """The losses of the first n steps, to see whether changed code still trains alike."""
    losses = []

    def watched(model, batch, world):
        if len(losses) == n:
            raise _Enough
        loss = recipe.loss(model, batch, world)
        losses.append(round(loss.item(), 4))
        return loss

    with suppress(_Enough):
        train(recipe, seed, start, loss=watched, progress=False)
    return losses
