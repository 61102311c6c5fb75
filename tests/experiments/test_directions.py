import pytest
import torch

from tests.small_models import lively
from utils.experiments import directions
from utils.generation import diffusion
from utils.models.transformer import TransformerConfig
from utils.worlds.pairs import Pairs


class Knows:
    """A causal model that has stored `FIRST is SECOND` and finds any other text as good as the
    next; one that has stored nothing, if it has no texts."""

    def __init__(self, world, texts):
        self.world, self.texts = world, texts
        self.config = TransformerConfig(len(world.vocab))

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
    assert int(directions.likeliest(directions.after_is(knows, world)).sum()) <= 1


def test_bayes_finds_nothing_where_nothing_is_stored():
    world = Pairs(6, size=2)
    empty = Knows(world, world.texts[:0])
    assert int(directions.by_bayes(empty, world).sum()) <= 1


def test_of_names_to_choose_from_the_one_that_was_told_after_is_is_the_likeliest():
    world = Pairs(6, size=2, both=1.0)
    assert directions.likeliest(directions.after_is(Knows(world, world.texts), world)).all()


@pytest.mark.parametrize("at_once", [False, True])
def test_a_denoiser_says_of_a_name_what_it_says_of_its_blanks(at_once):
    """In one pass no syllable knows of the other; from the left the second one reads the first."""
    world, shape = Pairs(3, size=2), {"d_model": 8, "n_layers": 1, "n_heads": 1}
    model = lively(TransformerConfig(len(world.vocab), causal=False, **shape))
    said = directions.after_is(model, world, at_once=at_once)

    def blank(row, at):
        return diffusion.log_probs(model, row[None], world.vocab.mask_id)[0, at]

    row, (first, second) = world.backward()[2].clone(), world.firsts[1]
    row[4:] = world.vocab.mask_id
    expected = blank(row, 4)[first]
    if not at_once:
        row[4] = first
    expected = expected + blank(row, 5)[second]
    assert said.shape == (3, 3) and torch.isclose(said[2, 1], expected, atol=1e-4)
