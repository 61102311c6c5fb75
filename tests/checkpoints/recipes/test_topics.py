import pytest

from utils.checkpoints.recipes import topics
from utils.checkpoints.store import load_checkpoint
from utils.experiments import states
from utils.worlds import Topics


@pytest.mark.parametrize("name", topics.RECIPES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_models_are_as_near_to_the_floor_as_their_cards_say(name, seed):
    model, card = load_checkpoint(name, seed)
    above = topics.above_exact(model, topics.RECIPES[name].world())["nats_above_exact"]
    assert above == pytest.approx(card.results["nats_above_exact"], abs=1e-4)
    assert 0 < above < 0.02


def test_who_knows_the_language_is_at_the_floor():
    world = Topics()

    def knows(rows):
        return world.next_probs(world.beliefs(rows)).log()

    assert topics.above_exact(knows, world)["nats_above_exact"] == pytest.approx(0, abs=1e-6)


def test_a_swap_moves_the_next_word_and_not_those_after_it():
    model, world = load_checkpoint("topics-ar", 1)[0], Topics()
    shares = states.swap_trial(model, world, seed=7).shares()
    assert 0.8 < shares[0] < 1.2 and abs(shares[states.AFTER]) < 0.3
