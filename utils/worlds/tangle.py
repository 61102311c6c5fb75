"""`Tangle`: texts of a few letters in which every letter leans on every other, in no direction.

Each pair of places has a table that says how well two letters go together there, and a text is as
likely as all its pairs go together: p(x) is proportional to the exponential of their sum (in the
words of physics, a Potts model with random couplings). So no order of the places is the natural
one, and with four letters in six places all 4,096 texts can be listed.
"""

from __future__ import annotations

import itertools

import torch

from utils.text.numbers import SEED, real, whole
from utils.worlds.listed import Listed


class Tangle(Listed):
    """letters: those a text is made of. places: how many stand in a text. strength: how much the
    pairs matter; at 0 all texts are equally likely. seed: draws the tables."""

    def __init__(self, letters: str = "abcd", places: int = 6, *, strength: float = 0.7, seed=0):
        super().__init__(letters, places)
        strength = real("strength", strength, "choose 0 or more, such as 0.7", least=0)
        generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        fit = torch.zeros(len(self.rows), dtype=torch.float64)
        for i, j in itertools.combinations(range(self.length - 1), 2):
            size = len(letters)
            table = torch.randn(size, size, generator=generator, dtype=torch.float64)
            fit += strength * table[self.rows[:, i], self.rows[:, j]]
        self.weigh(fit)
