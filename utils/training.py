"""Training, and the checkpoints that spare the reader from it.

`fit` is the one training loop of this book: AdamW, a short warm-up, a learning rate that falls along
a cosine to zero, gradients clipped to length 1. It serves every model and every loss.

A *checkpoint* is the result of a longer training: the weights in `checkpoints/NAME.safetensors`, and
beside them a card, `NAME.json`, that says what they are, how good they are, and how they were made.
They were made by a *recipe*, a function in `utils/recipes.py`. Anyone can make them again:

    python -m utils.training list
    python -m utils.training remake sentences-ar        (or --all)
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import io
import json
import math
import os
import sys
import tempfile
import time
import tokenize
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from utils.transformer import Transformer, TransformerConfig

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"
MAX_BYTES = 4_000_000  # of one checkpoint's weights: it lives in a git repository

# -- the training loop ---------------------------------------------------------------------------


@dataclass
class History:
    """What happened at each step of a training: the loss in nats, and, since the start, the seconds
    spent training and the tokens seen. `measured` holds (step, value) pairs, if asked for.
    """

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    measured: list[tuple[int, float]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return len(self.losses)

    @property
    def final_loss(self) -> float:
        """Mean loss of the last twentieth of the steps: one step alone is noisy."""
        last = self.losses[-max(1, self.steps // 20) :]
        return sum(last) / len(last)


def next_token_loss(model, tokens):
    """How surprised a causal model is, on average, by each token after the first: nats per token.

    tokens: (batch, length) int64, length >= 2. Returns a scalar to minimise.
    """
    logits = model(tokens[:, :-1])  # (batch, length - 1, vocab)
    return cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def fit(
    model,
    batches,
    loss_fn,
    *,
    steps=None,
    seconds=None,
    lr,
    seed,
    progress=True,
    measure=None,
    measure_at=(),
) -> History:
    """Train `model` in place for a number of `steps` or of `seconds`; whichever ends first.

    batches: an iterable of LongTensors (batch, length), started again when it is used up.
    loss_fn: `loss_fn(model, batch)` -> scalar, in nats per token.
    lr: the highest learning rate, reached after 5% of the training.
    seed: for whatever is random while training, in the loss or in the batches, if they draw from
        PyTorch's global generator. That generator is put back afterwards.
    progress: show a bar with the loss and the time that remains.
    measure, measure_at: `measure(model)` -> float is recorded at these shares of the way, each from 0
        to 1. The time it takes is not counted.

    Raises ValueError for a training without end, for batches that run out or are no tokens, and if
    the loss stops being a number.
    """
    if steps is None and seconds is None:
        raise ValueError("give steps=, seconds= or both: training must end somewhere")
    if not lr > 0:
        raise ValueError(f"lr is {lr}; a learning rate is positive, such as 2e-3")
    history = History()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    waiting = sorted(measure_at, reverse=True)
    was_training = model.training
    model.train()
    bar = _Bar(steps, seconds) if progress else None
    started, paused = time.perf_counter(), 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        source = _endless(batches)
        share = 0.0  # of the way done
        while share < 1:
            batch = next(source)
            rate = lr * _schedule(share if history.steps else 0.5 / (steps or 100))
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = loss_fn(model, batch)
            if not math.isfinite(loss.item()):
                raise ValueError(
                    f"the loss became {loss.item()} at step {history.steps}; "
                    f"lower the learning rate, lr={lr}"
                )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

            elapsed = time.perf_counter() - started - paused
            history.losses.append(loss.item())
            history.seconds.append(elapsed)
            history.tokens.append((history.tokens[-1] if history.tokens else 0) + batch.numel())
            share = max(history.steps / steps if steps else 0, elapsed / seconds if seconds else 0)
            if bar:
                bar.show(history)
            while waiting and share >= waiting[-1]:
                waiting.pop()
                pause = time.perf_counter()
                history.measured.append((history.steps, measure(model)))
                paused += time.perf_counter() - pause
    if bar:
        bar.close()
    model.train(was_training)
    return history


def _schedule(share):
    """The learning rate at this share of the way, as a fraction of the highest one."""
    return min(1.0, share / 0.05) * (1 + math.cos(math.pi * share)) / 2


def _endless(batches):
    """The batches over and over; a clear error when there are none."""
    n = 0
    while True:
        before = n
        for batch in batches:
            if not isinstance(batch, torch.Tensor) or batch.dim() != 2:
                kind = tuple(batch.shape) if isinstance(batch, torch.Tensor) else type(batch).__name__
                raise ValueError(f"a batch is {kind}; give LongTensors of shape (batch, length)")
            n += 1
            yield batch
        if n == before:
            raise ValueError(
                f"the batches ran out after {n}; give a list, which can be started again, "
                "or a generator without end"
            )


class _Bar:
    """A progress bar in steps, or in seconds if only these are given."""

    def __init__(self, steps, seconds):
        self.by_steps = steps is not None
        unit, total = ("step", steps) if self.by_steps else ("s", round(seconds, 1))
        counts = "{n_fmt}/{total_fmt}" if self.by_steps else "{n:.0f}/{total:.0f} s"
        self.bar = tqdm(
            total=total,
            unit=unit,
            mininterval=0.5,
            bar_format="{percentage:3.0f}% {bar:30} " + counts + " [{remaining} left] {desc}",
        )

    def show(self, history):
        done = history.steps if self.by_steps else min(history.seconds[-1], self.bar.total)
        self.bar.set_description_str(f"loss {history.final_loss:.3f}", refresh=False)
        self.bar.update(done - self.bar.n)

    def close(self):
        self.bar.close()


# -- checkpoints ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Card:
    """What there is to know about a checkpoint.

    results: what was measured on the stored weights, by name; units are part of the name.
    curve: what was measured on the way: (tokens seen, seconds, value).
    weights_hash, recipe_hash: SHA-256 of the weights' file, and of the recipe's code without comments.
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
    weights_hash: str
    recipe_hash: str


@dataclass
class Made:
    """What a recipe returns: the trained model, how it went, and how to measure it.

    data: one line on what it was trained on. measure: `measure(model)` -> {name: number}, taken again
    on the weights as they are stored.
    """

    model: Transformer
    history: History
    data: str
    seed: int
    measure: Callable[[Transformer], dict[str, float]]


def load_checkpoint(name: str, folder: Path = CHECKPOINTS) -> tuple[Transformer, Card]:
    """The model and its card. Raises FileNotFoundError, naming those there are, for an unknown name
    or a missing file; ValueError if the weights are not those the card describes.
    """
    card = read_card(name, folder)
    path = folder / f"{name}.safetensors"
    remedy = f"restore the file, or make it again: python -m utils.training remake {name}"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; {remedy}")
    data = path.read_bytes()
    if _sha256(data) != card.weights_hash:
        raise ValueError(f"{path} is damaged or does not belong to its card; {remedy}")
    model = Transformer(card.config, seed=None)
    model.load_state_dict({key: value.float() for key, value in load(data).items()}, assign=True)
    return model.eval(), card


def read_card(name: str, folder: Path = CHECKPOINTS) -> Card:
    """The card alone. Raises FileNotFoundError for an unknown name, ValueError for a damaged card."""
    path = folder / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(card.stem for card in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"there is no checkpoint {name!r} in {folder}; there are: {known}")
    try:
        fields = json.loads(path.read_text("utf-8"))
        return Card(**{**fields, "config": TransformerConfig(**fields["config"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} is not a readable card ({error}); restore the file, or make it again: "
            f"python -m utils.training remake {name}"
        ) from error


def save_checkpoint(name: str, made: Made, recipe_hash: str, folder: Path = CHECKPOINTS) -> Card:
    """Store the weights, rounded to float16, and their card. Both are first written in full under
    temporary names, so that what was there before stays whole until the new ones are.
    """
    halves = {key: value.detach().half() for key, value in made.model.state_dict().items()}
    made.model.load_state_dict({key: value.float() for key, value in halves.items()})
    weights = save(halves)
    if len(weights) > MAX_BYTES:
        raise ValueError(f"{name} takes {len(weights)} bytes; the limit is {MAX_BYTES}")
    history = made.history
    card = Card(
        name=name,
        data=made.data,
        config=made.model.config,
        parameters=sum(p.numel() for p in made.model.parameters()),
        seed=made.seed,
        steps=history.steps,
        tokens=history.tokens[-1],
        seconds=round(history.seconds[-1], 1),
        threads=torch.get_num_threads(),
        final_loss=round(history.final_loss, 4),
        results={key: round(value, 4) for key, value in made.measure(made.model.eval()).items()},
        curve=[
            (history.tokens[step - 1], round(history.seconds[step - 1], 1), round(value, 4))
            for step, value in history.measured
        ],
        torch_version=torch.__version__.split("+")[0],
        weights_hash=_sha256(weights),
        recipe_hash=recipe_hash,
    )
    text = json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
        new_weights, new_card = Path(new) / "weights", Path(new) / "card"
        new_weights.write_bytes(weights)
        new_card.write_text(text, "utf-8")
        os.replace(new_weights, folder / f"{name}.safetensors")
        os.replace(new_card, folder / f"{name}.json")
    return card


def code_hash(function) -> str:
    """SHA-256 of a function's code: its tokens, without comments, line breaks and indentation."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = io.StringIO(inspect.cleandoc("\n" + inspect.getsource(function)) + "\n").readline
    tokens = [token.string for token in tokenize.generate_tokens(lines) if token.type not in layout]
    return _sha256(" ".join(tokens).encode())


def remake(name: str, recipes: dict[str, Callable[[], Made]], folder: Path = CHECKPOINTS) -> Card:
    """Run a recipe and store what it made. An interruption leaves the old checkpoint as it was."""
    if name not in recipes:
        raise KeyError(f"there is no recipe {name!r}; there are: {', '.join(sorted(recipes))}")
    return save_checkpoint(name, recipes[name](), code_hash(recipes[name]), folder)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    from utils.recipes import RECIPES  # recipes are written with this module, so it comes first

    parser = argparse.ArgumentParser(prog="python -m utils.training", description="Checkpoints.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the recipes, and what their checkpoints reach")
    again = commands.add_parser("remake", help="train checkpoints again and store them")
    again.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    again.add_argument("--all", action="store_true", help="all of them")
    options = parser.parse_args(arguments)
