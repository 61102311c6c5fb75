"""`Squares`: Latin squares to be completed, in which every cell depends on all the others.

    . 2 . .        3 2 1 4
    . . . 3        1 4 2 3      each of the digits 1 to 4 once in every row
    . . . .        4 1 3 2      and once in every column
    . 3 . .        2 3 4 1

The question gives some of the cells, the *clues*, and the answer repeats them and fills in the
rest. A text is both, row by row, each after a start token. With few clues many squares answer the
question, and which digit a cell may hold hangs on the cells that are filled already. So whoever
revises an answer has to read the rest of it. `Verdicts` does not ask for that: there the question
alone decides every word.

There are 576 squares of order 4, all equally likely here. Some are *held out*: never in a sample
unless one asks for them, so that knowing the rule can be told from knowing the squares.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from math import comb

import numpy as np
import torch

from utils.text.numbers import SEED, real, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked

START, OPEN, MASK = "<s>", ".", "<mask>"


class Squares:
    """All Latin squares of one order, equally likely, each asked for by some of its cells.

    order: digits, rows and columns, 2 to 5. given: clues in a question, in any places.
    held_out: share of the squares that samples leave out. seed: draws which.

    vocab: the digits from 1, whose ids are one less, `.` for a cell that the question leaves open,
        `<s>` and `<mask>`
    length: of a text, 2 + 2 order²
    question: where a text is the question or a start token: (length,) bool
    answer: the positions of the cells of the answer, a range
    squares: every Latin square there is, an array (count, order²)
    seen, unseen: those in and not in the samples
    """

    def __init__(self, order=4, given=3, *, held_out=1 / 6, seed=0):
        self.order = whole(
            "order", order, "choose 2 to 5; larger ones are too many", least=2, most=5
        )
        self.cells = self.order**2
        advice = f"choose 0 to {self.cells} cells"
        self.given = whole("given", given, advice, least=0, most=self.cells)
        digits = [str(i + 1) for i in range(self.order)]
        self.vocab = Vocab([*digits, OPEN, START, MASK], joiner=" ")
        self.length = 2 + 2 * self.cells
        self.answer = range(self.cells + 2, self.length)
        self.question = torch.arange(self.length) < self.answer.start
        held_out = real("held_out", held_out, "choose a share from 0 up to 1", least=0, below=1)
        self.squares = _all_squares(self.order)
        random = np.random.default_rng(whole("seed", seed, **SEED))
        squares = random.permutation(self.squares)
        left_out = round(held_out * len(squares))
        self.unseen, self.seen = squares[:left_out], squares[left_out:]

    def sample(self, n: int, *, seed: int, held_out: bool = False) -> torch.Tensor:
        """n independent texts: (n, length) int64. held_out: only of squares left out otherwise."""
        n = whole("n", n, "it must not be negative", least=0)
        random = np.random.default_rng(whole("seed", seed, **SEED))
        pool = self.unseen if held_out else self.seen
        if not len(pool):
            raise ValueError("this world holds no squares out; make it with held_out above 0")
        squares = pool[random.integers(len(pool), size=n)].astype(np.int64)
        lots = random.random((n, self.cells))
        return self.write(squares, torch.from_numpy(lots.argsort(1).argsort(1) < self.given))

    def write(self, squares: torch.Tensor, clues: torch.Tensor) -> torch.Tensor:
        """The texts with these answers, (n, cells) int64, and clues where `clues`, bool, is True:
        (n, length)."""
        squares, clues = torch.as_tensor(squares), torch.as_tensor(clues)
        start = torch.full_like(squares[:, :1], self.vocab.id(START))
        asked = squares.masked_fill(~clues, self.vocab.id(OPEN))
        return torch.cat([start, asked, start, squares], 1)

    def clues(self, rows: torch.Tensor) -> torch.Tensor:
        """Which cells of the answer the question gives: (n, length) -> (n, cells) bool."""
        return rows[:, 1 : 1 + self.cells] != self.vocab.id(OPEN)

    def picture(self, row: torch.Tensor) -> str:
        """One text, (length,), as two squares side by side: the question and the answer."""
        words = [self.vocab.tokens[token] for token in row.tolist()]
        parts = words[1 : 1 + self.cells], words[self.answer.start :]
        lines = range(0, self.cells, self.order)
        return "\n".join(
            "     ".join(" ".join(p[i : i + self.order]) for p in parts) for i in lines
        )

    def valid(self, rows: torch.Tensor) -> torch.Tensor:
        """Which answers are Latin squares and have every clue: (n, length) -> (n,) bool."""
        cells, clues = rows[:, self.answer.start :], self.clues(rows)
        right = (cells == rows[:, 1 : 1 + self.cells]).masked_fill(~clues, True).all(1)
        lines = cells.unflatten(1, (self.order, self.order))
        digits = torch.arange(self.order, device=rows.device)[:, None]
        for across in (lines, lines.transpose(1, 2)):
            right &= (across.sort(-1).values == digits[:, 0]).flatten(1).all(1)
        return right

    def possible(self, row: torch.Tensor) -> torch.Tensor:
        """The squares that agree with one text as far as it goes, with its question and with what
        there is of its answer, (t,) int64; a `.` or a mask agrees with every digit. (k, cells)."""
        left = self._agreeing(checked(row[None], self)[0], self.squares)
        return torch.from_numpy(left.astype(np.int64))

    def log_prob(self, tokens: torch.Tensor, *, held_out: bool = False) -> torch.Tensor:
        """The exact log-probability of each row under `sample`, in nats: (n, t) -> (n,) float64.

        A row that `sample` never gives has -inf; one that stops short is scored as a prefix.
        """
        rows = checked(tokens, self)
        start = self.vocab.id(START)
        asked, answer = rows[:, 1 : 1 + self.cells], rows[:, self.answer.start :]
        fine = (rows[:, [i for i in (0, self.cells + 1) if i < rows.shape[1]]] == start).all(1)
        fine &= (asked <= self.vocab.id(OPEN)).all(1) & (answer < self.order).all(1)
        clues = (asked < self.order).sum(1)
        rest = self.cells - asked.shape[1]  # of the question, still to come
        places = [comb(rest, self.given - k) if k <= self.given else 0 for k in clues.tolist()]
        share = np.array(places) / comb(self.cells, self.given)
        pool = self.unseen if held_out else self.seen
        left = np.array([len(self._agreeing(row, pool)) for row in rows])
        share = share * left / len(pool) * fine
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(share)).to(tokens.device)

    def _agreeing(self, row, squares):
        for part in (row[1 : 1 + self.cells], row[self.answer.start :]):
            for cell in (part < self.order).nonzero()[0]:
                squares = squares[squares[:, cell] == part[cell]]
        return squares


@lru_cache
def _all_squares(order):
    """Every Latin square of this order, (count, order²), row by row, sorted."""
    lines = np.array(list(permutations(range(order))))
    clash = (lines[:, None] == lines[None]).any(-1)  # two rows share a digit in some column
    chosen = np.arange(len(lines))[:, None]  # squares as far as they go: which row follows which
    for _ in range(order - 1):
        so_far, row = (~clash[chosen].any(1)).nonzero()
        chosen = np.concatenate([chosen[so_far], row[:, None]], 1)
    return lines.astype(np.int8)[chosen].reshape(len(chosen), order**2)
