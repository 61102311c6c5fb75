import pytest
import torch
from torch.nn.functional import one_hot

from utils.experiments import serial
from utils.generation import diffusion
from utils.models.transformer import Transformer, TransformerConfig
from utils.worlds import Groups
from utils.worlds.struck import wrong_states

WORLD = Groups(n=5)
ROWS = WORLD.sample(40, seed=1)
SIZE = len(WORLD.vocab)


class Follower:
    """Follows the moves from the last state in sight, `reach` moves at most in one pass; beyond
    that it says the state it began with. Causal: the state after the move or state it has just
    read; a denoiser: for each blank, from the nearest state before it."""

    def __init__(self, reach, causal):
        self.reach = reach
        self.config = TransformerConfig(SIZE, d_model=8, n_heads=1, max_len=64, causal=causal)
        self.output = torch.zeros(1)

    def __call__(self, tokens, cache=None):
        said = torch.zeros_like(tokens)
        for row, text in zip(said, tokens, strict=True):
            for at in range(len(text)):
                row[at] = self.say(text, at)
        return one_hot(said, SIZE).float()

    def say(self, text, at):
        begin, moves = WORLD.states.start, text[WORLD.moves]
        if at < begin - 1:  # still reading: the state after the moves so far
            return self.walk(0, moves[:at], reach=self.reach)
        k = at - begin + (2 if self.config.causal else 1)  # the state that is asked for
        known = [(0, 0)]
        for j, token in enumerate(text[begin : begin + k - 1], 1):
            known += [(j, int(token))] if token < WORLD.first_move else []
        j, state = known[-1]
        return self.walk(state, moves[j:k], reach=self.reach)

    def walk(self, state, moves, reach):
        if len(moves) > reach:
            return 0
        for move in moves:
            state = int(WORLD.table[state, move - WORLD.first_move])
        return state


def greedy(model, prompt, n):
    for _ in range(n):
        said = model(prompt)[:, -1].argmax(-1)
        prompt = torch.cat([prompt, said[:, None]], 1)
    return prompt


def flags(right):
    return right.all(0).tolist(), right.any(0).tolist()


def lucky(state):
    """Where the state after so many moves is the one it began with."""
    return ROWS[:, WORLD.states] == state


def test_who_answers_at_once_is_right_as_far_as_it_reaches():
    right = serial.at_once(Follower(3, causal=True), WORLD, ROWS)
    assert bool(right[:, :3].all()) and torch.equal(right[:, 3:], lucky(0)[:, 3:])


def test_one_blank_after_a_shortened_text():
    short = serial.shortened(WORLD, ROWS, 2)
    assert short.shape == (40, 5) and torch.equal(short[:, -1], ROWS[:, WORLD.states][:, 1])
    assert torch.equal(short[:, :4], torch.cat([ROWS[:, :3], ROWS[:, 6:7]], 1))

    def model(tokens):  # `<s>`, k moves, `=` and a blank
        assert bool((tokens[:, -1] == WORLD.vocab.mask_id).all())
        ends = WORLD.follow(tokens[:, 1:-2])[:, -1]
        return one_hot(ends[:, None].expand_as(tokens), SIZE).float()

    assert bool(serial.one_blank(model, WORLD, ROWS).all())


def test_who_writes_each_state_needs_to_reach_one_move():
    asked = []

    def generate(model, prompt, n):
        asked.append((prompt.shape[1], n))
        return greedy(model, prompt, n)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serial, "generate", generate)
        assert bool(serial.written(Follower(1, causal=True), WORLD, ROWS).all())
        assert asked == [(7, 5)]
        wrong = wrong_states(WORLD, ROWS, generator=torch.Generator().manual_seed(0))[:, 1]
        model = Follower(2, causal=True)
        right = serial.after_one(model, WORLD, ROWS, 2, wrong)
        assert flags(right) == ([True] + 4 * [False], [True] + 4 * [False])
        hidden = torch.full_like(wrong, WORLD.vocab.mask_id)
        right = serial.after_one(model, WORLD, ROWS, 2, hidden)
        assert flags(right)[0] == [True, False, True, True, True]


def test_what_was_built_on_a_wrong_state_stays_when_that_state_is_hidden_late():
    wrong = wrong_states(WORLD, ROWS, generator=torch.Generator().manual_seed(0))[:, 1]
    model = Follower(2, causal=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serial, "generate", greedy)
        at_once = serial.hidden_late(model, WORLD, ROWS, 2, wrong, more=0)
        blank = torch.full_like(wrong, WORLD.vocab.mask_id)
        assert torch.equal(at_once, serial.after_one(model, WORLD, ROWS, 2, blank))
        late = serial.hidden_late(model, WORLD, ROWS, 2, wrong, more=1)
        assert flags(late) == ([True] + 4 * [False], [True] + 4 * [False])
        was_right = serial.hidden_late(model, WORLD, ROWS, 2, ROWS[:, WORLD.states][:, 1], more=1)
        assert flags(was_right)[0] == [True, False, True, True, True]


@pytest.mark.parametrize("k", [0, 2])
def test_onward_from_a_state_a_denoiser_reaches_so_many_moves(k):
    right = serial.onward(Follower(2, causal=False), WORLD, ROWS, k)
    assert bool(right[:, : k + 2].all()) and torch.equal(right[:, k + 2 :], lucky(0)[:, k + 2 :])


def test_a_state_that_is_masked_again_before_any_other_leaves_no_trace():
    """So that hiding it at once is the plain filling of all blanks, and no test of its own."""
    model = Transformer(TransformerConfig(SIZE, d_model=8, n_heads=1, max_len=64, causal=False))
    for order in ("left-to-right", "confidence"):
        again = serial.around_one(
            model, WORLD, ROWS, 3, torch.tensor(WORLD.vocab.mask_id), order=order
        )
        assert torch.equal(again, serial.filled(model, WORLD, ROWS, passes=5, order=order))


@pytest.mark.parametrize("passes, reach, all_right", [(5, 1, True), (3, 2, True), (3, 1, False)])
def test_from_left_to_right_each_pass_goes_as_far_as_the_model_reaches(passes, reach, all_right):
    how = {"passes": passes, "order": "left-to-right"}
    right = serial.filled(Follower(reach, causal=False), WORLD, ROWS, **how)
    assert bool(right[:, -1].all()) is all_right


def test_a_blank_that_is_filled_before_its_turn_stays_wrong():
    dice = torch.Generator().manual_seed(0)
    how = {"passes": 5, "order": "random", "generator": dice}
    right = serial.filled(Follower(1, causal=False), WORLD, ROWS, **how)
    assert bool(right[:, 0].all()) and float(right[:, -1].double().mean()) < 0.2


def test_around_a_wrong_state_what_comes_after_it_is_wrong_and_around_a_blank_nothing():
    model = Follower(1, causal=False)
    wrong = wrong_states(WORLD, ROWS, generator=torch.Generator().manual_seed(0))[:, 2]
    right = serial.around_one(model, WORLD, ROWS, 3, wrong)
    assert flags(right) == (2 * [True] + 3 * [False], 2 * [True] + 3 * [False])
    blank = torch.full_like(wrong, WORLD.vocab.mask_id)
    assert bool(serial.around_one(model, WORLD, ROWS, 3, blank).all())
    assert diffusion.ORDERS[-1] == "left-to-right"


def test_past_struck_lines_each_line_is_judged_where_it_stands():
    """A model that knows the texts, but writes state 0 in the place of the third line."""
    texts = []

    def model(tokens):
        texts.append(tokens)
        said = torch.zeros_like(tokens)
        for row, text in zip(said, tokens, strict=True):
            ends = WORLD.follow(text[None, WORLD.moves])[0].tolist()
            k, undo = 0, WORLD.vocab.id("undo")
            for at in range(WORLD.states.start - 1, len(text)):
                if at >= WORLD.states.start:
                    k += 1 if text[at] != undo else -1
                wrong = at >= WORLD.states.start and text[at] not in (ends[min(k, 5) - 1], undo)
                row[at] = undo if wrong else (0 if k == 2 else ends[min(k, 4)])
        return one_hot(said, SIZE).float()

    lines, caught = serial.past_struck(model, WORLD, ROWS, count=2, kind="wrong", seed=4)
    assert lines.shape == (40, 5) and torch.equal(lines[:, 2], lucky(0)[:, 2])
    assert bool(lines[:, [0, 1, 3, 4]].all()) and len(caught) == 80 and bool(caught.all())
    assert texts[0].shape[1] == WORLD.length + 3  # two struck lines of two tokens; all but the last
    again, none = serial.past_struck(model, WORLD, ROWS, count=2, kind="right", seed=4)
    assert torch.equal(again, lines) and len(none) == 0
    assert bool((texts[0] == texts[1]).sum() == texts[0].numel() - 80)
