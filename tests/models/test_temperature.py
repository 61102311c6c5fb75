import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.models.temperature import at_temperature, check_temperature

LOGITS = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=8, unique=True)


@given(LOGITS, st.floats(1e-2, 100))
@settings(deadline=None)
def test_each_probability_is_raised_to_a_power_and_brought_back_to_a_sum_of_one(
    logits, temperature
):
    logits = torch.tensor(logits, dtype=torch.float64)
    powers = logits.softmax(-1) ** (1 / temperature)
    if powers.sum() > 1e-200:  # else this way of computing it has no digits left
        expected = powers / powers.sum()
        assert torch.allclose(at_temperature(logits, temperature), expected, atol=1e-9)


def test_logits_and_log_probabilities_give_the_same():
    logits = torch.tensor([[2.0, 0.0, -1.0], [5.0, 5.0, 4.0]])
    for temperature in (0, 0.5, 1, 3.0):
        probs = at_temperature(logits, temperature)
        assert torch.allclose(probs, at_temperature(logits.log_softmax(-1), temperature), atol=1e-6)
        assert torch.allclose(probs.sum(-1), torch.ones(2))


def test_at_zero_the_first_of_the_likeliest_has_it_all():
    logits = torch.tensor([[1.0, 3.0, 3.0]])
    assert at_temperature(logits, 0).tolist() == [[0.0, 1.0, 0.0]]


@pytest.mark.parametrize("temperature", [1e-320, 1e-45, 1e-30, 1e300, 1.7e308])
def test_no_temperature_is_too_low_or_too_high(temperature):
    probs = at_temperature(torch.tensor([1e4, 9e3, -1e4]), temperature)
    expected = [1, 0, 0] if temperature < 1 else [1 / 3] * 3
    assert probs.tolist() == pytest.approx(expected)


def test_a_ruled_out_token_stays_ruled_out():
    probs = at_temperature(torch.tensor([0.0, -torch.inf, 0.0]), 100.0)
    assert probs.tolist() == [0.5, 0.0, 0.5]


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf"), float("-inf")])
def test_temperatures_out_of_range(temperature):
    message = f"temperature is {temperature}; choose 0 for the likeliest token or a positive number"
    for check in (check_temperature, lambda t: at_temperature(torch.zeros(2), t)):
        with pytest.raises(ValueError, match=message):
            check(temperature)
