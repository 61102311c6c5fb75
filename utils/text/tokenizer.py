"""Tokens that are pieces of words: a tokenizer learned from a text, or one that came with a model.

A vocabulary of whole words cannot write a word it has not seen, one of characters makes texts long.
Byte-pair encoding stands between: frequent words are one token, rare ones are spelled in pieces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import tokenizers
import torch

from utils.text.numbers import row_of_ids, whole

MOST = 1_000_000  # tokens of a vocabulary; room for so many is taken before the text is looked at


class Tokenizer:
    """Text to token ids and back, with tokens that are pieces of words.

    pieces: a `tokenizers.Tokenizer`. stop: ids of the tokens that end a text. characters: those it
    was made for, if it cannot write all others.
    """

    def __init__(
        self,
        pieces: tokenizers.Tokenizer,
        *,
        stop: Collection[int] = (),
        characters: Iterable[str] | None = None,
    ):
        self.stop = tuple(stop)
        self._pieces = pieces
        self._characters = None if characters is None else frozenset(characters)

    def __len__(self) -> int:
        return self._pieces.get_vocab_size()

    @property
    def vocab_size(self) -> int:
        return len(self)

    def __repr__(self) -> str:
        return f"Tokenizer({len(self)} tokens)"

    def encode(self, text: str) -> torch.Tensor:
        """The ids of the text's tokens: (length,) int64. Raises ValueError for a character that no
        token can write.
        """
        if self._characters is not None and not self._characters.issuperset(text):
            unknown = min(set(text) - self._characters)
            raise ValueError(
                f"{unknown!r} is not among the {len(self._characters)} characters that this "
                "tokenizer has learned; leave it out, or train a tokenizer on text that has it"
            )
        return torch.tensor(self._pieces.encode_batch_fast([text])[0].ids, dtype=torch.int64)

    def decode(self, ids: Iterable[int] | torch.Tensor) -> str:
        """The text of a row of ids. Raises ValueError for an unknown id, and for what is no row
        of ids.
        """
        return self._pieces.decode(row_of_ids(ids, len(self)), skip_special_tokens=False)


class WithMask:
    """A tokenizer and one token more, the mask, for showing texts with blanks in them.

    mask_id: the first id that the tokenizer leaves free.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.mask_id = len(tokenizer)
        self._tokenizer = tokenizer

    def decode(self, ids: Iterable[int] | torch.Tensor) -> str:
        """The text of a row of ids; a mask is no text."""
        ids = row_of_ids(ids, self.mask_id + 1)
        return self._tokenizer.decode([i for i in ids if i != self.mask_id])


def byte_pair_tokenizer(text: str, vocab_size: int) -> Tokenizer:
    """A tokenizer with `vocab_size` tokens, learned from the text.

    It begins with single bytes and joins, again and again, the two neighbours that occur together
    most often within a word (byte-pair encoding; Sennrich et al. 2016, arXiv:1508.07909). The same
    text always gives the same tokenizer. Raises ValueError if it does not yield that many tokens.
    """
    advice = f"take 1 to {MOST:,} tokens"
    vocab_size = whole("vocab_size", vocab_size, advice, least=1, most=MOST)
    pieces = tokenizers.Tokenizer(tokenizers.models.BPE())
    pieces.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False)
    pieces.train_from_iterator(text.splitlines(keepends=True), trainer)
    if pieces.get_vocab_size() != vocab_size:
        raise ValueError(
            f"vocab_size is {vocab_size}, but this text of {len(text)} characters gives "
            f"{pieces.get_vocab_size()} tokens; ask for fewer, or for more than it has characters"
        )
    return Tokenizer(pieces, characters=set(text))
