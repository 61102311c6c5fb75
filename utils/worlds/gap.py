"""A gap in what a model of `Sentences` has seen: four nouns that never carry a relative clause.

Whoever has learned rules, and not a list of what follows what, agrees "the farmer who feeds the
dogs sleeps" as well as "the girl who feeds the dogs sleeps", of which it has seen thousands.
"""

import torch

GAP = ("farmer", "farmers", "doctor", "doctors")


def in_the_gap(world, sentences):
    """Which sentences have a relative clause right after a word of `GAP`: (n, length) -> (n,)."""
    nouns = sentences.new_tensor([world.vocab.id(word) for word in GAP])
    clause = sentences.new_tensor([world.vocab.id(word) for word in ("who", "that")])
    return (torch.isin(sentences[:, :-1], nouns) & torch.isin(sentences[:, 1:], clause)).any(1)


def without_gap(world, sentences):
    """Those of the sentences that do not lie in the gap."""
    return sentences[~in_the_gap(world, sentences)]
