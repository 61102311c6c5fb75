"""What a masked diffusion model gives a text, exactly, when every way of hiding it can be listed.

A text with n tokens to fill has 2^n ways to be hidden in part. For each, a `Table` keeps what the
model says of the tokens that are hidden. From it follow, without any sampling: the ELBO; the
probability of the text along any of the n! orders; and how often each sampler writes it, whether it
fills one token a pass or several. (For orders that depend on the text this was noted by Turok, De
Sa and Kuleshov 2026, arXiv:2603.01367.)
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import torch

from utils.generation.diffusion import ORDERS
from utils.generation.rounds import checked_positions
from utils.text.ids import checked_mask
from utils.text.numbers import real, whole


@dataclass(frozen=True)
class Table:
    """What is said of every text, in every state. In state s, position i of the n that can be
    hidden is hidden if bit i of s is set; state 0 shows the whole text, the last one nothing.

    log_probs: (texts, 2^n, n) float64, nats: of the text's own token, where hidden; 0 elsewhere.
    peaks: the same of the token that is likeliest there, whichever it is; -inf where not hidden.
    """

    log_probs: torch.Tensor
    peaks: torch.Tensor

    @property
    def n(self) -> int:
        return self.log_probs.shape[-1]


@torch.no_grad()
def table(say, texts, free, mask_id) -> Table:
    """List it all. say: `say(tokens)` -> (batch, length, vocab) log-probabilities in nats.

    texts: (texts, length) int64. free: the positions that can be hidden, at most 12, each once.
    """
    mask_id, free = checked_mask(mask_id), checked_positions(texts, free, "free")
    if (n := len(free)) > 12:
        raise ValueError(f"free names {n} positions; with 1 to 12 the states can be listed")
    if len(free.unique()) < n:
        raise ValueError(f"free is {free.tolist()}; name each position once")
    numbers, bits = (torch.arange(k, device=texts.device) for k in (2**n, n))
    hidden = numbers[:, None] >> bits & 1 == 1  # (2^n, n)
    states = texts[:, None].repeat(1, 2**n, 1)
    states[:, :, free] = torch.where(hidden, mask_id, states[:, :, free])
    asked, which = states.flatten(0, 1).unique(dim=0, return_inverse=True)  # many are the same
    said = say(asked).double()[:, free]  # (asked, n, vocab)
    which = which.view(len(texts), 2**n, 1)
    own = said[which, torch.arange(n, device=texts.device), texts[:, None, free]]
    peaks = said.amax(-1)[which[..., 0]]
    return Table(own.masked_fill(~hidden, 0.0), peaks.masked_fill(~hidden, -torch.inf))


def by_bayes(probs: torch.Tensor) -> Table:
    """The same for whoever has a probability for every text, and answers by adding up: p(token |
    what is visible) is what all texts hold that fit both, over what all hold that fit the visible.

    probs: (vocab,) * n float64, the probability of each text, an axis for each position; the texts
    of the table are its entries in order. What it takes is not asking but adding: vocab^k texts for
    k blanks.
    """
    n = probs.ndim
    known = [probs]  # in each state, the sum over what is hidden
    for state in range(1, 2**n):
        lowest = (state & -state).bit_length() - 1
        known.append(known[state & (state - 1)].sum(lowest, keepdim=True))
    log_probs = probs.new_zeros(*probs.shape, 2**n, n)
    peaks = torch.full_like(log_probs, -torch.inf)
    for state in range(1, 2**n):
        for i in range(n):
            if state >> i & 1:
                answer = known[state & ~(1 << i)] / known[state]
                log_probs[..., state, i] = answer.log()
                peaks[..., state, i] = answer.amax(i, keepdim=True).log()
    return Table(log_probs.flatten(0, n - 1), peaks.flatten(0, n - 1))


def along_orders(table: Table) -> torch.Tensor:
    """The log-probability of each text along each order: (texts, n!) in nats.

    Their mean is the ELBO; the logarithm of the mean of their exponentials is the log-probability
    of the text, for a model that draws its order at random.
    """
    return torch.stack(
        [_along(table, order, 1) for order in itertools.permutations(range(table.n))], 1
    )


def along(table: Table, order) -> torch.Tensor:
    """The log-probability of each text along one of them, such as range(n): (texts,) in nats.
    Raises ValueError for what is no order of all n."""
    advice, last = f"name each of 0 to {table.n - 1} once", table.n - 1
    given = order.tolist() if hasattr(order, "tolist") else order
    given = given if isinstance(given, Iterable) else [given]
    order = [whole("order", each, advice, least=0, most=last) for each in given]
    if sorted(order) != [*range(table.n)]:
        raise ValueError(f"order is {order}; {advice}")
    return _along(table, order, 1)


def by_blanks(table: Table) -> torch.Tensor:
    """The mean log-probability of a hidden token when 1, 2, … n are hidden, over all states and
    over what they hide: (texts, n) in nats."""
    counts = table.log_probs.new_tensor([state.bit_count() for state in range(2**table.n)])
    means = table.log_probs.sum(-1) / counts.clamp(min=1)
    return torch.stack([means[:, counts == k].mean(1) for k in range(1, table.n + 1)], 1)


def elbo(table: Table) -> torch.Tensor:
    """The ELBO of each text, from all states and without orders: (texts,) in nats."""
    return by_blanks(table).sum(1)


def in_random_order(table: Table) -> torch.Tensor:
    """The log-probability of each text for a model that draws its order at random: (texts,) nats.

    The same as the logarithm of the mean over `along_orders`, in 2^n steps and not in n!: a set of
    hidden tokens is first left by any one of them, then by those that remain.
    """
    found = [table.log_probs.new_zeros(len(table.log_probs))]
    for state in range(1, 2**table.n):
        first = [i for i in range(table.n) if state >> i & 1]
        ways = [found[state & ~(1 << i)] + table.log_probs[:, state, i] for i in first]
        found.append(torch.stack(ways).logsumexp(0) - math.log(len(first)))
    return found[-1]


def in_sure_order(table: Table, eagerness: float) -> torch.Tensor:
    """The log-probability of each text for a model that tends to fill first what it is sure of:
    (texts,) in nats. Of the blanks that are left, place i is next with a probability in proportion
    to peak_i ** eagerness: at 0 the order is random, and the higher, the surer the surest is next.
    """
    eagerness = real("eagerness", eagerness, "choose 0 or more, such as 2.0", least=0)
    found = [table.log_probs.new_zeros(len(table.log_probs))]
    for state in range(1, 2**table.n):
        first = [i for i in range(table.n) if state >> i & 1]
        next_one = (eagerness * table.peaks[:, state, first]).log_softmax(-1)  # (texts, blanks)
        ways = table.log_probs[:, state, first] + next_one
        before = torch.stack([found[state & ~(1 << i)] for i in first], 1)
        found.append((before + ways).logsumexp(1))
    return found[-1]


def write_probs(table: Table, order, *, size=1, threshold=None):
    """How likely `diffusion.sample` at temperature 1 is to write each text, and in how many passes.

    order: "random", "confidence" or "left-to-right"; size: how many tokens are filled in one pass,
    each drawn as if the others were not; threshold: as in `diffusion.sample`, for "confidence".
    Returns log-probabilities, (texts,) in nats, and passes, (texts,).
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; choose one of {', '.join(map(repr, ORDERS))}")
    size = whole("size", size, "fill at least 1 token in a pass", least=1)
    if threshold is not None:
        advice = "choose a probability above 0 and up to 1"
        threshold = real("threshold", threshold, advice, above=0, most=1)
    if order == "random":
        orders = list(itertools.permutations(range(table.n)))
        ways = torch.stack([_along(table, way, size) for way in orders], 1)
        passes = torch.full_like(ways[:, 0], -(-table.n // size))
        return ways.logsumexp(1) - math.log(len(orders)), passes
    found, passes, new = [], [], table.log_probs.new_tensor
    for own, peaks in zip(table.log_probs, table.peaks, strict=True):
        state, total, count = 2**table.n - 1, 0.0, 0
        while state:
            left = [i for i in range(table.n) if state >> i & 1]
            if order == "confidence":
                left.sort(key=lambda i, now=peaks[state]: -float(now[i]))
            sure = 0 if threshold is None else int((peaks[state] >= math.log(threshold)).sum())
            chosen = left[: max(size, sure)]
            total += float(own[state, chosen].sum())
            state -= sum(1 << i for i in chosen)
            count += 1
        found.append(total)
        passes.append(count)
    return new(found), new(passes)


def _along(table, order, size):
    """The log-probability of each text filled in this order, so many tokens at a time: (texts,)."""
    state, total = 2**table.n - 1, 0.0
    for start in range(0, table.n, size):
        chosen = list(order[start : start + size])
        total = total + table.log_probs[:, state, chosen].sum(-1)
        state -= sum(1 << i for i in chosen)
    return total


def full_table(world, say) -> Table:
    """`table` of all the texts of a world that can be listed, its start token given; much faster,
    for there its states can be counted off."""
    asked, which = _all_states(len(world.vocab) - 2, world.length - 1, *_specials(world))
    said = say(asked)[:, 1:]  # (asked, n, vocab)
    n = world.length - 1
    hidden = torch.arange(2**n)[:, None] >> torch.arange(n) & 1 == 1  # (2^n, n)
    own = said[which[..., None], torch.arange(n), world.texts[:, None, 1:]].double()
    peaks = said.amax(-1).double()[which]
    return Table(own.masked_fill(~hidden, 0.0), peaks.masked_fill(~hidden, -torch.inf))


def _specials(world):
    return world.vocab.start_id, world.vocab.mask_id


@cache
def _all_states(size, n, start_id, mask_id):
    """Every way to write letters or masks in n places, ((size + 1)^n, 1 + n), and which of them
    each text, in the order of the alphabet, is in each of the 2^n states: (size^n, 2^n)."""
    digits = torch.tensor(list(itertools.product(range(size + 1), repeat=n)))
    asked = torch.where(digits == size, mask_id, digits)
    asked = torch.nn.functional.pad(asked, (1, 0), value=start_id)
    letters = torch.tensor(list(itertools.product(range(size), repeat=n)))
    hidden = torch.arange(2**n)[:, None] >> torch.arange(n) & 1 == 1
    powers = (size + 1) ** torch.arange(n - 1, -1, -1)
    return asked, (torch.where(hidden, size, letters[:, None]) * powers).sum(-1)
