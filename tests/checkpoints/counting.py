"""A tiny recipe that trains in a moment: a model that learns to count, and one that goes on."""

from dataclasses import replace

import torch

from utils.checkpoints.recipe import Recipe
from utils.models.transformer import TransformerConfig
from utils.training.losses import next_token_loss


class Counting:
    """Texts that count up from anywhere, modulo 10."""

    def texts(self, n, seed):
        generator = torch.Generator().manual_seed(seed)
        return (torch.randint(10, (n, 1), generator=generator) + torch.arange(8)) % 10


def shape(world):
    return TransformerConfig(vocab_size=10, d_model=16, n_layers=1, n_heads=2, max_len=16)


def batches(world, seed):
    while True:
        yield world.texts(16, seed)
        seed += 1


def next_numbers(model, batch, world):
    return next_token_loss(model, batch)


@torch.no_grad()
def total(model, world):
    return float(model.output.sum())


def results(model, world):
    return {"total": total(model, world)}


TINY = Recipe(
    about="A tiny model that counts.",
    data="Counting(), 20 batches of 16 texts",
    world=Counting,
    config=shape,
    batches=batches,
    loss=next_numbers,
    steps=20,
    lr=1e-2,
    results=results,
    progress=total,
    progress_at=(0.5,),
    seeds=(0, 1),
)
RECIPES = {"tiny": TINY, "more": replace(TINY, about="The same, trained further.", parent="tiny")}
NAMES = {"tiny": ("tiny", 0), "tiny-1": ("tiny", 1), "more": ("more", 0), "more-1": ("more", 1)}
