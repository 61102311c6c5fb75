"""The chat model's matrices rounded to eight bits, shown on a small model."""

import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation.sampling import generate
from utils.models import smollm
from utils.models.kv_cache import KVCache
from utils.models.transformer import TransformerConfig

SMALL = lively(TransformerConfig(50, d_model=64, n_layers=2, n_heads=2, max_len=20))


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_rounded_matrix_is_near_the_matrix(rows):
    """No weight moves by more than half a step, and the product by little more than bfloat16's."""
    dice = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 96, generator=dice)
    matrix = smollm.EightBits(weight)
    step = weight.abs().amax(0) / 127
    assert ((matrix.codes.T * step - weight).abs() <= step / 2 + 1e-6).all()
    x = torch.randn(1, rows, 64, generator=dice)
    apart = (x @ matrix - x @ weight).square().mean().sqrt()
    assert 0 < apart < 0.02 * (x @ weight).std()


def test_a_model_of_eight_bits_says_nearly_the_same_and_writes_with_a_cache():
    rounded, text = smollm.eight_bits(SMALL), tokens(2, 6)
    with torch.inference_mode():
        right, found = SMALL(text), rounded(text)
    assert found.dtype == torch.float32 and not torch.equal(found, right)
    assert (found - right).square().mean().sqrt() < 0.1 * right.std()
    cache = KVCache.like(rounded, 2, 12)
    assert torch.equal(
        generate(rounded, text, 5, cache=cache), generate(rounded, text, 5, cache=False)
    )


def test_its_matrices_take_a_quarter_and_the_rest_is_shared():
    rounded = smollm.eight_bits(SMALL)
    assert rounded.output is SMALL.output and rounded.scale is SMALL.scale
    left = smollm.nbytes(rounded) - 4 * (SMALL.output.numel() + SMALL.scale.numel())
    matrices = smollm.nbytes(SMALL) - 4 * (SMALL.output.numel() + SMALL.scale.numel())
    assert matrices / 4 < left < matrices / 3.7  # and two bytes for each output's scale


def test_a_torch_that_cannot_says_so(monkeypatch):
    monkeypatch.delattr(torch, "_weight_int8pack_mm")
    with pytest.raises(RuntimeError, match="cannot multiply with eight bits"):
        smollm.eight_bits(SMALL)
