"""What SmolLM2 says of forty passages in every combination, kept like a checkpoint.

python -m utils.checkpoints remake passages     # minutes
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from utils.checkpoints.provenance import changes, provenance
from utils.experiments import passages
from utils.experiments.passages import Matches
from utils.models import smollm
from utils.text.files import write_whole

FILE = Path(__file__).resolve().parent / "data" / "passages.json"


def made_by() -> dict[str, str]:
    """{name: fingerprint} of all that it depends on: passages, code, weights."""
    return provenance({"code": [smollm.load, passages.match], "passages": passages.load()})


def kept(path: Path = FILE) -> Matches:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; make it with: python -m utils.checkpoints remake passages"
        )
    said = json.loads(path.read_text("utf-8"))["nats"]
    return Matches(**{name: torch.tensor(numbers) for name, numbers in said.items()})


def stale(path: Path = FILE) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(json.loads(path.read_text("utf-8"))["made_by"], made_by())


def ask(some: slice = slice(None)) -> Matches:
    """Ask SmolLM2 about these passages."""
    model, tokenizer = smollm.load()
    return passages.match(model, tokenizer, passages.load()[some], tokenizer.stop[-1])


def remake(path: Path = FILE) -> None:
    """Ask about all of them and keep it. An interruption leaves the old file as it was."""
    _write(path, made_by(), ask())


def accept(path: Path = FILE, *, n: int = 3) -> None:
    """Keep it although code has changed, because the first n passages come out the same. Raises
    ValueError, and accepts nothing, if they do not."""
    fingerprints, before = made_by(), kept(path)
    again = ask(slice(n))
    for name, numbers in vars(before).items():
        old = numbers[:n] if numbers.ndim == 1 else numbers[:n, :n]
        if (old - getattr(again, name)).abs().max() > 0.05:
            raise ValueError(
                f"{name} no longer comes out as it did; ask about all of it again: "
                "python -m utils.checkpoints remake passages"
            )
    _write(path, fingerprints, before)


def _write(path, fingerprints, matches):
    nats = {name: numbers.round(decimals=2) for name, numbers in vars(matches).items()}
    nats = {
        name: [
            [round(x, 2) for x in row] if isinstance(row, list) else round(row, 2)
            for row in numbers.tolist()
        ]
        for name, numbers in nats.items()
    }
    write_whole(path, json.dumps({"made_by": fingerprints, "nats": nats}) + "\n")
