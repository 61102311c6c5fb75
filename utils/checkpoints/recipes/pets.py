"""Two models of `PETS`, a language of 54 sentences: a denoiser, and a causal one of its size."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.generation import diffusion
from utils.generation.sampling import score
from utils.measure import enumeration
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import next_token_loss
from utils.worlds.pets import PETS
from utils.worlds.sentences import Sentences


def pets():
    return Sentences(PETS)


def tiny(world, *, causal):
    return TransformerConfig(
        len(world.vocab), d_model=32, n_layers=2, max_len=world.length, causal=causal
    )


def batches(world, seed):
    return world_batches(world, batch_size=64, seed=seed + 1)


def hidden_words(model, rows, world):
    start = torch.arange(world.length) < 1
    return diffusion.loss(model, rows, world.vocab.mask_id, frozen=start)


def next_words(model, rows, world):
    return next_token_loss(model, rows)


def bound_above_entropy(model, world):
    texts, mask_id = world.sample(4000, seed=10_000_019).unique(dim=0), world.vocab.mask_id

    def say(tokens):
        return diffusion.log_probs(model, tokens, mask_id)

    table = enumeration.table(say, texts, range(1, world.length), mask_id)
    truth = world.log_prob(texts)
    excess = (truth.exp() * (truth - enumeration.elbo(table))).sum()
    return {"bound_above_entropy_nats_per_text": float(excess)}


@torch.no_grad()
def surprise_above_entropy(model, world):
    texts = world.sample(4000, seed=10_000_019).unique(dim=0)
    truth = world.log_prob(texts)
    excess = (truth.exp() * (truth - score(model, texts).sum(-1))).sum()
    return {"surprise_above_entropy_nats_per_text": float(excess)}


DENOISER = Recipe(
    about="A diffusion model of a language of 54 sentences.",
    data="Sentences(PETS), 2000 batches of 64 sentences",
    world=pets,
    config=partial(tiny, causal=False),
    batches=batches,
    loss=hidden_words,
    steps=2000,
    lr=4e-3,
    results=bound_above_entropy,
)
RECIPES = {
    "pets-diffusion": DENOISER,
    "pets-ar": replace(
        DENOISER,
        about="A causal model of the same language, of the same size.",
        config=partial(tiny, causal=True),
        loss=next_words,
        results=surprise_above_entropy,
    ),
}
