"""A model in any precision: it writes, fills in and learns, and its float32 stays what it was."""

from dataclasses import replace

import pytest
import torch

from tests.small_models import tokens
from utils.generation import canvas, diffusion, uniform
from utils.generation.ragged import continue_each
from utils.generation.sampling import distribution, draw, generate
from utils.measure import patching, probes
from utils.models.absolute import AbsoluteTransformer
from utils.models.arithmetic import threaded_matmul, widened
from utils.models.kv_cache import KVCache
from utils.models.looped import looped
from utils.models.transformer import Transformer, TransformerConfig, attention_weights, rms_norm
from utils.training.fit import fit
from utils.training.losses import next_token_loss

CAUSAL = TransformerConfig(50, 32, 2, 4, n_kv_heads=2, max_len=48)
BOTH_WAYS = TransformerConfig(50, 32, 2, 4, max_len=48, causal=False)
DTYPES = [torch.float64, torch.float16, torch.bfloat16]
# one unit in the last place, as a share of the largest logit, and a few more for the layers
CLOSE = {torch.float64: 1e-5, torch.float16: 1e-2, torch.bfloat16: 8e-2}


def gentle(config, dtype=torch.float32):
    """A model whose logits are not so lively that 16 bits tell nothing of them."""
    return Transformer(config).requires_grad_(False).eval().to(dtype)


@pytest.fixture
def in_doubles():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("config", [CAUSAL, BOTH_WAYS])
def test_logits_are_those_of_float32_but_for_rounding(config, dtype):
    text, expected = tokens(2, 12), gentle(config)(tokens(2, 12))
    logits = gentle(config, dtype)(text)
    assert logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (logits - expected).abs().max() < CLOSE[dtype] * expected.abs().max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_cached_logits_are_the_uncached_ones(dtype):
    model, text = gentle(CAUSAL, dtype), tokens(2, 12)
    cache = KVCache.like(model, 2)
    assert cache.keys.dtype == dtype
    cached = torch.cat([model(piece, cache) for piece in text.split([5, 1, 1, 5], 1)], 1)
    uncached = model(text)
    assert (cached - uncached).abs().max() <= CLOSE[dtype] * uncached.abs().max()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_it_writes_and_fills_in(dtype, temperature):
    dice, prompt = torch.Generator().manual_seed(0), tokens(2, 4)
    how = {"temperature": temperature, "generator": dice}
    causal, both_ways = gentle(CAUSAL, dtype), gentle(BOTH_WAYS, dtype)
    for cache in (True, False):
        assert generate(causal, prompt, 8, top_k=9, top_p=0.9, cache=cache, **how).shape == (2, 12)
    assert [len(row) for row in continue_each(causal, [prompt[0], prompt[1, :2]], 3, [])] == [3, 3]
    filled = diffusion.sample(both_ways, torch.full((2, 6), 49), 49, **how)
    assert filled.shape == (2, 6) and (filled != 49).all()
    assert uniform.edit(both_ways, prompt, [1, 2], rounds=2).shape == prompt.shape
    patterns = attention_weights(causal, prompt)
    assert torch.allclose(patterns.sum(-1).float(), torch.ones(()), atol=1e-2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_losses_and_bounds_are_close(dtype):
    text = tokens(4, 10, 49)
    for config, loss in [
        (CAUSAL, next_token_loss),
        (BOTH_WAYS, lambda m, t: diffusion.loss(m, t, 49, generator=torch.Generator())),
        (BOTH_WAYS, lambda m, t: uniform.loss(m, t, range(49), generator=torch.Generator())),
        (BOTH_WAYS, lambda m, t: diffusion.elbo(m, t, 49, samples=3, generator=torch.Generator())),
    ]:
        found, expected = loss(gentle(config, dtype), text), loss(gentle(config), text)
        assert torch.allclose(found.float(), expected, rtol=1e-2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_it_learns(dtype):
    model = Transformer(CAUSAL).to(dtype)
    how = {"steps": 30, "lr": 1e-2, "seed": 0, "progress": False}
    history = fit(model, [tokens(4, 10)], next_token_loss, **how)
    assert history.losses[-1] < history.losses[0] - 0.5


KINDS = {
    "looped": lambda: looped(gentle(CAUSAL), 3),
    "numbered places": lambda: AbsoluteTransformer(BOTH_WAYS),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_models_of_other_kinds_round_as_it_does(kind, dtype):
    model = KINDS[kind]()
    expected, logits = model(tokens(2, 12)), KINDS[kind]().to(dtype)(tokens(2, 12))
    assert logits.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (logits - expected).abs().max() < CLOSE[dtype] * expected.abs().max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_writes_on_a_canvas_and_is_shown_its_last_guess(dtype):
    dice, text = torch.Generator().manual_seed(0), tokens(4, 6)
    model = gentle(replace(BOTH_WAYS, tie_embeddings=False), dtype)
    how = {"passes": 3, "self_condition": True, "generator": dice}
    assert canvas.write(model, text, [1, 2, 3], range(49), **how).shape == text.shape
    found, expected = (
        canvas.loss(each, text, range(49), generator=torch.Generator())
        for each in (model, gentle(replace(BOTH_WAYS, tie_embeddings=False)))
    )
    assert torch.allclose(found.float(), expected, rtol=1e-2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_probe_reads_it(dtype):
    model, text = gentle(BOTH_WAYS, dtype), tokens(8, 6, 49)
    states, labels = patching.states(model, text, 2, 1), text[:, 1] % 2
    assert probes.Linear(states, labels).accuracy(states, labels) == 1


def test_where_doubles_are_the_default(in_doubles):
    """A model made there has 64 bits; one that was kept in 32 still works."""
    made = Transformer(CAUSAL)
    assert made(tokens(1, 4)).dtype == torch.float64
    kept = Transformer(CAUSAL, seed=None)
    weights = {name: weight.float() for name, weight in made.state_dict().items()}
    kept.load_state_dict(weights, assign=True)
    assert kept(tokens(1, 4)).dtype == torch.float32
    how = {"temperature": 1.0, "generator": torch.Generator().manual_seed(0)}
    for model in (made, kept):
        assert generate(model, tokens(1, 4), 5, **how).shape == (1, 9)
        assert next_token_loss(model, tokens(2, 9)).isfinite()
    for dtype in (torch.float64, torch.float32):
        model = Transformer(BOTH_WAYS).requires_grad_(False).to(dtype)
        assert diffusion.loss(model, tokens(2, 9, 49), 49).isfinite()
        assert diffusion.elbo(model, tokens(2, 9, 49), 49, samples=2).isfinite().all()
        assert diffusion.sample(model, torch.full((1, 6), 49), 49, **how).shape == (1, 6)


def test_a_cache_of_another_precision_is_refused():
    model = gentle(CAUSAL, torch.float64)
    with pytest.raises(ValueError, match=r"keeps torch.float32 .* computes in torch.float64; make"):
        model(tokens(1, 4), KVCache(CAUSAL))


# -- what is widened -----------------------------------------------------------------------------


def test_a_stream_that_is_long_in_float16_is_brought_to_its_length():
    """The sum of its squares is larger than any number in 16 bits."""
    normed = rms_norm(torch.full((1, 64), 300.0, dtype=torch.float16), 1e-5)
    assert normed.dtype == torch.float16 and (normed == 1).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_draw_from_16_bits_is_fair_and_never_a_token_ruled_out(dtype):
    logits = torch.tensor([0.0, -torch.inf, 0.0, -1.0], dtype=dtype).expand(40_000, 4)
    dice = torch.Generator().manual_seed(0)
    counts = draw(logits, generator=dice).bincount(minlength=4) / 40_000
    assert counts[1] == 0
    assert torch.allclose(counts, distribution(logits[0].float()), atol=0.01)
    assert distribution(logits).dtype == torch.float32


def test_wide_enough_numbers_are_left_as_they_are():
    for dtype in (torch.float32, torch.float64):
        numbers = torch.ones(3, dtype=dtype)
        assert widened(numbers) is numbers
    assert widened(torch.ones(3, dtype=torch.bfloat16)).dtype == torch.float32


# -- the product ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3, 20])
def test_the_product_is_the_product_on_any_number_of_threads(rows):
    x, weight = torch.randn(1, rows, 512), torch.randn(512, 600)
    threads = torch.get_num_threads()
    try:
        for n in (1, 2, 4):
            torch.set_num_threads(n)
            assert torch.allclose(threaded_matmul(x, weight), x @ weight, rtol=1e-4, atol=1e-3)
    finally:
        torch.set_num_threads(threads)
