"""`Couplets`: two lines that rhyme, the second with a word that already depends on the last one.

    paint your nose / and this odd rose
    count my socks / or these new clocks
                         |        |
                         number   last word

The first line ends in any word, the second in a word that rhymes with it, drawn by its weight. Two
words before the end stands *this* or *these*, whichever agrees with the last word. So whoever
writes from left to right has to settle the number of a word that is not there yet. Rhymes differ in
how many of their words are plurals: after *nose* the better guess is *this*, after *shoes* *these*.

All other words are drawn evenly and depend on nothing. Every probability can be counted.
"""

from __future__ import annotations

import numpy as np
import torch

from utils.text.numbers import SEED, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked, until_impossible

START, BREAK = "<s>", "/"
VERBS = "paint count find hide praise draw".split()
OWNERS = "my your her the".split()
LINKS = "and or with but".split()
KINDS = "odd new red small".split()
NUMBERS = "this these".split()
RHYMES = (  # of each rhyme first the singulars, then the plurals
    ("rose nose hose prose pose doze primrose", "toes"),
    ("cheese breeze sneeze squeeze wheeze frieze", "bees trees"),
    ("prize size surprise disguise sunrise", "eyes pies skies"),
    ("fox box ox", "socks clocks rocks locks blocks"),
    ("maze blaze", "days rays trays bays jays plays"),
    ("bruise", "shoes clues views screws canoes stews crews"),
)
WEIGHTS = (3, 1, 2, 1, 3, 2, 1, 3)  # of the eight words of a rhyme, in this order


class Couplets:
    """All couplets, with their exact probabilities.

    vocab: 70 words, `/` where the first line ends and `<s>`
    length: 9
    at: where each part of a row stands: "verb", "owner", "first" (the word to rhyme with), "break",
        "link", "number", "kind" and "last"
    last: the ids of the words that a line can end in, (48,) int64, rhyme by rhyme
    rhyme, plural: of each word of `last`, its rhyme, 0 to 5, and whether it is a plural: (48,)
    given_rhyme: p(last word | rhyme), (6, 48) float64
    """

    def __init__(self):
        words = [word for pair in RHYMES for part in pair for word in part.split()]
        fillers = [*VERBS, *OWNERS, *LINKS, *KINDS]
        self.vocab = Vocab([START, BREAK, *fillers, *NUMBERS, *words], joiner=" ", hidden=[START])
        ids = [[self.vocab.id(w) for w in part] for part in (VERBS, OWNERS, LINKS, KINDS, NUMBERS)]
        self._verbs, self._owners, self._links, self._kinds, self._numbers = map(np.array, ids)
        parts = "verb owner first break link number kind last".split()
        self.at = {part: i for i, part in enumerate(parts, start=1)}
        self.length = 1 + len(parts)
        self.last = torch.tensor([self.vocab.id(word) for word in words])
        self.rhyme = torch.arange(len(RHYMES)).repeat_interleave(len(WEIGHTS))
        many = [part for pair in RHYMES for part, each in enumerate(pair) for _ in each.split()]
        self.plural = torch.tensor(many, dtype=torch.bool)
        weights = torch.tensor(WEIGHTS, dtype=torch.float64).repeat(len(RHYMES))
        same = self.rhyme == torch.arange(len(RHYMES))[:, None]
        self.given_rhyme = weights * same / sum(WEIGHTS)

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        """n independent couplets: (n, 9) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        random = np.random.default_rng(whole("seed", seed, **SEED))
        first = random.integers(len(self.last), size=n)
        eighth = random.choice(len(WEIGHTS), size=n, p=np.array(WEIGHTS) / sum(WEIGHTS))
        last = first - first % len(WEIGHTS) + eighth
        fillers = (self._verbs, self._owners, self._links, self._kinds)
        verb, owner, link, kind = (words[random.integers(len(words), size=n)] for words in fillers)
        return self.write(verb, owner, first, link, kind, last)

    def write(self, verb, owner, first, link, kind, last) -> torch.Tensor:
        """Couplets of these words, one a row: ids of the fillers, places in `last` of the two words
        that rhyme, or do not: arrays (n,) -> (n, 9) int64."""
        verb, owner, first, link, kind, last = map(
            np.asarray, (verb, owner, first, link, kind, last)
        )
        ends, number = self.last.numpy(), self._numbers[self.plural.numpy()[last].astype(int)]
        start, pause = (np.full(len(first), self.vocab.id(word)) for word in (START, BREAK))
        columns = [start, verb, owner, ends[first], pause, link, number, kind, ends[last]]
        return torch.from_numpy(np.stack(columns, 1).astype(np.int64))

    def place(self, tokens: torch.Tensor) -> torch.Tensor:
        """Which words of `last` these are, int64 of the same shape; -1 for any other token."""
        places = torch.full((len(self.vocab),), -1)
        places[self.last] = torch.arange(len(self.last))
        return places[tokens]

    def options(self, position: int) -> torch.Tensor:
        """The ids of all words that can stand at this position, (k,) int64."""
        fixed = {0: START, self.at["break"]: BREAK}
        if position in fixed:
            return torch.tensor([self.vocab.id(fixed[position])])
        of = {"verb": self._verbs, "owner": self._owners, "link": self._links}
        of |= {"number": self._numbers, "kind": self._kinds}
        found = [ids for part, ids in of.items() if self.at[part] == position]
        return torch.from_numpy(found[0]) if found else self.last

    def plural_share(self) -> torch.Tensor:
        """p(these | rhyme), the sum over all last words of p(word | rhyme) p(these | word): (6,)
        float64. It looks two words ahead, and chooses no word."""
        return self.given_rhyme @ self.plural.double()

    def open_words(self, rows: torch.Tensor) -> torch.Tensor:
        """p(last word | what stands so far), a row for each text that may be cut anywhere: (n, t)
        int64 -> (n, 48) float64."""
        rows = torch.from_numpy(checked(rows, self)).to(rows.device)
        if rows.shape[1] <= self.at["first"]:
            return self.given_rhyme.mean(0).expand(len(rows), -1)
        chances = self.given_rhyme[self.rhyme[self.place(rows[:, self.at["first"]])]]
        if rows.shape[1] > self.at["number"]:
            these = rows[:, self.at["number"], None] == int(self._numbers[1])
            chances = chances * (self.plural == these)
        if rows.shape[1] > self.at["last"]:
            chances = chances * (self.last == rows[:, self.at["last"], None])
        return chances / chances.sum(1, keepdim=True)

    def fits(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Whether the last word rhymes with the first line's, and whether it agrees with *this* or
        *these*: (n, 9) int64 -> two (n,) bool."""
        first, last = (self.place(rows[:, self.at[part]]) for part in ("first", "last"))
        a_word = (first >= 0) & (last >= 0)
        number = torch.from_numpy(self._numbers)[self.plural.long()][last]
        rhymes = a_word & (self.rhyme[first] == self.rhyme[last])
        return rhymes, a_word & (number == rows[:, self.at["number"]])

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each row under `sample`, in nats: (n, t) -> (n,) float64.

        A row that `sample` never gives has -inf. Rows may stop short of 9 tokens: the score is then
        that of the prefix, summed over all its endings.
        """
        return self.token_log_probs(tokens).sum(-1)

    def token_log_probs(self, tokens: torch.Tensor) -> torch.Tensor:
        """log p(token | all before it) at every position, in nats: (n, t) -> (n, t) float64."""
        rows = torch.from_numpy(checked(tokens, self))
        scores = torch.empty(rows.shape, dtype=torch.float64)
        for at in range(rows.shape[1]):
            options = self.options(at)
            chances = torch.full((len(options),), 1 / len(options), dtype=torch.float64)
            if at == self.at["number"]:
                these = self.open_words(rows[:, :at]) @ self.plural.double()
                chances = torch.stack([1 - these, these], 1)
            if at == self.at["last"]:
                chances = self.open_words(rows[:, :at])
            scores[:, at] = ((rows[:, at, None] == options) * chances).sum(1)
        return until_impossible(scores.log().numpy()).to(tokens.device)
