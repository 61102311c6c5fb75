from itertools import pairwise

import pytest
import torch

from utils.worlds import Sentences
from utils.worlds.gap import GAP, in_the_gap, without_gap

WORLD = Sentences()


def rows(*texts):
    ids = [WORLD.vocab.encode("<s> " + text) for text in texts]
    return torch.stack(
        [torch.cat([row, row.new_full((34 - len(row),), WORLD.vocab.pad_id)]) for row in ids]
    )


@pytest.mark.parametrize(
    ("text", "lies_in_it"),
    [
        ("the farmer who feeds the dogs sleeps .", True),
        ("the doctors that the boys see sleep .", True),
        ("the girl who feeds the dogs sleeps .", False),
        ("the farmer sleeps .", False),
        ("the girl who sees the farmer sleeps .", False),
    ],
)
def test_the_gap_is_four_nouns_with_a_relative_clause(text, lies_in_it):
    assert torch.isfinite(WORLD.log_prob(rows(text))).all()  # a sentence of the language it is
    assert in_the_gap(WORLD, rows(text)).tolist() == [lies_in_it]


def test_what_is_left_has_none_of_them_and_all_the_rest():
    sentences = WORLD.sample(5000, seed=0)
    left = without_gap(WORLD, sentences)
    assert 0.8 * 5000 < len(left) < 5000  # and the gap is no rarity
    for row in left:
        words = WORLD.vocab.decode(row).split()
        assert not any(a in GAP and b in ("who", "that") for a, b in pairwise(words))
    assert torch.equal(left, sentences[~in_the_gap(WORLD, sentences)])
    seen = set(WORLD.vocab.decode(left.flatten()).split())
    assert set(GAP) <= seen  # the nouns themselves are not held back
