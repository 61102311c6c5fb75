"""Checkpoints: the results of longer trainings, kept so that the reader need not wait for them.

A checkpoint is two files in `checkpoints/`: the weights, NAME.safetensors, rounded to float16, and
a card, NAME.json, that says what they are, how good they are, and how they were made. Where its
results are all that the book needs, the card is kept alone. They were made by a recipe
(`checkpoints/recipes/`), once for each of its seeds: seed 0 has the recipe's name, seed 1 the name
with "-1" after it. Anyone can make them again:

    python -m utils.checkpoints list
    python -m utils.checkpoints remake sentences-ar

The card knows the weights by their hash, so a damaged file is noticed, and all that they were made
by, near and far, by fingerprints: a test names what has changed since.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load, save

from utils.models.transformer import Transformer, TransformerConfig
from utils.text.files import write_whole
from utils.text.numbers import SEED, whole

FOLDER = Path(__file__).resolve().parent.parent.parent / "checkpoints"
PARTS = ("query", "key", "value")
MAX_BYTES = 4_000_000  # of the weights: they are kept in the book's repository


@dataclass(frozen=True)
class Card:
    """What there is to know about a checkpoint.

    results: what was measured, units in the names. curve: what was measured on the way, as (tokens
    seen, seconds, value). first_losses: of the first steps; final_loss: mean of the last ones, in
    nats. seconds: of training, on so many threads; they are those of one machine on one day.
    weights_sha256: None where only the card is kept.
    made_by, measured_by: {name: fingerprint} of all that the weights and the results depend on.
    """

    name: str
    data: str
    config: TransformerConfig
    parameters: int
    seed: int
    steps: int
    tokens: int
    seconds: float
    threads: int
    first_losses: list[float]
    final_loss: float
    results: dict[str, float]
    curve: list[tuple[int, float, float]]
    torch_version: str
    weights_sha256: str | None
    made_by: dict[str, str]
    measured_by: dict[str, str]


def at_seed(name: str, seed: int) -> str:
    """The name under which a checkpoint is kept that was made at this seed."""
    seed = whole("seed", seed, **SEED)
    return f"{name}-{seed}" if seed else name


def load_checkpoint(name: str, seed: int = 0, *, folder: Path = FOLDER) -> tuple[Transformer, Card]:
    """The model, ready to use, and its card. Raises FileNotFoundError for an unknown name, naming
    those there are, and ValueError if the weights are not those that the card describes, or if only
    the card is kept.
    """
    name = at_seed(name, seed)
    card = read_card(name, folder=folder)
    model = Transformer(card.config, seed=None)
    weights = {key: value.float() for key, value in load(_weights(card, folder)).items()}
    model.load_state_dict(_side_by_side(weights), assign=True)
    return model.eval(), card


def load_seeds(name: str, seeds: Iterable[int] = (0, 1, 2)) -> list[Transformer]:
    """The models that one recipe made at several seeds."""
    return [load_checkpoint(name, seed)[0] for seed in seeds]


def read_card(name: str, *, folder: Path = FOLDER) -> Card:
    """The card alone. Raises FileNotFoundError for an unknown name, ValueError if it is damaged."""
    path = folder / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(card.stem for card in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"there is no checkpoint {name!r} in {folder}; there are: {known}")
    try:
        return as_card(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not a card ({error}); {_again(name)}") from error


def as_card(entries: dict) -> Card:
    """A card from what its file holds."""
    return Card(**(entries | {"config": TransformerConfig(**entries["config"])}))


def write_checkpoint(card: Card, weights: bytes | None, *, folder: Path = FOLDER) -> None:
    """Keep a checkpoint, replacing the one of its name. weights: None to keep the card alone.

    Two files cannot be replaced at once. So the new weights are first written in full under another
    name; then the new card, in one step; from then on they are the checkpoint, by whichever of the
    two names they have. Whatever interrupts this, what loads is all old or all new.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for_now, for_good = _places(card.name, folder)
    if weights is None:
        write_card(card, folder=folder)
        for path in (for_now, for_good):
            path.unlink(missing_ok=True)
        return
    with suppress(FileNotFoundError, ValueError):  # where the last time was interrupted, finish it
        if sha256(for_now.read_bytes()) == read_card(card.name, folder=folder).weights_sha256:
            for_now.replace(for_good)
    write_whole(for_now, weights)
    write_card(card, folder=folder)
    for_now.replace(for_good)


def write_card(card: Card, *, folder: Path = FOLDER) -> None:
    """Keep a card whose weights are there already."""
    write_whole(folder / f"{card.name}.json", json.dumps(asdict(card), indent=1) + "\n")


def check_folder(folder: Path) -> None:
    """Raise OSError now, and not after an hour of training, if nothing can be kept there."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(MAX_BYTES))
            file.flush()
    except OSError as error:
        error.filename = str(folder)
        raise


def pack(model: Transformer) -> bytes:
    """A model's weights as they are kept: rounded, which changes the model itself, too. Raises
    ValueError if they are too many."""
    halves = {key: value.detach().half() for key, value in model.state_dict().items()}
    model.load_state_dict(halves)  # so that what is measured is what is stored
    data = save(_apart(halves, model))
    if len(data) > MAX_BYTES:
        raise ValueError(f"the weights take {len(data):,} bytes; the limit is {MAX_BYTES:,}")
    return data


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def torch_version() -> str:
    return torch.__version__.split("+")[0]


def _apart(weights, model):
    """A model's weights under the names in the file, where queries, keys and values are apart."""
    kept = dict(weights)
    for i, layer in enumerate(model.layers):
        name = f"layers.{i}.attention."
        widths = [part.shape[1] for part in layer.attention.parts()]
        parts = kept.pop(name + "qkv").split(widths, dim=1)
        kept |= {name + n: p.contiguous() for n, p in zip(PARTS, parts, strict=True)}
    return kept


def _side_by_side(weights):
    """The weights in a file under the names of the model, which has the three in one matrix."""
    found = dict(weights)
    for name in [name.removesuffix("query") for name in weights if name.endswith(".query")]:
        found[name + "qkv"] = torch.cat([found.pop(name + part) for part in PARTS], 1)
    return found


def _weights(card, folder):
    """The bytes that the card describes."""
    if card.weights_sha256 is None:
        raise ValueError(
            f"of {card.name} only the card is kept; its results are in read_card({card.name!r})"
        )
    for_now, for_good = _places(card.name, folder)
    found = [path.read_bytes() for path in (for_good, for_now) if path.exists()]
    for data in found:
        if sha256(data) == card.weights_sha256:
            return data
    state = "damaged or belongs to another card" if found else "missing"
    raise ValueError(f"{for_good} is {state}; {_again(card.name)}")


def _places(name, folder):
    return folder / f"{name}.safetensors.part", folder / f"{name}.safetensors"


def _again(name):
    return f"restore it, or make it again: python -m utils.checkpoints remake {name}"
