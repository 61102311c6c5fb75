"""Constraints as automata: what a text must be, checked by a reader that remembers only a state.

A finite automaton reads a text token by token, moves from state to state, and says at the end
whether it accepts. Many constraints are of this kind: the third letter is a `b`, the last word is
one of these, there are exactly two commas, brackets match to a given depth. And since all it knows
of the past is its state, one can work out from the end backwards what can still come of a text that
is half written: whether it can be accepted at all (`alive`), and with the probabilities of a
language, how likely that is (`measure/posterior.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from utils.text.ids import check_texts, token_ids
from utils.text.numbers import whole

FURTHEST = 10_000  # tokens; no text of this book is so long


@dataclass(frozen=True)
class Automaton:
    """moves: (states, vocab) int64, the next state for each state and token.
    accepts: (states,) bool, in which of them a text may end. It starts in state 0."""

    moves: torch.Tensor
    accepts: torch.Tensor

    def __post_init__(self):
        states = len(self.accepts)
        if self.moves.ndim != 2 or len(self.moves) != states or self.accepts.dtype != torch.bool:
            raise ValueError(
                f"moves is {tuple(self.moves.shape)}, accepts is {self.accepts.dtype} of shape "
                f"{tuple(self.accepts.shape)}; give (states, vocab) int64 and (states,) bool"
            )
        if not 0 <= int(self.moves.min()) <= int(self.moves.max()) < states:
            raise ValueError(f"moves leads to a state that is not one of 0..{states - 1}")

    def read(self, tokens: torch.Tensor) -> torch.Tensor:
        """The state after each text: (rows, length) int64 -> (rows,) int64. Raises ValueError for
        tokens that it does not read."""
        if (
            not isinstance(tokens, torch.Tensor) or tokens.numel()
        ):  # a text that has not begun leaves it where it starts
            check_texts(tokens, self.moves.shape[1])
        state = torch.zeros(len(tokens), dtype=torch.int64, device=tokens.device)
        for column in tokens.T:
            state = self.moves.to(tokens.device)[state, column]
        return state

    def accepted(self, tokens: torch.Tensor) -> torch.Tensor:
        """Whether each text is accepted: (rows, length) int64 -> (rows,) bool."""
        return self.accepts.to(tokens.device)[self.read(tokens)]

    def alive(self, places: int) -> torch.Tensor:
        """Whether, from each state, 0, 1, … `places` more tokens can lead to acceptance:
        (places + 1, states) bool."""
        advice = f"look 0 to {FURTHEST:,} tokens ahead"
        places = whole("places", places, advice, least=0, most=FURTHEST)
        found = [self.accepts]
        for _ in range(places):
            found.append(found[-1][self.moves].any(1))
        return torch.stack(found)


def at_place(vocab_size: int, place: int, wanted, letters=None) -> Automaton:
    """At this place, 0 is the first, stands one of the tokens `wanted`.

    letters: the ids a text may hold at all; None is every one. Early in a text this is an early
    constraint, and at its last place a late one.
    """
    vocab_size, letters = _checked(vocab_size, letters)
    place = whole("place", place, f"0 is the first, {FURTHEST:,} the last", least=0, most=FURTHEST)
    wanted = token_ids("wanted", wanted, vocab_size).tolist()
    good, dead = place + 1, place + 2
    moves = torch.full((place + 3, vocab_size), dead)
    for state in range(place):
        moves[state, letters] = state + 1
    moves[place, [token for token in wanted if token in letters]] = good
    moves[good, letters] = good
    return Automaton(moves, torch.arange(place + 3) == good)


def counted(vocab_size: int, token: int, times: int, letters=None) -> Automaton:
    """The token comes exactly so many times, wherever: nothing is settled before the end."""
    vocab_size, letters = _checked(vocab_size, letters)
    times = whole("times", times, f"0 or more, {FURTHEST:,} at most", least=0, most=FURTHEST)
    advice = f"it is one of the vocabulary (0..{vocab_size - 1})"
    token = whole("token", token, advice, least=0, most=vocab_size - 1)
    moves = torch.full((times + 2, vocab_size), times + 1)
    for state in range(times + 1):
        moves[state, letters] = state
        moves[state, token] = state + 1
    return Automaton(moves, torch.arange(times + 2) == times)


def in_turn(vocab_size: int, wanted) -> Automaton:
    """One token of each of these sets in turn, and then the text is over: a format.

    wanted: for each place, the ids that it may hold. ValueError if one of them names none.
    """
    vocab_size, _ = _checked(vocab_size, ())
    wanted = [token_ids("wanted", ids, vocab_size, fewest=0).tolist() for ids in wanted]
    if not wanted or not all(wanted):
        raise ValueError("wanted names no token for a place; give 1 or more for each")
    moves = torch.full((len(wanted) + 2, vocab_size), len(wanted) + 1)
    for place, ids in enumerate(wanted):
        moves[place, ids] = place + 1
    return Automaton(moves, torch.arange(len(moves)) == len(wanted))


def _checked(vocab_size, letters):
    vocab_size = whole("vocab_size", vocab_size, "there is at least 1 token", least=1)
    if letters is None:
        return vocab_size, list(range(vocab_size))
    return vocab_size, token_ids("letters", letters, vocab_size, fewest=0).tolist()
