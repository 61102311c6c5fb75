"""A checkpoint as a script, for the models that run in the reader's browser.

`book/_static/playground/transformer.js` computes what `models/transformer.py` computes. Its weights
come as a script because a page that was opened from a file may load scripts and nothing else. The
script holds the checkpoint's own file, byte for byte, in base64.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from pathlib import Path

from utils.checkpoints.store import FOLDER, load_checkpoint, pack
from utils.text.vocab import Vocab


def script(name: str, vocab: Vocab, *, folder: Path = FOLDER) -> str:
    """`oneToken.arrived("NAME", {config, tokens, base64})`, in one line.

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
    sent = {
        "config": asdict(config),
        "tokens": vocab.tokens,
        "base64": base64.b64encode(pack(model)).decode("ascii"),
    }
    return f"oneToken.arrived({json.dumps(name)},{json.dumps(sent, separators=(',', ':'))});\n"
