"""In which order a denoiser puts down its words: do connecting words come before ideas?

Grammarians part the words of a language in two. *Function words* (articles, pronouns, prepositions,
conjunctions, auxiliary verbs; here with the punctuation) are few, and tie a sentence together.
*Content words* (nouns, verbs, adjectives, adverbs) are many, and say what it is about. Take a
function word and a content word of one text: which was put down first? In a random order it is
either, as often. Function words are also the frequent ones, so the same is asked of pairs of words
that are about equally frequent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch

from utils.models.temperature import checked_choice
from utils.text import chance
from utils.text.ids import check_texts, checked_mask

ORDERS = ("confidence", "random")
PUNCTUATION = re.compile(r"\s*[,.;:?!]")
FUNCTION_WORDS = frozenset(
    # articles, quantifiers, and what points
    "the a an this that these those each every all any some many two both either neither same such "
    # pronouns
    "i me my mine we us our thou thee thy thine ye you your he him his she her it its they them "
    "their who whom whose which what himself themselves thyself myself "
    # prepositions
    "of to in into unto upon on with from by at before after against among between through over "
    "under above about without within out up down near behind outside toward "
    # conjunctions, and what joins in their way
    "and or but nor for so yet if because when while as than lest until till though therefore "
    "wherefore thus then not no there here "
    # auxiliary verbs
    "is are am art was were be been hath hast have has had do doth did shall shalt will wilt would "
    "should may might can could let".split()
)


def kinds(pieces: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of each token of a vocabulary, (vocab,) bool each: may it be a function word, may it be a
    content word, does it begin a new word.

    pieces: the tokens' texts, where a space begins a word. A content word has three letters or
    more, since shorter pieces are mostly beginnings. Whether a token is a whole word depends on the
    one that follows: see `words`.
    """
    function, content, begins = [], [], []
    for piece in pieces:
        word = piece.strip().lower()
        mark = bool(PUNCTUATION.fullmatch(piece))
        known = mark or (piece.startswith(" ") and word in FUNCTION_WORDS)
        function.append(known)
        content.append(piece.startswith(" ") and word.isalpha() and len(word) > 2 and not known)
        begins.append(not piece[:1].isalpha())
    return torch.tensor(function), torch.tensor(content), torch.tensor(begins)


def words(tokens, pieces: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Where function words and where content words stand, (batch, length) bool each: tokens that
    are a whole word, for what follows does not go on with it."""
    function, content, begins = kinds(pieces)
    ended = torch.ones_like(tokens, dtype=torch.bool)
    ended[:, :-1] = begins[tokens[:, 1:]]
    return function[tokens] & ended, content[tokens] & ended


@torch.no_grad()
def when_filled(say, tokens, mask_id, *, order="confidence", draw=False, generator=None):
    """Fill one mask of each row a pass: (pass in which each place was filled, else 0; the texts).

    say: `say(tokens)` -> (batch, length, vocab) log-probabilities. order: "confidence", the place
    whose likeliest token is likeliest, or "random". draw: each token as it is said, instead of the
    likeliest. Raises ValueError for another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; choose one of {', '.join(map(repr, ORDERS))}")
    mask_id = checked_mask(mask_id)
    check_texts(tokens)
    tokens, when = tokens.clone(), torch.zeros(tokens.shape, dtype=torch.int64)
    for i in range(1, 1 + int((tokens == mask_id).sum(1).max())):
        rows = (tokens == mask_id).any(1).nonzero()[:, 0]
        blank = tokens[rows] == mask_id
        said = say(tokens[rows])
        first = chance.uniform(blank.shape, device=tokens.device, generator=generator)
        first = said.amax(-1) if order == "confidence" else first
        at = first.masked_fill(~blank, -torch.inf).argmax(1)
        said = said[torch.arange(len(rows)), at]  # (rows, vocab)
        waits = chance.exponential_like(said, generator) if draw else 1.0
        tokens[rows, at] = checked_choice((said.exp() / waits).argmax(-1), said, above=-math.inf)
        when[rows, at] = i
    return when, tokens


def pairs(when, function, content, rarity=None, within=None):
    """Of all pairs of a function word and a content word of one text: (how many, in how many the
    function word was put down first), (batch,) each.

    function, content: (batch, length) bool. rarity, within: only pairs that differ by at most so
    many bits in `rarity`, (batch, length), the surprise of someone who knows only how frequent each
    word is.
    """
    filled = when > 0
    both = (function & filled)[:, :, None] & (content & filled)[:, None, :]
    if within is not None:
        both &= (rarity[:, :, None] - rarity[:, None, :]).abs() <= within
    sooner = when[:, :, None] < when[:, None, :]
    return both.sum((1, 2)), (both & sooner).sum((1, 2))
