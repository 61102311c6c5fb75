"""What a denoiser that numbers its places carries over to a new order; kept like a checkpoint.

    python -m utils.checkpoints remake places     # a minute

It is trained as `pairs-half-short` is (`recipes/pairs.py`), on names of two syllables of which half
are told in both orders, and differs in one thing: it sees which place it is (`AbsoluteTransformer`)
and not how far apart two places are.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from utils.checkpoints.provenance import changes, provenance
from utils.checkpoints.recipes.pairs import SHORT
from utils.experiments import directions
from utils.models.absolute import AbsoluteTransformer
from utils.text.files import write_whole
from utils.training.fit import fit

FILE = Path(__file__).resolve().parent / "data" / "places.json"
SEEDS = (0, 1, 2)


def learn(seed: int, steps: int = SHORT.steps) -> dict[str, torch.Tensor]:
    """Train one, and ask it for all pairs: {question: (n,) bool}."""
    world = SHORT.world()
    model = AbsoluteTransformer(SHORT.config(world), seed=seed)
    fit(
        model, SHORT.batches(world, seed), lambda model, rows: SHORT.loss(model, rows, world),
        steps=steps, lr=SHORT.lr, seed=seed, progress=False,
    )  # fmt: skip
    return directions.asked(directions.fills, model.eval(), world)


def made_by() -> dict[str, str]:
    """{name: fingerprint} of all that it depends on."""
    return provenance({"code": [learn], "recipe": SHORT.made_by(None), "seeds": SEEDS})


def kept(path: Path = FILE) -> list[dict[str, torch.Tensor]]:
    """What each of three found: {question: (n,) bool}. Raises FileNotFoundError, saying how to make
    it, where it is missing."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; make it with: python -m utils.checkpoints remake places"
        )
    return [
        {
            question: torch.tensor([flag == "1" for flag in flags])
            for question, flags in each.items()
        }
        for each in json.loads(path.read_text("utf-8"))["found"]
    ]


def stale(path: Path = FILE) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(json.loads(path.read_text("utf-8"))["made_by"], made_by())


def remake(path: Path = FILE) -> None:
    """Train and ask three of them, and keep it. An interruption leaves the old file as it was."""
    found = [
        {
            question: "".join("01"[flag] for flag in right.tolist())
            for question, right in each.items()
        }
        for each in map(learn, SEEDS)
    ]
    write_whole(path, json.dumps({"made_by": made_by(), "found": found}) + "\n")
