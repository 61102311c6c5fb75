"""A record of how a text came to be, one step at a time.

Whatever writes a text (left to right, all over the place, or by taking words back) can say what it
did in the same four words: here is the text after this step, these positions were written, the
model gave them these probabilities, and these tokens were the road not taken. A generator that is
handed a list writes a `Step` into it after each forward pass; `page/player.py` shows the list.

    trace = Trace(label="left to right")
    generate(model, prompt, 20, trace=trace)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from utils.text.numbers import row_of_ids, whole

KINDS = ("ar", "diffusion")


@dataclass(frozen=True)
class Step:
    """The text after one step of a generator, and what that step wrote. It never changes.

    tokens: the ids of the whole text, length >= 1. It may grow from step to step (left to right) or
        keep its length, with mask ids where nothing has been written yet (diffusion).
    changed: the positions written at this step, 0 is the first token; may be empty, for a step that
        only looks, or that records the text as it was given.
    probability: what the model gave each of those tokens at the moment it wrote them, in [0, 1];
        where it took a token back, leaving a mask, what it gave the one taken back.
    note: a few words for the reader, such as "forced".
    alternatives: for each changed position, (token, probability) pairs of what else could have
        stood there; kept likeliest first. Leave it out where it was not recorded.

    A single number will do for a list of one; tensors and arrays are converted. Raises ValueError
    when the lengths disagree, a position is outside the text, a token below 0, or a probability
    outside [0, 1].
    """

    tokens: tuple[int, ...]
    changed: tuple[int, ...]
    probability: tuple[float, ...]
    note: str = ""
    alternatives: tuple[tuple[tuple[int, float], ...], ...] = ()

    def __post_init__(self) -> None:
        tokens = _ids("tokens", self.tokens)
        if not tokens:
            raise ValueError("tokens is empty: a step records the whole text, at least one token")
        if min(tokens) < 0:
            raise ValueError(f"token {min(tokens)} is outside the vocabulary; ids begin with 0")
        changed = _ids("changed", self.changed)
        for position in changed:
            if not 0 <= position < len(tokens):
                raise ValueError(
                    f"changed position {position} is outside the text of {len(tokens)} tokens "
                    f"(0..{len(tokens) - 1})"
                )
        if len(set(changed)) < len(changed):
            raise ValueError(f"changed names a position twice: {changed}")
        probability = tuple(_probability("probability", p) for p in _list(self.probability))
        if len(probability) != len(changed):
            raise ValueError(
                f"probability has {len(probability)} values for {len(changed)} changed positions; "
                "give one for each"
            )
        alternatives = tuple(_ranked(pairs) for pairs in _list(self.alternatives))
        if alternatives and len(alternatives) != len(changed):
            raise ValueError(
                f"alternatives has {len(alternatives)} lists for {len(changed)} changed positions; "
                "give one list of (token, probability) pairs for each, or none at all"
            )
        for name, value in (
            ("tokens", tokens),
            ("changed", changed),
            ("probability", probability),
            ("alternatives", alternatives),
        ):
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else


class Trace(list):
    """A list of `Step`s, and what to call it.

    label: shown beside the player, such as "forced to say no".
    kind: "ar" or "diffusion", which decides the colour. Left out, it is read off the steps: a text
        that grows or shrinks was written left to right.
    """

    def __init__(self, steps: Iterable[Step] = (), *, label: str = "", kind: str = ""):
        if kind and kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; choose one of {', '.join(map(repr, KINDS))}")
        super().__init__(steps)
        self.label = label
        self._kind = kind

    @property
    def kind(self) -> str:
        return self._kind or kind_of(self)

    def __repr__(self) -> str:
        return f"Trace({self.label!r}, {len(self)} steps)"


def written(tokens, changed, probs, *, most=5, note="") -> Step:
    """The step that wrote `changed` positions of a text, with the likeliest of what else could
    have stood there.

    tokens: (length,) ids, after the step. changed: k positions. probs: (k, vocab), what the model
    gave every token there. most: how many alternatives are kept; those without any chance are not.
    """
    most = whole("most", most, "keep 0 or more", least=0)
    text = Step(tokens, changed, [0.0] * len(_list(changed)))  # checked, before it is looked up
    tokens, changed = text.tokens, text.changed
    if probs.shape[:-1] != (len(changed),):
        raise ValueError(
            f"probs has shape {tuple(probs.shape)}; give a row for each of the {len(changed)} "
            "changed positions, what each token of the vocabulary was given there"
        )
    own = row_of_ids([tokens[position] for position in changed], probs.shape[-1])
    likeliest = probs.argsort(dim=-1, descending=True, stable=True)[:, : most + 1].tolist()
    probs = probs.cpu()
    others = [
        [(i, float(p[i])) for i in best if i != token and p[i] > 0][:most]
        for token, best, p in zip(own, likeliest, probs, strict=True)
    ]
    given = [float(p[token]) for token, p in zip(own, probs, strict=True)]
    return Step(tokens, changed, given, note=note, alternatives=others)


def check_list(name, value) -> None:
    """Raise TypeError unless something can be appended to it, or it is None."""
    if value is not None and not hasattr(value, "append"):
        raise TypeError(f"{name} is {value!r}; give a list that is to be filled, or None")


def kind_of(steps: list[Step]) -> str:
    """ "ar" if the text's length changes, or its only step wrote its end; else "diffusion"."""
    lengths = {len(step.tokens) for step in steps}
    only_step_wrote_the_end = len(steps) == 1 and steps[0].changed == (len(steps[0].tokens) - 1,)
    return "ar" if len(lengths) > 1 or only_step_wrote_the_end else "diffusion"


def _list(value: Any) -> list:
    """A list from a scalar, a sequence, or anything with .tolist(): a tensor, an array."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Iterable) and not isinstance(value, str):
        return list(value)
    return [value]


def _ids(name: str, value: Any) -> tuple[int, ...]:
    ids = [item.tolist() if hasattr(item, "tolist") else item for item in _list(value)]
    for item in ids:
        if isinstance(item, list):
            raise ValueError(f"{name} must be one text, a row of ids; pick one row of the batch")
        if not isinstance(item, int) or isinstance(item, bool):
            raise ValueError(f"{name} must be whole numbers, got {item!r}")
    return tuple(ids)


def _probability(name: str, value: Any) -> float:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ValueError(f"{name} must be numbers between 0 and 1, got {value!r}")
    if not -1e-6 <= value <= 1 + 1e-6:  # a softmax in float32 may end a hair above 1
        raise ValueError(f"{name} {value} is outside [0, 1]; take the softmax of the logits first")
    return min(max(float(value), 0.0), 1.0)


def _ranked(pairs: Any) -> tuple[tuple[int, float], ...]:
    try:
        pairs = [(token, p) for token, p in pairs]
    except (TypeError, ValueError):
        raise ValueError(
            f"alternatives must be a list of (token, probability) pairs for each changed position, "
            f"got {pairs!r}"
        ) from None
    ranked = [
        (_ids("alternatives", t)[0], _probability("probability of an alternative", p))
        for t, p in pairs
    ]
    return tuple(sorted(ranked, key=lambda pair: (-pair[1], pair[0])))
