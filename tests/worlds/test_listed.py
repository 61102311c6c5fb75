import itertools

import pytest
import torch

from utils.worlds import Chains
from utils.worlds.listed import Listed


def test_a_beginning_scores_as_all_its_endings():
    world = Chains(places=3)
    probs = world.log_prob(world.texts).exp()
    for letters in itertools.product(range(4), repeat=2):
        start = torch.tensor([[world.vocab.start_id, *letters]])
        fits = (world.texts[:, 1:3] == start[0, 1:]).all(1)
        assert float(world.log_prob(start).exp()) == pytest.approx(float(probs[fits].sum()))


def test_weights_become_probabilities_in_the_order_of_the_alphabet():
    world = Listed("ab", 2)
    world.weigh(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64).log())
    assert [world.vocab.decode(text) for text in world.texts] == ["aa", "ab", "ba", "bb"]
    assert world.log_prob(world.texts).exp().tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])
