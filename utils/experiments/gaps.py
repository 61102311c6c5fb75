"""A gap in a text of `Tangle`: what may stand there, exactly, and what each kind of model says.

A gap is `size` letters in a row from place `start` on. For every text, each function here gives the
log-probability of its own letters in the gap, given all the others: (texts,) float64 in nats.
`apart` compares it with the truth.
"""

import torch

from utils.generation import diffusion
from utils.generation.sampling import score
from utils.text.numbers import whole
from utils.training.rearranged import cut, placed

DRAWS = 200  # of what the other tries are, in `by_weighing`


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


def denoiser(model, world, start, size):
    """A denoiser fills the gap from the left, a letter a pass."""
    return _revealed(model, world, range(start, start + size))


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
def letters(model, world):
    """What a plain causal model says of each letter of each text after those before it: (texts,
    places) float64. Three ways to fill a gap follow from it; they take it in place of the model."""
    return score(model, world.texts).double()


def from_the_left(said, world, start, size):
    """A causal model writes on, blind to what follows the gap: a letter a pass."""
    return said[:, start - 1 :][:, :size].sum(1)


def by_weighing(said, world, start, size, *, tries=None):
    """A causal model writes the gap `tries` times, blind to what follows, and keeps one of them,
    drawn by how likely each makes what follows (sampling-importance-resampling).

    tries: None takes `size` of them: then as many tokens are read as in `size` passes of a
    denoiser. The chance that the gap is filled with y is tries * p(y | left) times the mean, over
    what the other tries are, of w(y) / (w(y) + w of the others), where w is p(right | left, y).
    That mean is taken over DRAWS of the others for each left and right.
    """
    tries = whole("tries", size if tries is None else tries, "take at least 1", least=1)
    place, many = start - 1, len(world.vocab) - 2
    shape = (many**place, many**size, -1)  # left, gap, right
    blind = said[:, place : place + size].sum(1).view(shape)
    blind = blind - blind.logsumexp(1, keepdim=True)
    weight = said[:, place + size :].sum(1).view(shape).exp()
    lefts, _, rights = weight.shape
    dice = torch.Generator().manual_seed(0)
    others = weight.new_zeros(lefts, DRAWS, rights)
    for _ in range(tries - 1):
        drawn = blind[..., 0].exp().multinomial(DRAWS * rights, True, generator=dice)
        others += weight.gather(1, drawn.view(lefts, DRAWS, rights))
    chance = (weight[:, :, None] / (weight[:, :, None] + others[:, None])).mean(2)
    return (tries * chance).log().add(blind).flatten()


def by_bayes(said, world, start, size):
    """A causal model compares all the texts that fit: their number is letters to the power size."""
    return _given_the_rest(world, said.sum(1), start, size)


@torch.no_grad()
def in_order(model, world, order):
    """The log-probability of every text when its places are written in this order, one a pass, by a
    denoiser or by a causal model of `rearranged.in_any_order`: (texts,)."""
    if not model.config.causal:
        return _revealed(model, world, order)
    rows = placed(world.texts, torch.tensor(order).expand(len(world.texts), -1), len(world.vocab))
    return score(model, rows)[:, 1::2].double().sum(1)


def all_apart(read, model, world, *, most=None):
    """How far in every gap there is: {(start, size): nats}, small gaps first. read: one of the
    functions above, of a model or of its `letters`. most: letters in the longest gap asked for."""
    return {
        (start, size): apart(world, read(model, world, start, size), start, size)
        for size in range(1, world.length if most is None else most + 1)
        for start in gaps(world, size)
    }


def _given_the_rest(world, log_probs, start, size):
    """log p(gap | rest) of every text, from log p(text)."""
    joint = world.grid(log_probs)
    axes = tuple(range(start - 1, start - 1 + size))
    return (joint - joint.logsumexp(axes, keepdim=True)).flatten()


@torch.no_grad()
def _revealed(model, world, order):
    """What a denoiser says of each text's own letters as these places are filled in this order."""
    texts, mask_id, order = world.texts, world.vocab.mask_id, list(order)
    total = torch.zeros(len(texts), dtype=torch.float64)
    for i, at in enumerate(order):
        noisy = texts.clone()
        noisy[:, order[i:]] = mask_id
        shown, which = noisy.unique(dim=0, return_inverse=True)  # many texts look the same so
        here = torch.zeros_like(shown, dtype=torch.bool)
        here[:, at] = True
        said = diffusion.log_probs(model, shown, mask_id, here)  # (shown, vocab)
        total += said[which, texts[:, at]].double()
    return total
