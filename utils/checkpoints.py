"""Checkpoints: the results of longer trainings, kept so that the reader need not wait for them.

A checkpoint is two files in `checkpoints/`: the weights, NAME.safetensors, rounded to float16, and
a card, NAME.json, that says what they are, how good they are, and how they were made. They were
made by a *recipe*, a function in `utils/recipes.py`, and anyone can make them again:

    python -m utils.training list
    python -m utils.training remake sentences-ar

The card knows the weights by their hash, so a damaged file is noticed, and the recipe by the hash
of its code, so a test notices when a recipe has changed and its checkpoint has not.
"""

import argparse
import hashlib
import inspect
import io
import json
import os
import tempfile
import time
import tokenize
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from utils.transformer import Transformer, TransformerConfig

FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
MAX_BYTES = 4_000_000  # of the weights: they are kept in the book's repository


@dataclass
class Made:
    """What a recipe returns: a trained model, how the training went, and how to measure the model.

    data: one line on what it has seen. history: a `training.History`. measure: `measure(model)` ->
    {name: number}, units in the name; it is applied to the weights as they are stored.
    """

    model: Transformer
    history: Any
    data: str
    seed: int
    measure: Callable[[Transformer], dict[str, float]]


@dataclass(frozen=True)
class Card:
    """What there is to know about a checkpoint.

    results: what `measure` found. curve: what was measured on the way, as (tokens seen, seconds,
    value). final_loss: mean loss of the last steps, in nats per token. seconds: of training, on so
    many threads; they are those of one machine on one day.
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
    final_loss: float
    results: dict[str, float]
    curve: list[tuple[int, float, float]]
    torch_version: str
    weights_sha256: str
    recipe_sha256: str


def load_checkpoint(name: str, folder: Path = FOLDER) -> tuple[Transformer, Card]:
    """The model, ready to use, and its card. Raises FileNotFoundError for an unknown name, naming
    those there are, and ValueError if the weights are not those that the card describes.
    """
    card = read_card(name, folder)
    path = folder / f"{name}.safetensors"
    data = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(data).hexdigest() != card.weights_sha256:
        raise ValueError(
            f"{path} is {'damaged or belongs to another card' if data else 'missing'}; "
            f"restore it, or make it again: python -m utils.training remake {name}"
        )
    model = Transformer(card.config, seed=None)
    model.load_state_dict({key: value.float() for key, value in load(data).items()}, assign=True)
    return model.eval(), card


def read_card(name: str, folder: Path = FOLDER) -> Card:
    """The card alone. Raises FileNotFoundError for an unknown name, ValueError if it is damaged."""
    path = folder / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(card.stem for card in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"there is no checkpoint {name!r} in {folder}; there are: {known}")
    try:
        entries = json.loads(path.read_text("utf-8"))
        return Card(**(entries | {"config": TransformerConfig(**entries["config"])}))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is not a card ({error}); restore it, or make it again: "
            f"python -m utils.training remake {name}"
        ) from error


def remake(name: str, recipe: Callable[[], Made], folder: Path = FOLDER) -> Card:
    """Follow the recipe and store what it makes. Both files are first written in full under other
    names: whatever interrupts this, the old checkpoint stays whole until the new one is.
    """
    recipe_sha256 = code_hash(recipe)  # now: its file may change while the training runs
    made = recipe()
    halves = {key: value.detach().half() for key, value in made.model.state_dict().items()}
    made.model.load_state_dict(halves)  # so that what is measured is what is stored
    weights = save(halves)
    if len(weights) > MAX_BYTES:
        raise ValueError(f"{name} takes {len(weights):,} bytes; the limit is {MAX_BYTES:,}")
    history = made.history
    card = Card(
        name=name,
        data=made.data,
        config=made.model.config,
        parameters=sum(weight.numel() for weight in made.model.parameters()),
        seed=made.seed,
        steps=history.steps,
        tokens=history.tokens[-1],
        seconds=round(history.seconds[-1], 1),
        threads=torch.get_num_threads(),
        final_loss=round(history.final_loss, 4),
        results={key: round(x, 4) for key, x in made.measure(made.model.eval()).items()},
        curve=[
            (history.tokens[step - 1], round(history.seconds[step - 1], 1), round(value, 4))
            for step, value in history.measured
        ],
        torch_version=torch.__version__.split("+")[0],
        weights_sha256=hashlib.sha256(weights).hexdigest(),
        recipe_sha256=recipe_sha256,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
        new_weights, old_weights = Path(new) / "weights", folder / f"{name}.safetensors"
        new_card, old_card = Path(new) / "card", folder / f"{name}.json"
        new_weights.write_bytes(weights)
        new_card.write_text(json.dumps(asdict(card), indent=1) + "\n", "utf-8")
        before = old_weights.read_bytes() if old_weights.exists() else None
        try:
            os.replace(new_weights, old_weights)
            os.replace(new_card, old_card)
        except BaseException:
            if before is not None:  # the old card still describes the old weights
                old_weights.write_bytes(before)
            raise
    return card


def code_hash(function: Callable) -> str:
    """SHA-256 of a function's code; comments, line breaks and indentation do not count."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = io.StringIO(inspect.getsource(function)).readline
    words = (token.string for token in tokenize.generate_tokens(lines) if token.type not in layout)
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """The command line: `list`, and `remake NAME ...` or `remake --all`."""
    from utils.recipes import RECIPES  # they are written with `training`, which imports this module

    parser = argparse.ArgumentParser(prog="python -m utils.training")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the checkpoints and what they reach")
    order = commands.add_parser("remake", help="train checkpoints again")
    order.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    order.add_argument("--all", action="store_true", help="all of them")
    options = parser.parse_args(arguments)
    if options.command == "list":
        for name in RECIPES:
            print(_line(name))
        return 0
    names = list(RECIPES) if options.all else options.names
    unknown = [name for name in names if name not in RECIPES]
    if unknown or not names:
        what = (
            f"there is no recipe {unknown[0]!r}" if unknown else "name a checkpoint, or say --all"
        )
        parser.error(f"{what}; there are: {', '.join(RECIPES)}")
    for name in names:
        print(f"{name}: {inspect.getdoc(RECIPES[name]).splitlines()[0]}")
        begun = time.perf_counter()
        remake(name, RECIPES[name])
        print(f"{_line(name)}  (in {time.perf_counter() - begun:.0f} s)")
    return 0


def _line(name: str) -> str:
    """One line on a checkpoint."""
    if not (FOLDER / f"{name}.json").exists():
        return f"{name:16} not made yet"
    card = read_card(name)
    found = ", ".join(f"{key} {value}" for key, value in card.results.items())
    return f"{name:16} {card.parameters:9,} parameters, {card.seconds:5.0f} s of training: {found}"
