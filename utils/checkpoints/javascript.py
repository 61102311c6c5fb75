"""A checkpoint as a script, for the models that run in the reader's browser.

`book/_static/playground/transformer.js` computes what `models/transformer.py` computes. Its weights
come as a script because a page that was opened from a file may load scripts and nothing else. The
script holds a safetensors file: the checkpoint's own, byte for byte, or one with a byte a number,
which is half as long.

The bytes are written as letters of 15 bits each, of which UTF-16 has enough that mean nothing to
JavaScript. Such a script is a fifth shorter than one in base64, and known by its first two bytes
whatever a server says of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save

from utils.checkpoints.store import FOLDER, load_checkpoint, pack
from utils.text.vocab import Vocab

FIRST_LETTER = 0x100  # beyond quotes, backslashes and ends of lines; the last is below 0xD800


def script(name: str, vocab: Vocab, *, in_bytes=False, folder: Path = FOLDER) -> bytes:
    """`oneToken.arrived("NAME", {config, tokens, results, length, letters})`, in UTF-16.

    in_bytes: whether the weights are rounded to a byte each, with a step for each column.
    Raises FileNotFoundError for an unknown checkpoint; ValueError for one that is damaged, that the
    script cannot compute, or that knows another number of tokens than the vocabulary has.
    """
    model, card = load_checkpoint(name, folder=folder)
    config = card.config
    if config.n_kv_heads != config.n_heads or not config.tie_embeddings:
        raise ValueError(
            f"{name} shares keys or has an embedding of its own, which transformer.js does not know"
        )
    if config.vocab_size != len(vocab):
        raise ValueError(f"{name} knows {config.vocab_size} tokens, the vocabulary {len(vocab)}")
    file = rounded(pack(model)) if in_bytes else pack(model)
    sent = {
        "config": asdict(config),
        "tokens": vocab.tokens,
        "results": card.results,
        "length": len(file),
        "letters": letters(file),
    }
    sent = json.dumps(sent, separators=(",", ":"), ensure_ascii=False)
    return f"\ufeffoneToken.arrived({json.dumps(name)},{sent});\n".encode("utf-16-le")


def rounded(file: bytes) -> bytes:
    """The same weights in a byte each: a matrix becomes whole numbers from -127 to 127, beside it,
    under its name and ".step", (1, columns), what 1 stands for in each of its columns."""
    kept = {}
    for name, weight in load(file).items():
        if weight.dim() == 1:
            kept[name] = weight
            continue
        step = (weight.float().abs().amax(0, keepdim=True) / 127).clamp_min(1e-6).half()
        kept[name] = (weight.float() / step.float()).round().clamp(-127, 127).to(torch.int8)
        kept[f"{name}.step"] = step
    return save(kept)


def letters(data: bytes) -> str:
    """Bytes as letters of 15 bits each, the first bit of the first byte first."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    bits = np.pad(bits, (0, -len(bits) % 15)).reshape(-1, 15)
    codes = bits @ (1 << np.arange(14, -1, -1)) + FIRST_LETTER
    return codes.astype("<u2").tobytes().decode("utf-16-le")
