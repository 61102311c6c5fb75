import pytest
import torch

from utils.worlds import PETS, Sentences

WORLD = Sentences(PETS)


def test_there_are_fifty_four_sentences_of_five_words_at_most():
    start = torch.tensor([WORLD.vocab.start_id])
    texts = WORLD.sample(20_000, seed=0).unique(dim=0)
    assert WORLD.count(start) == len(texts) == 54
    assert float(WORLD.log_prob(texts).exp().sum()) == pytest.approx(1)
    assert {len(WORLD.vocab.decode(row).split()) for row in texts} == {4, 5}
    assert texts.shape[1] == WORLD.length


@pytest.mark.parametrize(
    ("blank", "fits"),
    [
        ("<mask> dog runs .", {"a"}),
        ("two <mask> sleep .", {"dogs", "cats", "birds"}),
        ("a small bird <mask> .", {"runs", "sleeps", "sings"}),
        ("a <mask> bird sings .", {"small", "old"}),
    ],
)
def test_no_word_can_be_filled_in_without_the_others(blank, fits):
    ids = WORLD.vocab.encode("<s> " + blank)
    row = torch.cat([ids, ids.new_full((WORLD.length - len(ids),), WORLD.vocab.pad_id)])
    probs = WORLD.fill_probs(row)[(row == WORLD.vocab.mask_id).nonzero()[0, 0]]
    assert {WORLD.vocab.tokens[i] for i in probs.nonzero()[:, 0].tolist()} == fits


def test_the_animal_decides_the_verb():
    likeliest = {}
    for animal in ("dog", "cat", "bird"):
        prefix = WORLD.vocab.encode(f"<s> a {animal}")[None]
        likeliest[animal] = WORLD.vocab.tokens[int(WORLD.next_probs(prefix)[0, -1].argmax())]
    assert likeliest == {"dog": "runs", "cat": "sleeps", "bird": "sings"}
