"""The claims of chapter 06 about squares, on other squares than the chapter's."""

import pytest
import torch

from utils.checkpoints.store import load_checkpoint
from utils.experiments import planted
from utils.generation import canvas, uniform
from utils.worlds import Squares

WORLD = Squares()
ROWS = WORLD.sample(60, seed=9, held_out=True)
BROKEN, _ = planted.plant(WORLD, ROWS, seed=9)


def share(flags):
    return float(flags.double().mean())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_revising_needs_the_rest_of_the_answer_and_starting_over_takes_many_passes(seed):
    model, _ = load_checkpoint("squares-diffusion", seed)
    assert share((planted.leave_one_out(model, WORLD, BROKEN) == ROWS).all(1)) > 0.85
    assert share((planted.clues_only(model, WORLD, BROKEN) == ROWS).all(1)) < 0.5
    assert share((planted.leave_one_out(model, WORLD, ROWS) != ROWS).any(1)) < 0.05
    assert share(WORLD.valid(planted.anew(model, WORLD, ROWS, passes=1))) < 0.1
    assert share(WORLD.valid(planted.anew(model, WORLD, ROWS, passes=16))) > 0.9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_causal_model_that_reads_often_enough_restores_them_as_well(seed):
    model, _ = load_checkpoint("squares-ar", seed)
    found = {
        k: planted.by_bayes(model, WORLD, BROKEN, places=8, candidates=k) for k in (2, 3)
    }  # 17 readings, as many as leave-one-out, and 25
    restored = {k: share((rows == ROWS).all(1)) for k, rows in found.items()}
    assert restored[2] > 0.9 and restored[3] > 0.9


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_a_canvas_it_is_keeping_at_first_sight_that_spoils_squares(seed):
    model, _ = load_checkpoint("squares-canvas", seed)
    valid = {}
    for keep in (None, 0, 16):
        dice, digits = torch.Generator().manual_seed(seed), range(WORLD.order)
        noise = uniform.disturb(ROWS, 1.0, digits, frozen=WORLD.question, generator=dice)
        how = {"passes": 32, "keep": keep, "self_condition": True, "generator": dice}
        how["bound"] = 0.1 if keep is None else 0.0
        valid[keep] = share(WORLD.valid(canvas.write(model, noise, WORLD.answer, digits, **how)))
    assert valid[None] > valid[0] + 0.1 and valid[16] > valid[0] + 0.1
