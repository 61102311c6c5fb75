"""What is really written under a constraint, or with guidance: exactly, where texts can be listed.

A `Law` holds, for every text, how likely a way of writing is to write it, and what it should have
been: what is *declared*. It may write in several orders; each is a row. From it follow how often
the constraint is met, the total variation between the two, and what becomes of it if several texts
are written and one of them is picked by its weight, declared over written (sampling-importance
resampling: Rubin 1987, in JASA 82, 543-546; `generation/guided.py` calls it particles that are
never drawn anew).

`fitted` and `guided` bend what a model says of its blanks in all states, an `enumeration.Table`, as
`guided.Fitting` and `guided.Guided` do it while they write.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch

from utils.measure import enumeration
from utils.measure.enumeration import Table
from utils.text.numbers import SEED, real, whole

DRAWS = 4000  # of the other texts' weights, over which is averaged
LEVELS = 400  # of a weight, between which is interpolated


def variation(p: torch.Tensor, q: torch.Tensor) -> float:
    """The total variation between two laws of the same texts: half the sum of the differences. 0
    for equals; 1 where they have no text in common."""
    return float((p - q).abs().sum() / 2)


@dataclass(frozen=True)
class Law:
    """declared: (orders, texts) float64, the logarithm of what each text written in each order
    should weigh, up to a constant; -inf where it must not be. written: the same shape, the
    log-probability of writing it so, if this is the order."""

    declared: torch.Tensor
    written: torch.Tensor

    @cached_property
    def target(self) -> torch.Tensor:
        """What is declared: the probability of each text, (texts,)."""
        return self.declared.logsumexp(0).softmax(0)

    @cached_property
    def probs(self) -> torch.Tensor:
        """What is written, (texts,); each order is as likely."""
        return self.written.exp().mean(0)

    @property
    def met(self) -> float:
        """How often a text that is written is one that may be."""
        return float(self.probs[self.target > 0].sum())

    @property
    def off(self) -> float:
        """The total variation between what is written and what is declared."""
        return variation(self.probs, self.target)

    def picked(self, n: int, *, seed: int = 0) -> torch.Tensor:
        """What is written when n texts are, and one of them is picked by its weight: (texts,).

        A text of weight w is picked among n with probability w / (w + what the others weigh). The
        mean over the others is taken over `DRAWS` draws of them; everything else is exact.
        """
        q = self.written.exp() / len(self.written)
        some = q > 0
        weights = (self.declared - self.written)[some]
        law = torch.zeros_like(q)
        law[some] = q[some] * favour((weights - weights.max()).exp(), q[some], n, seed=seed)
        law = law.sum(0)
        return law / law.sum()


def favour(weights: torch.Tensor, q: torch.Tensor, n: int, *, seed: int = 0) -> torch.Tensor:
    """How many times likelier a text of each weight is to be picked among n than to be written.

    weights: (texts,), 0 or more. q: (texts,), how often each is written; it need not sum to 1.
    """
    n = whole("n", n, "write at least 1 text", least=1)
    weights, q = weights.double(), q.double()
    if n == 1:
        return torch.ones_like(weights)
    generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    reached = torch.rand(DRAWS, n - 1, generator=generator, dtype=torch.float64)
    drawn = torch.searchsorted(q.cumsum(0) / q.sum(), reached).clamp(max=len(q) - 1)
    others = weights[drawn].sum(1)
    some = weights > 0
    levels = torch.linspace(*weights[some].log().aminmax(), LEVELS, dtype=torch.float64)
    chances = (levels.exp()[:, None] / (levels.exp()[:, None] + others)).mean(1)
    found = torch.zeros_like(weights)
    found[some] = torch.from_numpy(np.interp(weights[some].log(), levels, chances))
    return n * found


def off_by_weights(log_weights: torch.Tensor, log_evidence: float, n: int = 1, *, seed=0):
    """The same total variation where texts cannot be listed, from the weights of some that were
    written: for each, (texts,), by how much the probability of picking it among n exceeds the
    declared one, over that of writing it; 0 where it does not. Their mean estimates the total
    variation. (So does half the mean of what is above and what is below together, but what is below
    may hang on a few texts of enormous weight.)

    log_weights: of the texts, without any drawn anew. log_evidence: log P(accepted).
    """
    weights = log_weights.double().exp()
    even = torch.full_like(weights, 1 / len(weights))
    declared = (log_weights - log_evidence).exp()
    return (favour(weights, even, n, seed=seed) - declared).clamp(min=0)


def next_letters(world, log_probs: torch.Tensor) -> torch.Tensor:
    """What a law of all texts of a `Listed` world, (texts,), says left to right of each next
    letter: log-probabilities, (texts, places, letters)."""
    grid = world.grid(log_probs.exp())
    said = []
    for t in range(grid.ndim):
        begun = grid.flatten(t + 1).sum(-1) if t + 1 < grid.ndim else grid  # of each t + 1 letters
        begun = begun.view(*begun.shape, *[1] * (grid.ndim - begun.ndim))
        share = (begun / begun.sum(t, keepdim=True)).log()
        said.append(share.movedim(t, -1).unsqueeze(t).expand(*grid.shape, -1).flatten(0, -2))
    return torch.stack(said, 1)


def left_to_right(world, said: torch.Tensor, accepted: torch.Tensor, weigh) -> Law:
    """A causal model that weighs each next letter.

    said: (texts, places, letters) log-probabilities, such as `next_letters` gives. accepted:
    (texts,) bool. weigh: as in `guided.particles`, a `Mask` or a look-ahead.
    """
    size = said.shape[-1]
    said = said.double().log_softmax(-1)  # of the letters alone
    weights = []
    for t in range(1, world.length):
        alike = size ** (world.length - t)  # texts that begin so; they stand side by side
        weights.append(weigh(world.texts[::alike, :t])[:, :size].repeat_interleave(alike, 0))
    bent = _never((said + torch.stack(weights, 1).log()).log_softmax(-1))
    own, written = (
        of.gather(-1, world.rows[..., None])[..., 0].sum(1)[None] for of in (said, bent)
    )
    return Law(own.masked_fill(~accepted, -torch.inf), written)


def in_orders(own: Table, bent: Table, accepted: torch.Tensor, orders) -> Law:
    """A denoiser that fills one blank a pass, in one of these orders, each as likely. own: what it
    says of the blanks by itself; bent: what is written by."""
    declared, written = (
        _never(torch.stack([enumeration.along(table, order) for order in orders]))
        for table in (own, bent)
    )
    return Law(declared.masked_fill(~accepted, -torch.inf), written)


def fitted(world, table: Table, accepted: torch.Tensor) -> Table:
    """What is left of it when each token is barred with which no filling of the other blanks would
    be accepted. Where no token is left, none is barred. With all texts `accepted`, (texts,) bool,
    only what is no letter is."""
    grid, states = world.grid(accepted), range(2**table.n)
    said = table.log_probs.view(*grid.shape, -1, table.n).clone()
    peaks = torch.full_like(said, -torch.inf)
    some = [grid]  # in each state, whether what is seen can still become a text that is accepted
    for state in states[1:]:
        lowest = (state & -state).bit_length() - 1
        some.append(some[state & (state - 1)].any(lowest, keepdim=True))
    for i in range(table.n):
        hidden = [state for state in states if state >> i & 1]
        may = [some[state - (1 << i)] | ~some[state] for state in hidden]
        may = torch.stack([each.expand(grid.shape) for each in may], -1)
        left = said[..., hidden, i].masked_fill(~may, -torch.inf)
        left = left - left.logsumexp(i, keepdim=True)
        said[..., hidden, i] = left
        peaks[..., hidden, i] = left.amax(i, keepdim=True).expand_as(left)
    return Table(said.view_as(table.log_probs), peaks.view_as(table.peaks))


def in_passes(world, table: Table, accepted: torch.Tensor, size: int) -> torch.Tensor:
    """How likely each text is to be written, `size` blanks in a pass, when those of one pass are
    drawn together, so that they may not break between them what each alone would keep: (texts,)
    nats. Which are filled next is drawn at random. With all texts `accepted` each is drawn alone.
    (The likeliest filling of one pass, by dynamic programming: Suresh et al. 2025,
    arXiv:2505.23061.)
    """
    size = whole("size", size, "fill at least 1 token in a pass", least=1)
    grid = world.grid(accepted)
    own = table.log_probs.view(*grid.shape, -1, table.n)

    @cache
    def from_here(state):
        hidden = [i for i in range(table.n) if state >> i & 1]
        if not hidden:
            return own.new_zeros(grid.shape)
        ways = []
        for chosen in itertools.combinations(hidden, min(size, len(hidden))):
            may = grid
            for other in set(hidden) - set(chosen):
                may = may.any(other, keepdim=True)
            said = own[..., state, list(chosen)].sum(-1).masked_fill(~may, -torch.inf)
            said = said - said.logsumexp(chosen, keepdim=True)
            ways.append(_never(said + from_here(state - sum(1 << i for i in chosen))))
        return torch.stack(ways).logsumexp(0) - math.log(len(ways))

    return from_here(2**table.n - 1).flatten()


def guided(world, with_it: Table, without: Table, weight: float) -> Table:
    """As in `guided.Guided`, place by place: with_it^weight * without^(1 - weight)."""
    weight = real("weight", weight, "choose 0 or more", least=0)
    everything = torch.ones(len(world.texts), dtype=torch.bool)
    bent = weight * with_it.log_probs + (1 - weight) * without.log_probs
    return fitted(world, Table(bent, without.peaks), everything)


def _never(log_probs):
    """What cannot come about at all has no probabilities on the way: log 0, not nan."""
    return log_probs.masked_fill(log_probs.isnan(), -torch.inf)
