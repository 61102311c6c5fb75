"""What languages share that are so small that all their texts can be listed."""

from __future__ import annotations

import itertools

import torch

from utils.text.numbers import SEED, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked

START, MASK = "<s>", "<mask>"
MOST = 4**6  # texts


class Listed:
    """Texts of a few letters in a few places. A language that inherits from this gives `weigh` the
    log-weights of all texts. Raises ValueError if there are more than `MOST`.

    vocab:  the letters, then `<s>` and `<mask>`
    length: tokens in a row, `<s>` first
    texts:  every text there is, (letters^places, length) int64, in the order of the alphabet
    """

    def __init__(self, letters: str, places: int):
        places = whole("places", places, "choose 2 to 10", least=2, most=10)
        many = len(letters) ** places
        if many > MOST:
            raise ValueError(
                f"{len(letters)} letters in {places} places make {many:,} texts, too many to list; "
                f"choose fewer of either, for at most {MOST:,}"
            )
        self.vocab = Vocab([*letters, START, MASK], hidden=[START])
        self.length = places + 1
        self.rows = torch.tensor(list(itertools.product(range(len(letters)), repeat=places)))
        self.texts = torch.nn.functional.pad(self.rows, (1, 0), value=self.vocab.start_id)

    def weigh(self, log_weights: torch.Tensor) -> None:
        """Make each text as likely as the exponential of its weight, (texts,) float64, says."""
        self._probs = log_weights.softmax(0)

    def grid(self, probs: torch.Tensor) -> torch.Tensor:
        """The numbers of `texts`, (texts,), with an axis for each place: (letters,) * places."""
        return probs.view([len(self.vocab) - 2] * (self.length - 1))

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        """n independent texts: (n, length) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        reached = torch.rand(n, generator=generator, dtype=torch.float64)
        drawn = torch.searchsorted(self._probs.cumsum(0), reached)
        return self.texts[drawn.clamp(max=len(self.texts) - 1)]

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each row, in nats: (n, t) -> (n,) float64.

        A row that stops short of `length` scores as a beginning, summed over all its endings; one
        that is no text, -inf.
        """
        rows = torch.from_numpy(checked(tokens, self))
        size, letters = len(self.vocab) - 2, rows[:, 1:]
        allowed = (rows[:, 0] == self.vocab.start_id) & (letters < size).all(1)
        number = torch.zeros(len(rows), dtype=torch.int64)  # of the beginning, in the alphabet
        for letter in letters.clamp(max=size - 1).T:
            number = number * size + letter
        probs = self._probs.view(size ** letters.shape[1], -1).sum(1)[number]
        return probs.log().masked_fill(~allowed, -torch.inf).to(tokens.device)

    def entropy(self) -> float:
        """Of a whole text, in nats."""
        return float(-torch.xlogy(self._probs, self._probs).sum())
