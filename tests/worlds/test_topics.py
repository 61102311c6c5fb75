import itertools

import pytest
import torch

from utils.worlds import Topics


def every_text(places):
    world = Topics(places)
    words = torch.tensor(list(itertools.product(range(6), repeat=places)))
    start = torch.full((len(words), 1), world.vocab.start_id)
    return world, torch.cat([start, words], 1)


def by_paths(world, rows):
    """p(text) and p(last topic | text) by adding up every path of topics."""
    places = rows.shape[1] - 1
    joint = torch.zeros(len(rows), 3, dtype=torch.float64)
    for path in itertools.product(range(3), repeat=places):
        p = torch.full((len(rows),), 1 / 3, dtype=torch.float64)
        for place, topic in enumerate(path):
            if place:
                p = p * world.moves[path[place - 1], topic]
            p = p * world.emits[place, topic][rows[:, place + 1]]
        joint[:, path[-1]] += p
    return joint.sum(1), joint / joint.sum(1, keepdim=True)


def test_probabilities_and_beliefs_are_those_of_all_paths_of_topics():
    world, rows = every_text(4)
    prob, belief = by_paths(world, rows)
    assert float(prob.sum()) == pytest.approx(1)
    assert torch.allclose(world.log_prob(rows), prob.log())
    assert torch.allclose(world.beliefs(rows)[:, -1], belief)


@pytest.mark.parametrize("line", [0, 3])
def test_what_is_expected_next_is_what_the_text_is_scored_by(line):
    world = Topics(12, line=line)
    rows = world.sample(50, seed=0)
    said = world.next_probs(world.beliefs(rows))
    assert torch.allclose(said.sum(-1), torch.ones(50, 12, dtype=torch.float64))
    scored = said.gather(-1, rows[:, 1:, None]).log().sum((1, 2))
    assert torch.allclose(scored, world.log_prob(rows))
    late = world.next_probs(world.beliefs(rows)[:, 5:8], 5)
    assert torch.allclose(late, said[:, 5:8])


def test_who_sees_the_last_words_alone_believes_what_they_alone_say():
    world = Topics(12)
    rows = world.sample(50, seed=1)
    short = world.beliefs(rows, last=3)
    cut = torch.cat([rows[:, :1], rows[:, 8:11]], 1)
    assert torch.allclose(short[:, 10], world.beliefs(cut)[:, -1])
    assert torch.allclose(world.beliefs(rows, last=12), world.beliefs(rows))
    assert float((short - world.beliefs(rows)).abs().max()) > 0.1


def test_texts_have_the_shares_that_are_promised_and_topics_last():
    world = Topics(40)
    rows, topics = world.sample(4000, seed=2, topics=True)
    for topic in range(3):
        words = rows[:, 1:][topics == topic]
        shares = torch.stack([(words == w).double().mean() for w in range(6)])
        assert torch.allclose(shares, world.emits[0, topic, :6], atol=0.01)
    stayed = (topics[:, 1:] == topics[:, :-1]).double().mean()
    assert float(stayed) == pytest.approx(0.97, abs=0.003)
    right = (world.beliefs(rows)[:, 1:].argmax(-1) == topics).double().mean()
    sure = world.beliefs(rows)[:, 1:].max(-1).values.mean()
    assert float(right) == pytest.approx(
        float(sure), abs=0.01
    )  # a belief is as sure as it is right


def test_every_line_ends_with_a_full_stop_which_says_nothing():
    world = Topics(8, line=4)
    rows = world.sample(20, seed=3)
    stops = rows == world.vocab.id(".")
    assert stops[:, [4, 8]].all() and stops.sum() == 40
    beliefs = world.beliefs(rows)
    assert torch.allclose(beliefs[:, 4], beliefs[:, 3] @ world.moves)


def test_what_cannot_be_read_is_said():
    world = Topics(8, line=4)
    rows = world.sample(2, seed=4)
    rows[0, 4] = 0
    assert world.log_prob(rows)[0] == -torch.inf and world.log_prob(rows)[1] > -torch.inf
    with pytest.raises(ValueError, match="a token stands where it cannot"):
        world.beliefs(rows)
    with pytest.raises(ValueError, match="outside the vocabulary"):
        world.beliefs(rows + 5)
