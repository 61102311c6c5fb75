"""A gap in a text of `Tangle`: what may stand there, exactly, and what each kind of model says.

A gap is `size` letters in a row from place `start` on. For every text, each function here gives the
log-probability of its own letters in the gap, given all the others: (texts,) float64 in nats.
`apart` compares it with the truth.
"""

import torch

from utils.generation import diffusion
from utils.generation.sampling import score
from utils.training.rearranged import cut, placed


def gaps(world, size):
    """Where a gap of this size can begin."""
    return range(1, world.length - size + 1)


def truth(world, start, size):
    """The world's own answer."""
    return _given_the_rest(world, world.log_prob(world.texts), start, size)


def apart(world, said, start, size):
    """How far an answer is from the true one, mean over all texts: a KL divergence, in nats."""
    right = truth(world, start, size)
    probs = world.log_prob(world.texts).exp()
    return float(probs @ (right - said))


@torch.no_grad()
def denoiser(model, world, start, size, *, at_once=False):
    """A denoiser fills the gap from the left, a letter a pass; or all of it in one pass, each
    letter as if the others were not."""
    texts, mask_id = world.texts, world.vocab.mask_id
    total = torch.zeros(len(texts), dtype=torch.float64)
    for at in range(start, start + size):
        noisy, here = texts.clone(), torch.zeros_like(texts, dtype=torch.bool)
        noisy[:, start if at_once else at : start + size] = mask_id
        here[:, at] = True
        said = diffusion.log_probs(model, noisy, mask_id, here)  # (texts, vocab)
        total += said.gather(-1, texts[:, at, None])[:, 0].double()
    return total


@torch.no_grad()
def middle_last(model, world, start, size):
    """A causal model sees the gap and writes the middle at the end, a letter a pass."""
    rows = cut(world.texts, start, size, len(world.vocab))
    return score(model, rows)[:, -size:].double().sum(1)


@torch.no_grad()
def any_order(model, world, start, size):
    """A causal model is told all other letters with their places, then asked for these."""
    gap = range(start, start + size)
    order = [at for at in range(1, world.length) if at not in gap] + list(gap)
    rows = placed(world.texts, torch.tensor(order).expand(len(world.texts), -1), len(world.vocab))
    return score(model, rows)[:, 1::2][:, -size:].double().sum(1)


@torch.no_grad()
def from_the_left(model, world, start, size):
    """A causal model writes on, blind to what follows the gap: a letter a pass."""
    return score(model, world.texts)[:, start - 1 :][:, :size].double().sum(1)


@torch.no_grad()
def by_bayes(model, world, start, size):
    """A causal model compares all the texts that fit: their number is letters to the power size."""
    return _given_the_rest(world, score(model, world.texts).double().sum(1), start, size)


def mean_apart(read, model, world):
    """How far on average over all gaps: {size: nats}. read: one of the functions above."""
    found = {}
    for size in range(1, world.length):
        each = [
            apart(world, read(model, world, start, size), start, size)
            for start in gaps(world, size)
        ]
        found[size] = sum(each) / len(each)
    return found


def _given_the_rest(world, log_probs, start, size):
    """log p(gap | rest) of every text, from log p(text)."""
    joint = world.grid(log_probs)
    axes = tuple(range(start - 1, start - 1 + size))
    return (joint - joint.logsumexp(axes, keepdim=True)).flatten()
