"""`Totals`: digits are called out, and after each the total so far is written down.

    carry=True     <s> 4 4 8 2 1 3 5 8      each answer is the answer before it plus the digit
    carry=False    <s> 4 4 8 2 1 9 5 6      each answer is the digit before it plus the digit

A text begins with `<s>`. The digits, at positions 1, 3, 5, ..., are given; an answer stands after
each. All sums are modulo 10. Both tasks ask for the same hundred additions, at the same places, and
every answer has one right value. One thing differs: with `carry` the first number of each sum is
the writer's own last answer, without it the question supplies it. So a mistake spreads in the first
task and not in the second, whoever makes it. `n`, the number of digits, sets the length.

The start token is no ornament. A causal transformer that knows only how far apart two tokens are
cannot tell "4" from "4 4 4": the average of equal things is the same, however many they are. Yet it
would have to answer 4 after the one and 8 after the other.
"""

from __future__ import annotations

import torch

from utils.text.numbers import SEED, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked, until_impossible

START = "<s>"


class Totals:
    """All lists of n digits, equally likely, each with its totals.

    vocab: the ten digits, of which each is its own id, and `<s>`
    length: 2 n + 1
    """

    def __init__(self, n=32, *, carry=True):
        n = whole("n", n, "a list has at least one digit", least=1)
        self.n, self.carry, self.length = n, carry, 2 * n + 1
        self.vocab = Vocab([*map(str, range(10)), START], joiner=" ", hidden=[START])

    def write(self, digits: torch.Tensor) -> torch.Tensor:
        """The digits with their right answers: (rows, n) int64 -> (rows, 2 n + 1)."""
        if self.carry:
            answers = digits.cumsum(1) % 10
        else:
            answers = digits.clone()
            answers[:, 1:] = (digits[:, :-1] + digits[:, 1:]) % 10
        start = digits.new_full((len(digits), 1), self.vocab.start_id)
        return torch.cat([start, torch.stack([digits, answers], 2).flatten(1)], 1)

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        """n independent texts: (n, length) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        return self.write(torch.randint(10, (n, self.n), generator=generator))

    def expected(self, rows: torch.Tensor) -> torch.Tensor:
        """What each answer should be, given the answers before it as they stand, right or wrong:
        (rows, 2 n + 1) int64 -> (rows, n) int64.
        """
        digits = rows[:, 1::2]
        before = (rows[:, 2::2] if self.carry else digits)[:, :-1]
        return torch.cat([digits[:, :1], (before + digits[:, 1:]) % 10], 1)

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each row under `sample`, in nats: (n, t) -> (n,) float64.

        A row that `sample` never gives has -inf; one that stops short is scored as a prefix.
        """
        rows = torch.from_numpy(checked(tokens, self))
        right = self.write(rows[:, 1::2])[:, : rows.shape[1]] == rows
        scores = right.double().log()  # the start and an answer are certain or impossible,
        a_digit = (rows[:, 1::2] < 10).double() / 10  # a digit is one of ten
        scores[:, 1::2] = a_digit.log()
        return until_impossible(scores.numpy()).sum(-1).to(tokens.device)
