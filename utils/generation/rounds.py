"""One loop for all that goes over a text again and again: repeat until nothing changes."""

from collections.abc import Iterable

import torch

from utils.text.ids import check_texts
from utils.text.numbers import LARGEST, whole
from utils.text.trace import check_list


def until_settled(tokens, change, rounds):
    """Let `change(rows)` rewrite the rows, (n, length) -> the same, for so many rounds at most.

    tokens: (batch, length) int64, which stay as they are; a new tensor is returned. A row that
    comes out as it went in is left alone from then on. Raises ValueError for rounds below 1.
    """
    rounds = whole("rounds", rounds, "choose 1 or more", least=1)
    tokens, unsettled = tokens.clone(), torch.arange(len(tokens), device=tokens.device)
    for _ in range(rounds):
        before = tokens[unsettled]
        after = change(before)
        tokens[unsettled] = after
        unsettled = unsettled[(after != before).any(1)]
        if not len(unsettled):
            break
    return tokens


def checked_positions(tokens, positions, name="positions"):
    """The positions as a tensor, (k,) int64; a clear error, with the name of the argument, unless
    all are in the text, and that is one."""
    check_texts(tokens)
    length = tokens.shape[1]
    advice = f"name at least one of 0 to {length - 1}"
    if not isinstance(positions, torch.Tensor) or positions.dtype != torch.int64:
        given = positions.tolist() if hasattr(positions, "tolist") else positions
        given = given if isinstance(given, Iterable) else [given]
        positions = [whole(name, each, advice, least=-LARGEST) for each in given]
    positions = torch.as_tensor(positions, dtype=torch.int64, device=tokens.device).reshape(-1)
    if not len(positions) or not (0 <= int(positions.min()) <= int(positions.max()) < length):
        raise ValueError(f"{name} is {positions.tolist()}; {advice}")
    return positions


def check_one_text(tokens, trace):
    """Raise a clear error where a trace is asked for and there is more than one text to follow, or
    no list to write it into."""
    check_list("trace", trace)
    if trace is not None and len(tokens) > 1:
        raise ValueError(f"a trace follows one text but there are {len(tokens)} rows; pass one row")
