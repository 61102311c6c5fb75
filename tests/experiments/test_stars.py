import torch

from tests.small_models import lively
from utils.experiments import stars
from utils.models.transformer import TransformerConfig
from utils.worlds import Graphs


class Reader:
    """A model that reads the answer off the question, from whatever is in sight of it."""

    def __init__(self, world, rows):
        self.world, self.rows, self.seen = world, rows, []
        self.config = TransformerConfig(len(world.vocab), d_model=8, n_heads=1, max_len=99)

    def __call__(self, tokens, cache=None):
        self.seen.append(tokens)
        said = torch.zeros(*tokens.shape, len(self.world.vocab))
        target = self.rows[: len(tokens), 1 : tokens.shape[1] + 1]
        said[:, : target.shape[1]].scatter_(2, target[..., None], 9.0)
        return said


def test_without_a_teacher_no_node_of_the_way_is_seen():
    world = Graphs()
    rows = world.sample(10, seed=0)
    model = Reader(world, rows)
    assert stars.all_at_once(model, world, rows).all()
    assert float(stars.blind_loss(model, rows, world)) < 0.02
    for tokens in model.seen:
        assert (tokens[:, -3:] == world.vocab.mask_id).all()
        assert torch.equal(tokens[:, :-3], rows[:, :-3])


def test_all_ways_are_judged_against_the_question():
    rows = Graphs().sample(10, seed=0)
    causal = lively(TransformerConfig(112, d_model=8, n_layers=1, n_heads=1, max_len=15))
    found = stars.from_the_left(causal, Graphs(), rows)
    assert found.shape == (10, 3) and not found.all()
    world = Graphs(form="goal last")
    how = {"d_model": 8, "n_layers": 1, "n_heads": 1, "max_len": 14, "causal": False}
    denoiser = lively(TransformerConfig(112, **how))
    rows = world.sample(10, seed=0)
    assert stars.begins_beside_goal(denoiser, world, rows).shape == (10,)
    for passes in (1, 2):
        found = stars.filled_in(denoiser, world, rows, passes=passes)
        assert found.shape == (10, 3) and found[:, -1].all()  # the goal is given
