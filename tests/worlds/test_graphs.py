import itertools
import math

import pytest
import torch

from utils.worlds import Graphs

FORMS = ("forward", "backward", "goal last")


@pytest.mark.parametrize("form", FORMS)
def test_the_way_follows_the_edges_from_the_centre_to_the_goal(form):
    world = Graphs(3, 3, form=form)
    for row in world.sample(20, seed=1):
        words = [world.vocab.tokens[token] for token in row]
        edges = {tuple(word.split(">")) for word in words[1:] if ">" in word}
        assert len(edges) == 9
        way = [words[at] for at in world.way]
        centre = words[10] if form == "goal last" else words[11]
        assert set(itertools.pairwise([centre, *way])) <= edges
        assert not any(start == way[-1] for start, _ in edges)  # it is an end
        assert sum(start == centre for start, _ in edges) == 3


def test_the_forms_ask_the_same_and_write_it_in_their_order():
    rows = {form: Graphs(form=form).sample(5, seed=2) for form in FORMS}
    forward, backward = rows["forward"], rows["backward"]
    assert torch.equal(forward[:, :12], backward[:, :12])
    assert torch.equal(forward[:, 12:], backward[:, [13, 12, 14]])
    assert torch.equal(rows["goal last"][:, 11:], forward[:, 12:])
    assert Graphs(form="goal last").question.nonzero()[:, 0].tolist() == [*range(11), 13]


@pytest.mark.parametrize("form", FORMS)
def test_what_is_wrong_is_found_where_it_is(form):
    world = Graphs(form=form)
    rows = world.sample(50, seed=3)
    assert world.right(rows).all()
    for step in range(world.steps - (form == "goal last")):
        wrong = rows.clone()
        at = world.way[step]
        wrong[:, at] = (wrong[:, at] + 1) % world.nodes
        expected = torch.arange(world.steps) != step
        assert torch.equal(world.right(wrong), expected.expand(50, -1))


def test_every_text_of_a_small_world_is_as_likely():
    """Two arms of two steps: 5! ways to number the nodes, and 4! to order the edges."""
    world = Graphs(2, 2)
    numbers = torch.tensor(list(itertools.permutations(range(5))))
    orders = torch.tensor(list(itertools.permutations(range(4))))
    pairs = torch.cartesian_prod(torch.arange(120), torch.arange(24))
    rows = world.write(numbers[pairs[:, 0]], orders[pairs[:, 1]])
    assert len(rows.unique(dim=0)) == 120 * 24
    assert torch.allclose(world.log_prob(rows), torch.tensor(-math.log(120 * 24)).double())


def test_with_three_arms_some_texts_come_twice():
    """Which of the two other arms is numbered first is not seen."""
    world = Graphs(3, 2)
    row = world.sample(1, seed=0)
    edges = math.lgamma(7)
    assert float(world.log_prob(row)) == pytest.approx(-(math.lgamma(8) - math.log(2) + edges))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_text_has_no_probability(form):
    world = Graphs(form=form)
    rows = world.sample(4, seed=0)
    assert world.log_prob(rows).isfinite().all()
    rows[0, world.way[0]] = (rows[0, world.way[0]] + 1) % world.nodes
    rows[1, 1] = rows[1, 2]  # an edge twice
    rows[2, 0] = 3
    rows[3, 1] = 3  # a node among the edges
    assert world.log_prob(rows).isinf().all()
    with pytest.raises(ValueError, match=f"a text has {world.length} tokens"):
        world.log_prob(rows[:, :-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arms": 1}, "arms is 1; choose 2 to 9 arms"),
        ({"steps": 10}, "steps is 10; choose 2 to 9 steps"),
        ({"form": "sideways"}, "form is 'sideways'; choose one of 'forward'"),
    ],
)
def test_worlds_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        Graphs(**arguments)
