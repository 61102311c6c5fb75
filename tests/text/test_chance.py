import random

import numpy as np
import pytest
import torch

from utils.text import chance


def seeded():
    return torch.Generator().manual_seed(5)


DRAWS = {
    "uniform": lambda generator: chance.uniform((3, 4), device="cpu", generator=generator),
    "integers": lambda generator: chance.integers(10, (3, 4), device="cpu", generator=generator),
    "exponential": lambda generator: chance.exponential_like(torch.zeros(3, 4), generator),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_decides_all_and_nothing_else_is_touched(name):
    draw, state = DRAWS[name], torch.get_rng_state()
    generator = seeded()
    first = draw(generator)
    assert torch.equal(first, draw(seeded())) and not torch.equal(first, draw(generator))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", DRAWS)
def test_without_a_generator_the_global_one_is_used(name):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        first, second = DRAWS[name](None), DRAWS[name](None)
        torch.manual_seed(5)
        assert torch.equal(DRAWS[name](None), first) and not torch.equal(first, second)


def test_numbers_are_even_from_zero_up_to_and_without_the_end():
    numbers = chance.uniform((100_000,), device="cpu", generator=seeded(), dtype=torch.float64)
    assert numbers.dtype == torch.float64 and 0 <= numbers.min() and numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.005)
    counts = chance.integers(4, (100_000,), device="cpu", generator=seeded()).bincount()
    assert len(counts) == 4 and (counts / 100_000 - 0.25).abs().max() < 0.01


def test_waiting_times_have_a_mean_of_one_and_the_kind_of_the_numbers():
    waits = chance.exponential_like(torch.zeros(100_000, dtype=torch.float64), seeded())
    assert waits.dtype == torch.float64 and bool((waits >= 0).all())
    assert waits.mean() == pytest.approx(1, abs=0.02) and waits.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("generator", [0, True, "0", np.random.default_rng(0), random.Random(0)])
def test_what_is_no_generator_is_refused(generator):
    for draw in DRAWS.values():
        with pytest.raises(TypeError, match=r"^generator is .*; give one of PyTorch's, such as"):
            draw(generator)


def test_nothing_waits_for_no_time(monkeypatch):
    """On Apple's GPUs a 0 is drawn now and then; a token of probability 0 must not win by it."""

    def zero(waits, generator=None):
        return waits.fill_(-0.0)

    monkeypatch.setattr(torch.Tensor, "exponential_", zero)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        probs = torch.tensor([0.0, 1.0], dtype=dtype)
        assert (probs / chance.exponential_like(probs)).argmax() == 1
