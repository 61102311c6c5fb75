"""`Groups`: moves are called out, and someone keeps track of where they lead.

    cups    <s> a c b = BCADE BCEAD CBAED     five cups in a row; a move rearranges them
    clock   <s> a c b = 07 33 44              a hand with sixty places; a move turns it
    dial    <s> a d b = 01> 01< 24<           thirty places and two ways round; d turns it over

A text begins with `<s>`, then stand the n moves, `=`, and a *state* for each move: where one is
after it. A state follows from the one before it and from one move. All three games have sixty
states and four moves, and what makes them different is their algebra. On the clock only the sum
counts, in whatever order the moves came. The dial is not so: once turned over, steps go the other
way; but a text can be worked out in two parallel sums, first of turns, then of steps (its group is
*solvable*). For the cups (the group A5) no such splitting exists, and it is for groups like this
one that no network of a fixed depth is known to find the product of n moves (Liu et al. 2022,
arXiv:2210.10749).
"""

from __future__ import annotations

import itertools

import torch

from utils.text.numbers import SEED, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked, until_impossible

START, EQUALS, UNDO, MASK = "<s>", "=", "undo", "<mask>"
MOVES = "abcd"
SHUFFLES = ((1, 2, 0, 3, 4), (0, 1, 3, 4, 2), (1, 0, 3, 2, 4), (4, 0, 1, 2, 3))  # which cup comes
TURNS = (7, 11, 26, 40)  # of the clock's hand
STEPS = (1, 7, 12)  # of the dial; its fourth move turns it over


def _cups():
    states = ["ABCDE"]  # all that the moves lead to, the nearest first
    for state in states:
        reached = ("".join(state[i] for i in shuffle) for shuffle in SHUFFLES)
        states += [each for each in dict.fromkeys(reached) if each not in states]
    number = {state: i for i, state in enumerate(states)}
    return states, [[number["".join(s[i] for i in move)] for move in SHUFFLES] for s in states]


def _clock():
    return [f"{i:02}" for i in range(60)], [[(i + by) % 60 for by in TURNS] for i in range(60)]


def _dial():
    places = list(itertools.product((1, -1), range(30)))
    number = {place: i for i, place in enumerate(places)}
    table = [
        [*(number[way, (at + way * by) % 30] for by in STEPS), number[-way, at]]
        for way, at in places
    ]
    return [f"{at:02}{'>' if way == 1 else '<'}" for way, at in places], table


GAMES = {"cups": _cups, "clock": _clock, "dial": _dial}


class Groups:
    """n moves of a game, all equally likely, each with the state it leads to.

    game:   "cups", "clock" or "dial"
    vocab:  the sixty states, the four moves, `<s>`, `=`, `undo` and `<mask>`
    length: 2 n + 2
    moves:  the positions of the moves in a text, a slice; states: those of the states
    table:  (60, 4) int64, the state after a state and a move; a game begins in state 0
    """

    def __init__(self, game: str = "cups", n: int = 12):
        if game not in GAMES:
            raise ValueError(f"game is {game!r}; choose one of {', '.join(map(repr, GAMES))}")
        self.game, self.n = game, whole("n", n, "there is at least one move", least=1)
        names, table = GAMES[game]()
        self.table = torch.tensor(table)
        self.vocab = Vocab([*names, *MOVES, START, EQUALS, UNDO, MASK], joiner=" ", hidden=[START])
        self.length = 2 * self.n + 2
        self.moves, self.states = slice(1, self.n + 1), slice(self.n + 2, self.length)
        self.first_move = len(names)  # the ids below are states

    def follow(self, moves: torch.Tensor) -> torch.Tensor:
        """The state after each move: ids of moves (rows, n) int64 -> ids of states (rows, n)."""
        state, found = torch.zeros_like(moves[:, 0]), []
        for move in moves.T - self.first_move:
            state = self.table[state, move]
            found.append(state)
        return torch.stack(found, 1)

    def write(self, moves: torch.Tensor) -> torch.Tensor:
        """The texts of these moves, ids (rows, n) int64 -> (rows, 2 n + 2)."""
        start, equals = (
            moves.new_full((len(moves), 1), self.vocab.id(sign)) for sign in (START, EQUALS)
        )
        return torch.cat([start, moves, equals, self.follow(moves)], 1)

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        """n independent texts: (n, length) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        moves = torch.randint(len(MOVES), (n, self.n), generator=generator)
        return self.write(self.first_move + moves)

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each row under `sample`, in nats: (n, t) -> (n,) float64.

        A row that `sample` never gives has -inf; one that stops short is scored as a prefix.
        """
        rows = torch.from_numpy(checked(tokens, self))
        called = rows[:, self.moves]
        a_move = (called >= self.first_move) & (called < self.first_move + len(MOVES))
        moves = called.where(a_move, self.first_move)
        missing = moves.new_full((len(rows), self.n - moves.shape[1]), self.first_move)
        right = self.write(torch.cat([moves, missing], 1))[:, : rows.shape[1]] == rows
        scores = right.double().log()  # all but the moves are certain or impossible,
        scores[:, self.moves] = (a_move.double() / len(MOVES)).log()  # a move is one of four
        return until_impossible(scores.numpy()).sum(-1).to(tokens.device)

    def likeliest(self) -> list[float]:
        """How likely the likeliest state is after 1, 2, ..., n moves: the share of right answers of
        someone who has not heard the moves."""
        one = torch.zeros(self.first_move, self.first_move, dtype=torch.float64)
        for ends in self.table.T:  # of each move
            one[torch.arange(len(ends)), ends] += 1 / len(MOVES)
        reached, found = torch.eye(self.first_move, dtype=torch.float64)[0], []
        for _ in range(self.n):
            reached = reached @ one
            found.append(float(reached.max()))
        return found
