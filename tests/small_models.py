"""Small models and texts that several tests share."""

import itertools

import torch

from utils.experiments.reward import Letters
from utils.models.transformer import Transformer, TransformerConfig


def lively(config, seed=0):
    """A model with weights large enough that every part of it shows in the logits."""
    model = Transformer(config, seed=seed).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight.mul_(0.5 / weight.std())
            else:
                weight.copy_(torch.linspace(0.5, 1.5, len(weight)))
    return model.requires_grad_(False)


def lively_letters(world, causal=False, seed=0):
    """A small model of a world of letters, which can learn."""
    config = TransformerConfig(
        len(world.vocab), d_model=16, n_layers=1, n_heads=2, max_len=1 + world.length, causal=causal
    )
    return Letters(lively(config, seed).requires_grad_(True), world)


def tokens(batch, length, vocab_size=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab_size, (batch, length), generator=generator)


class Known:
    """A model that knows the world: texts of three tokens of 0, 1, 2, and 3 for a blank. What it
    says of a position is the true probability given what else stands there."""

    mask, length = 3, 3

    def __init__(self, seed=0, doubt=0.0):
        self.texts = torch.tensor(list(itertools.product(range(3), repeat=3)))
        generator = torch.Generator().manual_seed(seed)
        self.probs = torch.rand(27, generator=generator, dtype=torch.float64) ** 4
        self.probs /= self.probs.sum()
        self.doubt = doubt  # how much of a guess is mixed in
        self.read = []  # the number of rows in each pass

    def __call__(self, given):
        self.read.append(len(given))
        fits = ((given[:, None] == self.texts) | (given[:, None] == self.mask)).all(-1)  # (b, 27)
        joint = fits * self.probs
        said = torch.zeros(*given.shape, 4, dtype=torch.float64)
        for token in range(3):
            said[..., token] = joint @ (self.texts == token).double()
        said = said / joint.sum(-1)[:, None, None]
        guess = torch.tensor([1.0, 1.0, 1.0, 0.0]) / 3
        return ((1 - self.doubt) * said + self.doubt * guess).log()

    def conditional(self, text, position, hidden):
        given = text.clone()
        given[list(hidden)] = self.mask
        return float(self(given[None])[0, position, text[position]])

    def bound(self, text):
        """The mean over all orders of the log-probabilities along the order, by brute force."""
        total = 0.0
        for order in itertools.permutations(range(3)):
            total += sum(self.conditional(text, order[i], order[i:]) for i in range(3))
        return total / 6
