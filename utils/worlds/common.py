"""What all worlds share: how they look at rows of tokens."""

from __future__ import annotations

import numpy as np
import torch


def checked(tokens: torch.Tensor, world) -> np.ndarray:
    """The rows as an array, (n, t). Raises TypeError or ValueError where it cannot be read."""
    if not isinstance(tokens, torch.Tensor) or tokens.dtype != torch.int64:
        raise TypeError("tokens must be an int64 tensor; world.vocab.encode makes one from text")
    array = tokens.cpu().numpy()
    if array.ndim != 2 or not 1 <= array.shape[1] <= world.length:
        raise ValueError(
            f"tokens has shape {tuple(array.shape)}; "
            f"expected (n, t) with t from 1 to {world.length}"
        )
    wrong = array[(array < 0) | (array >= len(world.vocab))]
    if wrong.size:
        raise ValueError(
            f"token {wrong[0]} is outside the vocabulary (0..{len(world.vocab) - 1}); "
            "encode the text with world.vocab.encode"
        )
    return array


def until_impossible(scores: np.ndarray) -> torch.Tensor:
    """Log-probabilities by position, (n, t), where nothing counts after the first -inf.

    What follows an impossible word has no meaning: -inf once, then 0.
    """
    dead = np.isinf(scores)
    return torch.from_numpy(np.where(dead.cumsum(1) - dead > 0, 0.0, scores))
