"""`Chains`: texts of a few letters, written from left to right by a rule that looks two back.

    p(x) = p(x1) p(x2 | x1) p(x3 | x1, x2) p(x4 | x2, x3) ...

The same tables serve at every place, so forwards there is little to learn. Read backwards the
letters still depend on two neighbours each, but by tables that nobody wrote down, another one for
every place. The *twin* makes that worse. Its rule is a hash: two letters name the next one, and
many pairs name the same. So forwards it is nearly sure, and backwards one has to work out which
pairs can have led here.
"""

from __future__ import annotations

import torch

from utils.text.numbers import SEED, whole
from utils.worlds.listed import Listed

RULES = ("soft", "hash")
STRENGTH = 1.8  # how far apart the soft rule's log-odds are: their standard deviation
SURE = 0.85  # how likely the letter is that the hash names; the others share the rest


class Chains(Listed):
    """letters: those a text is made of. places: how many stand in a text.
    rule: "soft", where two letters make some next ones likelier than others, or "hash", where they
    name one that is likely. mirrored: whether each text is written down from its end to its
    beginning, so that whoever reads from left to right reads backwards. seed: draws the tables."""

    def __init__(
        self,
        letters: str = "abcd",
        places: int = 6,
        *,
        rule: str = "soft",
        mirrored: bool = False,
        seed: int = 0,
    ):
        super().__init__(letters, places)
        if rule not in RULES:
            raise ValueError(f"rule is {rule!r}; choose one of {', '.join(map(repr, RULES))}")
        generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        first, second, later = _tables(len(letters), rule, generator)
        x = (self.rows.flip(1) if mirrored else self.rows).T  # (places, texts)
        said = first[x[0]] + second[x[0], x[1]]
        for t in range(2, len(x)):
            said = said + later[x[t - 2], x[t - 1], x[t]]
        self.weigh(said)


def _tables(size, rule, generator):
    """The log-probabilities of the first letter, the second and the later ones."""
    shapes = (size,), (size, size), (size, size, size)
    if rule == "soft":
        drawn = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
        return [(STRENGTH * table).log_softmax(-1) for table in drawn]
    named = torch.randint(size, (size, size), generator=generator)
    later = torch.full(shapes[2], (1 - SURE) / (size - 1), dtype=torch.float64)
    later.scatter_(2, named[..., None], SURE)
    even = torch.full(shapes[1], 1 / size, dtype=torch.float64).log()
    return even[0], even, later.log()
