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
        len(world.vocab), d_model=48, n_layers=layers, max_len=64, causal=causal
    )


def batches(world, seed):
    return world_batches(world, batch_size=64, seed=100_000 * seed + 1)


def fresh(world):
    return world.sample(300, seed=10_000_019)


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

SMUDGED = 0.25  # share of the states that cannot be read


def written_states(model, rows, world):
    """Each state, after those before it, of which some can no longer be read."""
    shown = rows.clone()
    hidden = torch.rand(len(rows), world.n) < SMUDGED
    shown[:, world.states] = shown[:, world.states].masked_fill(hidden, world.vocab.mask_id)
    before_each = (slice(None), slice(world.states.start - 1, None))
    said = model(shown[:, :-1], where=before_each)
    return cross_entropy(said.flatten(0, 1), rows[:, world.states].flatten())


def wrote(model, world):
    return at_the_end(serial.written(model, world, fresh(world)))


STRUCK, MOST_STRUCK = 0.15, 3  # share of the lines with a struck one before, and most in a text


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
    about="A causal model of two layers that says the state after each move at once.",
    data="Groups('cups'), 1200 batches of 64 texts",
    world=Groups,
    config=shape,
    batches=batches,
    loss=next_states,
    steps=1200,
    lr=3e-3,
    results=answered,
)
FOUR = replace(
    AT_ONCE,
    about="The same with four layers.",
    config=partial(shape, layers=4),
    seeds=(0, 1, 2),
)
WRITER = replace(
    AT_ONCE,
    about="A causal model of two layers that writes each state and reads what it wrote.",
    data="Groups('cups'), 800 batches of 64 texts, a quarter of the states smudged",
    loss=written_states,
    steps=800,
    lr=5e-3,
    results=wrote,
    seeds=(0, 1, 2),
)
FILLER = replace(
    AT_ONCE,
    about="A denoiser of two layers that fills in all states.",
    data="Groups('cups'), 1500 batches of 64 texts",
    config=partial(shape, causal=False),
    loss=hidden_states,
    steps=1500,
    lr=4e-3,
    results=filled_in,
    seeds=(0, 1, 2),
)
RECIPES = {
    "groups-two-layers": AT_ONCE,
    "groups-four-layers": FOUR,
    "groups-four-layers-longer": replace(
        FOUR,
        about="The same with four layers, trained two and a half times as long.",
        data="Groups('cups'), 3000 batches of 64 texts",
        steps=3000,
    ),
    "groups-one-layer": replace(
        AT_ONCE,
        about="The same with one layer.",
        config=partial(shape, layers=1),
    ),
    "groups-looped": replace(
        AT_ONCE,
        about="The same with one layer, gone through four times.",
        config=partial(shape, layers=1),
        loss=next_states_looped,
        results=answered_looped,
    ),
    "groups-writer": WRITER,
    "groups-retries": replace(
        WRITER,
        about="The same, trained further; some lines were struck out before they were written.",
        data="Groups('cups'), 1200 batches of 64 texts, some lines struck",
        loss=lines_some_struck,
        steps=1200,
        parent="groups-writer",
    ),
    "groups-filler": FILLER,
    "groups-blank": replace(
        AT_ONCE,
        about="A denoiser of two layers with one blank, for the state after the last move.",
        data="Groups('cups'), 1200 batches of 64 texts, cut short",
        config=partial(shape, causal=False),
        loss=one_hidden_state,
        results=named,
    ),
    "clock-four-layers": replace(
        FOUR,
        about="A causal model of four layers that says at once where the clock's hand is.",
        data="Groups('clock'), 1200 batches of 64 texts",
        world=partial(Groups, "clock"),
    ),
    "clock-filler": replace(
        FILLER,
        about="A denoiser of two layers that fills in where the clock's hand is.",
        data="Groups('clock'), 1500 batches of 64 texts",
        world=partial(Groups, "clock"),
    ),
    "dial-two-layers": replace(
        AT_ONCE,
        about="A causal model of two layers that says at once where one is on the dial.",
        data="Groups('dial'), 1200 batches of 64 texts",
        world=partial(Groups, "dial"),
    ),
}
