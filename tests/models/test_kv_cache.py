import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_models import lively, tokens
from utils.experiments.bare_words import looking
from utils.generation.sampling import generate
from utils.models.kv_cache import KVCache
from utils.models.transformer import Transformer, TransformerConfig

CONFIG = TransformerConfig(
    vocab_size=50, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, max_len=48
)


@pytest.fixture(scope="module")
def model():
    return lively(CONFIG)


@given(
    heads=st.sampled_from([(1, 1), (4, 4), (4, 2), (4, 1), (6, 3)]),
    n_layers=st.integers(1, 3),
    batch=st.integers(1, 4),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    tied=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None)
def test_cached_logits_are_the_uncached_ones(heads, n_layers, batch, cuts, tied, seed):
    """Read a text in pieces of any length: at every position the logits are the same."""
    n_heads, n_kv_heads = heads
    config = TransformerConfig(
        50,
        d_model=16 * n_heads,
        n_layers=n_layers,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        max_len=60,
        tie_embeddings=tied,
    )
    model, text = lively(config, seed), tokens(batch, sum(cuts), seed=seed)
    cache = KVCache(config, batch)
    pieces = [model(piece, cache) for piece in text.split(cuts, dim=1)]
    assert cache.length == text.shape[1]
    uncached = model(text)
    rounding = 2e-5 * uncached.abs().max()  # some logits of such a lively model are large
    assert (torch.cat(pieces, 1) - uncached).abs().max() < rounding


def test_every_prefix_length(model):
    text = tokens(3, 48)
    uncached = model(text)
    for length in range(1, 48):
        cache = KVCache(CONFIG, batch_size=3)
        model(text[:, :length], cache)
        assert (model(text[:, length:], cache) - uncached[:, length:]).abs().max() < 1e-4


@given(
    read=st.integers(1, 30),
    kept=st.integers(0, 30),
    more=st.integers(1, 18),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_crop_and_clone_leave_a_cache_like_new(model, read, kept, more, seed):
    kept = min(read, kept)
    first, second = tokens(2, read, seed=seed), tokens(2, more, seed=seed + 1)
    cache = KVCache(CONFIG, batch_size=2)
    model(first, cache)
    branch = cache.clone().crop(kept)
    branched = model(second, branch)
    went_on = model(second, cache)  # the original has not felt what happened to its clone
    assert (branch.length, cache.length) == (kept + more, read + more)
    expected = model(torch.cat([first[:, :kept], second], 1))[:, kept:]
    assert (branched - expected).abs().max() < 1e-4
    expected = model(torch.cat([first, second], 1))[:, read:]
    assert (went_on - expected).abs().max() < 1e-4


@given(
    batch=st.integers(1, 3),
    length=st.integers(1, 20),
    new=st.integers(0, 28),
    seed=st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_greedy_tokens_are_identical(model, batch, length, new, seed):
    prompt = tokens(batch, length, seed=seed)
    assert torch.equal(generate(model, prompt, new), generate(model, prompt, new, cache=False))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bytes_are_those_of_the_formula(dtype):
    cache = KVCache(CONFIG, batch_size=3, max_len=20, dtype=dtype)
    layers, key_and_value, kv_heads, head_dim = 2, 2, 2, 8
    expected = layers * key_and_value * 3 * kv_heads * 20 * head_dim * (4, 8)[dtype.itemsize == 8]
    assert cache.nbytes == expected


def test_nothing_is_allocated_while_it_fills(model):
    cache = KVCache(CONFIG, batch_size=1)
    at, size = cache.keys.data_ptr(), cache.nbytes
    model(tokens(1, 5), cache)
    model(tokens(1, 43), cache)
    assert (cache.keys.data_ptr(), cache.nbytes, cache.length) == (at, size, CONFIG.max_len)


def test_earlier_positions_never_change(model):
    cache = KVCache(CONFIG, batch_size=1)
    model(tokens(1, 10), cache)
    keys, values = cache.keys[..., :10, :].clone(), cache.values[..., :10, :].clone()
    model(tokens(1, 20, seed=1), cache)
    assert torch.equal(cache.keys[..., :10, :], keys)
    assert torch.equal(cache.values[..., :10, :], values)


def streams(model, text):
    """The stream after each layer: (layers, batch, length, d_model)."""
    seen = []
    hooks = [layer.register_forward_hook(lambda _, __, x: seen.append(x)) for layer in model.layers]
    model(text)
    for hook in hooks:
        hook.remove()
    return torch.stack(seen)


@pytest.mark.parametrize("disturbed", [0, 1, 2, 3])
def test_a_layer_is_heard_only_by_those_above_it(disturbed):
    """Disturb an old position after one layer: the newest notices in the layers above, and in them
    alone. So thought flows up a pyramid, and what the last layer found out reaches nobody."""
    model = lively(TransformerConfig(50, d_model=32, n_layers=4, n_heads=4, max_len=9)).double()
    text = tokens(1, 9)

    def disturb(layer, inputs, output):
        output = output.clone()
        output[:, 3] += 1
        return output

    before = streams(model, text)
    with model.layers[disturbed].register_forward_hook(disturb):
        after = streams(model, text)
    noticed = (after - before)[:, 0, -1].abs().amax(-1) > 1e-9
    assert noticed.tolist() == [layer > disturbed for layer in range(4)]


@pytest.mark.parametrize(("n_layers", "window"), [(1, 4), (3, 2), (3, 5)])
def test_a_sliding_window_reaches_as_far_as_all_layers_together(n_layers, window):
    """A word matters up to layers x (window - 1) places back, and not at all beyond."""
    model = lively(TransformerConfig(50, d_model=32, n_layers=n_layers, max_len=20)).double()
    text, mask = tokens(1, 20), torch.ones(20, 20, dtype=torch.bool).tril().triu(1 - window)
    changed = text.repeat(20, 1)
    changed[torch.arange(20), torch.arange(20)] += 1
    with looking(model, mask):
        moved = (model(changed % 50)[:, -1] - model(text)[:, -1]).abs().amax(-1) > 1e-12
    reach = n_layers * (window - 1)
    assert moved.tolist() == [19 - place <= reach for place in range(20)]


def test_what_is_kept_holds_on_to_nothing_that_gradients_would_need():
    """Written without `no_grad`, a text would otherwise keep every step that went before."""
    model = Transformer(CONFIG)
    cache = KVCache.like(model)
    for token in tokens(1, 6).T:
        logits = model(token[:, None], cache)
    assert logits.requires_grad  # the model is one that learns
    assert not cache.keys.requires_grad and not cache.values.requires_grad


# -- bad input -----------------------------------------------------------------------------------


def test_cache_of_another_model(model):
    cache = KVCache(TransformerConfig(50, 32, 3, 4, n_kv_heads=2, max_len=48))
    with pytest.raises(ValueError, match=r"made for another model.*n_layers=3.*n_layers=2"):
        model(tokens(1, 4), cache)
    assert cache.length == 0


def test_cache_of_another_batch_size(model):
    with pytest.raises(ValueError, match=r"tokens have 3 rows.*batch_size=2"):
        model(tokens(3, 4), KVCache(CONFIG, batch_size=2))


def test_full_cache(model):
    cache = KVCache(CONFIG, max_len=6)
    model(tokens(1, 4), cache)
    with pytest.raises(ValueError, match=r"full.*holds 4 of max_len=6.*3 more do not fit"):
        model(tokens(1, 3), cache)
    assert cache.length == 4  # a refused text leaves it as it was
    model(tokens(1, 2), cache)


@pytest.mark.parametrize("length", [-1, 5])
def test_crop_beyond_what_is_there(model, length):
    cache = KVCache(CONFIG)
    model(tokens(1, 4), cache)
    with pytest.raises(ValueError, match=f"length is {length}; the cache holds 4 positions"):
        cache.crop(length)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_len": 49}, "max_len is 49; choose 1 to 48"),
        ({"max_len": 0}, "max_len is 0; choose 1 to 48"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_caches_that_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        KVCache(CONFIG, **arguments)


def test_a_later_token_moves_all_that_a_denoiser_could_have_kept():
    """Where one looks both ways, all states of all positions change with any token, and with them
    all keys and values but those of the first layer, which know their own token alone."""
    text = tokens(1, 8)
    other = text.clone()
    other[:, -1] = (other[:, -1] + 1) % 50
    for causal in (True, False):
        config = TransformerConfig(50, d_model=32, n_layers=3, max_len=8, causal=causal)
        model = lively(config).double()
        moved = (streams(model, text) - streams(model, other))[..., :-1, :].abs().amax(-1) > 1e-9
        assert bool(moved.any()) is (not causal) and bool(moved.all()) is (not causal)


def test_a_denoiser_has_no_use_for_a_cache():
    with pytest.raises(ValueError, match="causal=False"):
        KVCache(TransformerConfig(50, causal=False))
