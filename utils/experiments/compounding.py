"""Compounding errors: does one mistake make the next more likely, and what does length do?

A model is trained on texts that others wrote and then reads its own. `Totals` makes that difference
measurable: every answer has one right value, so an error can be counted at every token, once after
answers from the data and once after the model's own.

The story told about it is one line long: a token is wrong with probability e, so a text of n tokens
is right with probability (1 - e)^n. `survival` is what happens instead.
"""

from __future__ import annotations

import torch

from utils.generation.sampling import distribution, draw
from utils.models.kv_cache import KVCache
from utils.models.temperature import check_temperature


@torch.inference_mode()
def write_totals(model, world, digits, *, temperature=0.0, generator=None, answers=None):
    """The model answers each digit as it is called out: (rows, n) int64 -> (rows, 2 n + 1).

    answers: a function (position, its own answers) -> answers to write instead, to force some; it
    gets and returns (rows,) int64. Raises ValueError if the model is not causal.
    """
    if not model.config.causal:
        raise ValueError("causal=False: only a causal model can write from left to right")
    temperature = check_temperature(temperature)
    cache = KVCache.like(model, len(digits), 2 * digits.shape[1] + 1)
    columns = [torch.full_like(digits[:, 0], world.vocab.start_id)]
    for i, digit in enumerate(digits.T):
        unread = torch.stack([*columns[-1:], digit], 1)
        own = draw(model(unread, cache)[:, -1], temperature=temperature, generator=generator)
        columns += [digit, own if answers is None else answers(i, own)]
    return torch.stack(columns, 1)


@torch.no_grad()
def hazards(model, rows, *, temperature=1.0):
    """Probability that each answer comes out wrong after these rows as they stand, given the
    answers before it: (rows, 2 n + 1) int64, right rows of a world -> (rows, n) float64."""
    probs = distribution(model(rows)[:, 1::2].double(), temperature=temperature)
    return 1 - probs.gather(-1, rows[:, 2::2, None])[..., 0]


def survival(wrong):
    """Share of texts without an error up to each position: (rows, n) bool -> (n,) float64."""
    return (~wrong).cumprod(1).double().mean(0)


def errors(world, rows):
    """Which answers are wrong: (rows, 2 n + 1) -> two (rows, n) bool.

    The first by the digits alone, as the task has it; the second given the answers before it as
    they stand, so that only a mistake made at this very place counts.
    """
    answers = rows[:, 2::2]
    truth = world.write(rows[:, 1::2])[:, 2::2]
    return answers != truth, answers != world.expected(rows)
