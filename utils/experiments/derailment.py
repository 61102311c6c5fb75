"""Derailment: what a left-to-right writer does after a token it would not have chosen.

`answer` lets a model answer questions of `Verdicts`, its first words forced or not, and `predicted`
computes from the model's own probabilities how often an answer goes wrong when it is sampled. The
remedies at the end each have a price, counted in tokens written and in forward passes. What is
right in an answer is read by `worlds/judging.py`.

The same scene with a real model is in `forced_answers.py`, mistakes that grow with length are in
`compounding.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from utils.generation.forcing import force
from utils.generation.sampling import distribution, generate, score
from utils.text.numbers import real, whole
from utils.worlds.judging import Judged, judge


def answer(model, world, questions, forced=None, *, room=3, **how):
    """Let the model answer the questions of these rows, (n, >= 7) int64 -> (n, length + room).

    forced: tokens, (n, k), that the answers have to begin with. room: for more tokens than a right
    answer has, as undoing takes. Greedy unless `how` says otherwise; a row ends with its full stop,
    which fills the rest.
    """
    room = whole("room", room, "choose 0 or more", least=0)
    at = world.positions["answer"]
    stop, length = world.vocab.id("."), world.length + room
    if forced is None:
        rows = generate(model, questions[:, :at], length - at, stop=stop, **how)
    else:
        new = length - at - forced.shape[1]
        rows = force(model, questions[:, :at], forced, new, stop=stop, **how)
    return torch.cat([rows, rows[:, -1:].expand(-1, length - rows.shape[1])], 1)


def judge_answers(models, world, questions, forced=None, **how) -> list[Judged]:
    """What is right in the answers of several models, one after the other: see `answer`."""
    return [judge(world, answer(model, world, questions, forced, **how)) for model in models]


# -- predicting ----------------------------------------------------------------------------------


@torch.no_grad()
def predicted(model, world, rows, temperature) -> dict[str, torch.Tensor]:
    """How probable three outcomes are when the answer is sampled: {outcome: (n,) float64}, exactly.

    rows: the questions with their right answers, (n, length). Nothing is sampled here:
    "other verdict" is the probability of a no for a yes, or a yes for a no; "all right" is the
    product of the probabilities of all right tokens; "right but for the verdict" is the same
    product with the other verdict forced and paid for: the text that contradicts itself.
    """
    real("temperature", temperature, "at 0 nothing is left to chance; choose above 0", above=0)
    start, at = world.positions["answer"], world.positions["verdict"]
    flipped = rows.clone()
    flipped[:, at] = world.vocab.id("yes") + world.vocab.id("no") - rows[:, at]

    def log_probs(text):  # of the answer's tokens, at this temperature
        probs = distribution(model(text[:, :-1]).double(), temperature=temperature)
        return probs.gather(-1, text[:, 1:, None])[:, start - 1 :, 0].log()

    right, contradiction = log_probs(rows), log_probs(flipped)
    return {
        "other verdict": contradiction[:, at - start].exp(),
        "all right": right.sum(1).exp(),
        "right but for the verdict": contradiction.sum(1).exp(),
    }


# -- remedies ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Remedied:
    """The texts that a remedy settled on, (n, length), and its price for each question."""

    rows: torch.Tensor
    tokens: float  # written, on average
    passes: float  # forward passes, on average: one a token, and what scoring takes


def samples(model, world, questions, k, *, forced=None, **how):
    """k answers to each question: (n, k, length)."""
    k = _number(k)
    repeated = questions.repeat_interleave(k, 0)
    forced = None if forced is None else forced.repeat_interleave(k, 0)
    return answer(model, world, repeated, forced, **how).unflatten(0, (-1, k))


def vote(model, world, questions, k, **how) -> Remedied:
    """The first of k sampled answers whose verdict is that of most (self-consistency: Wang et al.
    2023, arXiv:2203.11171). For an even k, a draw goes to the earlier one."""
    k = _number(k)
    drawn = samples(model, world, questions, k, **how)
    judged = judge(world, drawn.flatten(0, 1))
    right = judged.verdict_right.unflatten(0, (-1, k))  # two verdicts: right and not
    agree = (right[:, :, None] == right[:, None, :]).sum(-1)  # votes for each sample's verdict
    return Remedied(_pick(drawn, agree), *_price(judged, k))


def best_of(model, world, questions, k, **how) -> Remedied:
    """Of k sampled answers the one that the model finds likeliest as a whole, read once more."""
    k = _number(k)
    drawn = samples(model, world, questions, k, **how)
    judged, start = judge(world, drawn.flatten(0, 1)), world.positions["answer"]
    likelihood = likelihoods(model, drawn.flatten(0, 1), start).unflatten(0, (-1, k))
    tokens, passes = _price(judged, k)
    return Remedied(_pick(drawn, likelihood), tokens, passes + k)


def start_over(model, world, questions, *, at_least, forced=None, **how) -> Remedied:
    """One answer; where the model, reading it once more, finds it less likely as a whole than
    `at_least` (nats), a second one, written from the question on. What was forced is thrown away
    with the first: this remedy may take back what it has said, and the others may not."""
    at_least = real("at_least", at_least, "give a log-probability in nats, such as -1.0")
    first = answer(model, world, questions, forced, **how)
    again = likelihoods(model, first, world.positions["answer"]) < at_least
    rows = first.clone()
    tokens = judge(world, first).tokens.double()
    if again.any():
        rows[again] = answer(model, world, questions[again], **how)
        tokens[again] += judge(world, rows[again]).tokens
    return Remedied(rows, float(tokens.mean()), float(tokens.mean()) + 1)


@torch.no_grad()
def likelihoods(model, rows, start):
    """Log-probability of each finished text from position `start` on: (n, t) -> (n,), in nats.
    What repeats the last token, the full stop, is not counted."""
    scores = score(model, rows)[:, start - 1 :]
    filled = (rows[:, start:] == rows[:, -1:]) & (rows[:, start - 1 : -1] == rows[:, -1:])
    return scores.masked_fill(filled, 0.0).sum(1)


def _pick(drawn, points):
    return drawn[torch.arange(len(drawn), device=drawn.device), points.argmax(1)]


def _price(judged, k):
    tokens = float(judged.tokens.double().mean()) * k
    return tokens, tokens


def _number(k):
    return whole("k", k, "take at least one sample", least=1)
