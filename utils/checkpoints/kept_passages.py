"""What SmolLM2 says of forty passages in every combination, kept like a checkpoint.

python -m utils.checkpoints remake passages           # minutes
python -m utils.checkpoints remake fresh-passages     # the same of forty others
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

DATA = Path(__file__).resolve().parent / "data"
NAMES = {"passages": passages.FILE, "fresh-passages": passages.FRESH}


def made_by(name: str = "passages") -> dict[str, str]:
    """{name: fingerprint} of all that it depends on: passages, code, weights."""
    texts = passages.load(NAMES[name])
    return provenance({"code": [smollm.load, passages.match], "passages": texts})


def kept(name: str = "passages", folder: Path = DATA) -> Matches:
    """What is kept of the passages of this name. Raises FileNotFoundError, saying how to make it,
    where it is missing."""
    path = folder / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; make it with: python -m utils.checkpoints remake {name}"
        )
    said = json.loads(path.read_text("utf-8"))["nats"]
    return Matches(**{name: torch.tensor(numbers) for name, numbers in said.items()})


def stale(name: str = "passages") -> list[str]:
    """What has changed, by name, since it was made."""
    found = json.loads((DATA / f"{name}.json").read_text("utf-8"))
    return changes(found["made_by"], made_by(name))


def ask(name: str, some: slice = slice(None)) -> Matches:
    """Ask SmolLM2 about these passages."""
    model, tokenizer = smollm.load()
    texts = passages.load(NAMES[name])[some]
    return passages.match(model, tokenizer, texts, tokenizer.stop[-1])


def remake(name: str) -> None:
    """Ask about all of them and keep it. An interruption leaves the old file as it was."""
    _write(name, made_by(name), ask(name))


def accept(name: str, *, n: int = 3) -> None:
    """Keep it although code has changed, because the first n passages come out the same. Raises
    ValueError, and accepts nothing, if they do not."""
    fingerprints, before = made_by(name), kept(name)
    again = ask(name, slice(n))
    for what, numbers in vars(before).items():
        old = numbers[:n] if numbers.ndim == 1 else numbers[:n, :n]
        if (old - getattr(again, what)).abs().max() > 0.05:
            raise ValueError(
                f"{what} no longer comes out as it did; ask about all of it again: "
                f"python -m utils.checkpoints remake {name}"
            )
    _write(name, fingerprints, before)


def _write(name, fingerprints, matches):
    nats = {
        what: [
            [round(x, 2) for x in row] if isinstance(row, list) else round(row, 2)
            for row in numbers.tolist()
        ]
        for what, numbers in vars(matches).items()
    }
    write_whole(DATA / f"{name}.json", json.dumps({"made_by": fingerprints, "nats": nats}) + "\n")
