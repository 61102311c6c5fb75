"""Which works of a class have passages in common that others have not.

Work is compared as sequences of tokens: without comments, docstrings and line breaks, with one sign
for every name that is a student's own and one for every text in quotes. What many of the class have
counts little.

Which pairs to compare closely is found by winnowing: of the hashes of all runs of K tokens the
smallest in each WINDOW of them is kept as a fingerprint, so that a run of K + WINDOW - 1 tokens
that two have in common leaves one with both, and one of fewer than K none (Schleimer, Wilkerson and
Aiken 2003, https://doi.org/10.1145/872757.872770).
"""

import builtins
import dataclasses
import hashlib
import io
import itertools
import keyword
import math
import re
import tokenize
from collections import Counter, defaultdict
from functools import cached_property
from statistics import median

from .inside import magics

K, WINDOW = 12, 9  # tokens: a run of 20 in common is certain to be noticed, some two lines
LEAST = 40  # tokens in common, for a pair to be listed
SHARE = 0.3  # of what one of the two has written
AT_MOST = 30  # pairs on a page
SKIPPED = {"COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENCODING", "ENDMARKER"}
SKIPPED |= {"FSTRING_MIDDLE", "FSTRING_END"}
KEPT = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}


@dataclasses.dataclass(frozen=True)
class Cell:
    """name: how we call it. source: as handed in. lines: for each token its first and last line,
    from 1. grams: the hash of each run of K tokens, in their order."""

    name: str
    source: str
    lines: list
    grams: list


@dataclasses.dataclass(frozen=True)
class Work:
    """cells: of a student, as far as anything in them is their own. own: the hashes of that.
    copied: names of cells that are the instructor's solution word for word."""

    student: str
    cells: list
    own: frozenset
    copied: tuple = ()

    @cached_property
    def size(self):
        """How many tokens are the student's own."""
        return len(self.tokens(dict.fromkeys(self.own, 1)))

    def tokens(self, weights):
        """{(number of a cell, of a token in it): weight} of all that lies in a run of those whose
        hashes have weights; of several the largest."""
        found = {}
        for number, cell in enumerate(self.cells):
            for start, gram in enumerate(cell.grams):
                if weight := weights.get(gram):
                    for at in range(start, start + K):
                        found[number, at] = max(weight, found.get((number, at), 0))
        return found


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two who have something in common. tokens: how many, of the one who has more of them. shares:
    of what each has written; weight: the larger of them, in which less counts what many have.
    grams: the hashes of it."""

    one: Work
    other: Work
    tokens: int
    shares: tuple
    weight: float
    grams: frozenset


def cell(one, name, kept):
    """A Cell of one that was handed in."""
    if one.kind == "code":
        tokens = list(of_code(magics.plain(one.source)[0], kept))
    else:
        tokens = list(of_prose(one.source))
    words = [word for word, _, _ in tokens]
    grams = [hashed(words[at : at + K]) for at in range(len(words) - K + 1)]
    return Cell(one.name or name, one.source, [lines for _, *lines in tokens], grams)


def hashed(words):
    """The same number for the same words, whenever it is asked."""
    text = "\n".join(words).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def of_code(source, kept):
    """(word, first line, last line) of each token, without comments and docstrings; of what is no
    Python, as far as it is some."""
    before, kind = "", "NEWLINE"
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            begins = kind in ("NEWLINE", "INDENT", "DEDENT")
            kind, word = tokenize.tok_name[token.type], token.string
            if kind in SKIPPED or (begins and kind == "STRING"):
                continue
            if kind in ("STRING", "FSTRING_START"):
                word = '"'
            elif kind == "NAME" and word not in kept and before != ".":
                word = "_"
            before = word
            yield word, token.start[0], token.end[0]
    except (tokenize.TokenError, SyntaxError, ValueError):
        return


def of_prose(text):
    for number, line in enumerate(text.split("\n"), start=1):
        for word in re.findall(r"\w+", line.casefold()):
            yield word, number, number


def compare(works):
    """([Pair], the share that a pair of the class usually has in common), the most alike first."""
    n, having = len(works), Counter(gram for one in works for gram in one.own)
    weight = {gram: weigh(n, count) for gram, count in having.items() if count > 1}
    prints = [fingerprints(one) for one in works]
    who = defaultdict(list)
    for number, some in enumerate(prints):
        for one in some:
            who[one].append(number)
    common = Counter()
    for one, numbers in who.items():
        if weight.get(one):
            for pair in itertools.combinations(numbers, 2):
                common[pair] += weight[one]
    about = {(a, b): w / min(len(prints[a]), len(prints[b])) for (a, b), w in common.items()}
    all_pairs = n * (n - 1) // 2
    usual = median([*about.values(), *[0.0] * (all_pairs - len(about))])
    likely = sorted(about, key=about.get, reverse=True)[: 10 * AT_MOST]
    pairs = [closely(works[a], works[b], weight) for a, b in likely]
    pairs = [one for one in pairs if one.tokens >= LEAST and one.weight >= SHARE]
    pairs.sort(key=lambda one: (-one.weight, one.one.student, one.other.student))
    return pairs[:AT_MOST], usual


def weigh(n, count):
    """1 for what two of a class of n have, 0 for what all have."""
    return 1.0 if n <= 2 else math.log(n / count) / math.log(n / 2)


def fingerprints(work):
    """The smallest of each window of a cell's hashes that are the student's own."""
    found = set()
    for one in work.cells:
        grams = [gram if gram in work.own else None for gram in one.grams]
        for at in range(max(1, len(grams) - WINDOW + 1)):
            window = [gram for gram in grams[at : at + WINDOW] if gram is not None]
            found |= {min(window)} if window else set()
    return found


def closely(one, other, weight):
    """The Pair of two works."""
    common = {gram: weight[gram] for gram in one.own & other.own}
    tokens = [work.tokens(common) for work in (one, other)]
    sizes = [max(1, work.size) for work in (one, other)]
    shares = [len(some) / size for some, size in zip(tokens, sizes, strict=True)]
    worth = [sum(some.values()) / size for some, size in zip(tokens, sizes, strict=True)]
    return Pair(one, other, max(map(len, tokens)), tuple(shares), max(worth), frozenset(common))
