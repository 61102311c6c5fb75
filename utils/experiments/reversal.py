"""Any pairs of texts, learned by heart and asked from both sides; characters are the tokens.

    python -m utils.experiments.reversal FILE.json

reads `[{"first": "…", "second": "…"}, …]`, trains a causal model and a denoiser on it, and prints
how many each gets right. A text is `<s> FIRST <end> … <to> SECOND <end> …`: each side has the same
width, filled up with ends, so that a blank gives no length away. The denoiser knows its places by
number: in small trials it learned faster so than by distances alone. The causal model is asked for
the first text in the order `SECOND <to>`, the denoiser with blanks where the first text stood: that
is "in place", and says nothing of another order: chapter 07 tells them apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from utils.generation import diffusion
from utils.generation.sampling import generate
from utils.measure.rates import Rate, print_rates
from utils.models.absolute import AbsoluteTransformer
from utils.models.transformer import Transformer, TransformerConfig
from utils.text.numbers import SEED, real, whole
from utils.text.printing import run_program
from utils.training.losses import next_token_loss

OBJECTIVES = ("ar", "diffusion")
LONGEST = 200  # characters in one text
LR = 2e-3
START, TO, END, MASK = range(4)  # the ids before those of the characters


@dataclass(frozen=True)
class Report:
    """Shares of n pairs written without a mistake: the second text given the first, and the first
    given the second. steps: of training."""

    forward: float
    reverse: float
    n: int
    steps: int


def load(path: Path | str) -> list[tuple[str, str]]:
    """The pairs of a JSON file, a list of `{"first": …, "second": …}`; a byte-order mark does no
    harm. Raises ValueError, with the number of the record, for what is none."""
    path = Path(path)
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} is no JSON in UTF-8: {error}") from None
    if not isinstance(found, list):
        raise ValueError(f'{path.name} must be a list of {{"first": …, "second": …}}')
    for number, record in enumerate(found, 1):
        if not isinstance(record, dict) or not {"first", "second"} <= set(record):
            raise ValueError(f'record {number} has no "first" and "second": {record!r}')
    return checked_pairs((record["first"], record["second"]) for record in found)


def checked_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same pairs, if they can be learned. Raises ValueError, with the number of the record, for
    what is no text, empty, too long or not writable as UTF-8, and for a text that two pairs share
    on the same side: then the other side has no one answer."""
    pairs = list(pairs)
    if not pairs:
        raise ValueError("there are no pairs; give at least one (first, second)")
    seen = {}
    for number, pair in enumerate(pairs, 1):
        if isinstance(pair, str) or not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(f"record {number} is {pair!r}; give two texts, (first, second)")
        for side, text in zip(("first", "second"), pair, strict=True):
            where = f"record {number}: {side}"
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"{where} is {text!r}; give a text that is not empty")
            if len(text) > LONGEST:
                raise ValueError(f"{where} has {len(text)} characters; at most {LONGEST} will do")
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise ValueError(f"{where} holds half a character (a lone surrogate)") from None
            before = seen.setdefault((side, text), number)
            if before != number:
                raise ValueError(
                    f"{where} is the same as in record {before}, so the other side has no one "
                    "answer; leave one of them out"
                )
    return [(first, second) for first, second in pairs]


def evaluate(
    pairs: Iterable[tuple[str, str]],
    *,
    objective: str = "ar",
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Learn the pairs by heart and ask for both sides.

    objective: "ar", a causal model from left to right, or "diffusion", a denoiser. It trains for so
    many steps or seconds, 600 seconds if neither is given, and stops once all is known forward.
    Raises ValueError like `checked_pairs`, and for an unknown objective.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective is {objective!r}; choose {' or '.join(map(repr, OBJECTIVES))}")
    seed = whole("seed", seed, **SEED)
    if steps is not None:
        steps = whole("steps", steps, "take at least 1", least=1)
    if seconds is not None:
        seconds = real("seconds", seconds, "give a positive number", above=0)
    elif steps is None:
        seconds = 600
    told = _Told(checked_pairs(pairs))
    model, taken = _learn(told, objective, seconds, steps, seed, progress)
    ask = _continued if objective == "ar" else _filled
    forward, reverse = (
        ask(model, told, way).all(1).double().mean().item() for way in (False, True)
    )
    return Report(forward, reverse, len(told.rows), taken)


class _Told:
    """The pairs as rows of ids. rows: forward; back: the second text first; width: of each side."""

    def __init__(self, pairs):
        letters = sorted({letter for pair in pairs for text in pair for letter in text})
        ids = {letter: MASK + 1 + i for i, letter in enumerate(letters)}
        self.width = 1 + max(len(text) for pair in pairs for text in pair)
        self.vocab_size = MASK + 1 + len(letters)
        sides = [
            torch.tensor(
                [
                    [ids[letter] for letter in pair[i]] + [END] * (self.width - len(pair[i]))
                    for pair in pairs
                ]
            )
            for i in (0, 1)
        ]
        self.rows, self.back = self._row(*sides), self._row(*sides[::-1])

    def _row(self, left, right):
        start, to = (torch.full_like(left[:, :1], mark) for mark in (START, TO))
        return torch.cat([start, left, to, right], 1)


def _learn(told, objective, seconds, steps, seed, progress):
    """Train until every second text is known or time is up: (model, steps taken). The rate of
    learning rises, stays, and falls in the last fifth of the time there is; once four of
    five characters are right it falls at each look: large steps forget some pairs while they learn
    others."""
    causal = objective == "ar"
    config = TransformerConfig(
        told.vocab_size,
        d_model=96,
        n_layers=2,
        d_ff=1024,  # what is known by heart is kept here
        max_len=told.rows.shape[1],
        causal=causal,
    )
    model = (Transformer if causal else AbsoluteTransformer)(config, seed=seed).train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), fused=True)
    dice, begun, look, way = torch.Generator().manual_seed(seed), time.perf_counter(), 100, 0.0
    gentle = 1.0
    layout = "{percentage:3.0f}% {bar:30} {desc}"
    with tqdm(total=1.0, bar_format=layout, mininterval=0.5, disable=not progress) as bar:
        for taken, rows in enumerate(_batches(told.rows, dice), 1):
            optimizer.param_groups[0]["lr"] = LR * min(gentle, taken / 100, 5 * (1 - way))
            loss = next_token_loss(model, rows) if causal else _blanks(model, rows, told, dice)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            spent = (time.perf_counter() - begun) / seconds if seconds else 0.0
            way = min(1.0, max(spent, taken / steps if steps else 0.0))
            bar.update(way - bar.n)
            if taken == look or way == 1:
                look = taken + max(100, taken // 8)  # asking takes time, too
                right = (_continued if causal else _filled)(model, told, False)
                known = right.all(1).double().mean().item()
                bar.set_description_str(f"{taken:,} steps, {known:.0%} known")
                if known == 1 or way == 1:
                    return model.eval(), taken
                if right[told.rows[:, told.width + 2 :] != END].double().mean() > 0.8:
                    gentle = max(gentle * 0.6, 0.03)


def _blanks(model, rows, told, dice):
    """Mean surprise of a denoiser at what is hidden, in nats. Three rows of four are asked as the
    test asks, one text whole and the other hidden; in the others each text has a rate of its own,
    evenly drawn. In small trials it began to learn sooner so than with such rates alone."""
    noisy, places = rows, torch.arange(rows.shape[1])
    asked = torch.rand(len(rows), generator=dice) < 0.75
    first = torch.rand(len(rows), generator=dice) < 0.5
    for start, hidden in ((1, first), (told.width + 2, ~first)):
        rates = diffusion.spread_rates(rows, dice)[torch.randperm(len(rows), generator=dice)]
        rates = torch.where(asked, hidden.to(rates), rates)
        others = (places < start) | (places >= start + told.width)
        noisy, _ = diffusion.corrupt(noisy, rates, MASK, frozen=others, generator=dice)
    at = (noisy == MASK).nonzero(as_tuple=True)  # row and position of each hidden token
    said = diffusion.log_probs(model, noisy, MASK, at).gather(-1, rows[at][:, None])[:, 0]
    total = said.new_zeros(len(rows)).index_add(0, at[0], said)
    count = at[0].bincount(minlength=len(rows))
    return -(total[count > 0] / count[count > 0]).mean()


def _batches(rows, dice):
    """Batches of 64 for ever, each pair as often as any other; few pairs come more than once in a
    batch, each time with other blanks."""
    rows = rows.repeat(-(-64 // len(rows)), 1)
    while True:
        yield from rows[torch.randperm(len(rows), generator=dice)].split(64)


def _continued(model, told, reverse):
    """Whether a causal model writes the right side right after the left one: (n, width) bool."""
    rows = told.back if reverse else told.rows
    written = generate(model, rows[:, : told.width + 2], told.width)[:, told.width + 2 :]
    return written == rows[:, told.width + 2 :]


def _filled(model, told, reverse):
    """Whether a denoiser fills one side right given the other, both in their place: (n, width)
    bool."""
    start = 1 if reverse else told.width + 2
    noisy = told.rows.clone()
    noisy[:, start : start + told.width] = MASK
    steps = min(told.width, 12)  # passes
    filled = torch.cat(
        [diffusion.sample(model, some, MASK, steps=steps) for some in noisy.split(256)]
    )
    return (filled == told.rows)[:, start : start + told.width]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m utils.experiments.reversal")
    parser.add_argument("file", help='JSON: [{"first": …, "second": …}, …]')
    parser.add_argument("--seconds", type=float, default=600, help="for each model, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        pairs = load(options.file)
        rows = {}
        for objective, name in zip(OBJECTIVES, ("causal", "denoiser"), strict=True):
            print(f"{name} learns {len(pairs)} pairs", file=sys.stderr)
            report = evaluate(
                pairs, objective=objective, seconds=options.seconds, seed=options.seed,
                progress=True,
            )  # fmt: skip
            rows[name] = {
                "second": Rate(round(report.forward * report.n), report.n),
                "first": Rate(round(report.reverse * report.n), report.n),
            }
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print_rates(rows)
    return 0


if __name__ == "__main__":
    run_program(main)
