"""Pairs learned by heart and asked from both sides: who finds the first name, and where?

The world is `worlds/pairs.py`. A question is a row in which one name is missing. Each of these asks
a model in the way that its training allows, so that all can be asked the same:

    left_to_right   writes on after what stands before the blank, and sees nothing after it
    any_order       is told what is there, place by place, then asked for the places of the blank
    middle_last     is shown a gap, and writes what was cut out at the end
    fills           a denoiser: is shown blanks, and fills the surest first
    fills_at_once   the same in one pass, for one that has never seen half a name

`by_bayes` and `after_is` ask nobody to write. They compare what a model says of each name.
"""

import torch

from utils.generation import diffusion
from utils.generation.sampling import generate, score
from utils.models.transformer import LAST, logits_at
from utils.training.rearranged import cut, placed


@torch.no_grad()
def left_to_right(model, world, rows, start):
    """The name that a causal model writes at `start` after what stands before: (n, size) ids."""
    return generate(model, rows[:, :start], world.size)[:, start:]


@torch.no_grad()
def any_order(model, world, rows, start):
    """The same of a model of `rearranged.in_any_order`, that is told all other places first."""
    blank = range(start, start + world.size)
    given = torch.tensor([at for at in range(1, world.length) if at not in blank])
    told = placed(rows, given.expand(len(rows), -1), len(world.vocab))
    for at in blank:
        place = torch.full_like(told[:, :1], len(world.vocab) + at)
        told = torch.cat([told, place], 1)
        told = torch.cat([told, logits_at(model, told, LAST).argmax(-1, keepdim=True)], 1)
    return told[:, -2 * world.size + 1 :: 2]


@torch.no_grad()
def middle_last(model, world, rows, start):
    """The same of a model of `rearranged.middle_last`, that is shown a gap where the name was."""
    shown = cut(rows, start, world.size, len(world.vocab))[:, : -world.size]
    return generate(model, shown, world.size)[:, -world.size :]


@torch.no_grad()
def fills(model, world, rows, start):
    """The same of a denoiser, that is shown blanks and fills the surest first."""
    return _filled(model, world, rows, start, world.size)


@torch.no_grad()
def fills_at_once(model, world, rows, start):
    """The same in one pass."""
    return _filled(model, world, rows, start, 1)


def _filled(model, world, rows, start, passes):
    noisy = rows.clone()
    noisy[:, start : start + world.size] = world.vocab.mask_id
    filled = diffusion.sample(model, noisy, world.vocab.mask_id, steps=passes)
    return filled[:, start : start + world.size]


def asked(read, model, world):
    """Which pairs a model gets right, {question: (n,) bool}; read: one of the five above.

    "forward" asks for the second name in `FIRST is ?`, "in place" for the first one in
    `? is SECOND`, "new order" for the first one in `SECOND is ?`. Left to right, "in place" is
    no question: nothing stands before the blank.
    """
    behind = world.size + 2  # where the name after ` is ` begins
    questions = {
        "forward": (world.forward(), behind),
        "in place": (world.forward(), 1),
        "new order": (world.backward(), behind),
    }
    if read is left_to_right:
        del questions["in place"]
    found = {}
    for name, (rows, start) in questions.items():
        wanted = rows[:, start : start + world.size]
        found[name] = (read(model, world, rows, start) == wanted).all(1)
    return found


@torch.no_grad()
def by_bayes(model, world):
    """Which first names are found among all of them by comparing texts: (n,) bool.

    p(first | second) is p(first) p(second | first) over a sum that is the same for all candidates,
    so the likeliest text `FIRST is SECOND` names the answer.
    """
    found = [
        score(model, world.row(world.firsts, second.expand(world.n, -1))).sum(1).argmax()
        for second in world.seconds
    ]
    return torch.stack(found) == torch.arange(world.n)


@torch.no_grad()
def after_is(model, world, *, at_once=False):
    """How likely a model finds each first name (column) after each `SECOND is` (row): (n, n)
    log-probabilities in nats. Nobody writes: the names stand to choose from.

    A denoiser fills the name from the left, a syllable a pass, or, `at_once`, in one pass.
    """
    start, mask_id, found = world.size + 2, world.vocab.mask_id, []
    for second in world.seconds:
        rows = world.row(second.expand(world.n, -1), world.firsts)
        if model.config.causal:
            found.append(score(model, rows)[:, start - 1 :].sum(1))
            continue
        said = torch.zeros(world.n)
        for at in range(start, world.length):
            noisy = rows.clone()
            noisy[:, start if at_once else at :] = mask_id
            here = torch.zeros_like(noisy, dtype=torch.bool)
            here[:, at] = True
            said += diffusion.log_probs(model, noisy, mask_id, here).gather(1, rows[:, [at]])[:, 0]
        found.append(said)
    return torch.stack(found)


def likeliest(said):
    """Which pairs are right if the likeliest name of each row is taken: (n, n) -> (n,) bool."""
    return said.argmax(1) == torch.arange(len(said))
