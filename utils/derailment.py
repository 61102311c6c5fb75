"""Derailment: what a left-to-right writer does after a token it would not have chosen.

`force` puts a token into a model's mouth and lets it go on. `judge` reads what it wrote: is the
verdict right, is the sum right, and does the text contradict itself? `predicted` computes from the
model's own probabilities how often a text goes wrong when it is sampled. The remedies at the end
each have a price, counted in tokens written and in forward passes.

All of it is about the world `Verdicts`, whose right answers are known. The same scene with a real
model is in `utils/questions.py`, mistakes that grow with length are in `utils/exposure.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from utils.sampling import distribution, generate, score, step
from utils.trace import Trace

# -- forcing -------------------------------------------------------------------------------------


def force(model, prompt, tokens, max_new_tokens, *, trace: Trace | None = None, **how):
    """Write `tokens` behind the prompt, whatever the model thinks of them, and let it go on.

    prompt: (batch, length) int64; tokens: (batch, k) int64, or a list of k ids for all rows. how:
    for `sampling.generate`. Returns (batch, length + k + new). A trace notes which were forced, and
    how likely the model found them.
    """
    tokens = torch.as_tensor(tokens, dtype=torch.int64).reshape(-1, _width(tokens))
    text = torch.cat([prompt, tokens.expand(len(prompt), -1)], 1)
    if trace is not None:
        with torch.no_grad():
            logits = model(text)
        for end in range(prompt.shape[1] + 1, text.shape[1] + 1):
            forced = step(text[:, :end], logits[:, end - 2])
            trace.append(replace(forced, note="forced"))
    return generate(model, text, max_new_tokens, trace=trace, **how)


def _width(tokens):
    width = torch.as_tensor(tokens).shape[-1] if len(tokens) else 0
    if width == 0:
        raise ValueError("tokens is empty; give at least one to force, or call sampling.generate")
    return width


def answer(model, world, questions, forced=None, *, room=3, **how):
    """Let the model answer the questions of these rows, (n, >= 7) int64 -> (n, length + room).

    forced: tokens, (n, k), that the answers have to begin with. room: for more tokens than a right
    answer has, as undoing takes. Greedy unless `how` says otherwise; a row ends with its full stop,
    which fills the rest.
    """
    at = world.positions["answer"]
    stop, length = world.vocab.id("."), world.length + room
    if forced is None:
        rows = generate(model, questions[:, :at], length - at, stop=stop, **how)
    else:
        new = length - at - forced.shape[1]
        rows = force(model, questions[:, :at], forced, new, stop=stop, **how)
    return torch.cat([rows, rows[:, -1:].expand(-1, length - rows.shape[1])], 1)


def other(world, tokens, at, generator, *, possible=False):
    """A wrong token of the same kind for each row, to be forced at a position: (n,) int64.

    The other verdict for a verdict, another number for a number, another word for a word.
    possible: only numbers that the world ever puts there; operands are smaller than sums can be.
    """
    words = [world.vocab.id(word) for word in ("is", "+", "=", "?", ",", "because", ".")]
    right, dice = tokens[:, at], {"generator": generator}
    if at == world.positions["verdict"]:
        return world.vocab.id("yes") + world.vocab.id("no") - right
    if bool((right <= 2 * world.high).all()):
        operand = at in world.positions["a"] + world.positions["b"]
        low, high = (world.low, world.high) if possible and operand else (0, 2 * world.high)
        shift = torch.randint(1, high - low + 1, right.shape, **dice)
        return (right - low + shift) % (high - low + 1) + low  # a number's id is itself
    choices = torch.tensor([word for word in words if word != int(right[0])])
    return choices[torch.randint(len(choices), right.shape, **dice)]


# -- judging -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """What is right in each of n texts: (n,) bool each. A text may be right in some ways only.

    verdict_right: it ends up saying yes or no as the question deserves.
    sum_right: the sum it gives is that of the question.
    contradicts: the verdict it ends up with is not the one its own sum calls for.
    finished: it has a verdict, a sum and a full stop.
    tokens: (n,) int64, how many tokens it wrote up to its full stop, those taken back included.
    """

    verdict_right: torch.Tensor
    sum_right: torch.Tensor
    contradicts: torch.Tensor
    finished: torch.Tensor
    tokens: torch.Tensor


def judge(world, rows) -> Judged:
    """Read texts, (n, t) int64, after the tokens that `<undo>` took back are gone.

    The verdict is the last "yes" or "no" behind the question, so that a text may change its mind;
    the sum is the number behind the last "=". What follows the first full stop does not count.
    """
    start, claim_at = world.positions["answer"], world.positions["claim"]
    a, b = rows[:, world.positions["a"][0]], rows[:, world.positions["b"][0]]
    yes, no, equals, stop = (world.vocab.id(word) for word in ("yes", "no", "=", "."))
    verdicts, sums, counts, ended = [], [], [], []
    for row in rows[:, start:].tolist():
        counts.append(row.index(stop) + 1 if stop in row else len(row))
        ended.append(stop in row)
        kept = undo(row[: counts[-1]], world.vocab.id("<undo>"))
        verdicts.append(next((t for t in reversed(kept) if t in (yes, no)), -1))
        last = max((i for i, t in enumerate(kept[:-1]) if t == equals), default=None)
        value = -1 if last is None else kept[last + 1]
        sums.append(value if value <= 2 * world.high else -1)
    verdict, total, claim = torch.tensor(verdicts), torch.tensor(sums), rows[:, claim_at]
    deserved = torch.where(claim == a + b, yes, no)
    called_for = torch.where(claim == total, yes, no)
    complete = (verdict >= 0) & (total >= 0)
    return Judged(
        verdict_right=verdict == deserved,
        sum_right=total == a + b,
        contradicts=complete & (verdict != called_for),
        finished=complete & torch.tensor(ended),
        tokens=torch.tensor(counts),
    )


def undo(tokens, undo_id):
    """The text that is left when each `<undo>` has taken back the token before it."""
    kept = []
    for token in tokens:
        if token != undo_id:
            kept.append(token)
        elif kept:
            kept.pop()
    return kept


# -- predicting ----------------------------------------------------------------------------------


@torch.no_grad()
def predicted(model, world, rows, temperature) -> dict[str, torch.Tensor]:
    """How probable three outcomes are when the answer is sampled: {outcome: (n,) float64}, exactly.

    rows: the questions with their right answers, (n, length). Nothing is sampled here:
    "other verdict" is the probability of a no for a yes, or a yes for a no; "all right" is the
    product of the probabilities of all right tokens; "right but for the verdict" is the same
    product with the other verdict forced and paid for: the text that contradicts itself.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; at 0 nothing is left to chance")
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
    if k < 1:
        raise ValueError(f"k is {k}; take at least one sample")
    repeated = questions.repeat_interleave(k, 0)
    forced = None if forced is None else forced.repeat_interleave(k, 0)
    return answer(model, world, repeated, forced, **how).unflatten(0, (-1, k))


def vote(model, world, questions, k, **how) -> Remedied:
    """The first of k sampled answers whose verdict is that of most (self-consistency: Wang et al.
    2023, arXiv:2203.11171). For an even k, a draw goes to the earlier one."""
    drawn = samples(model, world, questions, k, **how)
    judged = judge(world, drawn.flatten(0, 1))
    right = judged.verdict_right.unflatten(0, (-1, k))  # two verdicts: right and not
    agree = (right[:, :, None] == right[:, None, :]).sum(-1)  # votes for each sample's verdict
    return Remedied(_pick(drawn, agree), *_price(judged, k))


def best_of(model, world, questions, k, **how) -> Remedied:
    """Of k sampled answers the one that the model finds likeliest as a whole, read once more."""
    drawn = samples(model, world, questions, k, **how)
    judged, start = judge(world, drawn.flatten(0, 1)), world.positions["answer"]
    likelihood = likelihoods(model, drawn.flatten(0, 1), start).unflatten(0, (-1, k))
    tokens, passes = _price(judged, k)
    return Remedied(_pick(drawn, likelihood), tokens, passes + k)


def start_over(model, world, questions, *, at_least, forced=None, **how) -> Remedied:
    """One answer; where the model, reading it once more, finds it less likely as a whole than
    `at_least` (nats), a second one, written from the question on. What was forced is thrown away
    with the first: this remedy may take back what it has said, and the others may not."""
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
    return drawn[torch.arange(len(drawn)), points.argmax(1)]


def _price(judged, k):
    tokens = float(judged.tokens.double().mean()) * k
    return tokens, tokens


# -- texts that show how to mend a mistake -------------------------------------------------------


def with_undo(world, rows, generator):
    """In each row a wrong token somewhere in the answer, `<undo>`, and then the row as it was:
    (n, length) -> (n, length + 2)."""
    start, undo_id = world.positions["answer"], world.vocab.id("<undo>")
    places = torch.randint(start, world.length, (len(rows),), generator=generator)
    longer = torch.empty(len(rows), world.length + 2, dtype=torch.int64)
    for at in range(start, world.length):
        here, some = places == at, rows[places == at]
        if len(some):
            slip = other(world, some, at, generator)[:, None]
            taken_back = torch.full_like(slip, undo_id)
            longer[here] = torch.cat([some[:, :at], slip, taken_back, some[:, at:]], 1)
    return longer


def with_correction(world, rows):
    """Each answer begins with the wrong verdict, gives the sum and then the right verdict:
    "no , because 2 + 9 = 11 , yes ." (n, length) -> (n, length + 2)."""
    at, comma = world.positions["verdict"], world.vocab.id(",")
    verdict = rows[:, at : at + 1]
    wrong = world.vocab.id("yes") + world.vocab.id("no") - verdict
    parts = [rows[:, :at], wrong, rows[:, at + 1 : -1]]
    return torch.cat([*parts, torch.full_like(verdict, comma), verdict, rows[:, -1:]], 1)
