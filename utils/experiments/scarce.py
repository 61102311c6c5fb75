"""What is learned from few texts, read many times, and from many: causal models and denoisers of
one size on a language of which everything can be listed, so that nothing about them is estimated.

An `Arm` is a way to train. `learn` trains several arms at several seeds at once and measures, at
some moments of the training, how far each model is from the true language.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch.nn.functional import cross_entropy, pad

from utils.generation import diffusion
from utils.generation.sampling import score
from utils.measure import enumeration
from utils.models.transformer import Transformer, TransformerConfig
from utils.training.losses import NO_TARGET
from utils.training.stack import Stack, fit_stack

BATCH, LR = 32, 4e-3
LOOKS = (0.03, 0.06, 0.1, 0.15, 0.22, 0.3, 0.4, 0.55, 0.75, 1.0)  # shares of the training
STOPPING = 0.2  # share of the texts that is kept out, to say when to stop


@dataclass(frozen=True)
class Arm:
    """A way to train. kind: "causal", "permuted" (causal, in an order drawn for each text, each
    letter after a token that names its place) or "diffusion". decay: the weight decay. dropout: see
    `Stack`. hidden: of a causal model's inputs, the share that is masked in training is drawn from
    0 up to this."""

    kind: str
    decay: float = 0.01
    dropout: float = 0.0
    hidden: float = 0.0


@dataclass(frozen=True)
class Look:
    """A model at one moment. step: of its training. stopping: what it says of the texts that were
    kept out to say when to stop, nats per text. kl: how far it is from the truth, nats per text.
    left, bound: of a denoiser, the same when it fills from left to right, and of its bound."""

    step: int
    stopping: float
    kl: float
    left: float | None = None
    bound: float | None = None


def shape(world, kind: str, **size) -> TransformerConfig:
    """The config of an arm of this kind; of about as many parameters for each."""
    size = {"d_model": 32, "n_layers": 2, "n_heads": 2} | size
    places = world.length - 1
    if kind == "permuted":
        return TransformerConfig(len(world.vocab) + places, max_len=1 + 2 * places, **size)
    return TransformerConfig(
        len(world.vocab), max_len=world.length, causal=kind == "causal", **size
    )


# -- training --------------------------------------------------------------------------------------


def in_order(rows, orders, vocab):
    """Texts as a permuted model reads them: <s>, a place, its letter, a place, its letter ...

    rows: (..., 1 + places); orders: (..., places), from 0. Place p is token vocab + p."""
    letters = rows[..., 1:].gather(-1, orders)
    pairs = torch.stack([orders + vocab, letters], -1).flatten(-2)
    return torch.cat([rows[..., :1], pairs], -1)


def losses(stack, rows, world, arms):
    """What each model of a stack minimises: (models,), in nats. rows: (models, batch, length)."""
    kind, mask_id = arms[0].kind, world.vocab.mask_id
    flat = rows.flatten(0, 1)
    if kind == "diffusion":
        rates = torch.stack([diffusion.spread_rates(each) for each in rows]).flatten()
        start = torch.arange(world.length) < 1
        noisy, masked = diffusion.hide(flat, rates, mask_id, frozen=start)
        said = stack(noisy.view(rows.shape)).flatten(0, 1)
        said[..., mask_id] = -torch.inf  # a mask is no letter
        weight = masked / masked.sum(-1, keepdim=True)
        each = cross_entropy(said.transpose(1, 2), flat, reduction="none")
        return (each * weight).view(len(rows), -1).sum(1) / rows.shape[1]
    if kind == "permuted":
        orders = torch.rand(*rows.shape[:2], world.length - 1).argsort(-1)
        rows = in_order(rows, orders, len(world.vocab))
        inputs, targets = rows[..., :-1], rows[..., 1:].clone()
        targets[..., ::2] = NO_TARGET  # the places are given
    else:
        inputs, targets = rows[..., :-1], rows[..., 1:]
    most = torch.tensor([arm.hidden for arm in arms])
    if most.any():
        gone = torch.rand(inputs.shape) < most[:, None, None] * torch.rand(*inputs.shape[:2], 1)
        gone[..., 0] = False
        inputs = inputs.masked_fill(gone, mask_id)
    said = stack(inputs).flatten(0, 2)
    each = cross_entropy(said, targets.flatten(), reduction="none", ignore_index=NO_TARGET)
    return each.view(len(rows), -1).sum(1) / (rows.shape[1] * (world.length - 1))


def learn(world, n, arms: Sequence[Arm], seeds, *, steps, **size):
    """Train arms of one kind, each at each seed, on n texts of its seed, or on fresh ones for ever
    (n None). Returns {(arm, seed): (looks, the model where it was best on the texts kept out)}."""
    pairs = [(arm, seed) for arm in arms for seed in seeds]
    config = shape(world, arms[0].kind, **size)
    stack = Stack(
        [Transformer(config, seed=seed) for _, seed in pairs], [arm.dropout for arm, _ in pairs]
    )
    held = round(STOPPING * (n or 10_000))
    texts = {seed: world.sample(n or held, seed=1_000_000 + seed) for seed in seeds}
    rows = torch.stack([texts[seed][held:] for _, seed in pairs])
    kept_out = [numbers(world, texts[seed][:held]) for _, seed in pairs]
    looks, best = {pair: [] for pair in pairs}, {}

    def draw():
        if n is None:
            draw.calls += 1
            fresh = world.sample(len(pairs) * BATCH, seed=2_000_000 + 100_000 * seeds[0] + draw.calls)
            return fresh.view(len(pairs), BATCH, -1)
        which = torch.randint(n - held, (len(pairs), BATCH, 1))
        return rows.gather(1, which.expand(-1, -1, world.length))

    draw.calls = 0

    def look(step):
        for i, pair in enumerate(pairs):
            model = stack.model(i)
            seen = measure(world, model, step, kept_out[i])
            if not looks[pair] or seen.stopping < min(each.stopping for each in looks[pair]):
                best[pair] = model
            looks[pair].append(seen)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds[0])
        fit_stack(
            stack,
            draw,
            lambda stack, batch: losses(stack, batch, world, [arm for arm, _ in pairs]),
            steps=steps,
            lr=LR,
            decay=[arm.decay for arm, _ in pairs],
            look=look,
            look_at=[max(1, round(share * steps)) for share in LOOKS],
        )
    return {pair: (looks[pair], best[pair]) for pair in pairs}


# -- measuring -------------------------------------------------------------------------------------


def numbers(world, rows):
    """Where these texts stand in `world.texts`: (n,) int64."""
    size, found = len(world.vocab) - 2, torch.zeros(len(rows), dtype=torch.int64)
    for letter in rows[:, 1:].T:
        found = found * size + letter
    return found


@torch.no_grad()
def measure(world, model, step, kept_out) -> Look:
    """How far a model is from the truth. kept_out: texts that say when to stop, by `numbers`."""
    truth = world.log_prob(world.texts)
    probs = truth.exp()

    def far(log_probs):
        return float(probs @ (truth - log_probs))

    def look(joint, **more):
        return Look(step, -float(joint[kept_out].mean()), far(joint), **more)

    if not model.config.causal:
        table = enumeration.full_table(world, partial_say(model, world))
        joint = enumeration.in_random_order(table)
        left = enumeration._along(table, range(table.n), 1)
        return look(joint, left=far(left), bound=far(enumeration.elbo(table)))
    return look(joint_of(world, model))


def partial_say(model, world):
    return lambda tokens: diffusion.log_probs(model, tokens, world.vocab.mask_id)


def joint_of(world, model):
    """What a causal or permuted model gives each text, read from left to right: (texts,) nats."""
    texts = world.texts
    if model.config.max_len == world.length:
        return score(model, texts).double().sum(1)
    orders = torch.arange(world.length - 1).expand(len(texts), -1)
    rows = in_order(texts, orders, len(world.vocab))
    return score(model, rows)[:, 1::2].double().sum(1)
