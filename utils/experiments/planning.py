"""Is the last word chosen before the line is written? Experiments on `Couplets`.

To *read* a word to come in a model's states, to *change* it by changing a state, and to find it
*settled* before it is written are three different things: `measure/probes.py` reads,
`measure/patching.py` changes, `shares_moved` says how much, `open_words` what is not settled. Two
models are trained otherwise than by their parts alone: a *myopic* one is not told what later words
would have needed (Wu et al. 2024, arXiv:2404.00859), and a *narrow* one sees the first line only
through the end of that line.
"""

from __future__ import annotations

from contextlib import contextmanager

import torch

from utils.measure.patching import hooked, patched, states

# -- models that are trained otherwise ------------------------------------------------------------


@contextmanager
def myopic(model):
    """Within this, no loss at a later position reaches what an earlier one hands on, in any layer:
    later positions look back at its states, the word's own vector included, and change none of
    them. What the model computes is the same, and what it learns is another thing: what a position
    computes is there for its own next token alone, and later positions make do with that.

    The matrices, which all positions share, learn from all losses; so does the vector of a word
    where it is a row of the output. So it is in Wu et al.
    """
    layers = [layer.attention for layer in model.layers]
    for attention in layers:
        attention.forward = _short_sighted(attention)
    try:
        yield
    finally:
        for attention in layers:
            del attention.forward


def _short_sighted(attention):
    def forward(x, rotary, mask, cache=None, where=...):
        q, k, v = attention.project(x, rotary)
        _, past_k, past_v = attention.project(x.detach(), rotary)
        own = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        scores = torch.where(own, q @ k.transpose(-2, -1), q @ past_k.transpose(-2, -1))
        scores = (scores / attention.head_dim**0.5).masked_fill(~mask, -torch.inf)
        weights = scores.softmax(-1)
        gathered = weights.masked_fill(own, 0) @ past_v + weights.diagonal(0, -2, -1)[..., None] * v
        return gathered.transpose(1, 2).flatten(2)[where] @ attention.out

    return forward


@contextmanager
def narrow(model, gate):
    """Within this, positions after `gate` see nothing before it but through it: they may look at
    `gate` and at what follows it."""

    def hide(layer, given):
        x, rotary, mask, *others = given
        at = torch.arange(mask.shape[1], device=mask.device)
        return (x, rotary, mask & ~((at[-len(mask) :, None] > gate) & (at < gate)), *others)

    with hooked(layer.register_forward_pre_hook(hide) for layer in model.layers):
        yield


# -- what a model says of a couplet ----------------------------------------------------------------


@torch.no_grad()
def number_odds(model, world, rows):
    """Log-odds of *these* against *this* where the number is due, in nats: (n,)."""
    said = model(rows[:, : world.at["number"]])[:, -1]
    this, these = (world.vocab.id(word) for word in ("this", "these"))
    return said[:, these] - said[:, this]


def information_used(model, world, rows):
    """How much of what the first line says of the number a model uses: 1 if its chances of *these*
    are the exact ones, 0 if it does no better than one that always gives the average."""
    exact = world.open_words(rows[:, : world.at["number"]]) @ world.plural.double()
    said = number_odds(model, world, rows).double().sigmoid()
    average = world.plural_share().mean().expand_as(exact)
    return float(1 - _apart(exact, said) / _apart(exact, average))


def _apart(p, q):
    """The mean divergence of two chances, in nats."""
    return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()


@torch.no_grad()
def last_odds(model, world, rows, one, other):
    """Log-odds of the last word `one` against `other`, ids (n,), where it is due, in nats: (n,)."""
    said = model(rows[:, : world.at["last"]])[:, -1]
    return said.gather(1, one[:, None])[:, 0] - said.gather(1, other[:, None])[:, 0]


@torch.no_grad()
def open_words(model, world, rows):
    """What a model leaves open of the last word, exactly: p(last word | a text cut anywhere), (n,
    t) -> (n, 48) float64, by adding up all that can stand between."""
    if rows.shape[1] <= world.at["first"]:
        raise ValueError(f"rows has {rows.shape[1]} tokens; give the first line at least")
    paths, chances = rows, torch.zeros(len(rows), 1, dtype=torch.float64)
    while paths.shape[1] < world.at["last"]:
        said = model(paths)[:, -1].double().log_softmax(-1)
        options = world.options(paths.shape[1])
        chances = (chances.reshape(-1, 1) + said[:, options]).reshape(len(rows), -1)
        paths = torch.cat(
            [paths.repeat_interleave(len(options), 0), options.repeat(len(paths))[:, None]], 1
        )
    said = model(paths)[:, -1].double().softmax(-1)[:, world.last]
    return (chances.exp()[..., None] * said.unflatten(0, (len(rows), -1))).sum(1)


def bits(chances):
    """The entropy of distributions, (…, k) -> (…), in bits."""
    return torch.special.entr(chances).sum(-1) / torch.log(torch.tensor(2.0))


# -- patching -----------------------------------------------------------------------------------


def donors(world, rows, *, seed):
    """For each couplet another that differs in its two rhyming words alone, which have another
    rhyme; the number, and with it all that stands between, is the same. (n, 9) -> (n, 9)."""
    dice = torch.Generator().manual_seed(seed)
    first, last = (world.place(rows[:, world.at[part]]) for part in ("first", "last"))
    found = rows.clone()
    other = (world.rhyme[first] + torch.randint(1, 6, first.shape, generator=dice)) % 6
    eighth = torch.randint(8, first.shape, generator=dice)
    found[:, world.at["first"]] = world.last[8 * other + eighth]
    fitting = world.given_rhyme[other] * (world.plural == world.plural[last][:, None])
    found[:, world.at["last"]] = world.last[fitting.multinomial(1, generator=dice)[:, 0]]
    return found


def shares_moved(model, world, rows, given, part):
    """How far patches move what is said where `part` is due, "number" or "last": 0 as if nothing
    had been patched, 1 as if the text were the donor's. Of all rows together.

    rows, given: couplets and their `donors`, (n, 9). Returns a share for each number of layers and
    each position before `part`, (n_layers + 1, positions): there, after so many layers, the state
    of `given` takes the place of that of `rows`.
    """
    end = world.at[part]

    def said(text):
        if part == "number":
            return number_odds(model, world, text)
        return last_odds(model, world, text, given[:, end], rows[:, end])

    before, wanted = said(rows), said(given)
    way = wanted - before
    shares = torch.empty(len(model.layers) + 1, end)
    for layer in range(len(shares)):
        there = states(model, given[:, :end], layer, slice(None))  # (n, positions, d_model)
        for position in range(end):
            with patched(model, layer, position, there[:, position]):
                moved = said(rows) - before
            shares[layer, position] = (moved * way.sign()).sum() / way.abs().sum()
    return shares


@torch.no_grad()
def written_after(model, world, row, donor, layer, position):
    """The couplet that a model writes to its end, greedily, with the donor's state at this position
    after so many layers: (9,) and (9,) -> (9,) int64. What stands up to that position, and all of
    the first line, is as in `row`."""
    given = states(model, donor[None], layer, position)
    text = row[None, : max(position, world.at["break"]) + 1]
    with patched(model, layer, position, given):
        while text.shape[1] < world.length:
            text = torch.cat([text, model(text)[:, -1:].argmax(-1)], 1)
    return text[0]
