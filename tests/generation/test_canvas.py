import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.small_models import lively, tokens
from utils.generation import canvas, uniform
from utils.models.transformer import TransformerConfig

SHAPE = {"vocab_size": 10, "d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 8}
MODEL = lively(TransformerConfig(**SHAPE, causal=False, tie_embeddings=False))


class Says:
    """A model that says at each pass what its script says: logits (length, vocab) for all rows."""

    def __init__(self, *script):
        self.script, self.read = list(script), []

    def __call__(self, text):
        self.read.append(text.clone())
        return self.script[min(len(self.read), len(self.script)) - 1].expand(len(text), -1, -1)


def sure_of(*wanted, vocab=4, others=0.0):
    """Logits, (length, vocab): almost sure of a token, or for None of no one in particular."""
    rows = [torch.full((vocab,), others) for _ in wanted]
    for row, token in zip(rows, wanted, strict=True):
        if token is not None:
            row[token] = 30.0
    return torch.stack(rows)


def test_the_guess_is_added_to_what_is_read_weighted_by_the_output_matrix():
    text = tokens(3, 8, 10)
    nothing = torch.zeros(3, 8, 10)
    assert torch.equal(canvas.read(MODEL, text), MODEL(text))
    assert torch.allclose(canvas.read(MODEL, text, nothing), MODEL(text), atol=1e-6)
    seen = []
    layer = MODEL.layers[0]
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    guess = torch.rand(3, 8, 10).softmax(-1)
    MODEL(text), hook.remove()
    said = canvas.read(MODEL, text, guess)
    hook = layer.register_forward_pre_hook(lambda *_: (seen[0] + guess @ MODEL.output.T, *_[1][1:]))
    expected = MODEL(text)
    hook.remove()
    assert torch.allclose(said, expected) and not torch.allclose(said, MODEL(text))
    assert not layer._forward_pre_hooks, "reading leaves the model as it was"


def test_the_loss_is_that_of_uniform_noise_where_the_guess_says_nothing():
    """With an output matrix of zeros the guess adds nothing and all tokens are equally likely."""
    silent = lively(TransformerConfig(**SHAPE, causal=False, tie_embeddings=False))
    silent.output.zero_()
    text, frozen = tokens(4, 8, 10), torch.arange(8) < 3
    both = [
        module.loss(silent, text, range(10), frozen=frozen, generator=torch.Generator())
        for module in (canvas, uniform)
    ]
    assert both[0] == both[1] == pytest.approx(torch.tensor(10.0).log().item())


@pytest.mark.parametrize("frozen", [torch.ones(8).bool(), torch.ones(4, 8).bool()])
def test_where_all_is_frozen_there_is_nothing_to_learn(frozen):
    model = lively(TransformerConfig(**SHAPE, causal=False, tie_embeddings=False))
    for module in (canvas, uniform):
        with pytest.raises(
            ValueError, match=r"^frozen leaves nothing to learn; leave at least one"
        ):
            module.loss(model, tokens(4, 8, 10), range(9), frozen=frozen)


def test_the_loss_reaches_every_weight():
    model = lively(TransformerConfig(**SHAPE, causal=False, tie_embeddings=False))
    model.requires_grad_(True)
    canvas.loss(model, tokens(4, 8, 10), range(9), frozen=torch.arange(8) < 3).backward()
    assert all(w.grad.isfinite().all() and w.grad.any() for w in model.parameters())
    tied = lively(TransformerConfig(**SHAPE, causal=False))
    with pytest.raises(ValueError, match="tie_embeddings is True; make it False"):
        canvas.loss(tied, tokens(4, 8, 10), range(9))


@given(
    entropies=st.lists(st.floats(0, 2), min_size=1, max_size=8),
    bound=st.sampled_from([0.0, 0.1, 0.7, 3.0]),
)
def test_places_are_kept_while_those_before_them_are_within_the_bound(entropies, bound):
    kept = canvas._surest(torch.tensor([entropies], dtype=torch.float64), bound)[0].tolist()
    total, expected = 0.0, [False] * len(entropies)
    for at in sorted(range(len(entropies)), key=lambda i: entropies[i]):
        expected[at] = total <= bound
        total += entropies[at]
    assert kept == expected and any(kept)


def test_only_the_positions_are_written_with_the_choices_alone():
    text, history = tokens(5, 8, 10), []
    dice = torch.Generator().manual_seed(0)
    how = {"passes": 3, "generator": dice, "self_condition": True, "history": history}
    after = canvas.write(MODEL, text, range(2, 8), [6, 8], **how)
    for each in (after, *(now for rows, _, now in history if len(rows) == 5)):
        assert torch.equal(each[:, :2], text[:, :2])
        assert torch.isin(each[:, 2:], torch.tensor([6, 8])).all()


def test_what_was_kept_may_be_taken_back_unless_it_is_to_stay():
    first, second = sure_of(1, None, None), sure_of(2, 2, 2)
    for keep, expected in ((None, [2, 2, 2]), (0, [1, 2, 2]), (1, [2, 2, 2])):
        model, history = Says(first, second), []
        dice = torch.Generator().manual_seed(0)
        how = {"passes": 4, "generator": dice, "keep": keep, "history": history}
        start = torch.tensor([[3, 3, 3]])
        assert canvas.write(model, start, range(3), range(4), **how).tolist() == [expected]
        assert history[0][1].tolist() == [[True, True, False]]  # the second: none before it is open
        assert model.read[1][0, 0] == 1


def test_what_is_kept_stays_after_the_passes_in_which_it_only_thinks():
    """It says 1, then 2, then 3 of the first place. Where that is to stay from pass k on, the k-th
    word does, and what was said before is taken back."""
    script = [sure_of(word, None) for word in (1, 2, 3)]
    for keep, first in ((0, 1), (1, 2), (2, 3), (3, 3), (None, 3)):
        dice = torch.Generator().manual_seed(0)
        how = {"passes": 3, "bound": 0.0, "keep": keep, "generator": dice}
        text = canvas.write(Says(*script), torch.tensor([[0, 0]]), range(2), range(4), **how)
        assert text[0, 0] == first


def test_a_text_that_is_settled_is_not_read_again():
    model, text = Says(sure_of(1, 2)), torch.tensor([[1, 2], [0, 0]])
    assert canvas.write(model, text, range(2), range(4), passes=9).tolist() == [[1, 2], [1, 2]]
    assert [len(read) for read in model.read] == [2, 1]


def test_a_trace_follows_one_text():
    trace = []
    canvas.write(
        Says(sure_of(1, 2)), torch.tensor([[0, 3]]), range(2), range(4), passes=2, trace=trace
    )
    assert [step.tokens for step in trace] == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passes": 0}, "passes is 0; take at least 1"),
        ({"bound": -1}, "bound is -1; give an entropy in nats"),
        ({"keep": -1}, "keep is -1; give a number of passes, 0 or more, or None"),
        ({"keep": True}, "keep is True; give a number of passes"),
        ({"temperatures": (0.8, 0)}, "temperatures is 0; give two above 0"),
        ({"temperatures": ()}, r"temperatures is \(\); give two above 0"),
        ({"temperatures": 0.8}, "temperatures is 0.8; give two above 0"),
        ({"positions": [8]}, r"positions is \[8\]; name at least one of 0 to 7"),
        ({"tokens": tokens(2, 8, 10), "trace": []}, "a trace follows one text"),
    ],
)
def test_writing_that_cannot_be(options, message):
    arguments = {"tokens": tokens(1, 8, 10), "positions": [3], "choices": range(9), "passes": 2}
    with pytest.raises(ValueError, match=message):
        canvas.write(MODEL, **(arguments | options))
