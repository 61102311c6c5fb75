"""How many names a denoiser carries over to a new order, by their length and by how it knows its
places; kept like a checkpoint, without the models, which are many.

    python -m utils.checkpoints remake names     # a quarter of an hour

Sixty pairs, half of them told in both orders (`worlds/pairs.py`); `relative` denoisers see how far
apart two places are (`Transformer`), `absolute` ones which place it is (`AbsoluteTransformer`).
"""

from __future__ import annotations

import json
from pathlib import Path

from utils.checkpoints.provenance import changes, provenance
from utils.checkpoints.recipes.pairs import hidden, small
from utils.experiments import directions
from utils.models.absolute import AbsoluteTransformer
from utils.models.transformer import Transformer
from utils.text.files import write_whole
from utils.training.batches import world_batches
from utils.training.fit import fit
from utils.worlds.pairs import Pairs

FILE = Path(__file__).resolve().parent / "data" / "names.json"
KINDS = {"relative": Transformer, "absolute": AbsoluteTransformer}
SIZES, SEEDS, STEPS = (1, 2, 3, 4), (0, 1, 2), 2400


def learn(kind: str, size: int, seed: int, steps: int = STEPS) -> dict[str, float]:
    """Train one and ask it: the shares of names without a mistake, second ones ("forward") and
    first ones in the new order, of pairs told "both ways" and "one way"."""
    world = Pairs(60, size, both=0.5)
    model = KINDS[kind](small(world, causal=False), seed=seed)
    batches = world_batches(world, batch_size=50, seed=1000 * seed + 1)
    fit(
        model, batches, lambda model, rows: hidden(model, rows, world),
        steps=steps, lr=3e-3, seed=seed, progress=False,
    )  # fmt: skip
    found = directions.asked(directions.fills, model.eval(), world)
    new, both = found["new order"].double(), world.n_both
    return {
        "forward": float(found["forward"].double().mean()),
        "both ways": float(new[:both].mean()),
        "one way": float(new[both:].mean()),
    }


def made_by() -> dict[str, str]:
    """{name: fingerprint} of all that it depends on."""
    return provenance({"code": [learn], "sizes": SIZES, "seeds": SEEDS})


def kept(path: Path = FILE) -> dict[str, dict[int, list[dict[str, float]]]]:
    """{kind: {size: what each seed's denoiser was found to know}}. Raises FileNotFoundError, saying
    how to make it, where it is missing."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; make it with: python -m utils.checkpoints remake names"
        )
    found = json.loads(path.read_text("utf-8"))["found"]
    return {
        kind: {int(size): each for size, each in sizes.items()} for kind, sizes in found.items()
    }


def stale(path: Path = FILE) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(json.loads(path.read_text("utf-8"))["made_by"], made_by())


def remake(path: Path = FILE) -> None:
    """Train and ask all of them, and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by()
    found = {
        kind: {size: [learn(kind, size, seed) for seed in SEEDS] for size in SIZES}
        for kind in KINDS
    }
    write_whole(path, json.dumps({"made_by": fingerprints, "found": found}) + "\n")
