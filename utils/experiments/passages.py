"""Forty passages of two sentences, written for this book, and a causal model that is to match them.

Forward: given the first sentence, find the second among all forty. Backward: given the second, find
the first. A causal model gives a table of p(second | first), and Bayes' rule both answers. Each
sentence is the right one once, so beforehand all are equally likely, however improbable the model
finds some of them: forward, p(second | first) is divided by the model's p(second), and backward
p(second | first) is compared as it is. Nothing is written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from utils.models.kv_cache import KVCache

DATA = Path(__file__).resolve().parent / "data"
FILE, FRESH = DATA / "passages.json", DATA / "fresh_passages.json"  # forty each


def load(path: Path = FILE) -> list[tuple[str, str]]:
    """The passages: (first sentence, second sentence)."""
    return [tuple(pair) for pair in json.loads(path.read_text("utf-8"))]


@dataclass(frozen=True)
class Matches:
    """Log-probabilities in nats, and what they answer.

    first: (n,) of each first sentence at the start of a text; second: (n,) of each second sentence
    there; after: (n, n) of each second sentence (column) after each first one (row).
    before: (n, n) of each first sentence (column) after each second one (row): the wrong order.
    """

    first: torch.Tensor
    second: torch.Tensor
    after: torch.Tensor
    before: torch.Tensor

    def right(self) -> dict[str, torch.Tensor]:
        """Which are found among all, {question: (n,) bool}. "next" takes the second sentence that
        gains most by standing after the first; "before, by Bayes" the first sentence after which
        the second is likeliest; "before, written on" the one that gains most by standing after
        the second. "before, model's prior" takes the likeliest passage, as if the likelier first
        sentences were asked for more often, and the last the likeliest first sentence."""
        own = torch.arange(len(self.first))
        return {
            "next": (self.after - self.second).argmax(1) == own,
            "before, by Bayes": self.after.argmax(0) == own,
            "before, written on": (self.before - self.first).argmax(1) == own,
            "before, model's prior": (self.after + self.first[:, None]).argmax(0) == own,
            "before, p(first) alone": self.first.argmax() == own,
        }


def averaged(said: Matches) -> dict[str, torch.Tensor]:
    """Two of the answers by another yardstick: which are found, {question: (n,) bool}.

    What a sentence gains by standing after another is p(sentence | other) over how likely it is on
    its own. Here that is no longer p(sentence) at the start of a text but the mean of
    p(sentence | other) over all n others, as it is where each of them is equally likely.
    """
    own = torch.arange(len(said.first))
    return {
        name: (table - table.logsumexp(0)).argmax(1) == own
        for name, table in (("next", said.after), ("before, written on", said.before))
    }


@torch.no_grad()
def match(model, tokenizer, passages, start_id) -> Matches:
    """Score every second sentence after every first one, and the other way round.

    start_id: the token that begins a text.
    """
    firsts, seconds = (
        [tokenizer.encode(text) for text in texts]
        for texts in (
            [first for first, _ in passages] + [" " + first for first, _ in passages],
            [second for _, second in passages] + [" " + second for _, second in passages],
        )
    )
    n, start = len(passages), torch.tensor([start_id])
    return Matches(
        _after(model, start, firsts[:n]),
        _after(model, start, seconds[:n]),
        torch.stack([_after(model, torch.cat([start, f]), seconds[n:]) for f in firsts[:n]]),
        torch.stack([_after(model, torch.cat([start, s]), firsts[n:]) for s in seconds[:n]]),
    )


def _after(model, given, texts):
    """log p(text | given) of each text, in nats: (n,). What is given is read once."""
    longest = max(map(len, texts))
    rows = torch.stack([torch.cat([text, text[-1:].expand(longest - len(text))]) for text in texts])
    once = KVCache.like(model, 1, len(given))
    last = model(given[None], once)[:, -1:].expand(len(texts), -1, -1)
    cache = KVCache.like(model, len(texts), len(given) + longest)
    for kept, read in ((cache.keys, once.keys), (cache.values, once.values)):
        kept[..., : len(given), :] = read  # the same for all
    cache.length = len(given)
    logits = torch.cat([last, model(rows[:, :-1], cache)], 1)
    said = logits.log_softmax(-1).gather(-1, rows[..., None])[..., 0]  # (n, longest)
    lengths = torch.tensor([len(text) for text in texts])
    return said.masked_fill(torch.arange(longest) >= lengths[:, None], 0.0).sum(1)
