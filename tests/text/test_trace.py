"""A trace says what a generator did; a wrong one must be refused where it is made."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.text.trace import Step, Trace, kind_of, written


def step(**changes):
    good = {"tokens": (5, 6, 7), "changed": (2,), "probability": (0.5,)}
    return Step(**(good | changes))


def test_scalars_lists_arrays_and_tensors_say_the_same():
    plain = Step((5, 6, 7), (2,), (0.5,), alternatives=(((9, 0.25), (8, 0.125)),))
    assert Step([5, 6, 7], 2, 0.5, alternatives=[[(9, 0.25), (8, 0.125)]]) == plain
    tensors = Step(
        torch.tensor([5, 6, 7]),
        torch.tensor(2),
        torch.tensor([0.5]),
        alternatives=[[(torch.tensor(9), torch.tensor(0.25)), (8, 0.125)]],
    )
    assert tensors == plain
    assert (
        Step(
            np.array([5, 6, 7]),
            np.int64(2),
            np.float32(0.5),
            alternatives=[[(9, 0.25), (8, 0.125)]],
        )
        == plain
    )
    assert all(type(value) is int for value in tensors.tokens + tensors.changed)


def test_a_step_does_not_change_when_the_generator_reuses_its_buffer():
    tokens = torch.tensor([5, 6, 7])
    made = step(tokens=tokens)
    tokens[2] = 0
    assert made.tokens == (5, 6, 7)
    with pytest.raises(AttributeError):
        made.tokens = (1, 2, 3)


def test_the_road_not_taken_is_kept_likeliest_first():
    made = step(alternatives=[[(1, 0.1), (3, 0.3), (2, 0.1)]])
    assert made.alternatives == (((3, 0.3), (1, 0.1), (2, 0.1)),)


def test_a_step_may_only_look():
    assert Step([1, 2], [], []).changed == ()


def test_a_softmax_a_hair_above_one_is_one():
    assert step(probability=1 + 1e-7).probability == (1.0,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": []}, "tokens is empty"),
        ({"tokens": [[5, 6, 7]]}, "pick one row of the batch"),
        ({"tokens": [5.0, 6.0, 7.0]}, "tokens must be whole numbers, got 5.0"),
        ({"tokens": [5, -1, 7]}, "^token -1 is outside the vocabulary"),
        ({"changed": 3}, r"position 3 is outside the text of 3 tokens \(0..2\)"),
        ({"changed": -1}, "position -1 is outside"),
        ({"changed": (1, 1), "probability": (0.5, 0.5)}, "names a position twice"),
        ({"changed": (0, 1)}, "probability has 1 values for 2 changed positions"),
        ({"probability": 1.5}, r"probability 1.5 is outside \[0, 1\]; take the softmax"),
        ({"probability": -0.1}, "outside"),
        ({"probability": float("nan")}, "between 0 and 1, got nan"),
        ({"alternatives": [[], []]}, "alternatives has 2 lists for 1 changed positions"),
        ({"alternatives": [[1, 2]]}, r"list of \(token, probability\) pairs"),
        ({"alternatives": [[(1, 7.0)]]}, "probability of an alternative 7.0 is outside"),
    ],
)
def test_bad_steps_are_refused_with_a_reason(changes, message):
    with pytest.raises(ValueError, match=message):
        step(**changes)


@pytest.mark.parametrize(
    ("tokens", "changed", "message"),
    [
        ([0, -1], [1], "^token -1 is outside the vocabulary"),
        ([0, 4], [1], r"^token 4 is outside the vocabulary \(0..3\)$"),
        ([0, 1], [2], "position 2 is outside the text of 2 tokens"),
        ([0, 1], [-1], "position -1 is outside the text of 2 tokens"),
        ([0, 1], [0, 1], r"^probs has shape \(1, 4\); give a row for each of the 2"),
        ([0, 1], [], r"^probs has shape \(1, 4\); give a row for each of the 0"),
    ],
)
def test_what_was_not_written_is_refused(tokens, changed, message):
    probs = torch.full((1, 4), 0.25)
    with pytest.raises(ValueError, match=message):
        written(tokens, changed, probs)
    assert written([0, 9, 1], [2], probs).probability == (0.25,), "a mask elsewhere is none of them"


@settings(deadline=None)
@given(st.data())
def test_any_honest_step_is_accepted_as_given(data):
    tokens = data.draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
    changed = data.draw(st.lists(st.sampled_from(range(len(tokens))), unique=True))
    chances = [data.draw(st.floats(0, 1)) for _ in changed]
    made = Step(torch.tensor(tokens), changed, chances)
    assert (made.tokens, made.changed) == (tuple(tokens), tuple(changed))
    assert made.probability == tuple(chances)


def test_a_generator_only_needs_to_append():
    trace = Trace(label="left alone")
    trace.append(step())
    assert len(trace) == 1 and trace.label == "left alone"
    assert repr(trace) == "Trace('left alone', 1 steps)"


def test_the_kind_is_read_off_the_steps_unless_it_is_said():
    grows = [Step([1, 2], 1, 1), Step([1, 2, 3], 2, 1)]
    fills = [Step([1, 9, 9], 0, 1), Step([1, 2, 9], 1, 1)]
    assert kind_of(grows) == "ar" == Trace(grows).kind
    assert kind_of(fills) == "diffusion" == Trace(fills).kind
    assert kind_of([Step([1, 2, 3], 2, 1)]) == "ar"
    assert kind_of([Step([1, 2, 3], 1, 1)]) == "diffusion"
    assert Trace(fills, kind="ar").kind == "ar"
    with pytest.raises(ValueError, match="kind is 'gibbs'; choose one of 'ar', 'diffusion'"):
        Trace(kind="gibbs")
