"""Models of `Topics`, where the next word follows from what was read long before."""

from dataclasses import replace
from functools import partial

from utils.checkpoints.recipe import Recipe
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import next_token_loss
from utils.worlds.topics import Topics


def shape(world):
    return TransformerConfig(len(world.vocab), d_model=48, n_layers=2, max_len=world.length)


def batches(world, seed):
    return world_batches(world, batch_size=64, seed=100_000 * seed + 1)


def next_words(model, rows, world):
    return next_token_loss(model, rows)


def above_exact(model, world):
    """How much more each token surprises the model than one who knows the language."""
    rows = world.sample(1000, seed=10_000_019)
    exact = -float(world.log_prob(rows).mean()) / (world.length - 1)
    return {"nats_above_exact": float(next_token_loss(model, rows).detach()) - exact}


PLAIN = Recipe(
    about="A causal model of `Topics`.",
    data="Topics(), 160 batches of 64 texts",
    world=Topics,
    config=shape,
    batches=batches,
    loss=next_words,
    steps=160,
    lr=3e-3,
    results=above_exact,
    seeds=(0, 1, 2),
)
RECIPES = {
    "topics-ar": PLAIN,
    "topics-lines-ar": replace(
        PLAIN,
        about="A causal model of `Topics` where every fourth place holds a full stop.",
        data="Topics(line=4), 640 batches of 64 texts",
        world=partial(Topics, line=4),
        steps=640,
    ),
}
