"""One layer that says where the cups of `Groups` are after each move: used once, over and over, and
with feedback. Deeper ones stand in `groups.py`."""

from dataclasses import replace
from functools import partial

import torch
from torch.nn.functional import cross_entropy

from utils.checkpoints.recipe import Recipe
from utils.models.feedback import Feedback
from utils.models.looped import looped
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.worlds.groups import Groups

LONGEST = 24  # moves that a model can read


def shape(world, **how):
    return TransformerConfig(len(world.vocab), max_len=LONGEST + 1, **how)


def batches(world, seed):
    return world_batches(world, batch_size=128, seed=100_000 * seed + 1)


def next_states(model, rows, world):
    """The state after each move, when that move has been read."""
    logits = model(rows[:, : world.n + 1])[:, 1:]
    return cross_entropy(logits.flatten(0, 1), rows[:, world.states].flatten())


@torch.no_grad()
def right_at_the_end(model, world):
    rows = world.sample(300, seed=10_000_019)
    said = model(rows[:, : world.n + 1])[:, -1].argmax(-1)
    return {"right_after_all_moves": float((said == rows[:, -1]).double().mean())}


def next_states_with_feedback(model, rows, world):
    return next_states(Feedback(model), rows, world)


def right_with_feedback(model, world):
    return right_at_the_end(Feedback(model), world)


LOOPS = 4


def next_states_looped(model, rows, world):
    return next_states(looped(model, LOOPS), rows, world)


def right_looped(model, world):
    return right_at_the_end(looped(model, LOOPS), world)


FEEDBACK = Recipe(
    about="One layer whose keys and values come from what it made of earlier tokens itself.",
    data="Groups('cups'), 500 batches of 128 texts",
    world=Groups,
    config=partial(shape, d_model=64, n_layers=1),
    batches=batches,
    loss=next_states_with_feedback,
    steps=500,
    lr=5e-3,
    results=right_with_feedback,
    seeds=(0, 1, 2),
)
RECIPES = {
    "cups-feedback": FEEDBACK,
    "cups-looped": replace(
        FEEDBACK,
        about="The same layer without feedback, gone through four times.",
        loss=next_states_looped,
        results=right_looped,
    ),
    "cups-plain": replace(
        FEEDBACK,
        about="The same layer without feedback, gone through once.",
        loss=next_states,
        results=right_at_the_end,
    ),
}
