import itertools

import pytest
import torch

from utils.checkpoints.recipes import RECIPES, sentences
from utils.checkpoints.store import load_checkpoint
from utils.measure.likelihood import excess_nats
from utils.worlds import Sentences
from utils.worlds.gap import in_the_gap
from utils.worlds.slips import read


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


def test_half_of_the_lessons_lose_their_thread_and_no_slip_is_a_target():
    world = Sentences()
    batch = torch.cat([b[:, :16] for b in itertools.islice(sentences.with_slips(world, 0), 10)])
    slips = read(world, batch).slip
    assert 0.3 < float(slips.any(1).double().mean()) < 0.5

    class Guess(torch.nn.Module):
        def forward(self, rows):
            return torch.zeros(*rows.shape, len(world.vocab)).scatter(-1, rows[..., None], 5.0)

    logits = Guess()(batch[:, :-1]).log_softmax(-1)
    surprise = -logits.gather(-1, batch[:, 1:, None])[..., 0][~slips[:, 1:]].mean()
    assert torch.allclose(sentences.except_slips(Guess(), batch, world), surprise)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_models_that_were_shown_slips_still_know_the_language(seed):
    _, card = load_checkpoint("sentences-slips", seed)
    assert card.results["excess_nats_per_token"] < 0.1
