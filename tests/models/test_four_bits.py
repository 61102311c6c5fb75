"""The chat model with its weights as they come, in four bits."""

import gguf
import pytest
import torch

from utils.generation.sampling import generate
from utils.models import smollm
from utils.models.kv_cache import KVCache
from utils.models.transformer import attention_weights

pytestmark = pytest.mark.slow

PROMPT = smollm.chat_prompt("Tell me about the sea.")


@pytest.fixture(scope="module")
def packed():
    return smollm.load(bits=4)


@pytest.fixture(scope="module")
def tokens(packed):
    return packed[1].encode(PROMPT)[None]


def tensor(name):
    file = gguf.GGUFReader(smollm.find_wheel())
    return next(each for each in file.tensors if each.name == name)


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("name", ["blk.0.attn_k", "blk.11.ffn_down"])
def test_a_packed_matrix_is_the_file_s_own(name, rows):
    """Against the weights as the gguf library decodes them, in double precision."""
    read = tensor(f"{name}.weight")
    weight = torch.tensor(gguf.quants.dequantize(read.data, read.tensor_type)).double()
    x = torch.randn(rows, weight.shape[1], generator=torch.Generator().manual_seed(0))
    expected = x.double() @ weight.T
    apart = (x @ smollm.FourBits([read]) - expected).square().mean().sqrt()
    assert apart < 0.01 * expected.std()  # bfloat16 rounds by up to 0.4%


def test_it_agrees_with_float32_but_for_rounding(packed, tokens):
    exact, _ = smollm.load()
    with torch.inference_mode():
        right, found = exact(tokens), packed[0](tokens)
    assert found.dtype == torch.float32 and not torch.equal(found, right)
    assert (found - right).square().mean().sqrt() < 0.1 * right.std()
    assert (found.argmax(-1) == right.argmax(-1)).double().mean() > 0.8


def test_it_takes_a_third_of_the_memory(packed):
    exact, _ = smollm.load()
    assert smollm.nbytes(exact) == 4 * sum(p.numel() for p in exact.parameters())
    assert smollm.nbytes(packed[0]) < smollm.nbytes(exact) / 2.9


def test_it_writes_with_a_cache_and_shows_its_attention(packed, tokens):
    model, _ = packed
    cache = KVCache.like(model, max_len=60)
    text = generate(model, tokens, 12, cache=cache)
    assert text.shape == (1, tokens.shape[1] + 12) and cache.length == text.shape[1] - 1
    patterns = attention_weights(model, tokens[:, :5])
    assert torch.allclose(patterns.sum(-1), torch.ones(30, 1, 9, 5), atol=1e-5)


def test_other_numbers_of_bits_are_refused():
    with pytest.raises(ValueError, match="bits is 8; choose 32, or 4"):
        smollm.load(bits=8)


def test_a_torch_that_cannot_says_so(monkeypatch):
    monkeypatch.delattr(torch, "_weight_int4pack_mm_for_cpu")
    with pytest.raises(RuntimeError, match=r"cannot multiply with four bits.*use load\(\)"):
        smollm.load(bits=4)
