"""Finding the way to a goal on `Graphs`, in whatever order the way is written."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from utils.generation import diffusion
from utils.generation.sampling import generate
from utils.text.numbers import whole


def from_the_left(model, world, rows):
    """The nodes of the way as a causal model writes them, greedily: where each is right, in the
    order of the way, (n, steps) bool."""
    asked = world.length - world.steps
    return world.right(generate(model, rows[:, :asked], world.steps))


def filled_in(model, world, rows, *, passes, order="confidence", generator=None):
    """The same of a denoiser that fills in the way in so many passes."""
    mask_id, most = world.vocab.mask_id, int((~world.question).sum())
    advice = f"choose from 1 to {most}, one node a pass"
    passes = whole("passes", passes, advice, least=1, most=most)
    blank = rows.masked_fill(~world.question, mask_id)
    how = {"steps": passes, "order": order, "generator": generator}
    return world.right(diffusion.sample(model, blank, mask_id, **how))


def begins_beside_goal(model, world, rows):
    """Where a denoiser, all of the way still blank, is surest of the node beside the goal: (n,)."""
    blank = rows.masked_fill(~world.question, world.vocab.mask_id)
    sure = diffusion.log_probs(model, blank, world.vocab.mask_id).amax(-1)[:, list(world.way[:-1])]
    return sure.argmax(-1) == world.steps - 2


def _unseen(model, world, rows):
    """Logits for the nodes of the way, none of which the model may see: (n, steps, vocab)."""
    asked = world.length - world.steps
    hidden = rows.clone()
    hidden[:, asked:] = world.vocab.mask_id
    return model(hidden)[:, asked - 1 : -1]


def blind_loss(model, rows, world):
    """Training without a teacher: all nodes of the way are predicted at once, each from the
    question and the number of blanks before it (Bachmann & Nagarajan 2024, section 5)."""
    said = _unseen(model, world, rows)
    return cross_entropy(said.flatten(0, 1), rows[:, -world.steps :].flatten())


@torch.no_grad()
def all_at_once(model, world, rows):
    """The way as such a model writes it: where each node is right, (n, steps) bool."""
    found = rows.clone()
    found[:, -world.steps :] = _unseen(model, world, rows).argmax(-1)
    return world.right(found)
