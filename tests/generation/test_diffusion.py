import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_models import Known, lively, tokens
from utils.generation import diffusion, uniform
from utils.models.transformer import Transformer, TransformerConfig

MASK = 9
DENOISER = lively(TransformerConfig(10, d_model=16, n_layers=2, n_heads=2, max_len=8, causal=False))
CAUSAL = Transformer(TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=8))


# -- noise ---------------------------------------------------------------------------------------


@given(
    batch=st.integers(1, 5),
    length=st.integers(1, 9),
    rate=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_corrupt_hides_what_it_says_it_hides(batch, length, rate, seed):
    text = tokens(batch, length, vocab_size=9, seed=seed)
    frozen = tokens(batch, length, vocab_size=2, seed=seed + 1).bool()
    before = text.clone()
    generator = torch.Generator().manual_seed(seed)
    noisy, masked = diffusion.corrupt(text, rate, MASK, frozen=frozen, generator=generator)
    assert torch.equal(text, before) and noisy.dtype == torch.int64 and masked.dtype == torch.bool
    assert torch.equal(noisy == MASK, masked) and not (masked & frozen).any()
    assert torch.equal(noisy[~masked], text[~masked])


def test_the_share_hidden_is_the_rate_in_each_row():
    generator = torch.Generator().manual_seed(0)
    text, rates = tokens(5, 20_000, vocab_size=9), torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    _, masked = diffusion.corrupt(text, rates, MASK, generator=generator)
    assert torch.allclose(masked.float().mean(1), rates, atol=0.015)  # 4 standard errors
    assert not masked[0].any() and masked[4].all()
    halves = masked[2].view(-1, 2).float().mean(0)  # neighbours are hidden independently
    both = masked[2].view(-1, 2).all(1).float().mean()
    assert float(both) == pytest.approx(float(halves.prod()), abs=0.02)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_hide_makes_every_number_of_blanks_as_likely(length):
    generator = torch.Generator().manual_seed(0)
    text = tokens(60_000, length + 1, vocab_size=9)
    frozen = torch.arange(length + 1) == 1
    rates = torch.rand(len(text), generator=generator)
    noisy, masked = diffusion.hide(text, rates, MASK, frozen=frozen, generator=generator)
    assert torch.equal(noisy == MASK, masked) and not masked[:, 1].any()
    counts = masked.sum(1).bincount(minlength=length + 1).float() / len(text)
    assert counts[0] == 0
    assert torch.allclose(counts[1:], torch.full((length,), 1 / length), atol=0.01)
    for n in range(1, length):  # and every choice of n positions as likely
        sets = masked[masked.sum(1) == n].float().mean(0)[~frozen]
        assert torch.allclose(sets, torch.full((length,), n / length), atol=0.02)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), torch.rand(2, 3)])
def test_rates_that_are_none(rate):
    with pytest.raises(ValueError, match=r"rate is .*a share from 0 to 1"):
        diffusion.corrupt(tokens(2, 3), rate, 60)


FROZEN = r"^frozen is .*; give a tensor of bool, .* of shape \(2, 4\) or \(4,\)"


@pytest.mark.parametrize(
    "frozen",
    [
        torch.zeros(4),
        torch.zeros(3, dtype=torch.bool),
        torch.zeros(2, 1, dtype=torch.bool),
        np.zeros(4, dtype=bool),
        [True, False, False, False],
        True,
        0,
        "x",
    ],
)
def test_frozen_of_another_kind(frozen):
    text, refused = tokens(2, 4), pytest.raises(ValueError, match=FROZEN)
    with refused:
        diffusion.corrupt(text, 0.5, 60, frozen=frozen)
    with refused:
        diffusion.hide(text, 0.5, 60, frozen=frozen)
    with refused:
        uniform.loss(lambda text: None, text, [1, 2], frozen=frozen)


# -- the bound -----------------------------------------------------------------------------------


@pytest.mark.parametrize("doubt", [0.0, 0.3])
def test_loss_and_elbo_are_unbiased_for_the_mean_over_orders(doubt):
    """Averaged over the noise, they are the bound that enumerating all orders gives."""
    model = Known(doubt=doubt)
    text = torch.tensor([[0, 1, 2], [2, 2, 0]])
    exact = torch.tensor([model.bound(row) for row in text])
    generator = torch.Generator().manual_seed(0)
    many = text.repeat(4000, 1)
    found = diffusion.elbo(model, many, 3, samples=3, generator=generator).view(-1, 2)
    errors = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - exact).abs() < 4 * errors + 1e-6).all()
    losses = torch.tensor(
        [float(diffusion.loss(model, text, 3, generator=generator)) for _ in range(4000)]
    )
    error = 4 * float(losses.std()) / math.sqrt(len(losses)) + 1e-6
    assert float(losses.mean()) == pytest.approx(-float(exact.mean()) / 3, abs=error)


def test_true_conditionals_leave_no_gap_and_doubt_leaves_one():
    """With true conditional probabilities every order gives the same, the exact probability. With
    wrong ones the orders disagree and the bound is below the mean of what they give."""
    sure, unsure = Known(), Known(doubt=0.3)
    for text in sure.texts[::5]:
        exact = float(sure.probs[(sure.texts == text).all(1)].log())
        assert sure.bound(text) == pytest.approx(exact)
        along = [
            sum(unsure.conditional(text, order[i], order[i:]) for i in range(3))
            for order in itertools.permutations(range(3))
        ]
        marginal = math.log(sum(math.exp(x) for x in along) / 6)
        assert unsure.bound(text) < marginal - 1e-6


@given(seed=st.integers(0, 200))
@settings(deadline=None, max_examples=20)
def test_frozen_tokens_are_given_and_not_scored(seed):
    """With all but one token frozen the bound is exact: that token given the others."""
    text = tokens(3, 6, vocab_size=9, seed=seed)
    frozen = torch.arange(6) != seed % 6
    found = diffusion.elbo(DENOISER, text, MASK, samples=2, frozen=frozen)
    hidden = text.clone()
    hidden[:, seed % 6] = MASK
    said = diffusion.log_probs(DENOISER, hidden, MASK)[:, seed % 6]
    exact = said.gather(1, text[:, seed % 6, None])[:, 0]
    assert torch.allclose(found, exact, atol=1e-5)
    loss = diffusion.loss(DENOISER, text, MASK, frozen=frozen)
    assert torch.allclose(loss, -exact.mean(), atol=1e-5)


def test_a_mask_is_never_predicted():
    said = diffusion.log_probs(DENOISER, torch.full((2, 8), MASK), MASK)
    assert (said[..., MASK] == -torch.inf).all()
    assert torch.allclose(said.exp().sum(-1), torch.ones(2, 8), atol=1e-5)


def test_the_loss_trains_and_leaves_no_gradient_undefined():
    model = Transformer(DENOISER.config)
    loss = diffusion.loss(model, tokens(4, 8, 9), MASK)
    loss.backward()
    assert loss.dim() == 0 and all(w.grad.isfinite().all() for w in model.parameters())


@pytest.mark.parametrize(
    ("text", "mask_id", "options", "message"),
    [
        (tokens(2, 4, 9), 10, {}, r"mask_id is 10; the model's vocabulary is 0..9"),
        (tokens(2, 4, 9), -1, {}, "mask_id is -1; the model's"),
        (torch.full((2, 4), MASK), MASK, {}, "tokens hold the mask id 9"),
        (tokens(2, 4, 9), MASK, {"frozen": torch.ones(4, dtype=torch.bool)}, "nothing to hide"),
    ],
)
def test_losses_that_cannot_be(text, mask_id, options, message):
    with pytest.raises(ValueError, match=message):
        diffusion.loss(DENOISER, text, mask_id, **options)
    with pytest.raises(ValueError, match=message):
        diffusion.elbo(DENOISER, text, mask_id, samples=1, **options)


def test_a_bound_without_samples_or_from_a_causal_model():
    with pytest.raises(ValueError, match="samples is 0"):
        diffusion.elbo(DENOISER, tokens(2, 4, 9), MASK, samples=0)
    with pytest.raises(ValueError, match="causal=True: this model sees only"):
        diffusion.loss(CAUSAL, tokens(2, 4, 9), MASK)


# -- sampling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", diffusion.ORDERS)
@pytest.mark.parametrize("threshold", [None, 1.0])
def test_true_conditionals_and_one_token_a_pass_draw_from_the_true_distribution(order, threshold):
    """In whatever order; and a threshold of 1 fills together only what is certain."""
    model, generator = Known(), torch.Generator().manual_seed(0)
    blank = torch.full((40_000, 3), 3)
    texts = diffusion.sample(
        model, blank, 3, order=order, temperature=1.0, threshold=threshold, generator=generator
    )
    counts = (texts @ torch.tensor([9, 3, 1])).bincount(minlength=27) / len(texts)
    distance = (counts - model.probs).abs().sum() / 2
    assert distance < 0.012  # about 27 outcomes, 40000 draws: 0.007 is expected
    assert model.read[0] == 40_000 and len(model.read) == 3


def test_filling_all_at_once_draws_from_the_product_of_the_marginals():
    model, generator = Known(), torch.Generator().manual_seed(0)
    blank = torch.full((40_000, 3), 3)
    texts = diffusion.sample(model, blank, 3, steps=1, temperature=1.0, generator=generator)
    marginals = model(blank[:1])[0].exp()
    expected = marginals[torch.arange(3), model.texts].prod(-1)
    counts = (texts @ torch.tensor([9, 3, 1])).bincount(minlength=27) / len(texts)
    assert (counts - expected).abs().sum() / 2 < 0.012
    assert (model.probs - expected).abs().sum() / 2 > 0.1  # and that is another distribution


@given(
    rows=st.lists(st.lists(st.integers(0, 9), min_size=6, max_size=6), min_size=1, max_size=4),
    order=st.sampled_from(diffusion.ORDERS),
    temperature=st.sampled_from([0.0, 1.0, 3.0]),
    threshold=st.sampled_from([None, 0.3, 1.0]),
    data=st.data(),
)
@settings(deadline=None)
def test_all_masks_are_filled_and_all_else_stays(rows, order, temperature, threshold, data):
    rows[0][0] = MASK
    text = torch.tensor(rows)
    most = int((text == MASK).sum(1).max())
    steps = data.draw(st.sampled_from([None, *range(1, most + 1)]))
    before, options = text.clone(), {"order": order, "temperature": temperature, "steps": steps}
    runs = [
        diffusion.sample(
            DENOISER,
            text,
            MASK,
            threshold=threshold,
            generator=torch.Generator().manual_seed(1),
            **options,
        )
        for _ in range(2)
    ]
    assert torch.equal(text, before) and torch.equal(*runs)
    assert runs[0].shape == text.shape and runs[0].dtype == torch.int64
    assert not (runs[0] == MASK).any()
    assert torch.equal(runs[0][text != MASK], text[text != MASK])


def test_rows_that_are_complete_are_not_read_again():
    model = Known()
    text = torch.tensor([[3, 3, 3], [0, 3, 2], [0, 1, 2], [3, 0, 3]])
    diffusion.sample(model, text, 3)
    assert model.read == [3, 2, 1]
    model.read.clear()
    diffusion.sample(model, text, 3, steps=2)
    assert model.read == [3, 2]
    model.read.clear()
    diffusion.sample(model, text, 3, threshold=1e-9)
    assert model.read == [3]


def test_each_row_is_filled_as_it_would_be_alone():
    text = tokens(6, 8, 9)
    text[torch.rand(6, 8, generator=torch.Generator().manual_seed(0)) < 0.5] = MASK
    together = diffusion.sample(DENOISER, text, MASK)
    for row, alone in zip(together, text, strict=True):
        assert torch.equal(diffusion.sample(DENOISER, alone[None], MASK)[0], row)


def test_orders_are_what_they_are_called():
    blank = torch.full((1, 8), MASK)
    for order in diffusion.ORDERS:
        trace = []
        generator = torch.Generator().manual_seed(3)
        diffusion.sample(DENOISER, blank, MASK, order=order, generator=generator, trace=trace)
        written = [step.changed[0] for step in trace]
        assert sorted(written) == list(range(8))
        assert (written == list(range(8))) == (order == "left-to-right")
        if order == "confidence":
            now = blank.clone()
            for step in trace:
                peaks = diffusion.log_probs(DENOISER, now, MASK).amax(-1)[0]
                blanks = (now[0] == MASK).nonzero()[:, 0]
                assert step.changed[0] == int(blanks[peaks[blanks].argmax()])
                now = torch.tensor([step.tokens])


def test_steps_share_the_masks_out_and_a_threshold_fills_more():
    trace = []
    diffusion.sample(DENOISER, torch.full((1, 8), MASK), MASK, steps=3, trace=trace)
    assert [len(step.changed) for step in trace] == [3, 3, 2]
    for threshold in (0.2, 0.5, 1.0):
        trace, now = [], torch.full((1, 8), MASK)
        diffusion.sample(DENOISER, now, MASK, threshold=threshold, trace=trace)
        for step in trace:
            peaks = diffusion.log_probs(DENOISER, now, MASK).amax(-1)[0].exp()
            sure = ((peaks >= threshold) & (now[0] == MASK)).sum()
            assert len(step.changed) == max(1, int(sure))
            now = torch.tensor([step.tokens])


def test_the_trace_says_what_was_written_and_how_likely_it_was():
    trace, generator = [], torch.Generator().manual_seed(0)
    text = torch.tensor([[1, MASK, MASK, 2, MASK, MASK, MASK, 3]])
    out = diffusion.sample(
        DENOISER, text, MASK, steps=2, temperature=2.0, generator=generator, trace=trace
    )
    assert trace[-1].tokens == tuple(out[0].tolist())
    now = text
    for step in trace:
        said = diffusion.log_probs(DENOISER, now, MASK)[0].exp()
        for at, p, others in zip(step.changed, step.probability, step.alternatives, strict=True):
            assert p == pytest.approx(float(said[at, step.tokens[at]]), abs=1e-5)
            assert len(others) == 5 and MASK not in dict(others)
            best = said[at].clone()
            best[step.tokens[at]] = 0
            assert others[0][1] == pytest.approx(float(best.max()), abs=1e-5)
        now = torch.tensor([step.tokens])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0; choose from 1 to 5"),
        ({"steps": 6}, "steps is 6; choose from 1 to 5"),
        ({"threshold": 0}, "threshold is 0; .*above 0 and up to 1"),
        ({"threshold": 1.01}, "threshold is 1.01"),
        ({"order": "backwards"}, "order is 'backwards'; choose one of 'confidence', 'random'"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"mask_id": 10}, "mask_id is 10; the model's vocabulary"),
        ({"mask_id": 8}, "tokens hold no mask, mask_id 8"),
        ({"tokens": tokens(1, 5, 9)}, "tokens hold no mask, mask_id 9"),
        ({"model": CAUSAL}, "causal=True"),
        ({"tokens": torch.full((2, 5), MASK), "trace": []}, "a trace follows one text .* 2 rows"),
        ({"tokens": torch.full((1, 9), MASK)}, "9 tokens are too many"),
        ({"tokens": torch.tensor([[MASK, 10]])}, "token 10 is outside the vocabulary"),
    ],
)
def test_samples_that_cannot_be(options, message):
    arguments = {"model": DENOISER, "tokens": torch.full((1, 5), MASK), "mask_id": MASK}
    with pytest.raises(ValueError, match=message):
        diffusion.sample(**(arguments | options))


@pytest.mark.parametrize(
    "text",
    [torch.full((1, 5), 9.0), torch.full((5,), 9), [[9, 9]], torch.full((1, 5), 9).int()],
)
def test_tokens_of_another_kind(text):
    with pytest.raises(TypeError, match="tokens must be an int64 tensor"):
        diffusion.sample(DENOISER, text, MASK)
