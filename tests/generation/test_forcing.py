import pytest
import torch

from tests.small_models import lively
from tests.verdicts import WORLD, small
from utils.generation.forcing import force
from utils.generation.sampling import generate
from utils.text.trace import Trace


def test_what_is_forced_stays_as_it_was_forced():
    model, rows = small(), WORLD.sample(6, seed=1)
    for k in (1, 2, 5):
        forced = torch.randint(len(WORLD.vocab), (6, k), generator=torch.Generator().manual_seed(k))
        out = force(model, rows[:, :7], forced, 4)
        assert torch.equal(out[:, :7], rows[:, :7]) and torch.equal(out[:, 7 : 7 + k], forced)
        assert out.shape == (6, 7 + k + 4)


def test_one_word_for_all_rows():
    out = force(small(), WORLD.sample(3, seed=1)[:, :7], [WORLD.vocab.id("no")], 1)
    assert out[:, 7].tolist() == [WORLD.vocab.id("no")] * 3


def test_forcing_what_it_would_have_said_changes_nothing():
    model, prompt = lively(small().config), WORLD.sample(20, seed=2)[:, :7]
    free = generate(model, prompt, 8)
    assert torch.equal(force(model, prompt, free[:, 7:10], 5), free)
    other = (free[:, 7:8] + 1) % len(WORLD.vocab)
    assert not torch.equal(force(model, prompt, other, 7)[:, 8:], free[:, 8:])


def test_a_forced_trace_has_the_odds_of_the_forced_token():
    model, trace = small(), Trace()
    prompt = WORLD.sample(1, seed=1)[:, :7]
    out = force(model, prompt, [5, 6], 3, trace=trace)
    assert [step.note for step in trace] == ["forced", "forced", "", "", ""]
    assert list(trace[-1].tokens) == out[0].tolist()
    assert trace[0].probability[0] == pytest.approx(model(prompt)[0, -1].softmax(-1)[5].item())


def test_nothing_to_force_is_an_error():
    with pytest.raises(ValueError, match="tokens is empty"):
        force(small(), WORLD.sample(1, seed=1)[:, :7], [], 3)


@pytest.mark.parametrize(
    "forced", [[[1, 2], [3]], [[1], [2], [3]], torch.tensor([[1], [2], [3]])], ids=str
)
def test_rows_to_force_that_fit_no_prompt(forced):
    with pytest.raises(ValueError, match=r"^tokens is . rows of .* ids; give one for all 2 rows"):
        force(small(), WORLD.sample(2, seed=1)[:, :7], forced, 1)


def test_a_trace_of_what_is_forced_follows_one_text():
    with pytest.raises(ValueError, match=r"^a trace follows one text but there are 3 rows"):
        force(small(), WORLD.sample(3, seed=1)[:, :7], [1], 1, trace=(trace := Trace()))
    assert not trace
