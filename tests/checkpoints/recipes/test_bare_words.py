"""What the cards of the twins say is what the weights give, on texts of which they know nothing."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from utils.checkpoints.recipes import RECIPES
from utils.checkpoints.recipes.bare_words import GIVEN, short_pieces, unseen_windows
from utils.checkpoints.store import load_checkpoint, load_seeds
from utils.experiments.bare_words import bare, last_word_alone, surprise
from utils.measure.likelihood import excess_nats
from utils.worlds import Sentences


def test_twins_differ_in_the_loss_alone():
    for name in ("sentences", "kjv"):
        twin, trained = (load_checkpoint(f"{name}-{kind}", 1)[1] for kind in ("twin", "bare"))
        for field in ("config", "parameters", "steps", "tokens", "data", "seed"):
            assert getattr(twin, field) == getattr(trained, field)
        ours, theirs = RECIPES[f"{name}-twin"], RECIPES[f"{name}-bare"]
        assert (ours.lr, ours.batches) == (theirs.lr, theirs.batches)


@pytest.mark.slow
def test_on_sentences_bare_words_are_enough():
    """Three layers that begin from nothing at each word know the language as well as their twins;
    twins that were not trained for it are worse."""
    world = Sentences()
    rows = world.sample(300, seed=3)
    twins, trained = load_seeds("sentences-twin"), load_seeds("sentences-bare")
    ordinary = [excess_nats(model, world, rows) for model in twins]
    untrained = [excess_nats(partial(bare, model), world, rows) for model in twins]
    begun_anew = [excess_nats(partial(bare, model), world, rows) for model in trained]
    floor = excess_nats(last_word_alone(world.sample(5000, seed=4), len(world.vocab)), world, rows)
    card = load_checkpoint("sentences-bare")[1]
    assert begun_anew[0] == pytest.approx(card.results["excess_nats_per_token"], abs=0.004)
    assert max(begun_anew) < min(untrained) < max(untrained) < 0.5 * floor
    assert max(begun_anew) - min(ordinary) < 0.05 * floor


@pytest.mark.slow
def test_on_the_bible_too():
    kjv = short_pieces()
    rows = unseen_windows(kjv, 100, seed=3)
    twin, trained = load_checkpoint("kjv-twin")[0], load_checkpoint("kjv-bare")[0]
    ordinary = surprise(twin, rows, GIVEN).mean()
    untrained = surprise(partial(bare, twin), rows, GIVEN).mean()
    begun_anew = surprise(partial(bare, trained), rows, GIVEN).mean()
    floor = surprise(last_word_alone(kjv.tokens[None], len(kjv.tokenizer)), rows, GIVEN).mean()
    assert max(ordinary, begun_anew) < untrained < floor
    assert (begun_anew - ordinary) / (floor - ordinary) < 0.05
    assert rows.shape == (100, 65) and rows.dtype == torch.int64


def test_one_layer_is_the_same_but_for_its_depth():
    for name in ("sentences", "kjv"):
        twin, single = (load_checkpoint(f"{name}-{kind}", 1)[1] for kind in ("twin", "one-layer"))
        assert replace(single.config, n_layers=3) == twin.config and single.config.n_layers == 1
        for field in ("steps", "tokens", "data", "seed"):
            assert getattr(twin, field) == getattr(single, field)
        ours, theirs = RECIPES[f"{name}-twin"], RECIPES[f"{name}-one-layer"]
        assert (ours.lr, ours.batches, ours.loss) == (theirs.lr, theirs.batches, theirs.loss)


@pytest.mark.slow
def test_a_loss_can_show_on_the_bible_and_hardly_on_sentences():
    """One layer has no earlier thinking to build on: where it loses next to nothing, twins cannot
    tell whether such thinking is needed."""
    world, kjv = Sentences(), short_pieces()
    rows, stretches = world.sample(300, seed=3), unseen_windows(kjv, 100, seed=3)
    measures = {
        "sentences": (lambda read: excess_nats(read, world, rows), (0, 0.02)),
        "kjv": (lambda read: float(surprise(read, stretches, GIVEN).mean()), (0.4, 0.7)),
    }
    counted = {
        "sentences": last_word_alone(world.sample(5000, seed=4), len(world.vocab)),
        "kjv": last_word_alone(kjv.tokens[None], len(kjv.tokenizer)),
    }
    for name, (nats, (least, most)) in measures.items():
        floor, twins = nats(counted[name]), load_seeds(f"{name}-twin")
        for twin, single in zip(twins, load_seeds(f"{name}-one-layer"), strict=True):
            assert nats(partial(bare, single)) == pytest.approx(nats(single), abs=1e-4)
            assert least < (nats(single) - nats(twin)) / (floor - nats(twin)) < most
