import pytest
from torch.nn.functional import one_hot

from utils.checkpoints.recipes import totals
from utils.checkpoints.store import load_checkpoint
from utils.worlds import Totals


@pytest.mark.parametrize("carry", [True, False])
def test_errors_are_counted_after_right_answers(carry):
    """A model that always says 3 is right where the answer is 3."""
    world = Totals(carry=carry)
    rows = world.sample(1000, seed=10_000_019)

    def three(rows):
        return one_hot(rows.new_full(rows.shape, 3), 11).float()

    found = totals.errors(three, world)["errors_after_right_answers"]
    assert found == pytest.approx(1 - float((rows[:, 2::2] == 3).double().mean()))


@pytest.mark.parametrize("name", ["totals-running", "totals-pairs"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_model_adds(name, seed):
    model, card = load_checkpoint(name, seed)
    found = totals.errors(model, totals.RECIPES[name].world())["errors_after_right_answers"]
    assert found == pytest.approx(card.results["errors_after_right_answers"], abs=1e-3)
    assert found < 0.01
