"""Reading an answer of `Verdicts`: is the verdict right, is the sum right, do the two agree?

A text may be right in some ways and wrong in others: that is how it can contradict itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


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

    The verdict is the last "yes" or "no" after the question, so that a text may change its mind;
    the sum is the number after the last "=". What follows the first full stop does not count.
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
    verdict, total, claim = rows.new_tensor(verdicts), rows.new_tensor(sums), rows[:, claim_at]
    deserved = torch.where(claim == a + b, yes, no)
    called_for = torch.where(claim == total, yes, no)
    complete = (verdict >= 0) & (total >= 0)
    return Judged(
        verdict_right=verdict == deserved,
        sum_right=total == a + b,
        contradicts=complete & (verdict != called_for),
        finished=complete & torch.tensor(ended, device=rows.device),
        tokens=rows.new_tensor(counts),
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
