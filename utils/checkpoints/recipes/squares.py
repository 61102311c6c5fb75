"""Models of `Squares`: a masked denoiser, one that writes on a canvas of noise, a causal one."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.generation import canvas, diffusion
from utils.generation.sampling import generate
from utils.generation.uniform import disturb
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import loss_without
from utils.worlds.squares import Squares


def shape(world, **how):
    return TransformerConfig(
        len(world.vocab), d_model=48, n_layers=4, max_len=world.length, causal=False, **how
    )


def batches(world, seed):
    return world_batches(world, batch_size=64, seed=100_000 * seed + 1)


def questions(world):
    """Of squares that were never in a sample."""
    return world.sample(500, seed=10_000_019, held_out=True)


def valid(world, rows):
    return {"valid": float(world.valid(rows).double().mean())}


# -- a masked denoiser -----------------------------------------------------------------------------


def hidden_answers(model, rows, world):
    return diffusion.loss(model, rows, world.vocab.mask_id, frozen=world.question)


def filled_in(model, world):
    mask_id = world.vocab.mask_id
    blank = questions(world).masked_fill(~world.question, mask_id)
    return valid(world, diffusion.sample(model, blank, mask_id))


# -- a model that is shown noise and its last guess ------------------------------------------------


def disturbed_answers(model, rows, world):
    return canvas.loss(model, rows, range(world.order), frozen=world.question)


def on_a_canvas(model, world, *, seed=0):
    dice = torch.Generator().manual_seed(seed)
    digits, rows = range(world.order), questions(world)
    noise = disturb(rows, 1.0, digits, frozen=world.question, generator=dice)
    how = {"passes": 32, "self_condition": True, "generator": dice}
    return valid(world, canvas.write(model, noise, world.answer, digits, **how))


# -- a causal model, which reads the question first ------------------------------------------------


def left_to_right(world):
    return replace(shape(world), causal=True)


def next_cells(model, rows, world):
    return loss_without(model, rows, world.question.expand(len(rows), -1))


def continued(model, world):
    return valid(world, generate(model, questions(world)[:, : world.answer.start], world.cells))


MASKED = Recipe(
    about="A masked diffusion model of the answers of `Squares`: the question is always given.",
    data="Squares(), answers to 2400 batches of 64 questions",
    world=Squares,
    config=shape,
    batches=batches,
    loss=hidden_answers,
    steps=2400,
    lr=4e-3,
    results=filled_in,
    seeds=(0, 1, 2),
)
RECIPES = {
    "squares-diffusion": MASKED,
    "squares-canvas": replace(
        MASKED,
        about="The same with uniform noise, and shown its own last guess (self-conditioning).",
        data="Squares(), answers to 2000 batches of 64 questions, disturbed",
        config=partial(shape, tie_embeddings=False),
        loss=disturbed_answers,
        steps=2000,
        results=on_a_canvas,
    ),
    "squares-ar": replace(
        MASKED,
        about="A causal model of the same answers, cell after cell; the question stands before.",
        config=left_to_right,
        loss=next_cells,
        results=continued,
    ),
}
