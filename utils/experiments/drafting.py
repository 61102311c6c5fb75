"""How many tokens come of a pass of SmolLM2 if nothing but its own text is used to guess ahead.

It is asked to repeat a passage, where the guess is often right, and to tell a story, where little
has been said before. Each answer is written one token at a time, too: the two must be the same.
"""

import itertools
from dataclasses import dataclass

import torch

from utils.generation import sampling, speculative
from utils.models import smollm
from utils.text import corpus
from utils.text.numbers import whole

PASSAGES, WORDS = 20, 24
NEW, AHEAD = 40, 4  # tokens that are written, and guessed before each pass
TOPICS = (
    "a lighthouse, a broken clock, two sisters, a lost dog, the last train, an old bridge, "
    "a garden, a storm at sea, a letter, a baker, a mountain, a violin, a secret door, "
    "a winter night, a market, a fox, a kite, a river, a new teacher, the moon"
).split(", ")


@dataclass(frozen=True)
class Draft:
    """kind: "repeat" or "story". tokens: how many came of each pass, up to the token that ends the
    answer. same: whether the text is the one that the model writes one token at a time."""

    kind: str
    tokens: list[int]
    same: bool


def passages(n=PASSAGES) -> list[str]:
    """n beginnings of sentences, spread over the held-out tenth of the King James Bible."""
    n = whole("n", n, f"choose 1 to {PASSAGES}", least=1, most=PASSAGES)
    words = corpus.split(corpus.kjv())[1].split()
    found = []
    for k in range(n):
        start = k * len(words) // n
        while not words[start].endswith("."):
            start += 1
        found.append(" ".join(words[start + 1 : start + 1 + WORDS]))
    return found


def requests(n=PASSAGES) -> list[tuple[str, str]]:
    """(kind, request), n of each."""
    repeat = [f"Repeat this text, word for word: {text}" for text in passages(n)]
    stories = [f"Tell me a story about {topic}." for topic in TOPICS[: len(repeat)]]
    return [("repeat", each) for each in repeat] + [("story", each) for each in stories]


def ask(asked=None) -> list[Draft]:
    """Write each answer both ways, greedily."""
    model, tokenizer = smollm.load()
    found = []
    for kind, request in requests() if asked is None else asked:
        prompt = tokenizer.encode(smollm.chat_prompt(request))[None]
        alone = sampling.generate(model, prompt, NEW, stop=tokenizer.stop)
        history = []
        drafter = speculative.Lookup()
        ours = speculative.generate(model, prompt, NEW, drafter, ahead=AHEAD, history=history)
        same = torch.equal(alone, ours[:, : alone.shape[1]])
        found.append(Draft(kind, until(history, alone.shape[1] - prompt.shape[1]), same))
    return found


def until(history: list[int], end) -> list[int]:
    """Of the tokens that came of each pass those up to the end; passes after it do not count."""
    before = itertools.accumulate(history, initial=0)
    return [min(k, end - n) for k, n in zip(history, before, strict=False) if n < end]
