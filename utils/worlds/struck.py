"""Texts of `Groups` with lines struck out: a state, `undo`, and then the state that stands.

    <s> a c b = BCADE EABCD undo BCEAD CBAED

What is struck out may be a wrong state; or, for comparison at the same length, a blank, or the very
state that is written again after it. A text is filled up with `=` to the length of the longest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from utils.text import chance
from utils.worlds.groups import EQUALS, UNDO

KINDS = ("wrong", "blank", "right")


@dataclass(frozen=True)
class Struck:
    """tokens: (rows, length) int64. Both others are bool, of that shape: line, where a state stands
    that is not struck out; caught, where an `undo` stands after a wrong state."""

    tokens: torch.Tensor
    line: torch.Tensor
    caught: torch.Tensor


def strike(world, rows, before, kinds, wrong) -> Struck:
    """Put a struck line before some lines of texts of `Groups`.

    rows: (rows, 2 n + 2) int64. Each of the others is (rows, n): before, bool, which lines get one;
    kinds, int64, the number in `KINDS` of what is struck out; wrong, int64, the state where it is
    wrong. Raises ValueError for a wrong state that is the right one, or no state.
    """
    right = rows[:, world.states]
    misled = before & (kinds == KINDS.index("wrong"))
    if bool((misled & ((wrong == right) | (wrong < 0) | (wrong >= world.first_move))).any()):
        raise ValueError(
            f"wrong holds a state that is right or none; `wrong_states` draws others of the "
            f"{world.first_move}"
        )
    out = torch.stack([wrong, torch.full_like(right, world.vocab.mask_id), right], -1)
    out = out.gather(-1, kinds[..., None])[..., 0]
    place = torch.arange(world.n, device=rows.device) + 2 * before.cumsum(1)
    size = world.n + 2 * int(before.sum(1).max())
    lines = torch.full((len(rows), size), world.vocab.id(EQUALS), device=rows.device)
    lines.scatter_(1, place, right)
    line = torch.zeros_like(lines, dtype=torch.bool).scatter_(1, place, True)
    row, k = before.nonzero(as_tuple=True)
    lines[row, place[row, k] - 2] = out[row, k]
    lines[row, place[row, k] - 1] = world.vocab.id(UNDO)
    caught = torch.zeros_like(line)
    caught[row, place[row, k] - 1] = misled[row, k]
    head = rows[:, : world.states.start]
    nothing = torch.zeros_like(head, dtype=torch.bool)
    return Struck(
        torch.cat([head, lines], 1), torch.cat([nothing, line], 1), torch.cat([nothing, caught], 1)
    )


def wrong_states(world, rows, *, generator=None) -> torch.Tensor:
    """A wrong state for each line, any of the others alike: (rows, n) int64."""
    right = rows[:, world.states]
    shift = 1 + chance.integers(
        world.first_move - 1, right.shape, device=rows.device, generator=generator
    )
    return (right + shift) % world.first_move
