"""Markov chains over text: predict the next token from the last few, by counting.

A chain of order k looks back at exactly k tokens. Training is counting: how often did each token
follow each context of k tokens? One table of counted (k+1)-token windows ("n-grams", n = k+1) holds
the chain of order k, and summing it gives every lower order too, so one `fit` serves them all.

The windows are packed into single integers, as the digits of a number, and kept in sorted arrays:
counting is then sorting, and looking up is bisection, both of which numpy does in C.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from utils.models.temperature import at_temperature
from utils.text.numbers import SEED, real, whole
from utils.text.trace import Trace, check_list, written


@dataclass(frozen=True)
class _Tally:
    """One way to count the windows of a table: by sightings, or by different surroundings."""

    windows: np.ndarray  # (windows,) the count of each window
    contexts: np.ndarray  # (contexts,) their sum in each context
    discount: float  # n1 / (n1 + 2 n2), from the windows counted once and twice (Ney et al. 1994)

    @classmethod
    def of(cls, counts: np.ndarray, first: np.ndarray) -> _Tally:
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once else 0.5
        return cls(counts, np.add.reduceat(counts, first), discount)


@dataclass(frozen=True)
class _Table:
    """All windows of one context and one next token, packed, sorted and counted."""

    keys: np.ndarray  # (windows,) context * base + token
    contexts: np.ndarray  # (contexts,) the distinct contexts
    first: np.ndarray  # (contexts + 1,) where the windows of each context begin in `keys`
    sightings: _Tally  # how often each window occurs
    surroundings: _Tally  # how many different tokens stand before it

    @classmethod
    def build(cls, keys, sightings, surroundings, base) -> _Table:
        contexts, first = np.unique(keys // base, return_index=True)
        tallies = _Tally.of(sightings, first), _Tally.of(surroundings, first)
        return cls(keys, contexts, np.append(first, len(keys)), *tallies)

    def shorter(self, modulus: int, base: int) -> _Table:
        """The table with one token less of context: windows with equal endings are merged."""
        endings = self.keys % modulus
        order = np.argsort(endings, kind="stable")
        keys, first = np.unique(endings[order], return_index=True)
        sightings = np.add.reduceat(self.sightings.windows[order], first)
        surroundings = np.diff(np.append(first, len(order)))
        return _Table.build(keys, sightings, surroundings, base)


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each wanted key stands in the sorted keys, and whether it is there at all."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


class MarkovChain:
    """Counts of every window up to order + 1 tokens, and the predictions they give.

    Made by `fit`. Wherever `order` is an argument it may be anything up to the fitted order, which
    is the default. `add_k` chooses the smoothing: None is interpolated Kneser-Ney; a number adds
    that many imaginary sightings to each count (0 means none: the bare counts).
    """

    def __init__(self, tables: list[_Table], vocab_size: int):
        self._tables = tables
        self.vocab_size = vocab_size
        self.order = len(tables) - 1
        self._base = vocab_size + 1

    def contexts_seen(self, order: int) -> int:
        """How many different contexts of this length the training text contains."""
        return len(self._tables[self._checked(order)].contexts)

    def log_probs(self, tokens, *, order=None, add_k=None) -> torch.Tensor:
        """log p(token | the tokens before it), in nats, at each position of one text.

        tokens: (length,) int64. Returns (length,) float64. The first tokens, which have fewer than
        `order` before them, are predicted as the beginning of a text.
        """
        tokens = _checked_tokens(tokens, self.vocab_size)
        contexts = _windows(tokens, self.order, self.vocab_size)
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(self._prob(contexts, tokens, order, add_k)))

    def next_probs(self, contexts, *, order=None, add_k=None) -> torch.Tensor:
        """The distribution of the token that follows each context.

        contexts: (n, t) int64, or one row (t,); any t, since only the last `order` tokens matter
        and a missing one counts as the beginning of a text. Returns (n, vocab), or (vocab,).
        """
        contexts = np.asarray(contexts)
        rows = contexts[None] if contexts.ndim == 1 else contexts
        _checked_tokens(rows.ravel(), self.vocab_size)
        recent = np.full((len(rows), self.order), self.vocab_size)
        t = min(self.order, rows.shape[1])
        recent[:, self.order - t :] = rows[:, rows.shape[1] - t :]
        packed = recent @ self._base ** np.arange(self.order)[::-1]
        probs = self._prob(packed, None, order, add_k)
        return torch.from_numpy(probs.reshape(*contexts.shape[:-1], self.vocab_size))

    def _prob(self, contexts, tokens, order, add_k):
        """p(token | context) for pairs: (n,). For all tokens if `tokens` is None: (n, vocab)."""
        order = self._checked(order)
        if add_k is None:
            return self._kneser_ney(contexts, tokens, order)
        add_k = real("add_k", add_k, "it must be 0 or more, or None for Kneser-Ney", least=0)
        sightings = self._tables[order].sightings
        count, total, _ = self._look_up(contexts, tokens, order, sightings)
        if add_k == 0 and not total.all():
            raise ValueError(
                f"a context of {order} tokens was never seen, so bare counts say nothing about "
                "what follows it; use add_k above 0, Kneser-Ney (add_k=None) or a lower order"
            )
        return (count + add_k) / (total + add_k * self.vocab_size)

    def _kneser_ney(self, contexts, tokens, order):
        """Interpolated Kneser-Ney (Chen and Goodman 1999, section 2.7).

        Take a fixed discount off every count and hand what is saved to the next lower order. Lower
        orders count in how many *different* surroundings a window was seen, not how often: a word
        that only ever follows one other word is a poor guess everywhere else.
        """
        p = 1 / self.vocab_size
        for k in range(order + 1):
            table = self._tables[k]
            tally = table.sightings if k == order else table.surroundings
            count, total, followers = self._look_up(contexts, tokens, k, tally)
            saved = tally.discount * followers
            mixed = (np.maximum(count - tally.discount, 0) + saved * p) / np.maximum(total, 1)
            p = np.where(total > 0, mixed, p)
        return p

    def _look_up(self, contexts, tokens, k, tally):
        """The count of each pair, its context's total, and how many tokens follow the context.

        Shapes (n,), or (n, vocab), (n, 1) and (n, 1) when `tokens` is None.
        """
        table, recent = self._tables[k], contexts % self._base**k
        at, seen = _find(table.contexts, recent)
        total = np.where(seen, tally.contexts[at], 0)
        followers = np.where(seen, table.first[at + 1] - table.first[at], 0)
        if tokens is not None:
            at, seen = _find(table.keys, recent * self._base + tokens)
            return np.where(seen, tally.windows[at], 0), total, followers
        # The windows of a context stand side by side: spread them over a row of the vocabulary.
        rows = np.repeat(np.arange(len(recent)), followers)
        within = np.arange(len(rows)) - np.repeat(followers.cumsum() - followers, followers)
        windows = table.first[at][rows] + within
        count = np.zeros((len(recent), self.vocab_size))
        count[rows, table.keys[windows] % self._base] = tally.windows[windows]
        return count, total[:, None], followers[:, None]

    def _checked(self, order):
        if order is None:
            return self.order
        advice = f"this chain was fitted for 0 to {self.order}"
        return whole("order", order, advice, least=0, most=self.order)


def _checked_tokens(tokens, vocab_size: int) -> np.ndarray:
    array = np.asarray(tokens)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(
            f"tokens has shape {array.shape} and dtype {array.dtype}; expected a row of integers, "
            "as vocab.encode makes it"
        )
    wrong = array[(array < 0) | (array >= vocab_size)]
    if wrong.size:
        raise ValueError(
            f"token {wrong[0]} is outside the vocabulary (0..{vocab_size - 1}); "
            "encode the text with the vocabulary the chain was fitted with"
        )
    return array.astype(np.int64)


def _windows(tokens: np.ndarray, order: int, vocab_size: int) -> np.ndarray:
    """The packed context of each position: the `order` tokens before it."""
    padded = np.concatenate([np.full(order, vocab_size), tokens])
    packed = np.zeros(len(tokens), dtype=np.int64)
    for i in range(order):
        packed = packed * (vocab_size + 1) + padded[i : i + len(tokens)]
    return packed


def fit(texts, order: int, vocab_size: int) -> MarkovChain:
    """Count all windows of one text, or of several that have nothing to do with each other.

    texts: (length,) int64, or a sequence of such rows. order: how many tokens to look back.
    Raises ValueError for an empty text, and when windows this long do not fit into 63 bits.
    """
    vocab_size = whole("vocab_size", vocab_size, "it must be at least 1", least=1)
    order = whole("order", order, "it must be 0 or more", least=0)
    longest = int(63 * math.log(2) / math.log(vocab_size + 1)) - 1
    if order > longest:
        raise ValueError(
            f"order is {order}; with {vocab_size} tokens a window fits into 63 bits "
            f"up to order {longest}"
        )
    one_text = isinstance(texts, torch.Tensor | np.ndarray) and texts.ndim == 1
    rows = [_checked_tokens(row, vocab_size) for row in ([texts] if one_text else texts)]
    if not sum(map(len, rows)):
        raise ValueError("texts is empty; a chain needs at least one token to count")
    base = vocab_size + 1
    windows = np.concatenate([_windows(row, order, vocab_size) * base + row for row in rows])
    keys, counts = np.unique(windows, return_counts=True)
    tables = [_Table.build(keys, counts, np.ones_like(counts), base)]
    for k in range(order, 0, -1):
        tables.append(tables[-1].shorter(base**k, base))
    return MarkovChain(tables[::-1], vocab_size)


def cross_entropy(chain: MarkovChain, texts: Sequence, *, order=None, add_k=None) -> float:
    """Mean surprise per token over one text or several, in nats; its exp is the perplexity."""
    rows = [texts] if isinstance(texts, torch.Tensor | np.ndarray) and texts.ndim == 1 else texts
    surprise = [-chain.log_probs(row, order=order, add_k=add_k) for row in rows]
    if not sum(map(len, surprise)):
        raise ValueError("texts is empty; there is nothing to be surprised by")
    return float(torch.cat(surprise).mean())


def generate(
    chain: MarkovChain,
    prompt,
    max_new_tokens: int,
    *,
    order: int | None = None,
    add_k: float | None = None,
    temperature: float = 1.0,
    stop: int | None = None,
    seed: int,
    trace: Trace | None = None,
) -> torch.Tensor:
    """Write on from a prompt, one token at a time.

    prompt: (t,) int64, or (n, t) for n texts at once; t may be 0. Returns (t + new,) or
        (n, t + new) int64.
    stop: a token after which a text is finished; in a batch it is repeated until all have ended.
    trace: receives one Step a token, with probabilities before the temperature and
        the likeliest roads not taken; for a single text only.
    Raises ValueError as `next_probs` and `at_temperature` do, and for a stop token outside the
    vocabulary or fewer than 0 new tokens.
    """
    random = np.random.default_rng(whole("seed", seed, **SEED))
    max_new_tokens, stop = _checked_end(max_new_tokens, stop, chain.vocab_size)
    prompt = torch.as_tensor(prompt)
    _checked_tokens(prompt.ravel(), chain.vocab_size)
    prompt = prompt.to(torch.int64)
    check_list("trace", trace)
    if trace is not None and prompt.ndim != 1:
        raise ValueError("trace follows a single text; give a prompt of shape (t,)")
    tokens = prompt[None] if prompt.ndim == 1 else prompt
    writing = torch.arange(len(tokens))  # the rows that are not finished
    for _ in range(max_new_tokens):
        recent = tokens[writing, max(0, tokens.shape[1] - chain.order) :]
        probs = chain.next_probs(recent, order=order, add_k=add_k)
        cumulative = at_temperature(probs.log(), temperature).cumsum(-1)
        drawn = torch.from_numpy(random.random((len(tokens), 1)))[writing] * cumulative[:, -1:]
        new = torch.full((len(tokens), 1), 0 if stop is None else stop)
        new[writing] = torch.searchsorted(cumulative, drawn, right=True)
        tokens = torch.cat([tokens, new], dim=1)
        if trace is not None:
            trace.append(written(tokens[0], [tokens.shape[1] - 1], probs, most=3))
        if stop is not None:
            writing = writing[new[writing, 0] != stop]
        if not len(writing):
            break
    return tokens[0] if prompt.ndim == 1 else tokens


def _checked_end(max_new_tokens, stop, vocab_size):
    """Where a text ends: after so many new tokens, or after this one."""
    max_new_tokens = whole("max_new_tokens", max_new_tokens, "choose 0 or more", least=0)
    if stop is None:
        return max_new_tokens, None
    advice = f"a token to stop at is one of the vocabulary (0..{vocab_size - 1})"
    return max_new_tokens, whole("stop", stop, advice, least=0, most=vocab_size - 1)
