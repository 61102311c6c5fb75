"""Causal models of lists of additions: running totals, or sums that build on no other."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import answer_loss
from utils.worlds.totals import Totals


def small(world):
    return TransformerConfig(len(world.vocab), d_model=64, n_layers=2, max_len=world.length)


def batches(world, seed):
    return world_batches(world, batch_size=32, seed=100_000 * seed + 1)


def answers(model, rows, world):
    return answer_loss(model, rows)


@torch.no_grad()
def errors(model, world):
    """Share of answers that are wrong when all answers before them are right."""
    rows = world.sample(1000, seed=10_000_019)
    wrong = model(rows)[:, 1::2].argmax(-1) != rows[:, 2::2]
    return {"errors_after_right_answers": float(wrong.double().mean())}


RUNNING = Recipe(
    about="A causal model of running totals: each answer builds on the answer before it.",
    data="Totals(carry=True), 1200 batches of 32 lists",
    world=partial(Totals, carry=True),
    config=small,
    batches=batches,
    loss=answers,
    steps=1200,
    lr=4e-3,
    results=errors,
    seeds=(0, 1, 2),
)
RECIPES = {
    "totals-running": RUNNING,
    "totals-pairs": replace(
        RUNNING,
        about="A causal model of lists of additions that build on no other.",
        data="Totals(carry=False), 1200 batches of 32 lists",
        world=partial(Totals, carry=False),
    ),
}
