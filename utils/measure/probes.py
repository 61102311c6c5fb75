"""Probes: small networks that read what a model keeps inside, while the model is left as it is.

`Linear` reads a label off the states of one place (Alain & Bengio 2016, arXiv:1610.01644). What it
finds there the model need not use. So read the same with `control_labels`, which mean nothing
(Hewitt & Liang 2019, arXiv:1909.03368), and off a network that has learned nothing; and then
change it and see what the model does: `measure/patching.py`.

`Doubt` reads, at each position, how likely the token there is to be right. It is a *signal* for
`revision.revise`, learned from mistakes as in PRISM (Kim et al. 2025, arXiv:2510.01384) and as
cheap as a single forward pass.
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from utils.generation import diffusion
from utils.generation.rounds import checked_positions
from utils.generation.sampling import draw
from utils.measure.patching import streams
from utils.models.arithmetic import widened
from utils.models.transformer import rms_norm
from utils.text import chance
from utils.text.numbers import SEED, real, whole


def features(model, tokens):
    """What each layer leaves in the stream, as the next one reads it, side by side: (batch, length,
    n_layers * d_model)."""
    return torch.cat(list(rms_norm(streams(model, tokens), model.config.norm_eps)), -1)


class Linear:
    """A linear classifier of states, learned by heart from (n, d_model) states and (n,) labels.

    Called with states it gives the logits of the labels; `accuracy` is the share it gets right. The
    states are first brought to a mean of 0 and a spread of 1 in each channel. penalty: on the
    squares of its weights, so that it does not rely on channels that hardly vary.
    """

    def __init__(self, states, labels, *, penalty=1e-3):
        penalty = real("penalty", penalty, "choose 0 or more, such as 1e-3", least=0)
        states = widened(states)
        self.mean, self.spread = states.mean(0), states.std(0) + 1e-8
        self.weight = states.new_zeros(states.shape[1], int(labels.max()) + 1, requires_grad=True)
        self.bias = states.new_zeros(int(labels.max()) + 1, requires_grad=True)
        optimizer = torch.optim.LBFGS([self.weight, self.bias], max_iter=100)

        def loss():
            optimizer.zero_grad()
            wrong = cross_entropy(self(states), labels) + penalty * self.weight.square().sum()
            wrong.backward()
            return wrong

        optimizer.step(loss)
        self.weight.requires_grad_(False), self.bias.requires_grad_(False)

    def __call__(self, states):
        return (widened(states) - self.mean) / self.spread @ self.weight + self.bias

    def accuracy(self, states, labels):
        return float((self(states).argmax(-1) == labels).double().mean())


def control_labels(words, labels, *, seed):
    """Labels that mean nothing: every word gets one at random, the same wherever it stands, and
    each label is as frequent as before. words, labels: (n,) int64. Returns (n,) int64."""
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    kinds, at = words.unique(return_inverse=True)
    own = torch.empty_like(kinds).scatter(0, at, labels)  # of each word, the label it really has
    return own[torch.randperm(len(kinds), generator=dice)][at]


class Doubt:
    """A signal learned from mistakes: a small network that reads the stream at each position.

    texts: (n, length) int64, some of their tokens wrong; right: (n, length) bool, where they are
    not. The model is left as it is. Called like `glance`, for one forward pass it gives the
    probability that each token is right.
    """

    def __init__(self, model, texts, right, positions, *, hidden=32, steps=200, seed=0):
        hidden = whole("hidden", hidden, "take at least 1", least=1)
        steps = whole("steps", steps, "take at least 1", least=1)
        seed = whole("seed", seed, **SEED)
        positions = checked_positions(texts, positions)
        x = widened(features(model, texts)[:, positions])
        y = right[:, positions].to(x)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Sequential(
                nn.Linear(x.shape[-1], hidden), nn.SiLU(), nn.Linear(hidden, 1)
            ).to(x)
        optimizer = torch.optim.AdamW(self.head.parameters(), lr=1e-2)
        for _ in range(steps):
            loss = binary_cross_entropy_with_logits(self.head(x)[..., 0], y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.head.requires_grad_(False)

    def __call__(self, model, tokens, mask_id, positions):
        read = features(model, tokens)[:, checked_positions(tokens, positions)]
        return self.head(read.to(self.head[0].weight))[..., 0].sigmoid()


@torch.no_grad()
def slips(model, tokens, mask_id, positions, *, generator=None):
    """Texts with one plausible mistake each, to learn from: a token is hidden and replaced by one
    drawn as the model would draw it, were it not for the right one.

    positions: where, drawn evenly. Returns the texts and where they are right: (batch, length).
    """
    mask_id = diffusion.check_model(model, mask_id)
    positions = checked_positions(tokens, positions)
    dice = {"device": tokens.device, "generator": generator}
    at = positions[chance.integers(len(positions), (len(tokens),), **dice)][:, None]  # (batch, 1)
    where = torch.zeros_like(tokens, dtype=torch.bool).scatter(1, at, True)
    said = diffusion.log_probs(model, tokens.masked_fill(where, mask_id), mask_id, where)
    said = said.scatter(-1, tokens[where][:, None], -torch.inf)  # (batch, vocab)
    wrong = tokens.scatter(1, at, draw(said, generator=generator)[:, None])
    return wrong, wrong == tokens
