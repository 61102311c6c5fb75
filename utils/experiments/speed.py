"""What a sampler writes in a small language, exactly, and in how many passes (chapter 12).

A text of n letters out of V has (V + 1)^n states while it is filled in: each place holds a letter
or a blank. A model says of each blank of each state how likely each letter is there. From that
follows, without any sampling, how often each text is written, whatever the rule: start with all
chance on the state of blanks, and let each pass carry it on. So the loss of a sampler is known to
the last digit, and with the true probabilities in place of a model it is the sampler's alone.

`truth` says what the language itself would, `asked` what a model of blocks does; both block by
block, each block once for every text that may stand before it. `write` and `fixed` are the ways to
fill a block. At one token a pass and with the truth, nothing is lost; at several, what is lost in a
pass is what its places know of each other (the conditional total correlation: Kang et al. 2025,
arXiv:2510.04767).
"""

import itertools
from dataclasses import dataclass
from functools import cache

import torch

from utils.generation.blocks import Reader
from utils.text.numbers import real, whole

WHICH = ("likeliest", "drawn", "random")
RARE = 0.01  # the rarest texts, which a language writes once in a hundred times, count as wrong


@dataclass(frozen=True)
class Law:
    """log_probs: of each text in the order of the alphabet, (V^n,) float64, nats. passes: what a
    text takes on average, those that read a finished block not counted."""

    log_probs: torch.Tensor
    passes: float

    def lost(self, probs: torch.Tensor) -> float:
        """KL from the language to what is written, in nats a text. probs: (V^n,), in any shape."""
        probs = probs.flatten()
        some = probs > 0
        return float((probs[some] * (probs[some].log() - self.log_probs[some])).sum())

    def apart(self, probs: torch.Tensor) -> float:
        """Total variation between the two."""
        return float((self.log_probs.exp() - probs.flatten()).abs().sum() / 2)

    def wrong(self, probs: torch.Tensor, rare: float = 0.0) -> float:
        """Sequence error: how often a text is written that the language hardly has, one of the
        rarest, which it writes with probability `rare` in all. 0: one that it does not have.

        Where the line falls among equally likely texts, each of them counts in part, so that the
        language itself always has exactly this error.
        """
        rare = real("rare", rare, "choose a probability from 0 to 1", least=0, most=1)
        probs = probs.flatten().double()
        levels, level = probs.log().round(decimals=9).unique(return_inverse=True)  # rarest first
        held = torch.zeros_like(levels).index_add(0, level, probs)
        part = ((rare - (held.cumsum(0) - held)) / held).clamp(0, 1)
        part[held == 0] = 1
        return float(self.log_probs.exp() @ part[level])


def truth(probs: torch.Tensor, size: int) -> list[torch.Tensor]:
    """What a language says of its blocks. probs: of each text, (V,) * n float64.

    Returns for each block (texts before it, (V + 1)^size states, size, V): how likely each letter
    is in each place. Of a state that no text fits, it says that all letters are as likely.
    """
    letters, n = probs.shape[0], probs.ndim
    size = _size(size, n)
    return [
        _conditionals(probs.reshape(letters**start, *[letters] * size, -1).sum(-1))
        for start in range(0, n, size)
    ]


def _conditionals(joint):
    """joint: (contexts, V, …, V). Each axis gets the sum over it as its last entry, for a blank."""
    places, letters = range(1, joint.ndim), joint.shape[1]
    for axis in places:
        joint = torch.cat([joint, joint.sum(axis, keepdim=True)], axis)
    said = []
    for axis in places:
        each, total = joint.split([letters, 1], axis)
        share = torch.where(total > 0, each / total, 1 / letters)
        said.append(share.movedim(axis, -1).unsqueeze(axis).expand(*joint.shape, letters))
    return torch.stack(said, -2).flatten(1, len(places))


@torch.no_grad()
def asked(model, world, size: int) -> list[torch.Tensor]:
    """The same of a causal model that was trained for blocks of this size (`blocks.loss`)."""
    letters, n = len(world.vocab) - 2, world.length - 1
    size = _size(size, n)
    states = _digits(letters + 1, size)
    states = torch.where(states == letters, world.vocab.mask_id, states)
    found = []
    for start in range(0, n, size):
        before = _digits(letters, start)
        rows = torch.nn.functional.pad(before, (1, 0), value=world.vocab.start_id)
        reader = Reader(model, len(rows) * len(states))
        reader.keep(rows.repeat_interleave(len(states), 0))
        said = reader.look(states.repeat(len(rows), 1))[..., :letters]
        found.append(said.double().softmax(-1).view(len(rows), len(states), size, letters))
    return found


def write(said: list[torch.Tensor], *, size=1, which="likeliest", threshold=None) -> Law:
    """What `blocks.write` writes at temperature 1 by the rule `Masks`.

    said: of each block, from `truth` or `asked`. size: tokens that a pass fills. which come first:
    "likeliest", the places where some letter is likely; "drawn", those where the letter drawn is,
    as the published rules have it; "random". threshold: what is surer than that is filled at once.
    """
    size = whole("size", size, "fill at least 1 token in a pass", least=1)
    if which not in WHICH:
        raise ValueError(f"which is {which!r}; choose one of {', '.join(map(repr, WHICH))}")
    if threshold is not None:
        threshold = real("threshold", threshold, "choose 0 to 1", least=0, most=1)
    return _chained([_filled(block, size, which, threshold) for block in said])


def _filled(said, size, which, threshold):
    """How likely each text of a block is written, after each context, and in how many passes."""
    contexts, states, n, letters = said.shape
    powers = (letters + 1) ** torch.arange(n - 1, -1, -1)
    chance = said.new_zeros(contexts, states)
    chance[:, -1] = 1  # nothing but blanks
    passes = said.new_zeros(contexts)
    for k in range(n, 0, -1):
        drawn = _digits(letters, k)  # (draws, k): what a pass may draw for the blanks
        for blanks in itertools.combinations(range(n), k):
            seen = [i for i in range(n) if i not in blanks]
            at = _digits(letters, n - k) @ powers[seen] + letters * powers[list(blanks)].sum()
            own = said[:, at][:, :, list(blanks)]  # (contexts, states, k, letters)
            own = own[
                :, :, torch.arange(k), drawn
            ]  # (contexts, states, draws, k): of what is drawn
            moved = chance[:, at, None] * own.prod(-1)
            passes += moved.sum((1, 2))
            step = (drawn - letters) * powers[list(blanks)]
            ways = _ways(said[:, at][:, :, list(blanks)], own, size, which, threshold)
            for put, share in ways:  # put: which blanks are filled
                to = (at[:, None] + (step * put).sum(-1)).expand_as(moved)
                chance.scatter_add_(1, to.flatten(1), (share * moved).flatten(1))
    texts = _digits(letters, n) @ powers
    return chance[:, texts].log(), passes


def _ways(said, own, size, which, threshold):
    """Which blanks a pass fills, bool (…, k), and how likely that is."""
    k = own.shape[-1]
    if which == "random":
        groups = list(itertools.combinations(range(k), min(size, k)))
        return [(torch.isin(torch.arange(k), torch.tensor(g)), 1 / len(groups)) for g in groups]
    sure = own if which == "drawn" else said.amax(-1)[:, :, None]
    put = sure.argsort(dim=-1, descending=True, stable=True).argsort(-1) < size
    if threshold is not None:
        high = sure > threshold
        put = torch.where(high.sum(-1, keepdim=True) >= size, high, put)
    return [(put, 1.0)]


def fixed(said: list[torch.Tensor], groups) -> Law:
    """What is written if the places of each block are filled group after group, such as
    [(0, 3), (1, 4), (2, 5)], whatever the model is sure of."""
    found = []
    for block in said:
        contexts, _, n, letters = block.shape
        if sorted(itertools.chain(*groups)) != list(range(n)):
            raise ValueError(f"groups are {groups}; name each of the places 0 to {n - 1} once")
        texts, powers = _digits(letters, n), (letters + 1) ** torch.arange(n - 1, -1, -1)
        state, total = texts.new_full((len(texts),), (letters + 1) ** n - 1), 0.0
        for group in groups:
            for i in group:
                total = total + block[:, state, i, texts[:, i]].log()
            state = state + sum((texts[:, i] - letters) * powers[i] for i in group)
        found.append((total, total.new_full((contexts,), len(groups))))
    return _chained(found)


def schedules(n: int, size: int) -> list[list[tuple[int, ...]]]:
    """All ways to fill n places in groups of this size, the order of the groups counting."""
    n = whole("n", n, "a text has at least 1 place", least=1)
    size = _size(size, n)

    def rest(left):
        if not left:
            return [[]]
        firsts = itertools.combinations(left, size)
        return [[g, *more] for g in firsts for more in rest([i for i in left if i not in g])]

    return rest(list(range(n)))


def mixed(laws: list[Law], probs: torch.Tensor) -> Law:
    """The mixture of these laws that loses least: each text is written by one of them, drawn by
    odds that suit the language best.

    The odds start even and are found by 200 rounds of expectation-maximisation (Dempster, Laird and
    Rubin 1977), none of which raises the loss; so the least there is may be a little below what is
    found. probs: as in `Law.lost`. Raises ValueError without any law.
    """
    if not laws:
        raise ValueError("give at least one law to mix")
    each, probs = torch.stack([law.log_probs for law in laws]).exp(), probs.flatten().double()
    odds = each.new_full((len(laws),), 1 / len(laws))
    for _ in range(200):
        written = odds @ each
        odds = odds * (each @ (probs / written).nan_to_num(0.0))  # 0 / 0: written by nobody
    passes = float(odds @ odds.new_tensor([law.passes for law in laws]))
    return Law((odds @ each).log(), passes)


def price(law: Law, n: int, size: int) -> float:
    """Tokens read for a text of n letters in blocks of this size: each pass reads the block, and
    each block that is finished is read once more, into the cache, but for the last."""
    n = whole("n", n, "a text has at least 1 place", least=1)
    size = _size(size, n)
    return law.passes * size + n - size


def _chained(blocks):
    """Of each block, log-probs (contexts, texts) and passes (contexts,): those of the whole."""
    total, passes = torch.zeros(1, dtype=torch.float64), 0.0
    for log_probs, spent in blocks:
        passes += float((total.exp() * spent).sum())
        total = (total[:, None] + log_probs).flatten()
    return Law(total, passes)


@cache
def _digits(base, n):
    """All numbers of n digits, (base^n, n) int64."""
    return torch.tensor(list(itertools.product(range(base), repeat=n))).view(base**n, n).long()


def _size(size, n):
    size = whole("size", size, f"choose 1 to {n}", least=1, most=n)
    if n % size:
        raise ValueError(f"size is {size}; choose one that divides the {n} places")
    return size
