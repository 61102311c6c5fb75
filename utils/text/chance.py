"""Random numbers from a generator of the caller's, on whatever device they are wanted.

They are drawn where the generator is and then moved. So one seed gives the same numbers for a model
on a processor and on a GPU, and a generator made without a thought to devices works for both.
"""

from __future__ import annotations

import torch


def uniform(shape, *, device, generator=None, dtype=torch.float32) -> torch.Tensor:
    """Evenly from 0 up to 1. generator: None is PyTorch's own of that device."""
    return torch.rand(shape, dtype=dtype, **_place(device, generator)).to(device)


def integers(below: int, shape, *, device, generator=None) -> torch.Tensor:
    """Whole numbers from 0 to `below` - 1, each as likely: int64."""
    return torch.randint(below, shape, **_place(device, generator)).to(device)


def exponential_like(numbers: torch.Tensor, generator=None) -> torch.Tensor:
    """Waiting times with a mean of 1, one for each of these numbers, none of them 0.

    On Apple's GPUs PyTorch draws a 0 now and then (pytorch/pytorch#192577); a token of probability
    0 that waits for no time would win every race, as 0 / 0.
    """
    place = _place(numbers.device, generator)["device"]
    waits = torch.empty_like(numbers, device=place).exponential_(generator=generator)
    return waits.to(numbers.device).clamp_(min=torch.finfo(waits.dtype).tiny)


def check_generator(generator) -> None:
    """Raise TypeError unless it is a generator of PyTorch's, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator is {generator!r}; give one of PyTorch's, such as "
            "torch.Generator().manual_seed(0)"
        )


def _place(device, generator):
    check_generator(generator)
    return {
        "generator": generator,
        "device": device if generator is None else generator.device,
    }
