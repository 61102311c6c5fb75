import itertools

import pytest
import torch

from utils.worlds.automata import Automaton, at_place, counted, in_turn

TEXTS = torch.tensor(list(itertools.product(range(3), repeat=4)))


def test_a_place_and_a_count_accept_what_they_say():
    for place, wanted in ((0, [1]), (2, [0, 2]), (3, [2])):
        expected = torch.isin(TEXTS[:, place], torch.tensor(wanted))
        assert torch.equal(at_place(5, place, wanted).accepted(TEXTS), expected)
    for times in range(5):
        expected = (TEXTS == 1).sum(1) == times
        assert torch.equal(counted(5, 1, times).accepted(TEXTS), expected)


def test_a_format_accepts_one_token_of_each_set_and_then_the_end():
    form = in_turn(3, [[0], [1, 2], [0, 1], [2]])
    expected = (TEXTS[:, 0] == 0) & (TEXTS[:, 1] > 0) & (TEXTS[:, 2] < 2) & (TEXTS[:, 3] == 2)
    assert torch.equal(form.accepted(TEXTS), expected) and expected.sum() == 4
    assert not form.accepted(torch.tensor([[0, 1, 0, 2, 2]])).item(), "it is over"
    assert not form.accepted(torch.tensor([[0, 1, 0]])).item(), "it is not yet over"


def test_a_text_with_what_is_no_letter_is_never_accepted():
    for automaton in (at_place(5, 1, [1, 4], letters=range(3)), counted(5, 1, 1, range(3))):
        assert automaton.accepted(torch.tensor([[0, 1, 2]])).item()
        for text in ([4, 1, 0], [0, 1, 4], [0, 4, 0]):
            assert not automaton.accepted(torch.tensor([text])).item()


@pytest.mark.parametrize("automaton", [at_place(3, 2, [1]), counted(3, 2, 2)])
def test_what_is_alive_can_still_be_accepted(automaton):
    alive = automaton.alive(4)
    for left in range(5):
        for begun in itertools.product(range(3), repeat=4 - left):
            ends = torch.tensor(
                [[*begun, *end] for end in itertools.product(range(3), repeat=left)]
            )
            state = automaton.read(ends[:1, : 4 - left])
            assert alive[left, state].item() == automaton.accepted(ends).any().item()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: at_place(3, -1, [0]), "place is -1; 0 is the first"),
        (lambda: counted(3, 3, 1), r"token is 3; it is one of the vocabulary \(0..2\)"),
        (lambda: counted(3, 0, -1), "times is -1; 0 or more"),
        (lambda: in_turn(3, [[0], []]), "wanted names no token for a place"),
        (lambda: counted(3, 0, 1).alive(-1), "places is -1; look 0 to 10,000"),
        (lambda: Automaton(torch.ones(2, 3).long() * 2, torch.ones(2) > 0), "moves leads to"),
        (lambda: Automaton(torch.ones(2, 3).long(), torch.ones(3) > 0), r"moves is \(2, 3\)"),
    ],
)
def test_an_automaton_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
