"""What is learned from few texts, read many times, and from many: causal models and denoisers of
one size on a language of which everything can be listed, so that nothing about them is estimated.

An `Arm` is a way to train. `learn` trains several arms at several seeds at once and measures, at
some moments of the training, how far each model is from the true language.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn.functional import cross_entropy

from utils.generation import diffusion
from utils.generation.sampling import score
from utils.measure import enumeration, likelihood
from utils.models.transformer import Transformer, TransformerConfig
from utils.text.numbers import whole
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


def losses(stack, rows, arms, *, vocab, mask_id, given):
    """What each model of a stack minimises: (models,), in nats a token. rows: (models, batch,
    length). vocab: tokens before those that name places. given: the first so many tokens are."""
    kind, flat = arms[0].kind, rows.flatten(0, 1)
    if kind == "diffusion":
        rates = torch.cat([diffusion.spread_rates(each) for each in rows])
        frozen = torch.arange(rows.shape[-1]) < given
        noisy, masked = diffusion.hide(flat, rates, mask_id, frozen=frozen)
        said = stack(noisy.view(rows.shape)).flatten(0, 1)[masked]  # (hidden, vocab)
        said[:, mask_id] = -torch.inf  # a mask is no token
        each = cross_entropy(said, flat[masked], reduction="none")
        each = torch.zeros(flat.shape).masked_scatter(masked, each)
        mean = each.sum(-1) / masked.sum(-1)  # over the hidden tokens of each text
        return mean.view(len(rows), -1).mean(1)
    if kind == "permuted":
        orders = torch.rand(*rows.shape[:2], rows.shape[-1] - 1).argsort(-1)
        rows = in_order(rows, orders, vocab)
    inputs, targets = rows[..., :-1], rows[..., 1:].clone()
    if kind == "permuted":
        targets[..., ::2] = NO_TARGET  # the places are given
    most = torch.tensor([arm.hidden for arm in arms])
    if most.any():
        gone = torch.rand(inputs.shape) < most[:, None, None] * torch.rand(*inputs.shape[:2], 1)
        gone[..., :given] = False
        inputs = inputs.masked_fill(gone, mask_id)
    said = stack(inputs).flatten(0, 2)
    each = cross_entropy(said, targets.flatten(), reduction="none", ignore_index=NO_TARGET)
    return each.view(len(rows), -1).sum(1) / (targets[0] != NO_TARGET).sum()


def kept_out_texts(n) -> int:
    """How many of n texts are kept out, to say when to stop; of fresh texts, 2,000."""
    return round(STOPPING * (n or 10_000))


def texts_of(world, n, seed):
    """The n texts of a seed, those that are kept out first; of fresh texts, these alone."""
    return world.sample(n or kept_out_texts(n), seed=1_000_000 + seed)


def learn(world, n, arms: Sequence[Arm], seeds, *, steps, **size):
    """Train arms of one kind, each at each seed, on n texts of its seed, or on fresh ones for ever
    (n None). Returns {(arm, seed): (looks, the model where it was best on the texts kept out)}."""
    if n is not None:
        n = whole("n", n, "give 5 texts or more, for a fifth of them is kept out", least=5)
    steps = whole("steps", steps, "take at least 1", least=1)
    pairs = [(arm, seed) for arm in arms for seed in seeds]
    config = shape(world, arms[0].kind, **size)
    stack = Stack(
        [Transformer(config, seed=seed) for _, seed in pairs], [arm.dropout for arm, _ in pairs]
    )
    held = kept_out_texts(n)
    texts = {seed: texts_of(world, n, seed) for seed in seeds}
    rows = torch.stack([texts[seed][held:] for _, seed in pairs])
    kept_out = [numbers(world, texts[seed][:held]) for _, seed in pairs]
    looks, best = {pair: [] for pair in pairs}, {}
    facts = {"vocab": len(world.vocab), "mask_id": world.vocab.mask_id, "given": 1}

    fresh = itertools.count(2_000_000 + 100_000 * seeds[0])

    def draw():
        if n is None:
            new = world.sample(len(pairs) * BATCH, seed=next(fresh))
            return new.view(len(pairs), BATCH, -1)
        which = torch.randint(n - held, (len(pairs), BATCH, 1))
        return rows.gather(1, which.expand(-1, -1, world.length))

    def watch(step):
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
            partial(losses, arms=[arm for arm, _ in pairs], **facts),
            steps=steps,
            lr=LR,
            decay=[arm.decay for arm, _ in pairs],
            look=watch,
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
    if model.config.causal:
        return look(world, joint(world, model), step, kept_out)
    table = answers(world, model)
    left = likelihood.kl_of(world, enumeration.along(table, range(table.n)))
    bound = likelihood.kl_of(world, enumeration.elbo(table))
    found = enumeration.in_random_order(table)
    return look(world, found, step, kept_out, left=left, bound=bound)


def look(world, found, step, kept_out, **more) -> Look:
    """The same of log-probabilities of all texts, (texts,)."""
    return Look(step, -float(found[kept_out].mean()), likelihood.kl_of(world, found), **more)


@torch.no_grad()
def joint(world, model):
    """What a model gives each text: (texts,) float64, nats. A causal or permuted one is read from
    left to right, a denoiser fills in an order drawn at random."""
    if not model.config.causal:
        return enumeration.in_random_order(answers(world, model))
    rows = world.texts
    if model.config.max_len == world.length:
        return score(model, rows).double().sum(1)
    orders = torch.arange(world.length - 1).expand(len(rows), -1)
    rows = in_order(rows, orders, len(world.vocab))
    return score(model, rows)[:, 1::2].double().sum(1)


@torch.no_grad()
def answers(world, model) -> enumeration.Table:
    """What a model says of every blank in every state: a denoiser is asked, and of a causal model
    the probabilities of whole texts are added up."""
    if model.config.causal:
        return enumeration.by_bayes(world.grid(joint(world, model).exp()))
    say = partial(diffusion.log_probs, model, mask_id=world.vocab.mask_id)
    return enumeration.full_table(world, say)


def errors(world, table) -> torch.Tensor:
    """How far a table's answers are from the true ones, for each state and each hidden place:
    (2^n, n) nats, the mean KL divergence of the answer, and 0 where nothing is hidden."""
    probs = world.log_prob(world.texts).exp()
    truth = enumeration.by_bayes(world.grid(probs))
    return torch.einsum("t,tsn->sn", probs, truth.log_probs - table.log_probs)


def averaged(world, models, kept_out) -> Look:
    """Several models as one: their probabilities of whole texts are averaged."""
    each = torch.stack([joint(world, model) for model in models])
    return look(world, each.logsumexp(0) - math.log(len(each)), 0, kept_out)
