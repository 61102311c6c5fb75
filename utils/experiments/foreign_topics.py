"""What SmolLM2 makes of `Topics`, a language that it never learned.

It reads the words themselves, ` wave sail cow ...`, and knows from elsewhere what they mean. The
exact belief is known as ever, so a large model can be asked what our own are asked in `states`: is
the belief in its states, and does it hand it on?
"""

from __future__ import annotations

import torch

from utils.experiments import states
from utils.experiments.states import After, Known
from utils.text.numbers import whole

BEGIN = "<|im_start|>"  # of a text, for SmolLM2
LAST = 8  # words that somebody with a short memory has seen
FIRST = 17  # the first place that is asked about, where there are older words


def in_tokens(world, tokenizer, rows: torch.Tensor) -> torch.Tensor:
    """Texts (n, t) of a world of words in a model's own tokens, (n, t): one a word, each with the
    space before it. Raises ValueError if a word takes more than one."""
    ids = [
        tokenizer.encode(BEGIN if w in world.vocab.hidden else f" {w}") for w in world.vocab.tokens
    ]
    long = [w for w, found in zip(world.vocab.tokens, ids, strict=True) if len(found) != 1]
    if long:
        raise ValueError(f"{long[0]!r} is not one token of this tokenizer; choose other words")
    return torch.cat(ids)[rows]


@torch.no_grad()
def streams(model, tokens: torch.Tensor, layers) -> torch.Tensor:
    """What some of the layers leave in the stream, (layers, texts, places, width)."""
    found = [states.streams(model, few)[list(layers)] for few in tokens.split(8)]
    return torch.cat(found, 1)


def older_words(world, rows: torch.Tensor) -> torch.Tensor:
    """What the words before the last few add to the exact belief, from the seventeenth place on:
    (n, t) -> (n, t - 17, 3)."""
    return (world.beliefs(rows) - world.beliefs(rows, last=LAST))[:, FIRST:]


def counts(world, rows: torch.Tensor) -> torch.Tensor:
    """How often each word has been said by each place, as a share: (n, t) -> (n, t - 17, vocab).
    Whoever reads the belief off this has not looked inside any model."""
    said = torch.nn.functional.one_hot(rows, len(world.vocab)).double().cumsum(1)
    return (said / said.sum(-1, keepdim=True))[:, FIRST:]


def read_off(learned, fresh, targets, *, ridge: float) -> Known:
    """What the best linear reading of some states, (texts, places, width), gives on fresh ones;
    targets: of both."""
    read = states.regression(learned, targets[0], ridge=ridge)
    return states.known(read, fresh, targets[1])


@torch.no_grad()
def swap(
    model, tokens, donors, bases, place: int, words: int, wanted, *, whole_past=False
) -> After:
    """`states.after_swap` for a model that does not know the language: what is due is not what
    Bayes' rule says, but what the model itself expects when it has read the donor's text up to
    `place` and then its own. wanted: the ids of the words; how likely each is among them counts.

    Raises ValueError for a place outside the texts or more words than follow.
    """
    last = tokens.shape[1] - 1
    place = whole("place", place, f"choose 1 to {last - 1}", least=1, most=last - 1)
    words = whole("words", words, f"choose 1 to {last - place}", least=1, most=last - place)
    seen = slice(place, place + words)
    places = slice(1 if whole_past else place, place + 1)
    spliced = torch.cat([donors[:, : place + 1], tokens[:, place + 1 :]], 1)

    def expects(logits):
        return logits[:, seen][..., wanted].double().softmax(-1)

    before, there = expects(model(tokens)), expects(model(spliced))
    after = expects(states.swapped(model, tokens, donors, bases, places))
    due = there - before
    return After(((after - before) * due).sum(-1), (due * due).sum(-1))
