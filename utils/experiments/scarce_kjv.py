"""The same question on real text: a fiftieth of the King James Bible, read hundreds of times.

Causal models and denoisers of one size, with the arms of `scarce`. Both are asked for the last
pieces of a window, all before them given. That a causal model gives exactly, and so does a denoiser
here: of eight hidden pieces all 2^8 states can be listed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from utils.experiments.scarce import LOOKS, STOPPING, Arm, losses
from utils.generation import diffusion
from utils.measure import enumeration
from utils.measure.intervals import bootstrap_ratio
from utils.measure.likelihood import exact
from utils.models.transformer import Transformer, TransformerConfig
from utils.training.stack import Stack, fit_stack

SHARE, STRETCHES = 50, 24  # one in so many pieces is read, in so many stretches of the book
LENGTH, ASKED = 32, 8  # pieces of a window, and how many of these are asked for
BATCH, LR = 1024, 4e-3  # pieces in a batch
SHORT = {8: 0.15, 16: 0.3}  # a denoiser's first windows, up to these shares: see `recipes/kjv.py`


@dataclass(frozen=True)
class Moment:
    """A model at one moment. passes: over what it reads. stopping: nats for each piece asked for in
    the windows that say when to stop; bits: for each character in the tested ones. Both exactly,
    and from left to right."""

    step: int
    passes: float
    stopping: float
    bits: float


@dataclass(frozen=True)
class Reading:
    """A training. moments: as it went. left: nats for the end of each tested window, from left to
    right, where the kept-out windows say to stop; of a denoiser, orders and bound: the same filled
    in an order drawn at random, and by its bound; all of them exactly."""

    arm: Arm
    seed: int
    moments: tuple[Moment, ...]
    left: tuple[float, ...]
    orders: tuple[float, ...] | None = None
    bound: tuple[float, ...] | None = None

    @property
    def chosen(self) -> Moment:
        """The moment at which the windows that were kept out say to stop."""
        return min(self.moments, key=lambda each: each.stopping)


def slice_of(tokens, seed):
    """A fiftieth of a text in stretches from all over it, others for each seed: (stretches, pieces)
    to read, and a fifth of them as windows that say when to stop, (n, LENGTH)."""
    each = len(tokens) // (SHARE * STRETCHES)
    starts = torch.arange(STRETCHES) * (len(tokens) // STRETCHES) + seed % SHARE * each
    rows = tokens[starts[:, None] + torch.arange(each)]
    kept_out = torch.arange(STRETCHES) % round(1 / STOPPING) == 0
    windows = rows[kept_out, : each // LENGTH * LENGTH].reshape(-1, LENGTH)
    return rows[~kept_out], windows


def learn(kjv, tested, arms: Sequence[Arm], seeds, *, steps) -> list[Reading]:
    """Train arms of one kind, each at each seed, on the slice of its seed. tested: windows that are
    unseen, (n, LENGTH)."""
    pairs, causal = [(arm, seed) for arm in arms for seed in seeds], arms[0].kind == "causal"
    size = {"d_model": 64, "n_layers": 2, "max_len": LENGTH}
    config = TransformerConfig(kjv.mask_id + 1, causal=causal, **size)
    stack = Stack(
        [Transformer(config, seed=seed) for _, seed in pairs], [arm.dropout for arm, _ in pairs]
    )
    slices = {seed: slice_of(kjv.tokens, seed) for seed in seeds}
    texts = torch.stack([slices[seed][0] for _, seed in pairs])  # (models, stretches, pieces)
    characters = sum(ends_of(kjv, tested))
    moments, best, step_now = {pair: [] for pair in pairs}, {}, itertools.count()

    def draw():
        past = next(step_now) / steps
        length = LENGTH if causal else next((n for n, till in SHORT.items() if past < till), LENGTH)
        which = torch.randint(texts.shape[1], (len(pairs), BATCH // length, 1))
        starts = torch.randint(texts.shape[2] - length + 1, which.shape)
        return texts[torch.arange(len(pairs))[:, None, None], which, starts + torch.arange(length)]

    def watch(step):
        passes = step * BATCH / texts[0].numel()
        for i, pair in enumerate(pairs):
            model = stack.model(i)
            stopping = -float(ends(kjv, model, slices[pair[1]][1]).mean()) / ASKED
            nats = float(ends(kjv, model, tested).sum())
            if not moments[pair] or stopping < min(each.stopping for each in moments[pair]):
                best[pair] = model
            moments[pair].append(Moment(step, passes, stopping, bits(nats, characters)))

    # A causal model predicts all but the first piece of a window, which a denoiser may lack.
    facts = {"vocab": None, "mask_id": kjv.mask_id, "given": int(causal)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds[0])
        fit_stack(
            stack,
            draw,
            partial(losses, arms=[arm for arm, _ in pairs], **facts),
            steps=steps,
            lr=LR,
            decay=[arm.decay for arm, _ in pairs],
            look=watch,
            look_at=[max(1, round(share * steps)) for share in LOOKS],
        )
    return [
        Reading(arm, seed, tuple(moments[arm, seed]), **listed(kjv, best[arm, seed], tested))
        for arm, seed in pairs
    ]


def ends(kjv, model, rows):
    """What a model gives the last pieces of each window, from left to right: (n,) nats."""
    mask_id = None if model.config.causal else kjv.mask_id
    return exact(model, rows, mask_id, order="left-to-right", given=LENGTH - ASKED)


@torch.no_grad()
def listed(kjv, model, rows) -> dict:
    """The same, and of a denoiser all that can be listed: {name: nats of each window}."""
    found = {"left": ends(kjv, model, rows)}
    if not model.config.causal:
        say = partial(diffusion.log_probs, model, mask_id=kjv.mask_id)
        free = range(LENGTH - ASKED, LENGTH)
        tables = [enumeration.table(say, few, free, kjv.mask_id) for few in rows.split(2)]
        found["orders"] = torch.cat([enumeration.in_random_order(each) for each in tables])
        found["bound"] = torch.cat([enumeration.elbo(each) for each in tables])
    return {name: tuple(nats.tolist()) for name, nats in found.items()}


def ends_of(kjv, rows) -> list[int]:
    """How many characters the last pieces of each window stand for."""
    return [len(kjv.tokenizer.decode(row[-ASKED:])) for row in rows]


def bits(nats: float, characters: int) -> float:
    """The log-probability of so many characters, in nats, as bits for each of them."""
    return -nats / math.log(2) / characters


def chosen(readings: Sequence[Reading], kind: str) -> list[Reading]:
    """For each seed the arm of this kind that the windows kept out choose."""
    mine = [each for each in readings if each.arm.kind == kind]
    seeds = sorted({each.seed for each in mine})
    of_seed = [[each for each in mine if each.seed == seed] for seed in seeds]
    return [min(some, key=lambda each: each.chosen.stopping) for some in of_seed]


def excess(ours, theirs, characters: Sequence[int], measure: str = "orders"):
    """How many bits more for each character denoisers, `ours`, take than causal models, on the
    same draws; and its interval, by a bootstrap over the tested windows.

    characters: of the end of each window. measure: of the denoisers, "orders", "left" or "bound".
    """
    denoised = torch.tensor([getattr(each, measure) for each in ours]).double().mean(0)
    causal = torch.tensor([each.left for each in theirs]).double().mean(0)
    more = (causal - denoised) / math.log(2)
    value = float(more.sum()) / sum(characters)
    return value, bootstrap_ratio(more.tolist(), characters, seed=0)
