import math

import pytest
import torch

from utils.measure import enumeration
from utils.worlds import Chains

KINDS = [{}, {"rule": "hash"}, {"mirrored": True}, {"rule": "hash", "mirrored": True}]


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_sum_to_one_and_samples_are_as_frequent(kind):
    world = Chains("abc", 4, **kind)
    probs = world.log_prob(world.texts).exp()
    assert float(probs.sum()) == pytest.approx(1)
    drawn = world.sample(50_000, seed=3)
    shares = torch.stack([(drawn == text).all(1).double().mean() for text in world.texts])
    assert (shares - probs).abs().sum() / 2 < 0.02


@pytest.mark.parametrize("rule", ["soft", "hash"])
def test_forwards_two_letters_say_it_all_and_the_same_tables_serve_everywhere(rule):
    world = Chains(rule=rule)
    probs = world.grid(world.log_prob(world.texts).exp())
    tables = []
    for at in range(2, 6):
        joint = probs.sum(list(range(at + 1, 6))) if at < 5 else probs
        said = joint / joint.sum(-1, keepdim=True)  # p(letter | all before it)
        said = said.reshape(-1, 4, 4, 4)  # (those before the last two, two letters, letter)
        assert torch.allclose(said, said[:1].expand_as(said))
        tables.append(said[0])
    assert all(torch.allclose(table, tables[0]) for table in tables)


def test_the_hash_is_nearly_sure_forwards_and_gives_many_pairs_one_letter():
    world = Chains(rule="hash")
    said = enumeration.by_bayes(world.grid(world.log_prob(world.texts).exp()))
    named = said.peaks[:, 1 << 5, 5].exp()  # of the last letter, given all before it
    assert torch.allclose(named, torch.full_like(named, 0.85))
    assert world.entropy() == pytest.approx(
        2 * math.log(4) - 4 * (0.85 * math.log(0.85) + 0.15 * math.log(0.05))
    )


def test_a_mirrored_text_is_as_likely_as_the_text():
    plain, mirrored = Chains(), Chains(mirrored=True)
    turned = torch.cat([plain.texts[:, :1], plain.texts[:, 1:].flip(1)], 1)
    assert torch.allclose(mirrored.log_prob(turned), plain.log_prob(plain.texts))
    assert mirrored.entropy() == pytest.approx(plain.entropy())


@pytest.mark.parametrize("rule", ["soft", "hash"])
def test_backwards_every_place_has_a_table_of_its_own(rule):
    world = Chains(rule=rule, mirrored=True)
    probs = world.grid(world.log_prob(world.texts).exp())
    tables = []
    for at in (2, 3):
        joint = probs.sum(list(range(at + 1, 6))).reshape(-1, 4, 4, 4).sum(0)
        tables.append(joint / joint.sum(-1, keepdim=True))
    assert (tables[0] - tables[1]).abs().max() > 0.05


def test_what_cannot_be_made():
    with pytest.raises(ValueError, match="'soft', 'hash'"):
        Chains(rule="loud")
    with pytest.raises(ValueError, match="places"):
        Chains(places=9)
