"""Temperature: one knob from the safest text to the wildest.

The logits are divided by it before the softmax; that is, each probability is raised to the power of
1 / temperature and the row is brought back to a sum of 1. At 1 nothing changes. Towards 0 all
probability goes to the likeliest token, with a high temperature every token becomes as likely.
"""

import torch

from utils.models.arithmetic import widened
from utils.text.numbers import real


def check_temperature(temperature):
    """The temperature as a float; a clear error if it is negative, infinite or not a number."""
    advice = "choose 0 for the likeliest token or a positive number"
    return real("temperature", temperature, advice, least=0)


def check_logits(logits):
    """Raise TypeError unless these are numbers with a point, a row or more: (..., vocab)."""
    if isinstance(logits, torch.Tensor) and logits.is_floating_point() and logits.ndim:
        return
    what = f"{logits.dtype} of shape {tuple(logits.shape)}" if hasattr(logits, "dtype") else logits
    raise TypeError(
        f"logits is {what}; give a tensor of floats, (..., vocab), such as model(tokens)[:, -1]"
    )


def checked_choice(chosen, numbers, *, above):
    """The tokens chosen from rows of numbers, (...) of (..., vocab); a clear error unless all of
    them have more than `above`. `argmax` takes NaN for the largest, and of nothing the first."""
    found = numbers.gather(-1, chosen[..., None])
    if found.numel() and not found.min().item() > above:
        raise ValueError(
            "logits hold NaN or inf, or -inf for every token of a row: there is nothing to draw "
            "from; look at the model that gave them. Its weights are not numbers, or it bars all"
        )
    return chosen


def at_temperature(logits, temperature):
    """(..., vocab) logits or log-probabilities -> (..., vocab) probabilities, rows sum to 1.

    At 0 the likeliest token, of several the first, has them all. Logits in 16 bits give
    probabilities in float32. Raises ValueError for a temperature out of range, and at 0 where there
    is no likeliest token.
    """
    temperature = check_temperature(temperature)
    check_logits(logits)
    logits = widened(logits)
    if temperature == 0:
        likeliest = checked_choice(logits.argmax(-1), logits, above=-torch.inf)
        return torch.zeros_like(logits).scatter_(-1, likeliest[..., None], 1.0)
    if temperature != 1:
        largest = logits.amax(-1, keepdim=True)  # taken off, so that no temperature is too low
        number = torch.finfo(logits.dtype)
        logits = (logits - largest) / min(max(temperature, number.tiny), number.max)
    return logits.softmax(-1)
