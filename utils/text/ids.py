"""Tokens that a reader gives by their ids: each is one, or an error says what would do.

A tensor takes -1 for the last token of a vocabulary, 1.5 for 1 and True for 1, in silence; and a
text of floats or of truth values is a tensor, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from utils.text.numbers import whole


def size_for(model: Any) -> int | None:
    """How many tokens a model knows; None of a mere function of tokens."""
    config = getattr(model, "config", None)
    return config and config.vocab_size


def checked_mask(mask_id: Any, size: int | None = None) -> int:
    """The id of the mask as an int, in a vocabulary of this size where that is known. Raises
    ValueError for what is none."""
    advice = "give the id that the model was trained to fill in, such as world.vocab.mask_id"
    if size is None:
        return whole("mask_id", mask_id, advice, least=0)
    advice = f"the model's vocabulary is 0..{size - 1}; {advice}"
    return whole("mask_id", mask_id, advice, least=0, most=size - 1)


def token_ids(
    name: str, ids: Any, size: int | None = None, *, fewest: int = 1, device=None
) -> torch.Tensor:
    """One token id or several, in whatever form, as a row: (k,) int64.

    name: the argument's. size: of the vocabulary, where it is known. fewest: how many there must
    be. Raises ValueError for what is no id, or none of this vocabulary.
    """
    which = "tokens" if size is None else f"tokens, each one of the vocabulary (0..{size - 1})"
    advice = f"give the ids of {which}"
    if not isinstance(ids, torch.Tensor) or ids.dtype != torch.int64:
        ids = ids.tolist() if hasattr(ids, "tolist") else ids
        one = isinstance(ids, str | bytes) or not isinstance(ids, Iterable)
        ids = [ids] if one else list(ids)
        if not set(map(type, ids)) <= {int}:
            ids = [whole(name, each, advice) for each in ids]
        out = [each for each in ids if not 0 <= each < 2**63]
        if out:
            raise ValueError(f"{name} is {out[0]}; {advice}")
        ids = torch.tensor(ids, dtype=torch.int64)
    ids = ids.reshape(-1).to(device)
    if len(ids) < fewest:
        raise ValueError(f"{name} is empty; {advice}")
    if len(ids):
        low, high = (int(end) for end in ids.aminmax())
        if low < 0 or (size is not None and high >= size):
            raise ValueError(f"{name} is {low if low < 0 else high}; {advice}")
    return ids


def check_text(tokens: Any) -> None:
    """The same as `check_texts` for one text, (length,) int64."""
    check_texts(tokens[None] if isinstance(tokens, torch.Tensor) else tokens)


def check_texts(tokens: Any, size: int | None = None) -> None:
    """Raise a clear error unless these are texts side by side, (batch, length) int64 with at least
    one token in each, all of them from a vocabulary of this size where that is known: TypeError for
    another kind, else ValueError."""
    if not isinstance(tokens, torch.Tensor) or tokens.dtype != torch.int64:
        kind = getattr(tokens, "dtype", type(tokens).__name__)
        raise TypeError(f"tokens are {kind}; give int64 ids, such as torch.tensor([[3, 1, 4]])")
    if tokens.dim() != 2 or tokens.numel() == 0:
        raise ValueError(
            f"tokens have shape {tuple(tokens.shape)}; give (batch, length) with at least one "
            "token in each row; tokens[None] makes one text a batch"
        )
    low, high = (int(end) for end in tokens.aminmax())
    if low < 0 or (size is not None and high >= size):
        which = "" if size is None else f" (0..{size - 1})"
        raise ValueError(
            f"token {low if low < 0 else high} is outside the vocabulary{which}; encode the text "
            "with the model's own vocabulary"
        )
