"""How far ahead is a text settled? Cut one that a model has written, and let it go on many times.

After a cut the model continues with other dice. What all continuations have in common was settled
at the cut; where they part, it was not. `after_cut` says, for each of the next tokens, how much of
it is open: the mixture of what the model says in all continuations is its distribution given the
text up to the cut alone. It is estimated from so many continuations, and with few of them looks
more settled than it is, which `half` shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from utils.experiments.planning import bits
from utils.generation.sampling import generate
from utils.models import smollm
from utils.models.kv_cache import KVCache
from utils.models.transformer import LAST

REQUESTS = (
    "Tell me a short story about a lighthouse keeper.",
    "Describe a market on a rainy morning.",
    "Explain how bread is made.",
    "Tell me a short story about a lost dog.",
    "Describe an old library.",
    "Explain why leaves change colour in autumn.",
    "Write a letter to a friend who has moved away.",
    "Describe the sea at night.",
    "Explain how a bicycle stays upright.",
    "Write a short speech for a retiring teacher.",
    "Describe a long train journey.",
    "Explain what a bank does.",
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday "
_MONTHS = "January February March April May June July August September October November December "
_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z"
RECITED = (  # (request, the only answer there is), for what must look settled
    ("Count from one to twenty in words.", _ONES),
    ("Count from twenty down to one in words.", " ".join(reversed(_ONES.split()))),
    (
        "Count from two to thirty-two in words, in twos.",
        " ".join(_ONES.split()[1::2])
        + " twenty-two twenty-four twenty-six twenty-eight thirty thirty-two",
    ),
    (
        "Count from first to seventeenth in words.",
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth",
    ),
    ("Say the alphabet in small letters.", _LETTERS),
    ("Say the alphabet in capital letters.", _LETTERS.upper()),
    ("Say the alphabet in small letters, beginning with k.", _LETTERS[20:]),
    ("Name the days of the week, three times.", 3 * _DAYS),
    ("Name the days of the week three times, beginning with Thursday.", (4 * _DAYS)[25:]),
    ("Name the days of the week three times, in small letters.", 3 * _DAYS.lower()),
    ("Name the months of the year, twice.", 2 * _MONTHS),
    ("Name the months of the year twice, beginning with June.", (3 * _MONTHS)[33:]),
)
RECITED_AT = 8  # tokens before the cut, of those
CUTS, AHEAD, CONTINUATIONS, TOKENS = (4, 12, 20), 8, 64, 28
SHOWN = 4  # continuations whose words are kept


@dataclass(frozen=True)
class Cut:
    """One text after one cut. Of each of the next tokens, in order:

    bits: how much of it is open. half: the same by half of the continuations. next_bits: how open
    it is once all before it stand, on average. most: the probability of the likeliest token. same:
    that of the token which stood there before the cut.
    request: what was asked. at: tokens before the cut. kept, went_on: the words before the cut, and
    some of the continuations.
    """

    request: str
    at: int
    bits: list[float]
    half: list[float]
    next_bits: list[float]
    most: list[float]
    same: list[float]
    kept: str
    went_on: list[str]


def own_text(model, tokenizer, request, *, seed):
    """What the model answers, drawn at temperature 1: ids of the prompt and of the answer."""
    prompt = tokenizer.encode(smollm.chat_prompt(request))
    dice = torch.Generator().manual_seed(seed)
    text = generate(model, prompt[None], TOKENS, temperature=1.0, generator=dice)
    return prompt, text[0, len(prompt) :]


def mixtures(model, tokens, *, ahead=AHEAD, n=CONTINUATIONS, seed):
    """What a model says of the next `ahead` tokens, given no more than `tokens`, (length,): for
    each the distributions in n continuations, (ahead, n, vocab), and these, (n, ahead).

    In all continuations the first is the same; the mean over n is the mixture.
    """
    dice = torch.Generator().manual_seed(seed)
    read = len(tokens) - 1
    once = KVCache.like(model, 1, max(read, 1))
    cache = KVCache.like(model, n, read + ahead)
    with torch.inference_mode():
        if read:  # once, for all continuations
            model(tokens[None, :-1], once)
        cache.keys[..., :read, :] = once.keys[..., :read, :]
        cache.values[..., :read, :] = once.values[..., :read, :]
        cache.length = read
        unread, said, drawn = tokens[-1:].repeat(n, 1), [], []
        for _ in range(ahead):
            chances = model(unread, cache, LAST).softmax(-1)
            said.append(chances)
            unread = chances.multinomial(1, generator=dice)
            drawn.append(unread)
    return torch.stack(said), torch.cat(drawn, 1)


def after_cut(model, tokenizer, request, prompt, answer, at, *, seed) -> Cut:
    """Cut an answer after `at` tokens and let the model go on."""
    said, drawn = mixtures(model, torch.cat([prompt, answer[:at]]), seed=seed)
    mixed = said.mean(1)
    before = answer[at : at + AHEAD, None]

    def rounded(numbers):
        return [round(x, 4) for x in numbers.tolist()]

    return Cut(
        request=request,
        at=at,
        bits=rounded(bits(mixed)),
        half=rounded(bits(said[:, : CONTINUATIONS // 2].mean(1))),
        next_bits=rounded(bits(said).mean(1)),
        most=rounded(mixed.amax(1)),
        same=rounded(mixed.gather(1, before)[:, 0]),
        kept=tokenizer.decode(answer[:at]),
        went_on=[tokenizer.decode(row) for row in drawn[:SHOWN]],
    )


def ask(requests=REQUESTS) -> list[Cut]:
    """Let SmolLM2 answer every request, and cut each answer. Minutes."""
    model, tokenizer = smollm.load()
    found = []
    for seed, request in enumerate(requests):
        prompt, answer = own_text(model, tokenizer, request, seed=seed)
        for at in CUTS:
            how = {"seed": 1000 + seed}
            found.append(after_cut(model, tokenizer, request, prompt, answer, at, **how))
    return found


def recite(recited=RECITED) -> list[Cut]:
    """Let SmolLM2 begin an answer that can go on in one way only, and cut that: the positive
    control. What is known by heart must look settled, or `after_cut` finds nothing."""
    model, tokenizer = smollm.load()
    found = []
    for seed, (request, answer) in enumerate(recited):
        prompt, text = (tokenizer.encode(t) for t in (smollm.chat_prompt(request), answer.strip()))
        how = {"seed": 2000 + seed}
        found.append(after_cut(model, tokenizer, request, prompt, text, RECITED_AT, **how))
    return found
