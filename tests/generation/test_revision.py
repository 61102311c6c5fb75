import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.small_models import lively, tokens
from tests.truth import P, drawn, oracle, shares
from utils.generation import diffusion, revision
from utils.measure.passes import Counted
from utils.models.transformer import TransformerConfig

MASK = 9
SHAPE = {"vocab_size": 10, "d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 8}
DENOISER = lively(TransformerConfig(**SHAPE, causal=False))
CAUSAL = lively(TransformerConfig(**SHAPE), seed=1)


class Parity:
    """A model of texts whose last token is the sum of the others modulo 5; 5 is a blank. Asked for
    one token it knows the answer; the others together decide it."""

    mask = 5

    def __init__(self):
        self.read = []

    def __call__(self, text):
        self.read.append(len(text))
        said = torch.zeros(*text.shape, 6)
        for row, now in enumerate(text):
            blanks = (now == self.mask).nonzero()[:, 0].tolist()
            if len(blanks) == 1:
                at = blanks[0]
                rest = int(now[:-1][now[:-1] != self.mask].sum())
                answer = rest if at == len(now) - 1 else int(now[-1]) - rest
                said[row, at, answer % 5] = 9.0
        return said


def right(text):
    return text[:, -1] == text[:, :-1].sum(1) % 5


# -- scoring -------------------------------------------------------------------------------------


@given(seed=st.integers(0, 100), positions=st.sets(st.integers(0, 7), min_size=1))
@settings(deadline=None, max_examples=20)
def test_confidences_hide_one_token_at_a_time(seed, positions):
    text, positions = tokens(3, 8, 9, seed=seed), sorted(positions)
    before = text.clone()
    found = revision.confidences(DENOISER, text, MASK, positions)
    assert torch.equal(text, before) and found.shape == (3, len(positions))
    for column, position in enumerate(positions):
        hidden = text.clone()
        hidden[:, position] = MASK
        said = diffusion.log_probs(DENOISER, hidden, MASK).exp()
        for row in range(3):
            expected = float(said[row, position, text[row, position]])
            assert float(found[row, column]) == pytest.approx(expected, abs=1e-6)


def test_confidences_cost_a_pass_each_and_a_glance_costs_one():
    text = tokens(3, 8, 9)
    for signal, passes in ((revision.confidences, 4), (revision.glance, 1)):
        model = Counted(DENOISER)
        assert signal(model, text, MASK, [1, 2, 5, 7]).shape == (3, 4)
        assert model.passes == 3 * passes


def test_a_glance_reads_the_text_as_it_stands():
    text = tokens(3, 8, 9)
    said = diffusion.log_probs(DENOISER, text, MASK).exp()
    expected = said.gather(-1, text[..., None])[..., 0][:, [2, 5]]
    assert torch.allclose(revision.glance(DENOISER, text, MASK, torch.tensor([2, 5])), expected)


# -- rewriting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong_at", range(4))
def test_what_is_wrong_is_found_and_put_right(wrong_at):
    text = torch.tensor([[1, 2, 4, 2], [0, 3, 3, 1]])
    assert right(text).all()
    text[:, wrong_at] = (text[:, wrong_at] + 1) % 5
    before, model = text.clone(), Parity()
    revised = revision.revise(model, text, 5, range(4), rounds=3)
    assert right(revised).all() and torch.equal(text, before)
    assert ((revised != before).sum(1) == 1).all()
    # one round mends it, one more finds nothing to do: each scores 4 positions and fills one
    assert model.read == [2] * 10


def test_rows_that_need_nothing_are_left_alone():
    text = torch.tensor([[1, 2, 4, 2], [0, 3, 3, 2]])  # the first is right
    model = Parity()
    revised = revision.revise(model, text, 5, range(4), rounds=5)
    assert torch.equal(revised[0], text[0]) and right(revised).all()
    assert model.read == [2] * 5 + [1] * 5


@given(
    seed=st.integers(0, 100),
    positions=st.sets(st.integers(0, 7), min_size=2),
    remask=st.integers(1, 2),
)
@settings(deadline=None, max_examples=20)
def test_only_the_named_positions_change(seed, positions, remask):
    text, positions = tokens(3, 8, 9, seed=seed), sorted(positions)
    options = {"rounds": 2, "remask": remask}
    revised = revision.revise(DENOISER, text, MASK, positions, **options)
    again = revision.revise(DENOISER, text, MASK, torch.tensor(positions), **options)
    kept = [i for i in range(8) if i not in positions]
    assert torch.equal(revised, again) and not (revised == MASK).any()
    assert torch.equal(revised[:, kept], text[:, kept])


def test_one_round_hides_the_least_likely_and_takes_the_likeliest():
    text = tokens(5, 8, 9)
    trust = revision.confidences(DENOISER, text, MASK, range(8))
    expected = text.clone()
    for row, at in enumerate(trust.argmin(1)):
        hidden = text[row : row + 1].clone()
        hidden[0, at] = MASK
        expected[row, at] = diffusion.log_probs(DENOISER, hidden, MASK)[0, at].argmax()
    assert torch.equal(revision.revise(DENOISER, text, MASK, range(8), rounds=1), expected)


def test_another_signal_decides_what_to_doubt():
    def last(model, text, mask_id, positions):
        return -torch.as_tensor(positions).expand(len(text), -1).float()

    text = torch.tensor([[1, 2, 4, 0]])
    revised = revision.revise(Parity(), text, 5, range(4), rounds=1, signal=last)
    assert revised.tolist() == [[1, 2, 4, 2]]


def test_a_trace_of_taking_back_and_writing_anew():
    trace = []
    revision.revise(Parity(), torch.tensor([[1, 2, 4, 0]]), 5, range(4), rounds=1, trace=trace)
    taken, written = trace
    assert taken.note == "taken back" and taken.changed == written.changed
    assert taken.tokens[taken.changed[0]] == 5 and taken.probability[0] < 0.01
    assert written.probability[0] > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "rounds is 0"),
        ({"remask": 0}, "remask is 0; choose from 1 to the 3 positions"),
        ({"remask": 4}, "remask is 4"),
        ({"threshold": 0.0}, "threshold is 0.0; choose a probability above 0"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"positions": []}, "name at least one of 0 to 7"),
        ({"positions": [8]}, r"positions is \[8\]; name at least one of 0 to 7"),
        ({"positions": [-1]}, r"positions is \[-1\]"),
        ({"tokens": torch.full((1, 8), MASK)}, "tokens still hold the mask 9"),
        ({"tokens": tokens(2, 8, 9), "trace": []}, "a trace follows one text"),
        ({"mask_id": 10}, "mask_id is 10; the model's vocabulary"),
        ({"model": CAUSAL}, "causal=True"),
    ],
)
def test_revisions_that_cannot_be(options, message):
    arguments = {"model": DENOISER, "tokens": tokens(1, 8, 9), "mask_id": MASK}
    arguments |= {"positions": [3, 4, 5], "rounds": 1}
    with pytest.raises(ValueError, match=message):
        revision.revise(**(arguments | options))


# -- a threshold, and chance ---------------------------------------------------------------------


def test_a_threshold_spares_what_is_believed_in_enough():
    text = tokens(40, 8, 9)
    trust = revision.confidences(DENOISER, text, MASK, range(8)).min(1).values
    middle = float(trust.median())
    how = {"rounds": 1, "threshold": middle}
    revised = revision.revise(DENOISER, text, MASK, range(8), **how)
    always = revision.revise(DENOISER, text, MASK, range(8), rounds=1)
    spared = trust >= middle
    assert 0 < spared.sum() < 40
    assert torch.equal(revised[spared], text[spared])
    assert torch.equal(revised[~spared], always[~spared])
    lowest = {"rounds": 1, "threshold": 1e-9}
    assert torch.equal(revision.revise(DENOISER, text, MASK, range(8), **lowest), text)


def test_a_threshold_spares_some_of_the_tokens_of_a_round():
    text = tokens(30, 8, 9)
    trust = revision.confidences(DENOISER, text, MASK, range(8))
    limit = float(trust.sort(1).values[:, 1].median())  # the second least, in half of the rows
    how = {"rounds": 1, "remask": 3, "threshold": limit}
    revised = revision.revise(DENOISER, text, MASK, range(8), **how)
    assert not ((revised != text) & (trust >= limit)).any() and (revised != text).any()


def at_random(model, text, mask_id, positions):
    return torch.rand(len(text), len(positions), generator=DICE)


DICE = torch.Generator()


def revised_truth(signal, rounds, n=40_000, **how):
    """How far true texts are from the truth, in total variation, once they have been revised with
    the true conditional probabilities."""
    DICE.manual_seed(0)
    how = {"temperature": 1.0, "generator": DICE} | how
    texts = revision.revise(oracle, drawn(n), 2, range(3), rounds=rounds, signal=signal, **how)
    return float((shares(texts) - P).abs().sum() / 2)


def test_gibbs_at_temperature_one_leaves_the_truth_as_it_is():
    """40,000 draws are some 0.004 from the truth by chance."""
    assert revised_truth(at_random, rounds=6) < 0.01


def test_doubt_or_the_likeliest_word_does_not_leave_the_truth_as_it_is():
    """Whoever chooses where to redraw by reading the text strikes out what is rare, even with the
    truth for a model; so does whoever takes the likeliest word; and so did a row that was left
    alone once chance had brought its word back."""
    assert revised_truth(revision.confidences, rounds=6) > 0.03
    assert revised_truth(at_random, rounds=6, temperature=0.0) > 0.1
