import pytest
import torch

from tests.small_models import lively
from utils.experiments import horizon
from utils.models.transformer import TransformerConfig

MODEL = lively(TransformerConfig(12, d_model=16, n_layers=2, n_heads=2, n_kv_heads=1, max_len=12))


class Letters:
    def decode(self, ids):
        return "".join(chr(97 + int(i)) for i in ids)


@pytest.mark.parametrize("length", [1, 4])
def test_each_continuation_is_drawn_from_what_the_model_says(length):
    text = torch.arange(length)
    said, drawn = horizon.mixtures(MODEL, text, ahead=3, n=40, seed=0)
    assert said.shape == (3, 40, 12) and drawn.shape == (40, 3)
    for step in range(3):
        whole = torch.cat([text.repeat(40, 1), drawn[:, :step]], 1)
        assert torch.allclose(MODEL(whole)[:, -1].softmax(-1), said[step], atol=1e-5)


def test_the_mixture_is_what_the_text_so_far_says_of_a_later_token():
    """Against the sum over all that can stand between."""
    text = torch.tensor([3, 1])
    said, _ = horizon.mixtures(MODEL, text, ahead=2, n=4000, seed=1)
    first = MODEL(text[None])[0, -1].softmax(-1)
    longer = torch.cat([text.repeat(12, 1), torch.arange(12)[:, None]], 1)
    exact = first @ MODEL(longer)[:, -1].softmax(-1)
    assert torch.allclose(said[1].mean(0), exact, atol=0.02)


def test_a_cut_says_how_open_each_token_is():
    answer = torch.tensor([5, 2, 7, 1, 0, 3, 4, 6, 2, 2])
    prompt = torch.tensor([1])
    horizon_ahead = min(horizon.AHEAD, 8)
    cut = horizon.after_cut(MODEL, Letters(), "?", prompt, answer, 2, seed=0)
    assert cut.kept == "fc" and len(cut.bits) == horizon_ahead
    first = MODEL(torch.cat([prompt, answer[:2]])[None])[0, -1].softmax(-1)
    assert cut.bits[0] == pytest.approx(float(-(first * first.log2()).sum()), abs=1e-3)
    assert cut.next_bits[0] == cut.bits[0] and cut.same[0] == pytest.approx(
        float(first[7]), abs=1e-3
    )
    for bits, half, after in zip(cut.bits, cut.half, cut.next_bits, strict=True):
        assert after <= bits + 1e-6 and half <= bits + 0.1  # what stands before tells, on average
    assert all(len(text) == horizon.AHEAD for text in cut.went_on)
