"""`Pairs`: who goes with whom, and nothing else to go by.

Each text is `<s> FIRST is SECOND`. A first name is a few syllables in small letters, a second name
a few in capitals, all drawn at random: that a pair belongs together can only be learned by heart.
So when a model answers a question that it was not trained on, only the pair can have told it.
"""

from __future__ import annotations

import itertools
import math

import torch

from utils.text.numbers import SEED, real, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked

START, MASK, IS = "<s>", "<mask>", " is "
SYLLABLES = ["".join(pair) for pair in itertools.product("bdfghjklmnprstvz", "aeio")]


class Pairs:
    """n: pairs. size: syllables in each name. seed: draws the names.
    both: the share of the pairs, the first ones, that are also told as `SECOND is FIRST`.

    vocab:   64 small syllables, the same in capitals, ` is `, `<s>`, `<mask>`
    length:  tokens in a row, `<s>` first
    firsts, seconds: the names, (n, size) int64; all differ
    texts:   every text there is, (n + n * both, length); each is as likely as any other
    """

    def __init__(self, n: int = 100, size: int = 4, *, both: float = 0.0, seed: int = 0):
        self.size = whole("size", size, "a name has 1 to 8 syllables", least=1, most=8)
        most = min(len(SYLLABLES) ** self.size, 10_000)
        self.n = whole("n", n, f"choose 1 to {most} pairs of such names", least=1, most=most)
        both = real("both", both, "give a share from 0 to 1", least=0, most=1)
        self.n_both = round(both * self.n)
        capitals = [syllable.upper() for syllable in SYLLABLES]
        self.vocab = Vocab([*SYLLABLES, *capitals, IS, START, MASK], hidden=[START])
        self.length = 2 * self.size + 2
        dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        self.firsts = _names(self.n, self.size, dice)
        self.seconds = _names(self.n, self.size, dice) + len(SYLLABLES)
        self.texts = torch.cat([self.forward(), self.backward()[: self.n_both]])

    def forward(self) -> torch.Tensor:
        """`<s> FIRST is SECOND` of every pair: (n, length)."""
        return self.row(self.firsts, self.seconds)

    def backward(self) -> torch.Tensor:
        """`<s> SECOND is FIRST` of every pair, whether it is told or not: (n, length)."""
        return self.row(self.seconds, self.firsts)

    def row(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """The texts `<s> LEFT is RIGHT` of names, each (n, size)."""
        start, link = (torch.full_like(left[:, :1], self.vocab.id(token)) for token in (START, IS))
        return torch.cat([start, left, link, right], 1)

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        """n texts, drawn independently: (n, length) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        return self.texts[torch.randint(len(self.texts), (n,), generator=dice)]

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each whole text, in nats: (n, length) -> (n,) float64."""
        array = torch.from_numpy(checked(tokens, self))
        if array.shape[1] != self.length:
            raise ValueError(f"tokens has {array.shape[1]} positions; a text has {self.length}")
        told = (array[:, None] == self.texts).all(-1).any(1)
        found = torch.full((len(array),), -math.inf, dtype=torch.float64)
        return found.masked_fill(told, -math.log(len(self.texts))).to(tokens.device)


def _names(n, size, dice):
    """n different names, (n, size) int64."""
    count = len(SYLLABLES) ** size
    if count <= 100_000:
        numbers = torch.randperm(count, generator=dice)[:n]
    else:  # too many to shuffle; what comes twice is drawn again
        numbers = torch.empty(0, dtype=torch.int64)
        while len(numbers) < n:
            more = torch.randint(count, (2 * n,), generator=dice)
            numbers = torch.cat([numbers, more])
            numbers = torch.tensor(list(dict.fromkeys(numbers.tolist())))[:n]
    powers = len(SYLLABLES) ** torch.arange(size)
    return numbers[:, None] // powers % len(SYLLABLES)
