"""Strings that are no words: mistakes of a model of real text that need no judge but a word list.

A model that writes in pieces of words may put together what nobody ever wrote: "unrighteth". To see
whether such mistakes get more as a text goes on, let the model add a few tokens to a text of its
own, and to one of the book's that is as long.
"""

from __future__ import annotations

import re
from collections.abc import Collection

WORD = re.compile(r"[A-Za-z]+")


def words_of(text: str) -> frozenset[str]:
    """All different words of a text."""
    return frozenset(WORD.findall(text))


def unknown(tokenizer, tokens, start: int, known: Collection[str]) -> tuple[int, int]:
    """How many of the words that begin at or after token `start` are not known, and how many there
    are. tokens: (length,) int64. The last word may be cut short and does not count.
    """
    text = tokenizer.decode(tokens)
    begins = len(tokenizer.decode(tokens[:start]))
    found = [m[0] for m in WORD.finditer(text) if m.start() >= begins and m.end() < len(text)]
    return sum(word not in known for word in found), len(found)
