"""Learning from reward where all of it can be computed: the law of a model that writes, what reward
it expects, the gradient of that, and the best it could do.

A text is written, gets a reward, and what was written is made likelier the better it was. The price
of leaving the first model is beta nats of reward for each nat of KL divergence. Then the best law
is p0(x) exp(reward(x) / beta), made to sum to 1, and its value is known; so is that of any model
whose texts can be listed. Sources: REINFORCE, Williams 1992 (doi:10.1007/BF00992696); a baseline
from the other texts of the batch, Kool, van Hoof and Welling 2019 (Buy 4 REINFORCE samples, get a
baseline for free!).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from utils.generation import diffusion, sampling, trajectories
from utils.measure import enumeration
from utils.text.numbers import SEED, real, whole

BATCH = 64  # texts between two steps
BACK = 3  # forward passes that a forward pass with a gradient counts for

# -- rewards ---------------------------------------------------------------------------------------


def first(world, letter: int = 0):
    """1 for a text that begins with this letter: (texts,) float64."""
    return (world.rows[:, 0] == letter).double()


def even(world, letter: int = 0):
    """1 for a text that holds the letter an even number of times, or not at all."""
    return ((world.rows == letter).sum(1) % 2 == 0).double()


REWARDS = {"first letter": first, "even number": even}


# -- exactly ---------------------------------------------------------------------------------------


class Letters(nn.Module):
    """A model of a listed world that never writes `<s>` or `<mask>`, so that its texts are all
    there are and their probabilities sum to 1."""

    def __init__(self, model, world):
        super().__init__()
        self.model, self.config = model, model.config
        self.register_buffer("never", torch.tensor([world.vocab.start_id, world.vocab.mask_id]))

    def forward(self, tokens):
        """(n, length) int64 -> (n, length, vocab) logits."""
        return self.model(tokens).index_fill(-1, self.never, -1e9)


def law(model, world, eagerness=0.0):
    """The log-probability of every text that the model can write: (texts,) float64 nats, with a
    gradient where gradients are on. eagerness: of a denoiser, as in `trajectories.write`."""
    if model.config.causal:
        return sampling.score(model, world.texts).double().sum(1)
    table = listed(model, world)
    if eagerness is None:
        return enumeration.along(table, range(table.n))
    return enumeration.in_sure_order(table, eagerness)


def listed(model, world) -> enumeration.Table:
    """What a denoiser says in every state, with a gradient where gradients are on."""

    def say(states):
        parts = states.split(2048)  # what lies between is computed again on the way back
        ask = _say if not torch.is_grad_enabled() else _say_again
        return torch.cat([ask(model, part, world.vocab.mask_id) for part in parts])

    return enumeration.full_table(world, say)


def _say(model, states, mask_id):
    return diffusion.log_probs(model, states, mask_id)


def _say_again(model, states, mask_id):
    return checkpoint(_say, model, states, mask_id, use_reentrant=False)


def best(log_p0, reward, beta):
    """The law that gains most, (texts,) nats, and what it gains: the expected reward less beta
    times its KL divergence from the first law."""
    beta = real("beta", beta, "choose a price above 0, such as 0.1", above=0)
    tilted = log_p0 + reward / beta
    return tilted.log_softmax(0), float(beta * tilted.logsumexp(0))


def value(log_p, log_p0, reward, beta):
    """What a law gains: the expected reward less beta times its KL divergence from the first."""
    p = log_p.exp()
    return float(p @ reward - beta * (p @ (log_p - log_p0)))


def gain(log_p, log_p0, reward, beta):
    """The share of the way from the first law to the best: 1 is there, below 0 is worse than not
    to have learned. What is left of it, times its length, is beta times KL(law, best law)."""
    start = float(log_p0.exp() @ reward)
    return (value(log_p, log_p0, reward, beta) - start) / (best(log_p0, reward, beta)[1] - start)


# -- learning --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arm:
    """A way to learn. by: what stands in for the log-probability of a text, one of `STAND_INS`.
    lr: the learning rate of Adam."""

    by: str
    lr: float = 1e-3

    def __post_init__(self):
        if self.by not in STAND_INS:
            raise ValueError(f"by is {self.by!r}; choose one of {', '.join(map(repr, STAND_INS))}")
        real("lr", self.lr, "a learning rate is positive, such as 1e-3", above=0)


STAND_INS = {  # {name: passes in which a text is asked about, for six letters}
    "exact": 1,
    "steps": 6,
    "left to right": 6,
    "one step": 1,
    "one pass": 1,
    "1 mask": 1,
    "4 masks": 4,
    "16 masks": 16,
    "pairs": 3,
    "two bounds": 2,
}
CERTAIN = "exact", "steps", "left to right", "one pass"  # what they ask is not drawn at random


def price(by, letters: int) -> int:
    """Forward passes for one text: writing it, asking about it with a gradient, and asking the
    first model; and where the question is drawn, asking the model once more, by the second draw.
    Where a denoiser is told the exact log-probability, the telling is free."""
    asking = letters if by in ("steps", "left to right") else STAND_INS[by]
    return letters + (BACK + (1 if by in CERTAIN else 2)) * asking


def ask(by, written, mask_id, generator):
    """The question that this stand-in asks about texts."""
    match by:
        case "steps" | "left to right":
            return trajectories.by_steps(written, mask_id)
        case "one step":
            return trajectories.by_steps(written, mask_id, only=1, generator=generator)
        case "one pass":
            return trajectories.by_one_pass(written, mask_id)
        case "pairs":
            return trajectories.by_pairs(written, mask_id, generator=generator)
        case "two bounds":
            return trajectories.by_masks(written, mask_id, 2, generator=generator)
    masks = int(by.split()[0])
    return trajectories.by_masks(written, mask_id, masks, generator=generator)


def write(model, world, n, *, eagerness=0.0, generator=None):
    """n texts of the model's own, with the order in which they were written."""
    start = torch.full((n, 1), world.vocab.start_id)
    if model.config.causal:
        how = {"temperature": 1.0, "cache": False, "generator": generator}
        texts = sampling.generate(model, start, world.length - 1, **how).clone()
        order = torch.arange(1, world.length).expand(n, -1)
        return trajectories.Written(texts, order)
    blank = torch.full((n, world.length - 1), world.vocab.mask_id)
    rows, mask_id = torch.cat([start, blank], 1), world.vocab.mask_id
    return trajectories.write(model, rows, mask_id, eagerness=eagerness, generator=generator)


def surrogate(model, first_model, world, written, reward, by, *, beta, eagerness, generator):
    """A scalar whose gradient is this arm's estimate of the gradient of what the model gains.

    A question that is drawn at random is drawn twice: once for the gradient and once for the price
    of leaving the first model. The mean of a product is that of the means only if the two draws are
    independent: of one step in six, the same step for both, the price would count up to six times.
    """
    texts, mask_id = written.texts, world.vocab.mask_id
    got = reward[number(world, texts)]
    if by == "exact":
        say = _by_the_chain_rule if model.config.causal else exact_of
        mine = say(model, world, texts, eagerness)
        with torch.no_grad():
            theirs = say(first_model, world, texts, eagerness)
        return (advantages(got - beta * (mine.detach() - theirs)) * mine).mean()
    how = {"eagerness": None if by == "left to right" else eagerness}
    asked = ask(by, written, mask_id, generator)
    mine = trajectories.stand_in(model, texts, asked, mask_id, **how)
    with torch.no_grad():
        again, now = asked, mine.detach()
        if by not in CERTAIN:
            again = ask(by, written, mask_id, generator)
            now = trajectories.stand_in(model, texts, again, mask_id, **how)
        theirs = trajectories.stand_in(first_model, texts, again, mask_id, **how)
    better = advantages(got - beta * (now - theirs))
    if by == "two bounds":
        mine = trajectories.two_bounds(model, texts, asked, mask_id, better > 0)
    return (better * mine).mean()


def advantages(gains):
    """How much better each did than the mean of the others: (n,) -> (n,)."""
    n = len(gains)
    return (gains - gains.mean()) * n / (n - 1)


def exact_of(model, world, texts, eagerness):
    """The exact log-probability of these texts for a denoiser: (n,) nats, with a gradient."""
    n, k = len(texts), world.length - 1
    hidden = torch.arange(2**k)[:, None] >> torch.arange(k) & 1 == 1  # (2^k, k)
    states = texts[:, None].repeat(1, 2**k, 1)
    states[:, :, 1:] = states[:, :, 1:].masked_fill(hidden, world.vocab.mask_id)
    asked, which = states.flatten(0, 1).unique(dim=0, return_inverse=True)  # many are the same
    said = diffusion.log_probs(model, asked, world.vocab.mask_id)[:, 1:]  # (asked, k, vocab)
    which = which.view(n, 2**k, 1)
    own = said[which, torch.arange(k), texts[:, None, 1:]]
    peaks = said.amax(-1)[which[..., 0]].masked_fill(~hidden, -torch.inf)
    return enumeration.in_sure_order(
        enumeration.Table(own.masked_fill(~hidden, 0.0), peaks), eagerness
    )


def _by_the_chain_rule(model, world, texts, eagerness):
    return sampling.score(model, texts).sum(1)


def number(world, texts):
    """Where each text stands among all of the world: (n, length) -> (n,) int64."""
    size = len(world.vocab) - 2
    powers = size ** torch.arange(world.length - 2, -1, -1)
    return (texts[:, 1:] * powers).sum(1)


def learn(model, world, reward, arm: Arm, *, passes, beta, seed, eagerness=0.0, looks=4):
    """Let a copy of the model learn until so many forward passes are spent.

    model: a `Letters`. reward: (texts,) float64. looks: how often on the way its law is computed.
    Returns the copy, and (passes spent, share of the gain reached) at each look, the first of which
    is before learning.
    """
    passes = whole("passes", passes, "give at least 1", least=1)
    looks = whole("looks", looks, "look at least once", least=1)
    first_model, model = model, copy.deepcopy(model).requires_grad_(True)
    generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    optimizer = torch.optim.Adam(model.parameters(), lr=arm.lr)
    step_price = BATCH * price(arm.by, world.length - 1)
    order = None if arm.by == "left to right" else eagerness
    with torch.no_grad():
        log_p0 = law(first_model, world, order)
    seen, spent = [(0, 0.0)], 0
    while spent < passes:
        written = write(model, world, BATCH, eagerness=order, generator=generator)
        how = {"beta": beta, "eagerness": eagerness, "generator": generator}
        aim = surrogate(model, first_model, world, written, reward, arm.by, **how)
        optimizer.zero_grad()
        (-aim).backward()
        optimizer.step()
        spent += step_price
        if spent >= passes * len(seen) / looks:
            with torch.no_grad():
                seen.append((spent, gain(law(model, world, order), log_p0, reward, beta)))
    return model, seen
