"""How many moves of `Groups` can be followed, by whoever answers at once, writes each state, or
fills in states pass by pass; and what a wrong state does to those that come after it.

Each function returns what is right, (rows, n) bool: the state after 1, 2, ..., n moves.
"""

from __future__ import annotations

import torch

from utils.generation import diffusion
from utils.generation.sampling import generate
from utils.text.numbers import SEED, whole
from utils.worlds.struck import KINDS, strike, wrong_states


@torch.no_grad()
def at_once(model, world, rows):
    """A causal model says the state after each move when it has read that move. One pass."""
    said = model(rows[:, : world.n + 1])[:, 1:].argmax(-1)
    return said == rows[:, world.states]


@torch.no_grad()
def one_blank(model, world, rows):
    """A denoiser reads `<s>`, k moves, `=` and one blank, for each k. One pass each."""
    found = []
    for k in range(1, world.n + 1):
        asked = shortened(world, rows, k)
        asked[:, -1] = world.vocab.mask_id
        found.append(diffusion.log_probs(model, asked, world.vocab.mask_id)[:, -1].argmax(-1))
    return torch.stack(found, 1) == rows[:, world.states]


def shortened(world, rows, k):
    """`<s>`, the first k moves, `=` and the state they lead to: (rows, k + 3)."""
    k = _among(world, "k", k, least=1)
    equals = rows[:, world.moves.stop : world.states.start]
    last = rows[:, world.states][:, k - 1 : k]
    return torch.cat([rows[:, : 1 + k], equals, last], 1)


def written(model, world, rows):
    """A causal model reads all moves and writes one state after the other."""
    said = generate(model, rows[:, : world.states.start], world.n)
    return (said == rows)[:, world.states]


def filled(model, world, rows, *, passes, order, generator=None):
    """A denoiser fills in n blanks, in so many passes and in this order of `diffusion.ORDERS`."""
    passes = _among(world, "passes", passes, least=1)
    blank = rows.clone()
    blank[:, world.states] = world.vocab.mask_id
    how = {"steps": passes, "order": order, "generator": generator}
    said = diffusion.sample(model, blank, world.vocab.mask_id, **how)
    return (said == rows)[:, world.states]


@torch.no_grad()
def onward(model, world, rows, k):
    """A denoiser is given the first k states and says all others in one pass."""
    k = _among(world, "k", k, least=0)
    asked = rows.clone()
    asked[:, world.states][:, k:] = world.vocab.mask_id
    said = diffusion.log_probs(model, asked, world.vocab.mask_id).argmax(-1)
    return (said.where(asked == world.vocab.mask_id, rows) == rows)[:, world.states]


# -- the price of a wrong line ---------------------------------------------------------------------


def after_one(model, world, rows, k, put):
    """The first k states are right but for the last of them, which is `put`, (rows,) int64; then
    the causal model writes on."""
    k = _among(world, "k", k, least=1)
    begun = rows[:, : world.states.start + k].clone()
    begun[:, -1] = put
    said = generate(model, begun, world.n - k)
    return (said == rows)[:, world.states]


def hidden_late(model, world, rows, k, put, *, more):
    """The same, but once the causal model has written so many more states, `put` alone is smudged;
    it stays so, the states written on it stay, too, and the model writes on."""
    k = _among(world, "k", k, least=1)
    more = whole("more", more, f"{world.n - k} states are left", least=0, most=world.n - k)
    begun = rows[:, : world.states.start + k].clone()
    begun[:, -1] = put
    begun = generate(model, begun, more)
    begun[:, world.states.start + k - 1] = world.vocab.mask_id
    said = generate(model, begun, world.n - k - more)
    return (said == rows)[:, world.states]


def around_one(model, world, rows, k, put, *, order="left-to-right"):
    """A denoiser fills in all other states around one that was put there, one in each pass. Where
    that one is a mask, it is filled in, too."""
    k = _among(world, "k", k, least=1)
    asked = rows.clone()
    asked[:, world.states] = world.vocab.mask_id
    asked[:, world.states.start + k - 1] = put
    said = diffusion.sample(model, asked, world.vocab.mask_id, order=order)
    return (said == rows)[:, world.states]


@torch.no_grad()
def past_struck(model, world, rows, *, count, kind, seed):
    """Before so many lines of each text, drawn at random, something is struck out; one seed gives
    the same lines and wrong states for every kind. Returns which lines a causal model gets right,
    (rows, n) bool, and after which wrong states it would write `undo`, (rows * count,) bool, empty
    for other kinds.

    Every line is written after right ones, so a row that is all True is what the model writes by
    itself, taking the likeliest, when just these lines are put before its own.
    """
    count = _among(world, "count", count, least=0)
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    first = torch.rand(len(rows), world.n, generator=dice).topk(world.n).indices[:, :count]
    before = torch.zeros(len(rows), world.n, dtype=torch.bool).scatter_(1, first, True)
    wrong = wrong_states(world, rows, generator=dice)
    texts = strike(world, rows, before, torch.full_like(wrong, KINDS.index(kind)), wrong)
    right = model(texts.tokens[:, :-1]).argmax(-1) == texts.tokens[:, 1:]
    lines = right[texts.line[:, 1:]].view(len(rows), world.n)
    return lines, right[texts.caught[:, 1:]]


def _among(world, name, value, *, least):
    return whole(name, value, f"there are {world.n} moves", least=least, most=world.n)
