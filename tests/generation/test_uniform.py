import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.small_models import lively, tokens
from utils.generation import uniform
from utils.models.transformer import TransformerConfig

SHAPE = {"vocab_size": 10, "d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 8}
DENOISER = lively(TransformerConfig(**SHAPE, causal=False))


@given(rate=st.floats(0, 1), seed=st.integers(0, 100))
def test_disturbing_replaces_by_the_choices_alone(rate, seed):
    text, frozen = tokens(4, 8, 5, seed=seed), torch.arange(8) < 3
    generator = torch.Generator().manual_seed(seed)
    noisy = uniform.disturb(text, rate, [6, 8], frozen=frozen, generator=generator)
    changed = noisy != text
    assert not changed[:, :3].any() and torch.isin(noisy[changed], torch.tensor([6, 8])).all()


def test_editing_loss_scores_every_free_token():
    text, frozen = tokens(4, 8, 9), torch.arange(8) < 3
    model = lively(TransformerConfig(**SHAPE, causal=False)).requires_grad_(True)
    value = uniform.loss(model, text, range(9), frozen=frozen)
    value.backward()
    assert 0 < value < 20 and all(w.grad.isfinite().all() for w in model.parameters())


def test_editing_takes_the_likeliest_token_everywhere_or_at_the_worst_places():
    text = tokens(5, 8, 9)
    logits = DENOISER(text)
    once = uniform.edit(DENOISER, text, range(2, 8), rounds=1)
    assert torch.equal(once[:, :2], text[:, :2])
    assert torch.equal(once[:, 2:], logits.argmax(-1)[:, 2:])
    single = uniform.edit(DENOISER, text, range(2, 8), rounds=1, most=1)
    assert ((single != text).sum(1) <= 1).all() and (single != text).any()
    present = logits.softmax(-1).gather(-1, text[..., None])[..., 0]
    for row, at in (single != text).nonzero().tolist():
        wrong = [i for i in range(2, 8) if logits[row, i].argmax() != text[row, i]]
        assert at == min(wrong, key=lambda i: present[row, i])


def test_editing_with_a_threshold_leaves_what_the_model_is_not_sure_enough_of():
    text = tokens(5, 8, 9)
    likeliest, best = DENOISER(text).softmax(-1).max(-1)
    threshold = float(likeliest.median())
    edited = uniform.edit(DENOISER, text, range(8), rounds=1, threshold=threshold)
    sure = likeliest > threshold
    assert torch.equal(edited, torch.where(sure, best, text)) and (edited != text).any()


def test_editing_stops_where_nothing_changes():
    class Ones:
        def __init__(self):
            self.read = []

        def __call__(self, text):
            self.read.append(len(text))
            return torch.eye(3)[torch.ones_like(text)]

    model, trace = Ones(), []
    text = torch.tensor([[1, 1, 1], [1, 2, 0]])
    assert uniform.edit(model, text, [1, 2], rounds=9).tolist() == [[1, 1, 1], [1, 1, 1]]
    assert model.read == [2, 1]
    uniform.edit(model, text[1:], [1, 2], rounds=9, trace=trace)
    assert [step.changed for step in trace] == [(1, 2), ()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "rounds is 0; choose 1 or more"),
        ({"most": 0}, "most is 0; let at least 1 token change in a pass"),
        ({"threshold": 1.0}, "threshold is 1.0; choose a probability from 0 up to 1"),
        ({"positions": [8]}, r"positions is \[8\]; name at least one of 0 to 7"),
        ({"tokens": tokens(2, 8, 9), "trace": []}, "a trace follows one text"),
    ],
)
def test_edits_that_cannot_be(options, message):
    arguments = {"model": DENOISER, "tokens": tokens(1, 8, 9), "positions": [3], "rounds": 1}
    with pytest.raises(ValueError, match=message):
        uniform.edit(**(arguments | options))


def test_disturbed_tokens_are_as_many_as_the_rate_says_and_drawn_evenly():
    text, generator = torch.zeros(2000, 8, dtype=torch.int64), torch.Generator().manual_seed(0)
    noisy = uniform.disturb(text, 0.3, [0, 3, 4], generator=generator)
    shares = noisy.flatten().bincount(minlength=5) / noisy.numel()
    assert torch.allclose(shares, torch.tensor([0.8, 0, 0, 0.1, 0.1]), atol=0.01)
    assert torch.equal(uniform.disturb(text, 0.0, [3]), text)
    assert (uniform.disturb(text, 1.0, [3]) == 3).all()


def test_the_loss_is_the_surprise_at_what_stood_there():
    """A model that is sure of token 2, whatever it reads, is surprised by all other tokens."""

    def sure(text):
        return torch.tensor([0.0, 0.0, 9.0]).expand(*text.shape, 3)

    frozen = torch.tensor([True, True, False, False])
    said = torch.tensor([0.0, 0.0, 9.0]).log_softmax(-1)
    for ending, expected in (([2, 2], -said[2]), ([2, 1], -(said[2] + said[1]) / 2)):
        text = torch.tensor([[0, 1, *ending]] * 5)
        assert uniform.loss(sure, text, range(3), frozen=frozen) == pytest.approx(float(expected))


@pytest.mark.parametrize("positions", [[7], [-1], [], [0, 4]])
def test_positions_outside_the_text(positions):
    def unread(text):
        raise AssertionError("it is to be refused before anything is read")

    with pytest.raises(ValueError, match=r"positions is .*; name at least one of 0 to 3"):
        uniform.edit(unread, torch.tensor([[0, 1, 2, 1]]), positions, rounds=2)
