"""A vocabulary: the list of tokens a model may write, and the numbers it knows them by.

A model never sees letters or words, only token ids: row numbers of this list. Word-level languages
join their tokens with a space, character-level ones with nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import torch

from utils.text.numbers import row_of_ids


class Vocab:
    """An ordered list of tokens with their ids.

    tokens: the token texts; a token's id is its place in the list.
    joiner: what stands between two tokens in running text: " " for words, "" for characters.
    hidden: tokens that `decode` leaves out of running text, such as padding.

    The special tokens, where a vocabulary has them, are `<pad>` (nothing: fills up the row after a
    text has ended), `<s>` (the start of a text) and `<mask>` (a blank to be filled in).
    """

    def __init__(self, tokens: Iterable[str], *, joiner: str = "", hidden: Iterable[str] = ()):
        self.tokens = tuple(tokens)
        self.joiner = joiner
        self.hidden = frozenset(hidden)
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            twice = sorted({token for token in self.tokens if self.tokens.count(token) > 1})
            raise ValueError(f"tokens occur twice in the vocabulary: {', '.join(twice)}")

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def __repr__(self) -> str:
        shown = " ".join(repr(token) for token in self.tokens[:6])
        return f"Vocab({len(self)} tokens: {shown} …)"

    def id(self, token: str) -> int:
        """The id of one token. Raises ValueError, with the nearest known tokens, if unknown."""
        if token not in self._ids:
            near = difflib.get_close_matches(token, self.tokens, n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise ValueError(f"{token!r} is not among the {len(self)} tokens{hint}")
        return self._ids[token]

    def _pieces(self, text: str) -> list[str]:
        return text.split() if self.joiner else list(text)

    def encode(self, text: str) -> torch.Tensor:
        """The ids of the text's tokens: (length,) int64. Raises ValueError for an unknown token."""
        ids, pieces = self._ids, self._pieces(text)
        try:
            return torch.tensor([ids[piece] for piece in pieces], dtype=torch.int64)
        except KeyError as unknown:
            return torch.tensor([self.id(unknown.args[0])])  # says which, and what is near

    def decode(self, ids: Iterable[int] | torch.Tensor) -> str:
        """The text of a row of ids, hidden tokens left out. Raises ValueError for an unknown id,
        and for what is no row of ids.
        """
        found = [self.tokens[i] for i in row_of_ids(ids, len(self))]
        return self.joiner.join(token for token in found if token not in self.hidden)

    @property
    def pad_id(self) -> int:
        return self.id("<pad>")

    @property
    def start_id(self) -> int:
        return self.id("<s>")

    @property
    def mask_id(self) -> int:
        return self.id("<mask>")
