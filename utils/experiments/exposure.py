"""Exposure bias: does a model err more after its own mistakes than after right text?

Training shows a model texts by others, which are right; then it reads its own. If that does harm, a
slip is likelier after a slip. But texts with a slip may be harder than others. So a text is split
at its first slip: once the slip stays, once a right word is put in its place, and from there on the
model writes by itself. How probable the next slips are need not be counted: `slips.read` says which
words would be none, and the model says how probable they are.

Errors on texts of a model's own, and on texts of others: Arora et al. 2022, arXiv:2204.01171.
"""

from __future__ import annotations

import torch

from utils.generation.sampling import distribution, draw
from utils.models.kv_cache import KVCache
from utils.models.temperature import check_temperature
from utils.text.chance import uniform
from utils.text.numbers import whole
from utils.worlds.membership import ended
from utils.worlds.slips import read


@torch.inference_mode()
def go_on(model, world, texts, kept, *, temperature=1.0, generator=None):
    """Keep so many tokens of each text, and let the model write the rest.

    texts: (n, length) int64; kept: (n,) int64, 1 or more. Returns (n, length), padded after the
    full stop.
    """
    temperature = check_temperature(temperature)
    tokens, cache = texts.clone(), KVCache.like(model, len(texts), world.length)
    for t in range(1, world.length):
        logits = model(tokens[:, t - 1 : t], cache)[:, -1]
        new = draw(logits, temperature=temperature, generator=generator)
        tokens[:, t] = torch.where(t < kept, tokens[:, t], new)
    return ended(world, tokens)


def write(model, world, n, **how):
    """n texts of the model's own: (n, length) int64. how: as for `go_on`."""
    n = whole("n", n, "write at least 1 text", least=1)
    starts = torch.full((n, world.length), world.vocab.start_id, device=model.output.device)
    return go_on(model, world, starts, starts.new_ones(n), **how)


@torch.no_grad()
def hazards(model, world, texts, *, temperature=1.0):
    """How probable a slip is at each place, given the text before it as it stands.

    texts: (n, length) int64. Returns (n, length) float64, nan where a text has no word to come.
    """
    found = torch.full_like(texts, torch.nan, dtype=torch.float64)
    for part, to in zip(texts.split(500), found.split(500), strict=True):
        probs = distribution(model(part[:, :-1]), temperature=temperature)
        to[:, 1:] = (probs * ~read(world, part).possible[:, :-1]).sum(-1).double()
    found[texts == world.vocab.pad_id] = torch.nan
    return found


def first_slips(model, world, texts, n, *, temperature=1.0, generator=None):
    """n first slips, each as often as the model makes it, without waiting for them: texts (n,
    length), right up to a place, and these places, (n,), drawn in proportion to how probable a slip
    is there.
    """
    n = whole("n", n, "draw at least 1 slip", least=1)
    slip = read(world, texts).slip & (texts != world.vocab.pad_id)
    before = slip.cumsum(1) - slip.long() > 0
    chance = (
        hazards(model, world, texts, temperature=temperature).nan_to_num().masked_fill(before, 0)
    )
    share = chance.flatten().cumsum(0) / chance.sum()
    dice = uniform((n,), device=texts.device, generator=generator, dtype=torch.float64)
    drawn = torch.searchsorted(share, dice, right=True)
    return texts[drawn // texts.shape[1]], drawn % texts.shape[1]


@torch.no_grad()
def split(model, world, texts, at, *, temperature=1.0, generator=None):
    """Texts that are right up to a place, with another word there and the model's own rest.

    texts: (n, length); at: (n,) int64. Returns {what stands there: (n, length) int64}: "its own
    slip", drawn from what the model says of the words that cannot stand there; "another slip", any
    of these words; "a right word", drawn from the others; "an unlikely right word", the least
    likely of them.
    """
    rows = torch.arange(len(texts), device=texts.device)
    logits = model(texts)[rows, at - 1]
    right = read(world, texts).possible[rows, at - 1]
    wrong = ~right
    wrong[:, [world.vocab.pad_id, world.vocab.start_id, world.vocab.mask_id]] = False  # no words
    how = {"generator": generator}
    words = {
        "its own slip": draw(_among(logits, wrong), temperature=temperature, **how),
        "another slip": draw(_among(torch.zeros_like(logits), wrong), **how),
        "a right word": draw(_among(logits, right), temperature=temperature, **how),
        "an unlikely right word": logits.masked_fill(wrong | ~right, torch.inf).argmin(-1),
    }
    found = {}
    for name, word in words.items():
        begun = texts.scatter(1, at[:, None], word[:, None])
        found[name] = go_on(model, world, begun, at + 1, temperature=temperature, **how)
    return found


def after(model, world, texts, at, *, temperature=1.0):
    """How probable a slip is at each word after the one at `at`, given the text as it stands.

    texts: (n, length); at: (n,) int64. Returns (n, length - 1) float64, one word after it first;
    nan where a text has no word to come. Its `nanmean()` is the slips to be expected for each word.
    """
    chance = hazards(model, world, texts, temperature=temperature)
    places = at[:, None] + 1 + torch.arange(texts.shape[1] - 1, device=at.device)
    found = chance.gather(1, places.clamp(max=texts.shape[1] - 1))
    return found.masked_fill(places >= texts.shape[1], torch.nan)


def _among(logits, allowed):
    return logits.masked_fill(~allowed, -torch.inf)
