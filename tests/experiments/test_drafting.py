"""What SmolLM2 is asked, and that both ways of writing are compared, shown on a small model."""

import torch

from tests.small_models import lively
from utils.experiments import drafting
from utils.generation import sampling
from utils.models import smollm
from utils.models.transformer import TransformerConfig

SMALL = lively(TransformerConfig(9, d_model=16, n_layers=1, n_heads=1, max_len=64)).double()


class Letters:
    stop = ()

    def encode(self, text):
        return torch.tensor([len(word) % 9 for word in text.split()][:16])


def test_passages_are_whole_beginnings_and_stories_have_topics_of_their_own():
    texts = drafting.passages(4)
    assert len(set(texts)) == 4
    for text in texts:
        assert len(text.split()) == drafting.WORDS
    asked = drafting.requests(4)
    assert [kind for kind, _ in asked] == ["repeat"] * 4 + ["story"] * 4
    assert texts[0] in asked[0][1] and len({*drafting.TOPICS}) == drafting.PASSAGES


def test_every_answer_is_written_both_ways(monkeypatch):
    monkeypatch.setattr(smollm, "load", lambda: (SMALL, Letters()))
    for draft in drafting.ask(drafting.requests(1)):
        assert draft.same and sum(draft.tokens) == drafting.NEW
    write = sampling.generate
    monkeypatch.setattr(sampling, "generate", lambda *a, **k: (write(*a, **k) + 1) % 9)
    assert not drafting.ask(drafting.requests(1))[0].same


def test_what_comes_after_the_end_of_an_answer_does_not_count():
    assert drafting.until([3, 1, 5, 2], 11) == [3, 1, 5, 2]
    assert drafting.until([3, 1, 5, 2], 6) == [3, 1, 2]
    assert drafting.until([3, 1, 5, 2], 4) == [3, 1]
