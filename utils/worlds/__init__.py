"""Synthetic languages whose true probabilities are known.

Real text shows that an effect is real; a made-up language shows why, because its right answers can
be computed instead of estimated. Every world has `vocab`, the `length` of its rows,
`sample(n, seed=)` -> (n, length) int64, and `log_prob(tokens)` -> (n,) exact nats.
"""

from utils.worlds.chains import Chains
from utils.worlds.couplets import Couplets
from utils.worlds.graphs import Graphs
from utils.worlds.groups import Groups
from utils.worlds.pets import PETS
from utils.worlds.sentences import EVERYDAY, Sentences
from utils.worlds.squares import Squares
from utils.worlds.tangle import Tangle
from utils.worlds.topics import Topics
from utils.worlds.totals import Totals
from utils.worlds.verdicts import Verdicts

__all__ = [
    "EVERYDAY",
    "PETS",
    "Chains",
    "Couplets",
    "Graphs",
    "Groups",
    "Sentences",
    "Squares",
    "Tangle",
    "Topics",
    "Totals",
    "Verdicts",
]
