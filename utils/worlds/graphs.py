"""`Graphs`: stars with several arms, in which the way to a goal is asked for.

       3 - 7 - 1
      /
    0 - 5 - 2 - 8       from 0 to 8:  5 2 8
      \\
       9 - 4 - 6

Each arm leads from the centre over `steps` edges to its end, and one of the ends is the goal. The
nodes are numbered at random. A question lists all edges in random order, each as a single token,
then the goal and the centre; the answer names the nodes on the way, the goal last. From the centre
only the first step is a choice, and from there every step follows from the last. Backwards, from
the goal, no step is a choice. This is the path-star task of Bachmann & Nagarajan 2024
(arXiv:2403.06963).
"""

from __future__ import annotations

from math import lgamma

import numpy as np
import torch

from utils.text.numbers import SEED, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked

START, MASK = "<s>", "<mask>"
FORMS = ("forward", "backward", "goal last")


class Graphs:
    """All stars of one size, equally likely.

    arms: of a star, at least 2. steps: edges of an arm, at least 2.
    form: of a text. "forward": edges, goal, centre, then the way to the goal. "backward": the same
        question, then the way from the node before the goal to that after the centre, and the
        goal. "goal last": edges and centre, then the way, so that the goal stands at its end.

    nodes: of a star, arms * steps + 1
    vocab: the nodes, whose ids are their numbers, an edge for each two nodes, `<s>` and `<mask>`
    length: of a text
    way: the positions of the nodes on the way in the order of the way, a tuple; the last is the
        goal's
    question: where a text is the question: (length,) bool. The goal is a part of it where it stands
        last; else it is the last word of the answer.
    """

    def __init__(self, arms=3, steps=3, *, form="forward"):
        self.arms = whole("arms", arms, "choose 2 to 9 arms", least=2, most=9)
        self.steps = whole("steps", steps, "choose 2 to 9 steps", least=2, most=9)
        if form not in FORMS:
            raise ValueError(f"form is {form!r}; choose one of {', '.join(map(repr, FORMS))}")
        self.form, self.edges = form, self.arms * self.steps
        self.nodes = self.edges + 1
        names = [str(node) for node in range(self.nodes)]
        edges = [f"{a}>{b}" for a in names for b in names]
        self.vocab = Vocab([*names, *edges, START, MASK], joiner=" ", hidden=[START])
        asked = self.edges + (2 if form == "goal last" else 3)
        self.length = asked + self.steps
        places = list(range(asked, self.length))
        if form == "backward":
            places = [*places[-2::-1], places[-1]]
        self.way = tuple(places)
        self.question = torch.ones(self.length, dtype=torch.bool)
        self.question[list(self.way[:-1] if form == "goal last" else self.way)] = False

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        """n independent texts: (n, length) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        random = np.random.default_rng(whole("seed", seed, **SEED))
        numbers = random.random((n, self.nodes)).argsort(1)
        lots = random.random((n, self.edges)).argsort(1)
        return self.write(*map(torch.from_numpy, (numbers, lots)))

    def write(self, numbers: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        """The texts of stars whose nodes have these numbers, the centre first, then the arms, the
        one to the goal first: (n, nodes). order: in which the edges are listed, (n, edges)."""
        arms = numbers[:, 1:].unflatten(1, (self.arms, self.steps))
        centre = numbers[:, :1, None].expand(-1, self.arms, -1)
        before = torch.cat([centre, arms[:, :, :-1]], 2)
        edges = (self.nodes * (1 + before) + arms).flatten(1).gather(1, order)
        text = numbers.new_full((len(numbers), self.length), self.vocab.id(START))
        text[:, 1 : 1 + self.edges] = edges
        if self.form == "goal last":
            text[:, 1 + self.edges] = numbers[:, 0]
        else:
            text[:, 1 + self.edges] = arms[:, 0, -1]
            text[:, 2 + self.edges] = numbers[:, 0]
        text[:, list(self.way)] = arms[:, 0]
        return text

    def right(self, rows: torch.Tensor) -> torch.Tensor:
        """Where each node of the way is the right one, in the order of the way: (n, length) ->
        (n, steps) bool. The right ones are read off the question; all but the way must be of a
        text that `sample` gives.
        """
        edges = rows[:, 1 : 1 + self.edges] - self.nodes
        parents = torch.full((len(rows), self.nodes), -1)
        parents.scatter_(1, edges % self.nodes, edges // self.nodes)
        goal = rows[:, self.way[-1] if self.form == "goal last" else 1 + self.edges]
        found = [goal]
        for _ in range(self.steps - 1):
            found.append(parents.gather(1, found[-1][:, None])[:, 0])
        return rows[:, list(self.way)] == torch.stack(found[::-1], 1)

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each whole row under `sample`, in nats: (n, length) ->
        (n,) float64; -inf for a row that `sample` never gives."""
        rows = torch.from_numpy(checked(tokens, self))
        if rows.shape[1] != self.length:
            raise ValueError(
                f"a text has {self.length} tokens, not {rows.shape[1]}; give whole ones"
            )
        shapes = lgamma(self.nodes + 1) - lgamma(self.arms)  # which arm is named second is nothing
        score = -shapes - lgamma(self.edges + 1)
        possible = torch.tensor([self._is_one(row) for row in rows.tolist()], dtype=torch.bool)
        scores = torch.full((len(rows),), score, dtype=torch.float64)
        return scores.masked_fill(~possible, -torch.inf).to(tokens.device)

    def _is_one(self, row):
        """Whether a list of ids is a text: its edges make a star, and its answer is the way."""
        edges = [divmod(token - self.nodes, self.nodes) for token in row[1 : 1 + self.edges]]
        if row[0] != self.vocab.id(START) or not all(0 <= a < self.nodes for a, _ in edges):
            return False
        after = {a: [b for start, b in edges if start == a] for a, _ in edges}
        centre = row[(1 if self.form == "goal last" else 2) + self.edges]
        arms = [[centre, first] for first in after.get(centre, [])]
        for arm in arms:
            while len(arm) <= self.edges and len(after.get(arm[-1], [])) == 1:
                arm += after[arm[-1]]
        nodes = [node for arm in arms for node in arm[1:]]
        star = [len(arm) for arm in arms] == [self.steps + 1] * self.arms
        if not star or len({centre, *nodes}) < self.nodes:
            return False
        way = [row[at] for at in self.way]
        asked = way[-1] if self.form == "goal last" else row[1 + self.edges]
        return way[-1] == asked and [centre, *way] in arms
