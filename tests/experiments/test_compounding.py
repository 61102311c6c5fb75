import pytest
import torch

from tests.small_models import lively
from utils.checkpoints.store import load_checkpoint
from utils.experiments import compounding
from utils.measure.intervals import wilson
from utils.models.transformer import TransformerConfig
from utils.worlds import Totals

UNSEEN = 20_000_003  # no training draws from seeds so high


def tiny(**changes):
    shape = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 13} | changes
    return lively(TransformerConfig(11, **shape), seed=3)


def test_writing_totals_equals_reading_them_greedily():
    world = Totals(6)
    model = tiny()
    digits = world.sample(20, seed=0)[:, 1::2]
    rows = compounding.write_totals(model, world, digits)
    assert torch.equal(rows[:, 1::2], digits) and bool((rows[:, 0] == world.vocab.start_id).all())
    with torch.no_grad():
        assert torch.equal(model(rows)[:, 1::2].argmax(-1), rows[:, 2::2])


def test_answers_can_be_forced():
    world = Totals(6)
    digits = world.sample(5, seed=0)[:, 1::2]
    rows = compounding.write_totals(
        tiny(), world, digits, answers=lambda i, own: torch.full_like(own, i)
    )
    assert torch.equal(rows[:, 2::2], torch.arange(6).expand(5, 6))


def test_only_a_causal_model_writes_totals():
    with pytest.raises(ValueError, match="causal=False"):
        compounding.write_totals(
            tiny(causal=False), Totals(3), torch.zeros(1, 3, dtype=torch.int64)
        )


def test_survival_ends_with_the_first_error():
    wrong = torch.tensor([[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]).bool()
    assert compounding.survival(wrong).tolist() == [1, 0.75, 0.5, 0.5]


@pytest.mark.slow
def test_survival_is_the_product_of_what_the_model_does_after_right_answers():
    model, _ = load_checkpoint("totals-running")
    world = Totals()
    rows = world.sample(1500, seed=UNSEEN)
    dice = torch.Generator().manual_seed(0)
    written = compounding.write_totals(model, world, rows[:, 1::2], temperature=2.0, generator=dice)
    measured = compounding.survival(compounding.errors(world, written)[0])
    predicted = (1 - compounding.hazards(model, rows, temperature=2.0)).cumprod(1).mean(0)
    for n in (8, 32):
        low, high = wilson(round(float(measured[n - 1]) * 1500), 1500, confidence=0.999)
        assert low <= float(predicted[n - 1]) <= high


@pytest.mark.parametrize("carry", [True, False])
def test_an_error_counts_where_it_was_made(carry):
    """4 + 8 + 1 + 5, where one answer is wrong: with a carry, the next goes on from it."""
    world = Totals(4, carry=carry)
    rows = world.write(torch.tensor([[4, 8, 1, 5]]))
    rows[0, 4] = 7
    wrong, locally = compounding.errors(world, rows)
    assert wrong[0].tolist() == [False, True, False, False]
    assert locally[0].tolist() == [False, True, carry, False]


def test_hazards_are_what_a_model_gives_to_all_other_answers():
    world = Totals(3)
    model, rows = tiny(), world.sample(4, seed=0)
    found = compounding.hazards(model, rows, temperature=2.0)
    for row in range(4):
        for i in range(3):
            probs = (model(rows[row : row + 1, : 2 * i + 2])[0, -1].double() / 2).softmax(-1)
            assert found[row, i] == pytest.approx(1 - float(probs[rows[row, 2 * i + 2]]), abs=1e-6)


def test_with_a_start_token_no_place_is_weaker_than_another():
    """Without one, the model could not tell "4" from "4 4 4" and failed at the second answer."""
    for seed in range(3):
        model, _ = load_checkpoint("totals-running", seed)
        lists = Totals().sample(500, seed=UNSEEN)
        hazard = compounding.hazards(model, lists, temperature=2.0).mean(0)
        assert float(hazard.max() / hazard.min()) < 1.5
