import torch

from utils.experiments import directions
from utils.worlds.pairs import Pairs


class Knows:
    """A causal model that has stored `FIRST is SECOND` and finds any other text as good as the
    next; one that has stored nothing, if it has no texts."""

    def __init__(self, world, texts):
        self.world, self.texts = world, texts
        self.config = None

    def __call__(self, tokens):
        logits = torch.zeros(*tokens.shape, len(self.world.vocab))
        for row, said in zip(tokens, logits, strict=True):
            for t in range(len(row)):
                fits = (self.texts[:, : t + 1] == row[: t + 1]).all(1)
                if t + 1 < self.texts.shape[1]:
                    said[t, self.texts[fits, t + 1]] = 8.0
        return logits


def test_bayes_finds_what_is_stored_and_writing_on_does_not():
    world = Pairs(6, size=2)
    knows = Knows(world, world.texts)
    assert directions.by_bayes(knows, world).all()
    assert int(directions.by_continuing(knows, world).sum()) <= 1


def test_bayes_finds_nothing_where_nothing_is_stored():
    world = Pairs(6, size=2)
    empty = Knows(world, world.texts[:0])
    assert int(directions.by_bayes(empty, world).sum()) <= 1
