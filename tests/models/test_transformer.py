import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_models import lively, tokens
from utils.models import transformer
from utils.models.kv_cache import KVCache
from utils.models.transformer import (
    LAST,
    Transformer,
    TransformerConfig,
    attention_weights,
    logits_at,
    rotary_table,
    rotate,
)

SMALL = TransformerConfig(
    vocab_size=50, d_model=32, n_layers=3, n_heads=4, n_kv_heads=2, max_len=40
)


@pytest.fixture(scope="module")
def model():
    return lively(SMALL)


# -- what it computes ----------------------------------------------------------------------------


def by_hand(model, row):
    """The logits of one row, one position, head and pair at a time: slow, without any tricks."""
    config, hd = model.config, model.config.head_dim
    group = config.n_heads // config.n_kv_heads
    embedding = model.output.T if config.tie_embeddings else model.embedding

    def norm(v):
        return v / math.sqrt(float((v * v).mean()) + config.norm_eps)

    def turned(v, position):
        out = v.clone()
        for i in range(hd // 2):
            angle = position / config.rope_theta ** (2 * i / hd)
            x, y = v[2 * i], v[2 * i + 1]
            out[2 * i] = x * math.cos(angle) - y * math.sin(angle)
            out[2 * i + 1] = x * math.sin(angle) + y * math.cos(angle)
        return out

    stream = [embedding[token] for token in row]
    for layer in model.layers:
        attention, forward = layer.attention, layer.feed_forward
        normed = [norm(v) for v in stream]
        for p, v in enumerate(normed):
            seen = range(p + 1) if config.causal else range(len(row))
            gathered = []
            for head in range(config.n_heads):
                own = slice(head * hd, (head + 1) * hd)
                shared = slice(head // group * hd, (head // group + 1) * hd)
                query = turned((v @ attention.query)[own], p)
                keys = [turned((normed[s] @ attention.key)[shared], s) for s in seen]
                scores = torch.stack([query @ key / math.sqrt(hd) for key in keys])
                values = torch.stack([(normed[s] @ attention.value)[shared] for s in seen])
                gathered.append(scores.softmax(-1) @ values)
            stream[p] = stream[p] + torch.cat(gathered) @ attention.out
        for p, v in enumerate(stream):
            v = norm(v)
            gate = v @ forward.gate
            inner = gate * torch.sigmoid(gate) * (v @ forward.up)
            stream[p] = stream[p] + inner @ forward.down
    return torch.stack([(norm(v) * model.scale) @ model.output for v in stream])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_logits_are_those_of_the_formulas_written_out(causal, tied, n_kv_heads):
    config = TransformerConfig(
        vocab_size=20,
        d_model=16,
        n_layers=2,
        n_heads=4,
        n_kv_heads=n_kv_heads,
        causal=causal,
        tie_embeddings=tied,
    )
    model, row = lively(config), tokens(1, 7, 20)
    assert torch.allclose(model(row)[0], by_hand(model, row[0]), atol=1e-4)


@given(
    position=st.integers(0, 39),
    causal=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None)
def test_a_change_reaches_what_may_see_it_and_nothing_else(position, causal, seed):
    model = lively(TransformerConfig(50, 32, 2, 4, max_len=40, causal=causal), seed)
    before = tokens(2, 40, seed=seed)
    after = before.clone()
    after[:, position] = (after[:, position] + 1) % 50
    difference = (model(before) - model(after)).abs().amax(-1)  # (batch, length)
    assert (difference[:, position:] > 0).all()
    if causal:
        assert torch.equal(model(before)[:, :position], model(after)[:, :position])
    else:
        assert (difference[:, :position] > 0).all()


def test_rows_of_a_batch_do_not_touch_each_other(model):
    batch = tokens(5, 12)
    alone = torch.cat([model(row[None]) for row in batch])
    assert torch.allclose(model(batch), alone, atol=1e-4)


@given(shift=st.integers(0, 200), gap=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_rotation_tells_distance_and_not_place(shift, gap):
    table = torch.view_as_complex(rotary_table(TransformerConfig(5, 32, n_heads=2)))[:, None]
    q, k = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(shift))

    def match(place):
        there = rotate(q, table[place : place + 1]).flatten()
        return there @ rotate(k, table[place + gap : place + gap + 1]).flatten()

    assert match(0) == pytest.approx(float(match(min(shift, 255 - gap))), abs=1e-3)
    assert rotate(q, table[shift : shift + 1]).norm() == pytest.approx(float(q.norm()), rel=1e-5)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_weights_are_those_the_model_uses(causal):
    config = TransformerConfig(50, 32, 3, 4, n_kv_heads=2, causal=causal)
    model, row = lively(config), tokens(2, 9)
    patterns = attention_weights(model, row)
    assert patterns.shape == (3, 2, 4, 9, 9)
    assert torch.allclose(patterns.sum(-1), torch.ones(3, 2, 4, 9), atol=1e-5)
    assert bool((patterns.triu(1) == 0).all()) == causal

    # Averaging the values with these weights is what the layer's attention gives out.
    caught = []
    attention = model.layers[1].attention
    hook = attention.register_forward_hook(lambda module, inputs, out: caught.append((inputs, out)))
    model(row)
    hook.remove()
    (inputs, out) = caught[0]
    values = attention.project(*inputs[:2])[2].repeat_interleave(2, dim=1)
    gathered = (patterns[1] @ values).transpose(1, 2).flatten(2) @ attention.out
    assert torch.allclose(gathered, out, atol=1e-4)
    assert not attention._forward_pre_hooks  # the helper has cleaned up behind itself


@pytest.mark.parametrize("causal, cached", [(True, False), (True, True), (False, False)])
def test_where_leaves_out_what_nobody_asks_for_and_nothing_else(causal, cached):
    config = TransformerConfig(50, 32, 3, 4, n_kv_heads=2, max_len=40, causal=causal)
    model, text = lively(config), tokens(4, 9)
    every, some = model(text), torch.rand(4, 9, generator=torch.Generator().manual_seed(0)) < 0.3
    for where in (LAST, some, (slice(None), slice(2, 5))):
        cache = KVCache(config, 4) if cached else None
        assert torch.allclose(model(text, cache, where), every[where], atol=1e-4)
        assert torch.allclose(logits_at(model, text, where), every[where], atol=1e-4)
        if cached:  # and the next token finds all that it needs
            longer = torch.cat([text, text[:, :1]], 1)
            assert torch.allclose(model(text[:, :1], cache), model(longer)[:, -1:], atol=1e-4)


def test_any_function_of_tokens_may_be_asked_for_some_logits():
    def even(text, cache=None):
        return text[..., None] * torch.arange(3.0)

    text = tokens(2, 5)
    assert torch.equal(logits_at(even, text, LAST), even(text)[:, -1])
    assert torch.equal(logits_at(even, text, text > 20), even(text)[text > 20])


def test_every_weight_learns():
    model = Transformer(SMALL)
    model(tokens(2, 8)).square().mean().backward()
    assert [name for name, weight in model.named_parameters() if not weight.grad.any()] == []


def test_the_seed_decides_the_first_weights():
    first, same, other = (Transformer(SMALL, seed=seed).output for seed in (1, 1, 2))
    assert torch.equal(first, same) and not torch.equal(first, other)


def test_first_predictions_are_close_to_uniform():
    logits = Transformer(TransformerConfig(500))(tokens(2, 20, 500)).detach()
    assert -logits.log_softmax(-1).mean() == pytest.approx(math.log(500), abs=0.1)


def test_matrices_are_stored_in_by_out():
    model = Transformer(TransformerConfig(50, 32, 1, 4, n_kv_heads=2, d_ff=72))
    shapes = {name.split(".")[-1]: tuple(w.shape) for name, w in model.named_parameters()}
    assert shapes["qkv"] == (32, 32 + 16 + 16) and shapes["out"] == (32, 32)
    attention = model.layers[0].attention
    assert [tuple(part.shape) for part in attention.parts()] == [(32, 32), (32, 16), (32, 16)]
    assert shapes["gate"] == shapes["up"] == (32, 72) and shapes["down"] == (72, 32)
    assert shapes["output"] == (32, 50) and "embedding" not in shapes


def test_what_is_left_out_of_a_config_is_chosen():
    config = TransformerConfig(vocab_size=10)
    assert (config.n_kv_heads, config.d_ff, config.head_dim) == (4, 320, 32)
    assert config == TransformerConfig(vocab_size=10, n_kv_heads=4, d_ff=320)
    assert TransformerConfig(10, d_model=576, n_heads=9).d_ff == 1536


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (torch.tensor([[3, 50]]), ValueError, r"token 50 is outside the vocabulary \(0..49\)"),
        (torch.tensor([[3, -1]]), ValueError, r"token -1 is outside the vocabulary \(0..49\)"),
        (tokens(1, 41), ValueError, r"41 tokens are too many.*max_len=40"),
        (torch.zeros(1, 0, dtype=torch.int64), ValueError, r"shape \(1, 0\).*at least one token"),
        (torch.zeros(0, 3, dtype=torch.int64), ValueError, r"shape \(0, 3\)"),
        (torch.tensor([1, 2]), ValueError, r"shape \(2,\).*tokens\[None\]"),
        (torch.tensor([[1.0]]), TypeError, "torch.float32; give int64 ids"),
        (torch.tensor([[1]], dtype=torch.int32), TypeError, "torch.int32; give int64 ids"),
        ([[1, 2]], TypeError, "list; give int64 ids"),
    ],
)
def test_tokens_it_cannot_read(model, bad, error, message):
    with pytest.raises(error, match=message):
        model(bad)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_model": 30}, r"d_model=30.*n_heads=4.*multiple of 8"),
        ({"n_kv_heads": 3}, "n_kv_heads=3 does not divide n_heads=4"),
        ({"n_layers": 0}, "n_layers is 0"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"max_len": -1}, "max_len is -1"),
    ],
)
def test_configs_that_cannot_be_built(change, message):
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**{"vocab_size": 10, **change})


def test_reads_top_to_bottom_on_a_few_screens():
    with open(transformer.__file__) as file:
        assert len(file.readlines()) < 300
