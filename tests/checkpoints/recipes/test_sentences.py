import itertools

import pytest

from utils.checkpoints.recipes import RECIPES, sentences
from utils.checkpoints.store import load_checkpoint
from utils.measure.likelihood import excess_nats
from utils.worlds import Sentences
from utils.worlds.gap import in_the_gap


def test_sentences_are_known_to_within_two_hundredths_of_a_nat():
    model, card = load_checkpoint("sentences-ar")
    world = Sentences()
    excess = excess_nats(model, world, world.sample(500, seed=3))
    assert excess == pytest.approx(card.results["excess_nats_per_token"], abs=0.002)
    assert 0 < excess < 0.02


def test_the_gap_is_kept_out_of_the_batches_and_out_of_the_measure():
    world = Sentences()
    batches = RECIPES["sentences-gap"].batches(world, 0)
    for batch in itertools.islice(batches, 30):
        assert not in_the_gap(world, batch).any()
    with_gap = RECIPES["sentences-ar"].batches(world, 0)
    assert any(in_the_gap(world, batch).any() for batch in itertools.islice(with_gap, 30))
    measured = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences, "excess_nats", lambda model, world, rows: measured.append(rows))
        RECIPES["sentences-gap"].results(None, world)
    assert len(measured[0]) > 3000 and not in_the_gap(world, measured[0]).any()
