import pytest

from utils.checkpoints.recipes.couplets import RECIPES
from utils.checkpoints.store import at_seed, read_card


@pytest.mark.parametrize("name", sorted(RECIPES))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_model_of_couplets_has_learned_to_look_ahead(name, seed):
    """Else what the chapter does not find in it says nothing."""
    found = read_card(at_seed(name, seed)).results
    assert found["information_used"] > 0.9
    assert found["rhymes"] > 0.85


def test_a_myopic_model_differs_from_the_usual_in_its_loss_and_in_how_long_it_learns():
    usual, myopic = (RECIPES[name].made_by(None) for name in ("couplets-ar", "couplets-myopic"))
    differ = {name for name in usual.keys() & myopic.keys() if usual[name] != myopic[name]}
    assert differ - {"data"} == {"loss", "steps"}
