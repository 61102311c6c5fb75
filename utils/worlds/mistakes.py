"""Mistakes in texts of `Verdicts`: tokens to slip in, and texts that show how a slip is mended.

`wrong_token` draws a wrong token of the same kind as the right one. `with_undo` and
`with_correction` make texts to learn from; `taken_back` and `begun_wrong` say where in these the
mistakes stand, for they are to be mended and not to be learned.
"""

from __future__ import annotations

import torch

from utils.text import chance


def wrong_token(world, tokens, at, generator, *, possible=False):
    """A wrong token of the same kind for each row, to be forced at a position: (n,) int64.

    The other verdict for a verdict, another number for a number, another word for a word.
    possible: only numbers that the world ever puts there; operands are smaller than sums can be.
    """
    words = [world.vocab.id(word) for word in ("is", "+", "=", "?", ",", "because", ".")]
    right = tokens[:, at]
    dice = {"device": tokens.device, "generator": generator}
    if at == world.positions["verdict"]:
        return world.vocab.id("yes") + world.vocab.id("no") - right
    if bool((right <= 2 * world.high).all()):
        operand = at in world.positions["a"] + world.positions["b"]
        low, high = (world.low, world.high) if possible and operand else (0, 2 * world.high)
        shift = 1 + chance.integers(high - low, right.shape, **dice)  # never back to itself
        return (right - low + shift) % (high - low + 1) + low  # a number's id is itself
    choices = right.new_tensor([word for word in words if word != int(right[0])])
    return choices[chance.integers(len(choices), right.shape, **dice)]


def with_undo(world, rows, generator):
    """In each row a wrong token somewhere in the answer, `<undo>`, and then the row as it was:
    (n, length) -> (n, length + 2)."""
    start, undo_id = world.positions["answer"], world.vocab.id("<undo>")
    dice = {"device": rows.device, "generator": generator}
    places = start + chance.integers(world.length - start, (len(rows),), **dice)
    longer = rows.new_empty(len(rows), world.length + 2)
    for at in range(start, world.length):
        here, some = places == at, rows[places == at]
        if len(some):
            slip = wrong_token(world, some, at, generator)[:, None]
            undo = torch.full_like(slip, undo_id)
            longer[here] = torch.cat([some[:, :at], slip, undo, some[:, at:]], 1)
    return longer


def with_correction(world, rows):
    """Each answer begins with the wrong verdict, gives the sum and then the right verdict:
    "no , because 2 + 9 = 11 , yes ." (n, length) -> (n, length + 2)."""
    at, comma = world.positions["verdict"], world.vocab.id(",")
    verdict = rows[:, at : at + 1]
    wrong = world.vocab.id("yes") + world.vocab.id("no") - verdict
    parts = [rows[:, :at], wrong, rows[:, at + 1 : -1]]
    return torch.cat([*parts, torch.full_like(verdict, comma), verdict, rows[:, -1:]], 1)


def taken_back(world, rows):
    """Where a token is followed by `<undo>`: (n, length) -> (n, length) bool."""
    return rows.roll(-1, 1) == world.vocab.id("<undo>")


def begun_wrong(world, rows):
    """Where a wrong verdict stands in its place: (n, length) -> (n, length) bool."""
    slips, at = torch.zeros_like(rows, dtype=torch.bool), world.positions["verdict"]
    slips[:, at] = rows[:, at] != world.write(rows[:, 1], rows[:, 3], rows[:, 5])[:, at]
    return slips
