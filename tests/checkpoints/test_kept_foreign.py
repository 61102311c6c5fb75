import pytest
import torch

from tests.small_models import lively
from utils.checkpoints import kept_foreign
from utils.models import smollm
from utils.models.transformer import TransformerConfig
from utils.worlds import Topics

SMALL = TransformerConfig(10, d_model=16, n_layers=2, n_heads=2, max_len=49)
LAYERS = 0, 1


class Words:
    """A tokenizer with a token for each word of the language."""

    vocab = Topics().vocab

    def encode(self, text):
        known = text.strip() in self.vocab.tokens
        return torch.tensor([self.vocab.id(text.strip()) if known else self.vocab.start_id])


@pytest.fixture
def found(monkeypatch):
    monkeypatch.setattr(smollm, "load", lambda: (lively(SMALL), Words()))
    monkeypatch.setattr(smollm, "CONFIG", SMALL)
    monkeypatch.setattr(kept_foreign, "LAYERS", LAYERS)
    return kept_foreign.of_topics(learned=40, asked=20, pairs=10)


def test_what_is_kept_has_a_reading_of_each_layer_and_a_swap_of_each_pair(found):
    for net in ("trained", "before training"):
        for what in ("older words", "shuffled"):
            layers = kept_foreign.known_of(found, net, what)
            assert [len(each.error) for each in layers] == [20, 20]
            assert what == "older words" or all(each.share < 0.2 for each in layers)
    (counted,) = kept_foreign.known_of(found, "counts", "older words")
    assert 0 < counted.share < 1
    for kind in found["swaps"]:
        assert kept_foreign.swap_of(found, kind).moved.shape == (10, kept_foreign.WORDS)
    assert kept_foreign.swap_of(found, "all, whole past").shares()[0] == pytest.approx(1, abs=0.01)
    assert kept_foreign.UNTRAINED in found["swaps"]  # that the depth alone could do it
    assert abs(kept_foreign.swap_of(found, "others").shares()[0]) < 0.9


def test_what_the_chapter_shows_is_kept_of_as_many_texts_as_it_says():
    from utils.checkpoints import kept_states

    kept = kept_states.kept("states-topics")
    for net in ("trained", "before training"):
        layers = kept_foreign.known_of(kept, net, "older words")
        assert len(layers) == len(kept_foreign.LAYERS)
        assert all(len(each.error) == kept_foreign.ASKED for each in layers)
    assert {*kept["swaps"]} == {*kept_foreign.SWAPS, kept_foreign.UNTRAINED}
    for kind in kept["swaps"]:
        assert len(kept_foreign.swap_of(kept, kind).due) == kept_foreign.PAIRS
