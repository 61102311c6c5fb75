import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.small_models import lively, tokens
from utils.generation.sampling import distribution, draw, generate, score
from utils.models.kv_cache import KVCache
from utils.models.transformer import TransformerConfig

CONFIG = TransformerConfig(
    vocab_size=50, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, max_len=40
)


@pytest.fixture(scope="module")
def model():
    return lively(CONFIG)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# -- the knobs -----------------------------------------------------------------------------------

# In steps of a hundredth: of two that differ by less than rounding, either may count as likelier.
HUNDREDTHS = st.integers(-3000, 3000)
LOGITS = st.lists(HUNDREDTHS.map(lambda n: n / 100), min_size=1, max_size=12, unique=True)


@given(LOGITS, st.floats(1e-3, 100))
@settings(deadline=None)
def test_temperature_divides_the_logits(logits, temperature):
    logits = torch.tensor(logits)
    expected = (logits.double() / temperature).softmax(-1).float()
    assert torch.allclose(distribution(logits, temperature=temperature), expected, atol=1e-4)


@given(LOGITS, st.integers(1, 15))
@settings(deadline=None)
def test_top_k_keeps_the_k_likeliest(logits, k):
    logits = torch.tensor(logits)
    probs, all_probs = distribution(logits, top_k=k), logits.softmax(-1)
    assert (probs > 0).sum() <= k
    kept = logits >= logits.sort(descending=True).values[: min(k, len(logits))][-1]
    expected = torch.where(kept, all_probs, 0.0)
    assert torch.allclose(probs, expected / expected.sum(), atol=1e-5)


@pytest.mark.parametrize("temperature", [0, 0.5, 1])
@pytest.mark.parametrize("knob", [{}, {"top_k": 2}, {"top_p": 0.5}])
def test_of_what_is_no_distribution_nothing_is_drawn(temperature, knob):
    nan, inf = float("nan"), float("inf")
    for row in ([1.0, nan, 0.0], [nan] * 3, [-inf] * 3):
        for logits in (torch.tensor(row), torch.tensor([[0.0, 1.0, 2.0], row])):
            with pytest.raises(ValueError, match=r"^logits hold NaN .*look at the model"):
                draw(logits, temperature=temperature, **knob)
            if temperature == 0:
                with pytest.raises(ValueError, match=r"^logits hold NaN .*look at the model"):
                    distribution(logits, temperature=0, **knob)
    certain = torch.tensor([[-inf, 0.0, -inf], [-1e30, 1e30, 0.0]])
    assert draw(certain, temperature=temperature, **knob).tolist() == [1, 1]
    assert draw(torch.zeros(0, 3), temperature=temperature, **knob).shape == (0,)


@given(LOGITS, st.floats(0.01, 1))
@settings(deadline=None)
def test_top_p_keeps_the_fewest_tokens_that_hold_p(logits, p):
    logits = torch.tensor(logits)
    probs, all_probs = distribution(logits, top_p=p), logits.softmax(-1)
    kept = probs > 0
    share = all_probs[kept].sum()
    assert share >= p - 1e-5
    assert share - all_probs[kept].min() < p + 1e-5  # without the least likely it would not do
    if not kept.all():
        assert all_probs[kept].min() >= all_probs[~kept].max()
    assert torch.allclose(probs[kept], all_probs[kept] / share, atol=1e-5)


def test_top_p_looks_at_what_top_k_left():
    logits = torch.tensor([0.5, 0.3, 0.2]).log()
    probs = distribution(logits, top_k=2, top_p=0.6)  # of the two left the first holds 5/8
    assert torch.equal(probs, torch.tensor([1.0, 0.0, 0.0]))


@pytest.mark.parametrize("temperature", [0, 1e-30])
def test_no_temperature_is_the_likeliest_token(temperature):
    logits = torch.tensor([[1.0, 3.0, 2.0], [1e4, -1e4, 0.0]])
    expected = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert torch.equal(distribution(logits, temperature=temperature), expected)


# -- writing -------------------------------------------------------------------------------------


def test_greedy_takes_the_likeliest_token_each_time(model):
    text = generate(model, tokens(2, 5), 10)
    assert text.shape == (2, 15) and torch.equal(text[:, :5], tokens(2, 5))
    assert torch.equal(text[:, 5:], model(text)[:, 4:-1].argmax(-1))


def test_samples_come_from_the_models_distribution(model):
    n, prompt = 4000, tokens(1, 5)
    knobs = {"temperature": 8.0, "top_k": 20, "top_p": 0.9}
    drawn = generate(model, prompt.expand(n, 5), 1, generator=seeded(0), **knobs)[:, -1]
    expected = distribution(model(prompt)[0, -1], **knobs) * n
    counts = torch.bincount(drawn, minlength=50)
    assert counts[expected == 0].sum() == 0
    likely = expected > 5
    observed, due = counts[likely].tolist(), expected[likely].tolist()
    if expected[~likely].sum() > 0:  # the unlikely ones together
        observed.append(int(counts[~likely].sum()))
        due.append(float(expected[~likely].sum()))
    chi = stats.chisquare(observed, due, sum_check=False)
    assert likely.sum() > 5 and chi.pvalue > 1e-3


@given(seed=st.integers(0, 100), batch=st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_a_generator_decides_all_chance(model, seed, batch):
    def write(**options):
        generator = seeded(seed)
        return generate(
            model, tokens(batch, 3), 12, temperature=5.0, generator=generator, **options
        )

    global_state = torch.get_rng_state()
    assert torch.equal(write(), write())
    assert torch.equal(write(), write(cache=False))
    assert torch.equal(torch.get_rng_state(), global_state)


def test_without_a_generator_the_global_one_is_used(model):
    torch.manual_seed(3)
    first = generate(model, tokens(1, 3), 12, temperature=5.0)
    second = generate(model, tokens(1, 3), 12, temperature=5.0)
    torch.manual_seed(3)
    assert torch.equal(generate(model, tokens(1, 3), 12, temperature=5.0), first)
    assert not torch.equal(first, second)


def test_stops_after_the_stop_token(model):
    text = generate(model, tokens(1, 5), 20)
    stop = int(text[0, 12])
    first = 5 + text[0, 5:].tolist().index(stop)
    assert torch.equal(generate(model, tokens(1, 5), 20, stop=stop), text[:, : first + 1])
    assert torch.equal(
        generate(model, tokens(1, 5), 20, stop=[49, stop, 48])[0, -1], text[0, first]
    )


def test_rows_that_end_early_wait_for_the_others(model):
    prompt = tokens(6, 5)
    free = generate(model, prompt, 20)
    stop = int(free[0, 7])
    ended = generate(model, prompt, 20, stop=stop)
    ends = [row.index(stop) if stop in row else 19 for row in free[:, 5:].tolist()]
    assert len(set(ends)) > 1, "the rows should end at different times for this test to say much"
    assert ended.shape[1] == 5 + max(ends) + 1
    for row, whole, end in zip(ended, free, ends, strict=True):
        assert torch.equal(row[: 5 + end + 1], whole[: 5 + end + 1])
        assert (row[5 + end + 1 :] == stop).all()


def test_a_stop_token_in_the_prompt_does_not_count(model):
    prompt = tokens(1, 5)
    assert generate(model, prompt, 4, stop=int(prompt[0, -1])).shape[1] > 5


def test_a_cache_is_continued(model):
    """Two questions with the same beginning: what they share is read once."""
    shared, first, second = tokens(1, 10), tokens(1, 3, seed=1), tokens(1, 4, seed=2)
    cache = KVCache(CONFIG)
    model(shared, cache)
    for question in (first, second):
        prompt = torch.cat([shared, question], 1)
        read = []
        hook = model.register_forward_pre_hook(lambda _, args: read.append(args[0].shape[1]))  # noqa: B023
        text = generate(model, prompt, 6, cache=cache)
        hook.remove()
        assert torch.equal(text, generate(model, prompt, 6))
        assert read == [question.shape[1], 1, 1, 1, 1, 1]
        assert cache.length == text.shape[1] - 1
        cache.crop(10)


def test_no_new_tokens_is_the_prompt(model):
    assert torch.equal(generate(model, tokens(2, 5), 0), tokens(2, 5))


def test_writes_up_to_the_last_position(model):
    assert generate(model, tokens(1, 5), 35).shape == (1, 40)


def test_score_is_the_log_probability_of_each_token(model):
    text = tokens(2, 8)
    scores = score(model, text)
    assert scores.shape == (2, 7)
    for t in range(1, 8):
        expected = model(text[:, :t])[:, -1].log_softmax(-1)[torch.arange(2), text[:, t]]
        assert torch.allclose(scores[:, t - 1], expected, atol=1e-4)


def test_trace_tells_each_step(model):
    trace = []
    text = generate(
        model, tokens(1, 5), 6, temperature=4.0, top_k=10, generator=seeded(1), trace=trace
    )
    assert len(trace) == 6
    for i, step in enumerate(trace):
        position = 5 + i
        probs = model(text[:, :position])[0, -1].softmax(-1)
        assert list(step.tokens) == text[0, : position + 1].tolist()
        assert step.changed == (position,)
        assert step.probability[0] == pytest.approx(float(probs[text[0, position]]), abs=1e-4)
        others = [token for token, _ in step.alternatives[0]]
        likeliest = [t for t in probs.argsort(descending=True).tolist() if t != text[0, position]]
        assert others == likeliest[:5]


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1; choose 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": 1, "top_k": 0}, "top_k is 0; choose a whole number from 1"),
        ({"temperature": 1, "top_k": 2.5}, "top_k is 2.5"),
        ({"temperature": 1, "top_p": 0}, "top_p is 0; choose a share above 0 and up to 1"),
        ({"temperature": 1, "top_p": 1.01}, "top_p is 1.01"),
        ({"temperature": 1, "top_p": -1}, "top_p is -1"),
        ({"stop": 50}, r"stop is 50; .* one of the vocabulary \(0..49\)"),
        ({"stop": [1, -2]}, "stop is -2; "),
    ],
)
def test_options_out_of_range(model, options, message):
    with pytest.raises(ValueError, match=message):
        generate(model, tokens(1, 5), 3, **options)


@pytest.mark.parametrize(
    ("prompt", "new", "error", "message"),
    [
        (tokens(1, 41), 1, ValueError, r"41 tokens are too many.*max_len=40"),
        (tokens(1, 30), 11, ValueError, r"30 tokens and max_new_tokens=11.*at most 10 new"),
        (tokens(1, 3), -1, ValueError, "max_new_tokens is -1"),
        (torch.zeros(1, 0, dtype=torch.int64), 3, ValueError, "at least one token"),
        (torch.tensor([[50]]), 3, ValueError, "token 50 is outside the vocabulary"),
        (torch.tensor([[0.5]]), 3, TypeError, "torch.float32; give int64"),
        ("hello", 3, TypeError, "str; give int64"),
    ],
)
def test_prompts_it_cannot_continue(model, prompt, new, error, message):
    with pytest.raises(error, match=message):
        generate(model, prompt, new)


def test_a_trace_of_a_batch(model):
    with pytest.raises(ValueError, match="prompt has 2 rows"):
        generate(model, tokens(2, 3), 3, trace=[])


def test_a_cache_that_leaves_nothing_to_read(model):
    cache = KVCache(CONFIG)
    model(tokens(1, 5), cache)
    with pytest.raises(ValueError, match=r"holds 5 positions and the prompt has 5.*crop\(4\)"):
        generate(model, tokens(1, 5), 3, cache=cache)


def test_a_cache_too_small_for_what_is_asked(model):
    with pytest.raises(ValueError, match=r"max_len=7.*9"):
        generate(model, tokens(1, 5), 5, cache=KVCache(CONFIG, max_len=7))


def test_a_cache_of_another_batch(model):
    with pytest.raises(ValueError, match="batch_size=2"):
        generate(model, tokens(1, 5), 5, cache=KVCache(CONFIG, batch_size=2))


def test_a_denoiser_does_not_continue_texts():
    with pytest.raises(ValueError, match=r"causal=False.*only a causal one"):
        generate(lively(TransformerConfig(50, 32, 1, causal=False)), tokens(1, 5), 3)
