"""What SmolLM2 makes of `Topics`: what `kept_states` keeps of it (chapter 11)."""

from __future__ import annotations

import torch

from utils.experiments import foreign_topics, states
from utils.models import smollm
from utils.models.transformer import Transformer
from utils.worlds.topics import Topics

LEARNED, ASKED, PAIRS = 160, 80, 48  # texts
LAYERS = 0, 4, 9, 14, 19, 24, 29  # after which the belief is read; 14 is the fifteenth of thirty
RIDGE = 1e-3
PLACE, WORDS = 24, 1 + states.AFTER
SWAPS = {  # which directions are exchanged, and whether in the whole past
    "belief": ("belief", False),
    "others": ("others", False),
    "whole past": ("belief", True),
    "others, whole past": ("others", True),
    "all, whole past": ("all", True),
}
CONTROL = "all, whole past"  # of the network before training, too, under this name:
UNTRAINED = "all, before training"


def of_topics(learned=LEARNED, asked=ASKED, pairs=PAIRS, nets=("trained", "before training")):
    """{"known": {net: {target: of each layer error and spread of each text}}, "swaps": {kind: moved
    and due of each pair of texts, after 0 to 4 words}}; of the network before training one
    swap, `UNTRAINED`."""
    model, tokenizer = smollm.load()
    world = Topics()
    rows = [world.sample(n, seed=states.FRESH + k) for k, n in ((21, learned), (22, asked))]
    tokens = [foreign_topics.in_tokens(world, tokenizer, some) for some in rows]
    targets = {"older words": [foreign_topics.older_words(world, some) for some in rows]}
    targets["shuffled"] = [each.roll(1, 0) for each in targets["older words"]]
    found = {}
    for net in nets:
        reader = model if net == "trained" else Transformer(smollm.CONFIG, seed=0).eval()
        seen = [foreign_topics.streams(reader, some, LAYERS) for some in tokens]
        read = [states.as_read(each)[:, :, foreign_topics.FIRST :] for each in seen]
        found[net] = {
            what: [_known(*pair, target) for pair in zip(*read, strict=True)]
            for what, target in targets.items()
        }
    said = [foreign_topics.counts(world, some) for some in rows]
    found["counts"] = {"older words": [_known(*said, targets["older words"])]}
    swaps = _swaps(model, tokenizer, world, rows[0], pairs, SWAPS)
    return {"known": found, "swaps": swaps | control(tokenizer, world, rows[0], pairs)}


def control(tokenizer, world, learned, pairs):
    """The exchange of all states in the network before training, {`UNTRAINED`: its swap}."""
    model = Transformer(smollm.CONFIG, seed=0).eval()
    found = _swaps(model, tokenizer, world, learned, pairs, [CONTROL])
    return {UNTRAINED: found[CONTROL]}


def _known(learned, fresh, target):
    known = foreign_topics.read_off(learned, fresh, target, ridge=RIDGE)
    return {name: _rounded(getattr(known, name)) for name in ("error", "spread")}


def _swaps(model, tokenizer, world, learned, pairs, kinds):
    both = foreign_topics.in_tokens(
        world, tokenizer, world.sample(2 * pairs, seed=states.FRESH + 23)[:, : PLACE + WORDS + 1]
    )
    tokens, donors = both.chunk(2)
    wanted = foreign_topics.in_tokens(world, tokenizer, torch.arange(6))
    rows = learned[:, : PLACE + 1]
    seen = foreign_topics.in_tokens(world, tokenizer, rows)
    every = foreign_topics.streams(model, seen, range(smollm.CONFIG.n_layers))
    belief = world.beliefs(rows)
    found = {}
    for kind in kinds:
        along, whole_past = SWAPS[kind]
        bases = [states.directions(layer[:, 1:], belief[:, 1:], along) for layer in every]
        after = [
            foreign_topics.swap(model, a, b, bases, PLACE, WORDS, wanted, whole_past=whole_past)
            for a, b in zip(tokens.split(8), donors.split(8), strict=True)
        ]
        found[kind] = {
            name: [_rounded(row) for each in after for row in getattr(each, name)]
            for name in ("moved", "due")
        }
    return found


def swap_of(kept: dict, kind: str) -> states.After:
    """A swap as `foreign_topics.swap` gave it."""
    return states.After(*(torch.tensor(kept["swaps"][kind][name]) for name in ("moved", "due")))


def known_of(kept: dict, net: str, what: str) -> list[states.Known]:
    """Of each of `LAYERS` how well it is read, as `foreign_topics.read_off` gave it."""
    layers = kept["known"][net][what]
    return [states.Known(*(torch.tensor(x[name]) for name in ("error", "spread"))) for x in layers]


def _rounded(numbers):
    return [float(f"{float(x):.4g}") for x in numbers]
