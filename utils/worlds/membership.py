"""What a writer wrote, read as sentences: where each ends, whether it belongs to the language, and
whether it was there before.

A batch of texts that end at different times is filled up with the full stop, over and over; here
nothing counts after the first. For a world whose sentences end in a full stop, such as `Sentences`.
"""

from __future__ import annotations

from collections.abc import Set

import torch


def ended(world, rows: torch.Tensor) -> torch.Tensor:
    """The rows with padding after their first full stop: (n, t) int64 -> (n, t) int64."""
    stops = rows == world.vocab.id(".")
    before = stops.cumsum(1) - stops.long()  # full stops before each position
    return torch.where(before > 0, world.vocab.pad_id, rows)


def is_sentence(world, rows: torch.Tensor) -> torch.Tensor:
    """Which rows are whole sentences of the language: (n, t) int64 -> (n,) bool."""
    has_ended = (rows == world.vocab.id(".")).any(1)
    return torch.isfinite(world.log_prob(ended(world, rows))) & has_ended


def without_padding(world, rows: torch.Tensor) -> list[torch.Tensor]:
    """Each row up to its padding, as `markov.fit` reads them: (n, t) int64 -> n times (length,)."""
    return [row[row != world.vocab.pad_id] for row in rows]


def is_new(world, rows: torch.Tensor, known: Set[tuple[int, ...]]) -> torch.Tensor:
    """Which rows are not among the known ones: (n, t) int64 -> (n,) bool.

    known: tuples of ids without padding, {tuple(row.tolist()) for row in without_padding(…)}.
    """
    texts = without_padding(world, ended(world, rows))
    return torch.tensor([tuple(text.tolist()) not in known for text in texts], dtype=torch.bool)
