import torch

from tests.small_models import lively
from utils.experiments import passages
from utils.experiments.passages import Matches, load, match
from utils.generation.sampling import score
from utils.models.transformer import TransformerConfig

MODEL = lively(TransformerConfig(130, d_model=16, n_layers=2, n_heads=2, max_len=60))


class Letters:
    def encode(self, text):
        return torch.tensor([ord(letter) % 128 for letter in text])


def test_there_are_twice_forty_and_no_sentence_comes_twice():
    found = load(), load(passages.FRESH)
    assert len({sentence for each in found for pair in each for sentence in pair}) == 160
    assert [len(each) for each in found] == [40, 40]


def test_each_sentence_is_scored_after_each_other_as_in_a_text():
    pairs = [("ab.", "cd ef."), ("ghi.", "j."), ("k l.", "mn.")]
    found = match(MODEL, Letters(), pairs, 129)
    row = torch.tensor([[129, *Letters().encode("ghi. cd ef.")]])
    whole = score(MODEL, row)[0]
    assert torch.isclose(found.after[1, 0], whole[-7:].sum(), atol=1e-4)
    assert torch.isclose(found.first[1], whole[:4].sum(), atol=1e-4)
    row = torch.tensor([[129, *Letters().encode("mn. ab.")]])
    assert torch.isclose(found.before[2, 0], score(MODEL, row)[0, -4:].sum(), atol=1e-4)


def test_who_is_found():
    after = torch.tensor([[-1.0, -9.0], [-5.0, -6.0]])
    found = Matches(torch.tensor([-20.0, -10.0]), torch.tensor([-4.0, -8.0]), after, after.T)
    right = found.right()
    assert right["next"].tolist() == [True, True]
    assert right["before, by Bayes"].tolist() == [True, True]  # -1 > -5, and -9 < -6
    assert right["before, model's prior"].tolist() == [False, True]  # -21 < -15, and -29 < -16
    assert right["before, p(first) alone"].tolist() == [False, True]
    assert passages.FILE.exists()


def test_a_sentence_that_is_likely_after_anything_gains_by_none():
    """After both first sentences the second is likelier; only by how much tells them apart."""
    after = torch.tensor([[-6.0, -3.0], [-9.0, -1.0]])
    alone = torch.tensor([-9.0, -9.0])  # at the start of a text both look rare
    found = Matches(alone, alone, after, after.T)
    assert found.right()["next"].tolist() == [False, True]
    assert passages.averaged(found)["next"].tolist() == [True, True]
