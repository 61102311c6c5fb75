import pytest

from utils.checkpoints.recipes import cups
from utils.checkpoints.store import load_checkpoint
from utils.worlds import Groups


@pytest.mark.parametrize("name", cups.RECIPES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_models_are_as_good_as_their_cards_say(name, seed):
    model, card = load_checkpoint(name, seed)
    found = cups.RECIPES[name].results(model, Groups())["right_after_all_moves"]
    assert found == pytest.approx(card.results["right_after_all_moves"], abs=0.01)


def test_those_without_feedback_have_more_texts_and_the_deep_ones_no_fewer_parameters():
    card = load_checkpoint("cups-feedback")[1]
    for name in ("groups-four-layers", "groups-two-layers", "groups-looped"):
        rival = load_checkpoint(name)[1]
        assert rival.tokens > 1.1 * card.tokens
        assert name == "groups-looped" or rival.parameters > card.parameters


def test_what_is_asked_was_in_no_training():
    """The moves of the first texts of each training differ from those of the test."""
    world = Groups()
    asked = set(map(tuple, world.sample(300, seed=10_000_019)[:, world.moves].tolist()))
    for seed in (0, 1, 2):
        seen = next(cups.batches(world, seed))[:, world.moves].tolist()
        assert not asked & set(map(tuple, seen))
