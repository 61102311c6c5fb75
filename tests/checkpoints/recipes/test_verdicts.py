import pytest
import torch

from tests.verdicts import WORLD, other_verdicts
from utils.checkpoints.store import load_checkpoint
from utils.experiments.derailment import answer
from utils.generation import diffusion
from utils.worlds.judging import judge


@pytest.mark.parametrize("name", ["verdicts-first", "verdicts-first-1", "verdicts-first-2"])
def test_a_model_that_knows_better_contradicts_itself(name):
    model, _ = load_checkpoint(name)
    rows = WORLD.sample(400, seed=5, held_out=True)
    wrong = other_verdicts(rows)
    free = judge(WORLD, answer(model, WORLD, rows))
    forced = judge(WORLD, answer(model, WORLD, rows, wrong))
    assert free.verdict_right.double().mean() > 0.97 and free.sum_right.double().mean() > 0.97
    assert forced.verdict_right.double().mean() < 0.1
    assert forced.contradicts.double().mean() > 0.9


@pytest.mark.parametrize(
    "name, least",
    [
        ("verdicts-undo", 0.8),
        ("verdicts-undo-1", 0.2),  # how well this is learned depends on the seed
        ("verdicts-undo-2", 0.8),
        ("verdicts-corrected", 0.95),
        ("verdicts-corrected-1", 0.95),
        ("verdicts-corrected-2", 0.95),
    ],
)
def test_models_shown_corrections_repair_a_forced_verdict(name, least):
    model, _ = load_checkpoint(name)
    rows = WORLD.sample(400, seed=5, held_out=True)
    wrong = other_verdicts(rows)
    assert judge(WORLD, answer(model, WORLD, rows, wrong)).verdict_right.double().mean() > least
    assert judge(WORLD, answer(model, WORLD, rows)).verdict_right.double().mean() > 0.97


def test_training_longer_repairs_nothing():
    rows = WORLD.sample(400, seed=5, held_out=True)
    wrong = other_verdicts(rows)
    for name in ("verdicts-longer", "verdicts-longer-1", "verdicts-longer-2"):
        model, _ = load_checkpoint(name)
        assert judge(WORLD, answer(model, WORLD, rows)).verdict_right.double().mean() > 0.97
        assert judge(WORLD, answer(model, WORLD, rows, wrong)).verdict_right.double().mean() < 0.2


def test_only_a_model_that_had_to_predict_wrong_verdicts_begins_with_them():
    rows = WORLD.sample(400, seed=5, held_out=True)
    begins_wrong = {}
    for name in ("verdicts-corrected", "verdicts-corrected-all"):
        with torch.no_grad():
            probs = load_checkpoint(name)[0](rows[:, :7])[:, -1].softmax(-1)
        begins_wrong[name] = 1 - float(probs.gather(1, rows[:, 7:8]).mean())
    assert begins_wrong["verdicts-corrected"] < 0.03
    assert 0.4 < begins_wrong["verdicts-corrected-all"] < 0.6  # half of what it has seen


@torch.no_grad()
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_question_alone_tells_a_denoiser_which_verdict_does_not_fit(seed):
    """So a low probability of a forced verdict does not show that the rest of the answer was read:
    the control of chapter 06."""
    model, _ = load_checkpoint("verdicts-diffusion", seed)
    mask_id, at = WORLD.vocab.mask_id, WORLD.positions["verdict"]
    right = WORLD.sample(200, seed=5)
    falls = []
    for hidden in (False, True):
        likely = []
        for verdict in (right[:, at : at + 1], other_verdicts(right)):
            rows = right.masked_fill(~WORLD.question, mask_id) if hidden else right.clone()
            rows[:, at : at + 1] = verdict
            said = diffusion.log_probs(model, rows, mask_id)[:, at].exp()
            likely.append(float(said.gather(1, verdict).mean()))
        falls.append(likely[0] - likely[1])
    assert falls[1] > 0.5 * falls[0] > 0.2
