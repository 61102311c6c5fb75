"""Causal models of `Couplets`: as usual, myopic, and with a narrow way from line to line."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.experiments.planning import information_used, myopic, narrow
from utils.generation.sampling import generate
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import next_token_loss
from utils.worlds.couplets import Couplets


def shape(world, n_layers=2):
    return TransformerConfig(len(world.vocab), d_model=48, n_layers=n_layers, max_len=world.length)


def batches(world, seed):
    return world_batches(world, batch_size=64, seed=100_000 * seed + 1)


def next_words(model, rows, world):
    return next_token_loss(model, rows)


def for_itself(model, rows, world):
    with myopic(model):
        return next_token_loss(model, rows)


def through_the_break(model, rows, world):
    with narrow(model, world.at["break"]):
        return next_token_loss(model, rows)


def quality(model, world):
    rows = world.sample(1000, seed=10_000_019)
    dice = torch.Generator().manual_seed(0)
    line = rows[:, : world.at["link"]]
    written = generate(model, line, 4, temperature=1.0, cache=False, generator=dice)
    rhymes, agrees = world.fits(written)
    return {
        "information_used": information_used(model, world, rows),
        "rhymes": float(rhymes.double().mean()),
        "agrees": float(agrees.double().mean()),
    }


def quality_through_the_break(model, world):
    with narrow(model, world.at["break"]):
        return quality(model, world)


USUAL = Recipe(
    about="A causal model of couplets.",
    data="Couplets(), 1300 batches of 64 couplets",
    world=Couplets,
    config=shape,
    batches=batches,
    loss=next_words,
    steps=1300,
    lr=5e-3,
    results=quality,
    seeds=(0, 1, 2),
)
RECIPES = {
    "couplets-ar": USUAL,
    "couplets-myopic": replace(
        USUAL,
        about="The same, but no loss at a later word reaches what an earlier position computes.",
        data="Couplets(), 3900 batches of 64 couplets",
        loss=for_itself,
        steps=3900,
    ),
    "couplets-narrow": replace(
        USUAL,
        about="A causal model that sees the first line only through the end of that line.",
        data="Couplets(), 2000 batches of 64 couplets",
        config=partial(shape, n_layers=3),
        loss=through_the_break,
        steps=2000,
        results=quality_through_the_break,
    ),
}
