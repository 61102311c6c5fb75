"""Slips: words that cannot stand where they stand, in texts that may have gone wrong before.

Up to the first mistake the grammar of `Sentences` itself is the judge: a word is a slip if no
sentence begins so. But what is a *new* mistake in a text that has left the language? Whatever it
was meant to say, a stretch of words that occurs in no sentence cannot be right. So after a slip the
judge forgets what stood before it, takes every place where the slipped word may stand, and reads
on; the next slip is the first word that fits none of the places left. Every slip it counts is one,
and it misses some. For compilers: Richter 1985, "Noncorrecting syntax error recovery".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from utils.text import chance
from utils.worlds.common import checked


@dataclass(frozen=True)
class Reading:
    """What a judge of slips notes while it reads n texts of t tokens.

    slip: (n, t) bool, where a word fits none of the places that the judge thinks possible.
    possible: (n, t, vocab) bool, which words would be no slip right after each token.
    """

    slip: torch.Tensor
    possible: torch.Tensor


def read(world, rows: torch.Tensor) -> Reading:
    """Read texts of `Sentences`, (n, t) int64, from `<s>` on. Raises ValueError for texts that do
    not begin with it, and as the world does for tokens that are none."""
    checked(rows, world)
    if bool((rows[:, 0] != world.vocab.start_id).any()):
        raise ValueError("a text begins with <s>; put world.vocab.start_id before it")
    leads = _arrows(world).to(rows.device)  # (vocab, states), the state a word leads to, or -1
    follows = (leads >= 0).T.float()  # (states, vocab)
    anywhere = torch.zeros(len(leads), len(follows), dtype=torch.bool, device=rows.device)
    for word, to in enumerate(leads):
        anywhere[word, to[to >= 0]] = True  # after this word, wherever it may stand
    places = torch.zeros(len(rows), len(follows), dtype=torch.bool, device=rows.device)
    places[:, 0] = True
    slip = torch.zeros_like(rows, dtype=torch.bool)
    possible = [places.float() @ follows > 0]
    for t in range(1, rows.shape[1]):
        word = rows[:, t]
        fits = places & (leads[word] >= 0)
        slip[:, t] = ~fits.any(1)
        after = torch.zeros(len(rows), len(follows) + 1, device=rows.device)
        to = torch.where(fits, leads[word], len(follows))  # the last column is for nothing
        after.scatter_(1, to, 1.0)
        places = torch.where(slip[:, t : t + 1], anywhere[word], after[:, :-1] > 0)
        possible.append(places.float() @ follows > 0)
    return Reading(slip, torch.stack(possible, 1))


@cache
def _arrows(world) -> torch.Tensor:
    """The state that each word leads to from each state, -1 where it cannot stand: (vocab, states).

    Found by walking: from the start, every word that may come next, until no state is new.
    """
    leads = torch.full((len(world.vocab), world.n_states), -1)
    start = torch.tensor([world.vocab.start_id])
    waiting, met = [start], {0}
    while waiting:
        prefix = waiting.pop()
        here = int(world.states(prefix[None])[0, -1])
        words = world.next_probs(prefix[None])[0, -1].nonzero()  # (words, 1)
        if len(prefix) == world.length:  # finished, and nothing but padding from here on
            continue
        longer = torch.cat([prefix.expand(len(words), -1), words], 1)
        there = world.states(longer)[:, -1]
        leads[words[:, 0], here] = there
        for text, state in zip(longer, there.tolist(), strict=True):
            if state not in met:
                met.add(state)
                waiting.append(text)
    return leads


def with_lost_thread(world, rows: torch.Tensor, generator) -> torch.Tensor:
    """Texts that lose their thread and take up another's: the beginning of each, and from somewhere
    on the rest of the one before it. (n, t) int64, padded -> (n, t), cut where they get too long.

    Where the two do not fit, the first word after the seam is a slip; what follows it is in order.
    """
    lengths = (rows != world.vocab.pad_id).sum(1, keepdim=True)
    others, theirs = rows.roll(1, 0), lengths.roll(1, 0)
    share = chance.uniform((2, len(rows), 1), device=rows.device, generator=generator)
    seam = 2 + (share[0] * (lengths - 2)).long()  # after <s> and a word, before the full stop
    taken_up = 1 + (share[1] * (theirs - 1)).long()
    at = torch.arange(rows.shape[1], device=rows.device)
    source = (at - seam + taken_up).clamp(0, rows.shape[1] - 1)
    rest = others.gather(1, source)
    rest[at - seam + taken_up >= theirs] = world.vocab.pad_id
    return torch.where(at < seam, rows, rest)
