"""`Verdicts`: questions about sums, whose answers give the verdict before the reason.

    is 2 + 9 = 11 ? yes , because 2 + 9 = 11 .
    is 2 + 9 = 12 ? no , because 2 + 9 = 11 .

Sixteen tokens, every number one of them. Half of the questions are true; in the others the claim is
any wrong sum, from 0 to the largest there is. Whoever writes such a text from left to right has to
decide before it computes. With `verdict="last"` the same words come in the other order, the reason
first:

    is 2 + 9 = 12 ? because 2 + 9 = 11 , no .

Some sums are *held out*: never in a sample unless one asks for them, so that knowing how to add can
be told from having seen the sum.
"""

from __future__ import annotations

import numpy as np
import torch

from utils.text.numbers import SEED, real, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked, until_impossible

MASK, UNDO = "<mask>", "<undo>"
FORMS = {
    "first": "is A + B = CLAIM ? VERDICT , because A + B = SUM .",
    "last": "is A + B = CLAIM ? because A + B = SUM , VERDICT .",
}


class Verdicts:
    """All questions about the sums of two numbers from `low` to `high`, with exact probabilities.

    held_out: share of the pairs of numbers that samples leave out.
    verdict: "first", before the reason, or "last".
    seed: draws which pairs are held out.

    vocab:  the numbers from 0 to twice `high`, the words, `<mask>` and `<undo>`
    length: 16
    positions: where each part of a row stands: "a", "b", "claim", "verdict", "sum", and "answer",
        the first position that the question leaves open
    question: where a row is the question: (length,) bool
    seen, unseen: the pairs in and not in the samples, (n, 2) int64 arrays
    """

    def __init__(self, low=0, high=19, *, held_out=0.1, verdict="first", seed=0):
        low, high, held_out, seed = _check_world(low, high, held_out, seed)
        if verdict not in FORMS:
            raise ValueError(f"verdict is {verdict!r}; choose 'first' or 'last'")
        self.low, self.high, self.verdict = low, high, verdict
        words = ["is", "+", "=", "?", "yes", "no", ",", "because", "."]
        numbers = [str(number) for number in range(2 * high + 1)]
        self.vocab = Vocab([*numbers, *words, MASK, UNDO], joiner=" ")  # a number's id is itself
        self._form = FORMS[verdict].split()
        self.length = len(self._form)
        at = {part: [i for i, p in enumerate(self._form) if p == part] for part in set(self._form)}
        self.positions = {
            "a": tuple(at["A"]),
            "b": tuple(at["B"]),
            "claim": at["CLAIM"][0],
            "verdict": at["VERDICT"][0],
            "sum": at["SUM"][0],
            "answer": at["?"][0] + 1,
        }
        self.question = torch.arange(self.length) < self.positions["answer"]
        span = np.arange(low, high + 1)
        pairs = np.stack(np.meshgrid(span, span, indexing="ij"), -1).reshape(-1, 2)
        order = np.random.default_rng(seed).permutation(len(pairs))
        left_out = round(held_out * len(pairs))
        self.unseen, self.seen = pairs[np.sort(order[:left_out])], pairs[np.sort(order[left_out:])]

    def write(self, a, b, claim) -> torch.Tensor:
        """The questions with their right answers, one a row: arrays (n,) -> (n, 16) int64."""
        a, b, claim = (np.asarray(numbers, dtype=np.int64) for numbers in (a, b, claim))
        yes, no = self.vocab.id("yes"), self.vocab.id("no")
        parts = {
            "A": a,
            "B": b,
            "CLAIM": claim,
            "SUM": a + b,
            "VERDICT": np.where(claim == a + b, yes, no),
        }
        columns = [
            parts[part] if part in parts else np.full(len(a), self.vocab.id(part))
            for part in self._form
        ]
        return torch.from_numpy(np.stack(columns, 1))

    def sample(self, n: int, *, seed: int, held_out: bool = False) -> torch.Tensor:
        """n independent texts: (n, 16) int64. held_out: only of the sums left out otherwise."""
        n = whole("n", n, "it must not be negative", least=0)
        seed = whole("seed", seed, **SEED)
        pairs = self.unseen if held_out else self.seen
        if not len(pairs):
            raise ValueError("this world holds no sums out; make it with held_out above 0")
        random = np.random.default_rng(seed)
        a, b = pairs[random.integers(len(pairs), size=n)].T
        wrong = random.integers(2 * self.high, size=n)  # one number fewer than there are,
        wrong += wrong >= a + b  # for the right sum is passed over
        right = random.random(n) < 0.5
        return self.write(a, b, np.where(right, a + b, wrong))

    def every(self, *, held_out: bool = False) -> torch.Tensor:
        """Every text there is, once each: (n, 16) int64."""
        pairs = self.unseen if held_out else self.seen
        claims = 2 * self.high + 1
        a, b = np.repeat(pairs, claims, axis=0).T
        return self.write(a, b, np.tile(np.arange(claims), len(pairs)))

    def log_prob(self, tokens: torch.Tensor, *, held_out: bool = False) -> torch.Tensor:
        """The exact log-probability of each row under `sample`, in nats: (n, t) -> (n,) float64.

        A row that `sample` never gives has -inf. Rows may stop short of 16 tokens: the score is
        then that of the prefix, summed over all its endings.
        """
        return self.token_log_probs(tokens, held_out=held_out).sum(-1)

    def token_log_probs(self, tokens: torch.Tensor, *, held_out: bool = False) -> torch.Tensor:
        """log p(token | all before it) at every position, in nats: (n, t) -> (n, t) float64."""
        array = checked(tokens, self)
        rows = np.full((len(array), self.length), -1)
        rows[:, : array.shape[1]] = array  # what a prefix leaves open matches nothing, and is cut
        (a_at, _), (b_at, _) = self.positions["a"], self.positions["b"]
        a, b, claim = rows[:, a_at], rows[:, b_at], rows[:, self.positions["claim"]]

        pairs = self.unseen if held_out else self.seen
        allowed = np.zeros((len(self.vocab) + 1,) * 2)  # the last row and column: left open
        allowed[tuple(pairs.T)] = 1.0
        a_number = (claim >= 0) & (claim <= 2 * self.high)
        with np.errstate(divide="ignore", invalid="ignore"):
            right_answer = self.write(a, b, claim)
            scores = np.log((rows == right_answer.numpy()).astype(float))  # all else is certain
            scores[:, a_at] = np.log(allowed[a].sum(-1) / len(pairs))
            scores[:, b_at] = np.log(allowed[a, b] / allowed[a].sum(-1))
            claim_prob = np.where(claim == a + b, 0.5, 0.5 * a_number / (2 * self.high))
            scores[:, self.positions["claim"]] = np.log(claim_prob)
        scores = np.nan_to_num(scores, nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
        return until_impossible(scores[:, : array.shape[1]]).to(tokens.device)


def _check_world(low, high, held_out, seed):
    """The same as Python's own numbers; a clear error for those that make no world."""
    advice = "choose whole numbers with 0 <= low < high"
    high = whole("high", high, advice, least=1)
    low = whole("low", low, f"high is {high}; {advice}", least=0, most=high - 1)
    advice = "choose a share from 0 up to, but not, 1"
    held_out = real("held_out", held_out, advice, least=0, below=1)
    return low, high, held_out, whole("seed", seed, **SEED)
