"""The same question on real text: a tenth of the King James Bible, read many times.

Small models of both kinds, with the arms of `scarce`. Their likelihood is that of the second half
of a window given the first, which a denoiser has exactly where it fills from left to right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from utils.experiments.scarce import Arm, losses
from utils.generation import diffusion
from utils.generation.sampling import score
from utils.measure.likelihood import exact
from utils.models.transformer import Transformer, TransformerConfig
from utils.training.stack import Stack, fit_stack

SHARE, LENGTH, TOKENS, LR = 0.1, 64, 2048, 3e-3  # of the text; of a window; in a batch
LOOKS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # shares of the training
STOPPING, TESTED = 200, 200  # windows that say when to stop, and windows of the test
SHORT = {16: 0.15, 32: 0.3}  # a denoiser's first windows, up to these shares: see `recipes/kjv.py`


@dataclass(frozen=True)
class Bits:
    """A model at one moment. passes: over the text so far. stopping: nats per token of windows that
    were kept out to say when to stop; of a denoiser, from its bound. bits: of each tested window's
    second half, per character, exactly, from left to right. bound: of a denoiser, their mean by its
    bound."""

    step: int
    passes: float
    stopping: float
    bits: tuple[float, ...]
    bound: float | None = None

    @property
    def mean(self) -> float:
        return sum(self.bits) / len(self.bits)


def learn(kjv, arms: Sequence[Arm], seeds, *, steps) -> dict[tuple[Arm, int], list[Bits]]:
    """Train arms of one kind, each at each seed, on the first tenth of the text."""
    pairs, causal = [(arm, seed) for arm in arms for seed in seeds], arms[0].kind == "causal"
    size = {"d_model": 64, "n_layers": 2, "max_len": LENGTH}
    config = TransformerConfig(kjv.mask_id + 1, causal=causal, **size)
    stack = Stack(
        [Transformer(config, seed=seed) for _, seed in pairs], [arm.dropout for arm, _ in pairs]
    )
    tokens = kjv.tokens[: round(SHARE * len(kjv.tokens))]
    rest = kjv.tokens[len(tokens) :]
    kept_out = rest[: len(rest) // LENGTH * LENGTH].view(-1, LENGTH)
    kept_out = kept_out[:: len(kept_out) // STOPPING][:STOPPING]
    found, step_now, seen = {pair: [] for pair in pairs}, 0, 0

    def draw():
        nonlocal step_now, seen
        lengths = [] if causal else [n for n, share in SHORT.items() if step_now < share * steps]
        length = lengths[0] if lengths else LENGTH
        step_now, seen = step_now + 1, seen + TOKENS
        starts = torch.randint(len(tokens) - length, (len(pairs), TOKENS // length, 1))
        return tokens[starts + torch.arange(length)]

    def watch(step):
        for i, pair in enumerate(pairs):
            found[pair].append(measure(kjv, stack.model(i), step, seen / len(tokens), kept_out))

    facts = {"vocab": None, "mask_id": kjv.mask_id, "given": 0 if not causal else 1}
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
            look_at=[round(share * steps) for share in LOOKS],
        )
    return found


@torch.no_grad()
def measure(kjv, model, step, passes, kept_out) -> Bits:
    """How many bits a model takes for text that was held out."""
    tested = kjv.unseen[: len(kjv.unseen) // LENGTH * LENGTH].view(-1, LENGTH)
    tested = tested[:: len(tested) // TESTED][:TESTED]
    half = LENGTH // 2
    characters = [len(kjv.tokenizer.decode(row[half:])) for row in tested]

    def bits(nats):
        each = zip(nats.tolist(), characters, strict=True)
        return tuple(round(-n / math.log(2) / c, 4) for n, c in each)

    if model.config.causal:
        stopping = -float(score(model, kept_out)[:, half - 1 :].mean())
        return Bits(step, passes, stopping, bits(exact(model, tested, given=half)))
    given = torch.arange(LENGTH) < half
    dice = torch.Generator().manual_seed(0)
    how = {"mask_id": kjv.mask_id, "samples": 4, "frozen": given, "generator": dice}
    stopping = -float(diffusion.elbo(model, kept_out, **how).mean()) / half
    bound = bits(diffusion.elbo(model, tested, **how))
    left = exact(model, tested, kjv.mask_id, order="left-to-right", given=half)
    return Bits(step, passes, stopping, bits(left), sum(bound) / len(bound))
