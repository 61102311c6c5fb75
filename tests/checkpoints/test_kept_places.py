import pytest
import torch

from utils.checkpoints import kept_places
from utils.checkpoints.store import read_card


def test_what_is_kept_is_of_this_code_and_of_three_denoisers():
    assert kept_places.stale() == []
    found = kept_places.kept()
    assert len(found) == 3 and all(len(right) == 100 for each in found for right in each.values())


def test_what_the_chapter_says_of_them():
    """They know all pairs in the trained place, and the short card is what they are compared to."""
    for each in kept_places.kept():
        assert float(each["forward"].double().mean()) > 0.95
    assert read_card("pairs-half-short").steps == kept_places.SHORT.steps


def test_a_few_steps_are_learned_the_same_twice():
    once, twice = (kept_places.learn(0, steps=2) for _ in range(2))
    assert once.keys() == {"forward", "in place", "new order"}
    assert all(torch.equal(once[question], twice[question]) for question in once)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="remake places"):
        kept_places.kept(tmp_path / "places.json")
