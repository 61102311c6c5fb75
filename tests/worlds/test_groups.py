import itertools
import math

import pytest
import torch

from utils.worlds import Groups
from utils.worlds.groups import GAMES


@pytest.mark.parametrize("game", GAMES)
def test_every_game_is_a_group_with_sixty_states_that_all_can_be_reached(game):
    """Each move is a bijection, and what the moves do to all states together are sixty things: the
    states are the elements of a group of order sixty."""
    table = Groups(game).table
    assert table.shape == (60, 4)
    assert all(sorted(ends.tolist()) == list(range(60)) for ends in table.T)
    done = {tuple(range(60))}
    fresh = list(done)
    for each in fresh:
        for ends in table.T:
            after = tuple(ends[list(each)].tolist())
            fresh += [] if after in done else [after]
            done.add(after)
    assert len(done) == 60 and {each[0] for each in done} == set(range(60))


def products(game):
    """What each element of the group does to all states, as permutations."""
    table = Groups(game).table
    found = {tuple(range(60))}
    queue = list(found)
    for each in queue:
        for ends in table.T:
            after = tuple(ends[list(each)].tolist())
            queue += [] if after in found else [after]
            found.add(after)
    return found


def commutators(group):
    """The subgroup that the commutators generate; it is the whole group only where no step towards
    solving it can be made."""

    def then(p, q):
        return tuple(q[i] for i in p)

    def back(p):
        return tuple(sorted(range(60), key=p.__getitem__))

    some = {then(then(back(p), back(q)), then(p, q)) for p, q in itertools.product(group, repeat=2)}
    found, queue = set(some), list(some)
    for each in queue:
        for other in some:
            after = then(each, other)
            if after not in found:
                found.add(after)
                queue.append(after)
    return found


def test_the_cups_cannot_be_solved_the_dial_in_two_steps_the_clock_in_one():
    cups = products("cups")
    assert commutators(cups) == cups
    assert len(commutators(products("clock"))) == 1
    steps = commutators(products("dial"))
    assert 1 < len(steps) < 60 and len(commutators(steps)) == 1


def test_a_cup_goes_where_the_move_says():
    world = Groups(n=3)
    row = world.write(torch.tensor([[60, 62, 61]]))
    assert world.vocab.decode(row[0]) == "a c b = BCADE CBDAE CBAED"
    assert (row[0] == world.vocab.encode("<s> a c b = BCADE CBDAE CBAED")).all()


def test_the_dial_runs_the_other_way_once_turned_over():
    world = Groups("dial", n=3)
    row = world.write(world.vocab.encode("a d b")[None])
    assert world.vocab.decode(row[0]) == "a d b = 01> 01< 24<"


def test_on_the_clock_the_order_of_the_moves_does_not_matter_and_with_cups_it_does():
    for game, same in (("clock", True), ("dial", False), ("cups", False)):
        world = Groups(game, n=2)
        pairs = torch.tensor(list(itertools.permutations(range(60, 64), 2)))
        forwards, backwards = (world.follow(moves)[:, -1] for moves in (pairs, pairs.flip(1)))
        assert bool((forwards == backwards).all()) is same


@pytest.mark.parametrize("game", GAMES)
def test_probabilities_sum_to_one_and_beginnings_to_their_endings(game):
    world = Groups(game, n=3)
    moves = torch.tensor(list(itertools.product(range(60, 64), repeat=3)))
    rows = world.write(moves)
    assert float(world.log_prob(rows).exp().sum()) == pytest.approx(1)
    assert float(world.log_prob(rows[:1, :3]).exp()) == pytest.approx(1 / 16)
    assert float(world.log_prob(rows[:1, :6]).exp()) == pytest.approx(1 / 64)


@pytest.mark.parametrize("place, token", [(0, 60), (1, 3), (4, 60), (6, 62), (7, 66), (2, 67)])
def test_what_is_no_text_is_impossible(place, token):
    world = Groups(n=3)
    row = world.sample(1, seed=0)
    row[0, place] = token
    assert float(world.log_prob(row)) == -math.inf


def test_samples_follow_their_own_rule_and_their_moves_are_even():
    world = Groups(n=4)
    rows = world.sample(20_000, seed=1)
    assert torch.allclose(world.log_prob(rows).exp(), torch.tensor(4.0**-4, dtype=torch.float64))
    shares = torch.bincount(rows[:, world.moves].flatten(), minlength=64)[60:] / 80_000
    assert float((shares - 0.25).abs().max()) < 0.01


@pytest.mark.parametrize("game", GAMES)
def test_the_likeliest_state_is_as_likely_as_counting_says(game):
    world = Groups(game, n=5)
    moves = torch.tensor(list(itertools.product(range(60, 64), repeat=5)))
    ends = world.follow(moves)
    counted = [float(torch.bincount(end).max()) / len(moves) for end in ends.T]
    assert world.likeliest() == pytest.approx(counted)


def test_what_cannot_be_made():
    with pytest.raises(ValueError, match="game is 'chess'; choose one of 'cups'"):
        Groups("chess")
    with pytest.raises(ValueError, match="n is 0"):
        Groups(n=0)
