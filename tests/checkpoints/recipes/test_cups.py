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


def test_with_and_without_feedback_it_is_the_same_layer_and_as_many_texts():
    cards = [load_checkpoint(name)[1] for name in cups.RECIPES]
    assert len({(card.parameters, card.tokens, card.config) for card in cards}) == 1


def test_those_of_chapter_09_have_more_texts_and_the_deep_ones_no_fewer_parameters():
    card = load_checkpoint("cups-feedback")[1]
    for name in ("groups-four-layers", "groups-two-layers", "groups-looped"):
        rival = load_checkpoint(name)[1]
        assert rival.tokens > 1.1 * card.tokens
        assert name == "groups-looped" or rival.parameters > card.parameters
