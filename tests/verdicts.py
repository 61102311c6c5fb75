"""Texts of `Verdicts`, and a small model of them, that several tests share."""

import torch

from utils.models.transformer import Transformer, TransformerConfig
from utils.worlds import Verdicts

WORLD = Verdicts()
RIGHT = "is 2 + 9 = 11 ? yes , because 2 + 9 = 11 ."


def texts(*lines):
    """These texts, (n, length), the shorter ones filled up with their full stop."""
    rows = [WORLD.vocab.encode(line) for line in lines]
    longest = max(map(len, rows))
    return torch.stack([torch.cat([r, r[-1:].expand(longest - len(r))]) for r in rows])


def other_verdicts(rows):
    """A yes where the row has a no, and the other way round: (n, 1)."""
    at = WORLD.positions["verdict"]
    return WORLD.vocab.id("yes") + WORLD.vocab.id("no") - rows[:, at : at + 1]


def small(seed=0):
    """A model that has learned nothing yet."""
    config = TransformerConfig(len(WORLD.vocab), d_model=16, n_layers=1, n_heads=2, max_len=24)
    return Transformer(config, seed=seed).eval()
