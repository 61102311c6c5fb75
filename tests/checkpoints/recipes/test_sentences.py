import pytest

from utils.checkpoints.store import load_checkpoint
from utils.measure.likelihood import excess_nats
from utils.worlds import Sentences


def test_sentences_are_known_to_within_two_hundredths_of_a_nat():
    model, card = load_checkpoint("sentences-ar")
    world = Sentences()
    excess = excess_nats(model, world, world.sample(500, seed=3))
    assert excess == pytest.approx(card.results["excess_nats_per_token"], abs=0.002)
    assert 0 < excess < 0.02
