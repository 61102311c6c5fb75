"""The roofline, with a clock that goes as told: what is compared, and in which turns."""

import pytest
import torch

from tests.small_models import lively
from utils.measure import timing
from utils.models.transformer import TransformerConfig

MODEL = lively(TransformerConfig(9, d_model=8, n_layers=1, n_heads=1, max_len=24))


class Slow:
    """A model that takes 2 + its tokens seconds a pass, by its own clock, ever slower from pass to
    pass; it writes down what it reads."""

    def __init__(self):
        self.now, self.read, self.passes = 0.0, [], 0
        self.config, self.output = MODEL.config, MODEL.output

    def __call__(self, tokens, cache):
        self.read.append((tokens.shape, cache.length))
        MODEL(tokens, cache)
        self.passes += 1
        self.now += (2 + tokens.shape[1]) * (1 + self.passes / 100)

    def clock(self):
        return self.now


def test_passes_take_turns_after_the_same_context():
    model = Slow()
    how = {"counts": (1, 4), "context": 5, "rows": 3, "rounds": 2, "clock": model.clock}
    found = timing.measure(model, **how)
    assert model.read[0] == ((3, 5), 0)
    assert model.read[1:] == [((3, 1), 5), ((3, 4), 5)] * 3, "one round to warm up, and two"
    assert {k: len(each) for k, each in found.seconds.items()} == {1: 2, 4: 2}
    assert found.rows == 3 and found.threads == torch.get_num_threads()

    model = Slow()
    found = timing.measure(model, **(how | {"clock": model.clock, "warm_up": False}))
    assert model.read[1:] == [((3, 1), 5), ((3, 4), 5)] * 2, "no round but those that count"
    assert {k: len(each) for k, each in found.seconds.items()} == {1: 2, 4: 2}


def test_ratios_are_those_within_a_round():
    """The model slows down by a fifth in all; the ratio of the two counts hardly changes."""
    model = Slow()
    found = timing.measure(model, counts=(1, 4), context=0, rounds=9, clock=model.clock)
    assert found.ratio(4) == pytest.approx(2, rel=0.02) and found.ratio(1) == 1
    low, high = found.spread(4)
    assert low <= found.ratio(4) <= high
    assert found.gain(4) == pytest.approx(2, rel=0.02)
    assert found.gain(4, accepted=1) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": (2, 4)}, r"counts is \[2, 4\]; 1 must be among them"),
        ({"counts": (0, 1)}, "counts is 0; name numbers"),
        ({"context": 21}, "context is 21; choose 0 to 20"),
        ({"rows": 0}, "rows is 0; it must be at least 1"),
        ({"rounds": 0}, "rounds is 0; it must be at least 1"),
    ],
)
def test_what_cannot_be_timed(options, message):
    with pytest.raises(ValueError, match=message):
        timing.measure(MODEL, **({"counts": (1, 4), "context": 0} | options))


def test_the_machine_is_named_in_a_line_with_its_threads(monkeypatch):
    for threads, said in ((1, ", 1 thread, torch "), (4, ", 4 threads, torch ")):
        monkeypatch.setattr(torch, "get_num_threads", lambda n=threads: n)
        line = timing.machine()
        assert said in line and "\n" not in line and not line.startswith(",")
