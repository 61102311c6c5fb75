import itertools
import math

import pytest
import torch

from utils.measure import enumeration
from utils.worlds import Tangle


def test_all_texts_are_there_and_their_probabilities_sum_to_one():
    world = Tangle()
    assert world.texts.shape == (4096, 7) and len(world.texts.unique(dim=0)) == 4096
    probs = world.log_prob(world.texts).exp()
    assert float(probs.sum()) == pytest.approx(1)
    assert world.entropy() == pytest.approx(-float((probs * probs.log()).sum()))
    assert torch.equal(world.grid(probs).flatten(), probs)
    assert world.vocab.decode(world.texts[1]) == "aaaaab"


def test_a_beginning_scores_as_all_its_endings():
    world = Tangle(places=3)
    probs = world.log_prob(world.texts).exp()
    for letters in itertools.product(range(4), repeat=2):
        start = torch.tensor([[world.vocab.start_id, *letters]])
        fits = (world.texts[:, 1:3] == start[0, 1:]).all(1)
        assert float(world.log_prob(start).exp()) == pytest.approx(float(probs[fits].sum()))


@pytest.mark.parametrize("text", [[0, 0, 1, 2], [4, 5, 1, 2], [4, 0, 1, 4]])
def test_what_is_no_text_is_impossible(text):
    assert float(Tangle(places=3).log_prob(torch.tensor([text]))) == -math.inf


def test_samples_are_as_frequent_as_computed():
    world = Tangle("ab", 3)
    drawn = world.sample(50_000, seed=3)
    shares = torch.stack([(drawn == text).all(1).double().mean() for text in world.texts])
    assert (shares - world.log_prob(world.texts).exp()).abs().sum() / 2 < 0.01


def test_every_letter_leans_on_every_other_and_no_direction_is_the_natural_one():
    """Given all others but one, each letter is still surer than without that one; and read
    backwards the next letter is as hard to say as forwards."""
    world = Tangle()
    probs = world.log_prob(world.texts).exp()
    said = enumeration.by_bayes(world.grid(probs)).log_probs
    for i, j in itertools.permutations(range(6), 2):
        alone, without = said[:, 1 << i, i], said[:, 1 << i | 1 << j, i]
        assert float(probs @ (alone - without)) > 0.003
    forwards, backwards = (
        [float(probs @ said[:, sum(1 << k for k in order[i:]), order[i]]) for i in range(6)]
        for order in (range(6), range(5, -1, -1))
    )
    assert sum(forwards) == pytest.approx(sum(backwards)) == pytest.approx(-world.entropy())
    assert max(abs(a - b) for a, b in zip(forwards, backwards, strict=True)) < 0.35
    assert Tangle(strength=0).entropy() == pytest.approx(6 * math.log(4))


def test_what_cannot_be_made():
    with pytest.raises(ValueError, match="4 letters in 7 places make 16,384 texts"):
        Tangle(places=7)
    with pytest.raises(ValueError, match="places"):
        Tangle("ab", 11)
    assert len(Tangle("ab", 10).texts) == 1024
    with pytest.raises(ValueError, match="strength"):
        Tangle(strength=-1)
