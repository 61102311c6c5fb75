"""Models of `Groups`: they answer at once, write each state, loop, or fill in blanks."""

from dataclasses import replace
from functools import partial

import torch
from torch.nn.functional import cross_entropy

from utils.checkpoints.recipe import Recipe
from utils.experiments import serial
from utils.generation import diffusion
from utils.models.looped import looped
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.worlds.groups import Groups
from utils.worlds.struck import KINDS, strike, wrong_states

LOOPS = 4


def shape(world, *, layers=2, causal=True):
    return TransformerConfig(
        len(world.vocab), d_model=64, n_layers=layers, max_len=64, causal=causal
    )


def batches(world, seed):
    return world_batches(world, batch_size=128, seed=100_000 * seed + 1)


def fresh(world):
    return world.sample(500, seed=10_000_019)


def at_the_end(right):
    """Share of texts whose last state is right."""
    return {"right_after_all_moves": float(right[:, -1].double().mean())}


# -- answering at once -----------------------------------------------------------------------------


def next_states(model, rows, world):
    """The state after each move, when that move has been read."""
    logits = model(rows[:, : world.n + 1])[:, 1:]
    return cross_entropy(logits.flatten(0, 1), rows[:, world.states].flatten())


def answered(model, world):
    return at_the_end(serial.at_once(model, world, fresh(world)))


def next_states_looped(model, rows, world):
    return next_states(looped(model, LOOPS), rows, world)


def answered_looped(model, world):
    return answered(looped(model, LOOPS), world)


def one_hidden_state(model, rows, world):
    """A denoiser's answer to the first k moves, k drawn for each batch."""
    k = int(torch.randint(1, world.n + 1, ()))
    short = serial.shortened(world, rows, k)
    frozen = torch.arange(short.shape[1]) < short.shape[1] - 1
    return diffusion.loss(model, short, world.vocab.mask_id, frozen=frozen)


def named(model, world):
    return at_the_end(serial.one_blank(model, world, fresh(world)))


# -- writing each state ----------------------------------------------------------------------------


def written_states(model, rows, world):
    return _states(model, rows, rows, world)


def wrote(model, world):
    return at_the_end(serial.written(model, world, fresh(world)))


SMUDGED = 0.1  # share of the states that cannot be read


def states_some_smudged(model, rows, world):
    """The same where some of the states, once written, can no longer be read."""
    shown = rows.clone()
    hidden = torch.rand(len(rows), world.n) < SMUDGED
    shown[:, world.states] = shown[:, world.states].masked_fill(hidden, world.vocab.mask_id)
    return _states(model, shown, rows, world)


def _states(model, shown, rows, world):
    before_each = (slice(None), slice(world.states.start - 1, None))
    said = model(shown[:, :-1], where=before_each)
    return cross_entropy(said.flatten(0, 1), rows[:, world.states].flatten())


STRUCK, MOST_STRUCK = 0.15, 4  # share of the lines with a struck one before, and most in a text


def lines_some_struck(model, rows, world):
    """The lines that stand, and `undo` after a wrong one; what is struck out is no target."""
    before = torch.rand(len(rows), world.n) < STRUCK
    before &= before.cumsum(1) <= MOST_STRUCK
    kinds = torch.randint(len(KINDS), before.shape)
    texts = strike(world, rows, before, kinds, wrong_states(world, rows))
    foreseen = (texts.line | texts.caught)[:, 1:]
    logits = model(texts.tokens[:, :-1], where=foreseen)
    return cross_entropy(logits, texts.tokens[:, 1:][foreseen])


# -- filling in all states -------------------------------------------------------------------------


def hidden_states(model, rows, world):
    frozen = torch.arange(world.length) < world.states.start
    return diffusion.loss(model, rows, world.vocab.mask_id, frozen=frozen)


def filled_in(model, world):
    how = {"passes": world.n, "order": "confidence"}
    return at_the_end(serial.filled(model, world, fresh(world), **how))


AT_ONCE = Recipe(
    about="A causal model that says the state after each move at once; two layers.",
    data="Groups('cups'), 1200 batches of 128 texts",
    world=Groups,
    config=shape,
    batches=batches,
    loss=next_states,
    steps=1200,
    lr=3e-3,
    results=answered,
    seeds=(0, 1, 2),
)
WRITING = replace(
    AT_ONCE,
    about="A causal model that writes each state and reads what it wrote; two layers.",
    data="Groups('cups'), 400 batches of 128 texts",
    loss=written_states,
    steps=400,
    results=wrote,
)
FILLING = replace(
    AT_ONCE,
    about="A denoiser that fills in all states.",
    config=partial(shape, causal=False),
    loss=hidden_states,
    results=filled_in,
)
RECIPES = {
    "groups-at-once": AT_ONCE,
}
