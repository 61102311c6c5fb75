"""Texts told in another order, so that a causal model learns to answer other questions.

A causal model predicts what comes next in its row. What that is depends on how the row was made:

    in_any_order   each token is announced by its place, and the places come in a random order
                   (sigma-GPT, Pannatier et al. 2024, arXiv:2404.09562, in the form that needs no
                   change of the model)
    middle_last    a stretch is cut out, a gap left in its place, and the stretch told at the end
                   (fill in the middle: Bavarian et al. 2022, arXiv:2207.14255)

Both need tokens that no text has: their ids begin after those of the vocabulary.
"""

import torch

from utils.text import chance


def in_any_order(rows, first_place, generator=None):
    """`<s>` and then each token behind the token of its place, in a random order.

    rows: (batch, length) int64. first_place: the id that announces place 0; the one for place i is
    first_place + i. Returns (batch, 2 * length - 1): the tokens stand at 2, 4, 6, …
    """
    batch, length = rows.shape
    lots = chance.uniform((batch, length - 1), device=rows.device, generator=generator)
    return placed(rows, lots.argsort(1) + 1, first_place)


def placed(rows, order, first_place):
    """The same in a stated order, (batch, k) places from 1 on: (batch, 2k + 1)."""
    told = torch.stack([first_place + order, rows.gather(1, order)], -1)
    return torch.cat([rows[:, :1], told.flatten(1)], 1)


def middle_last(rows, gap, generator=None):
    """`<s> prefix GAP suffix END middle`, where the middle is a stretch of 1 to all tokens.

    gap: the id of GAP; that of END is gap + 1. Each length of the middle is as likely, and each
    place for it. Returns (batch, length + 2).
    """
    batch, length = rows.shape
    lots = chance.uniform((2, batch, 1), device=rows.device, generator=generator)
    size = 1 + (lots[0] * (length - 1)).long()
    start = 1 + (lots[1] * (length - size)).long()
    return cut(rows, start, size, gap)


def cut(rows, start, size, gap):
    """The same with a stated middle: start and size (batch, 1), or numbers."""
    batch, length = rows.shape
    places = torch.arange(length).expand(batch, -1)
    middle = (places >= start) & (places < start + size)
    when = places + length * middle.float()  # when each token is told: the middle after all others
    marks = torch.stack(
        [
            torch.as_tensor(start).expand(batch, 1)[:, 0] - 0.5,
            rows.new_full((batch,), length) - 0.5,
        ],
        1,
    )
    whole = torch.cat([rows, rows.new_tensor([gap, gap + 1]).expand(batch, 2)], 1)
    return whole.gather(1, torch.cat([when, marks], 1).argsort(1))
