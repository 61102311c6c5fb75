"""One wrong cell planted in a square of `Squares`: who finds it, and who puts the right one back?

Every other cell is right, so the rest of the answer says which digit belongs there; the clues alone
do not. Three ways to look for it, each changes one cell: `leave_one_out` asks a denoiser about each
cell with only that cell hidden; `clues_only` is its control, for which all cells that are no clues
are hidden; `by_bayes` reads the whole text with a causal model, once for each change that it tries,
in the cells that surprised it most.
`anew` throws the answer away and writes another.
"""

from __future__ import annotations

import torch

from utils.generation import diffusion, revision
from utils.generation.sampling import score
from utils.text import chance
from utils.text.numbers import SEED, whole


def plant(world, rows, *, seed):
    """A wrong digit in one cell of each answer, never in a clue: (n, length) -> the texts with it,
    (n, length), and its position, (n,)."""
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    lots = chance.uniform(world.clues(rows).shape, device=rows.device, generator=dice)
    place = world.answer.start + lots.masked_fill(world.clues(rows), -1.0).argmax(1)
    shift = 1 + chance.integers(world.order - 1, (len(rows),), device=rows.device, generator=dice)
    at = torch.arange(len(rows), device=rows.device), place
    return rows.index_put(at, (rows[at] + shift) % world.order), place


def leave_one_out(model, world, rows):
    """The cell that is believed in least, given all others, filled in once more: (n, length)."""
    how = {"positions": world.answer, "rounds": 1}
    return revision.revise(model, rows, world.vocab.mask_id, **how)


@torch.no_grad()
def clues_only(model, world, rows):
    """The same with all cells hidden that are no clues: the cell that is believed in least, given
    the clues, gets the digit that they make likeliest. One pass. (n, length)."""
    said = diffusion.log_probs(model, _blank(world, rows), world.vocab.mask_id)
    own = said.gather(-1, rows[..., None])[..., 0].masked_fill(world.question, 0.0)
    least = own.argmin(1)
    at = torch.arange(len(rows), device=rows.device), least
    return rows.index_put(at, said[at].argmax(-1))


def by_bayes(model, world, rows, *, places, candidates):
    """The one change that makes the whole text likeliest to a causal model, or none: (n, length).

    p(digit | all other cells) is in proportion to the probability of the text with that digit in
    place (Bayes' rule). places: in how many cells it tries, those that surprise it most: where the
    likeliest other digit, after what stands before, leads the present one by most. candidates: how
    many other digits it tries in each, the likeliest first. That takes 1 + places * candidates
    readings of the text. Raises ValueError for more places or candidates than there are.
    """
    places = whole("places", places, f"try 1 to {world.cells} cells", least=1, most=world.cells)
    advice = f"try 1 to {world.order - 1} other digits"
    candidates = whole("candidates", candidates, advice, least=1, most=world.order - 1)
    start = world.answer.start
    with torch.inference_mode():
        ahead = model(rows[:, :-1])[:, start - 1 :].log_softmax(-1)  # (n, cells, vocab)
        own = ahead.gather(-1, rows[:, start:, None])
        others = ahead.scatter(-1, rows[:, start:, None], -torch.inf)[..., : world.order]
        expected, digits = others.topk(candidates)  # (n, cells, candidates)
        cells = (expected[..., 0] - own[..., 0]).topk(places).indices  # (n, places)
        best, likeliest = rows.clone(), own.sum((1, 2))
        for cell in cells.T[..., None]:  # (n, 1), of each text another
            for digit in digits.take_along_dim(cell[..., None], 1)[:, 0].T:
                tried = rows.scatter(1, start + cell, digit[:, None])
                found = score(model, tried)[:, start - 1 :].sum(1)
                better = found > likeliest
                best[better], likeliest = tried[better], torch.maximum(found, likeliest)
    return best


def anew(model, world, rows, *, passes):
    """Another answer to the same question, in so many passes: (n, length)."""
    advice = f"choose from 1 to {world.cells}, one cell a pass"
    passes = whole("passes", passes, advice, least=1, most=world.cells)
    return diffusion.sample(model, _blank(world, rows), world.vocab.mask_id, steps=passes)


def _blank(world, rows):
    return rows.masked_fill(~world.question, world.vocab.mask_id)
