import pytest
import torch

from utils.checkpoints.recipes import groups
from utils.checkpoints.store import load_checkpoint
from utils.models.transformer import Transformer
from utils.worlds import Groups
from utils.worlds.groups import EQUALS

WORLD = Groups()
ROWS = WORLD.sample(16, seed=2)
MADE = [(name, seed) for name, recipe in groups.RECIPES.items() for seed in recipe.seeds]


class Telling(Transformer):
    """Notes what it is shown."""

    def __init__(self, **how):
        super().__init__(groups.shape(WORLD, **how))
        self.shown = []

    def forward(self, tokens, *rest, **how):
        self.shown.append(tokens)
        return super().forward(tokens, *rest, **how)


def test_who_answers_at_once_never_sees_a_state():
    model = Telling()
    groups.next_states(model, ROWS, WORLD)
    assert torch.equal(model.shown[0], ROWS[:, :13]) and int(model.shown[0].min()) >= 60


def test_the_last_state_to_write_is_never_shown_and_some_others_are_smudged():
    torch.manual_seed(0)
    model = Telling()
    groups.written_states(model, ROWS, WORLD)
    shown = model.shown[0]
    assert shown.shape[1] == WORLD.length - 1
    smudged = shown != ROWS[:, :-1]
    assert not smudged[:, : WORLD.states.start].any()
    assert bool((shown[smudged] == WORLD.vocab.mask_id).all())
    share = float(smudged[:, WORLD.states.start :].double().mean())
    assert share == pytest.approx(groups.SMUDGED, abs=0.08)


def test_what_was_struck_out_is_no_target_and_undo_after_a_wrong_state_is_one(monkeypatch):
    targets = []
    loss = groups.cross_entropy
    monkeypatch.setattr(
        groups, "cross_entropy", lambda said, right: targets.append(right) or loss(said, right)
    )
    torch.manual_seed(0)
    model = Telling()
    groups.lines_some_struck(model, ROWS, WORLD)
    undo, blank = WORLD.vocab.id("undo"), WORLD.vocab.mask_id
    states = (targets[0] < 60).sum()
    assert states == ROWS[:, WORLD.states].numel()
    assert set(targets[0][targets[0] >= 60].tolist()) == {undo}
    assert (model.shown[0] == blank).any() and (
        model.shown[0][:, -1] == WORLD.vocab.id(EQUALS)
    ).any()
    assert len(targets[0]) - states < (model.shown[0] == undo).sum()


def test_one_blank_hides_the_last_state_alone_after_any_number_of_moves():
    torch.manual_seed(0)
    model = Telling(causal=False)
    for _ in range(40):
        groups.one_hidden_state(model, ROWS, WORLD)
    assert {shown.shape[1] - 3 for shown in model.shown} == set(range(1, 13))
    for shown in model.shown:
        hidden = shown == WORLD.vocab.mask_id
        assert bool(hidden[:, -1].all()) and not hidden[:, :-1].any()


@pytest.mark.parametrize("name, seed", MADE)
def test_a_card_says_how_often_the_last_state_is_right(name, seed):
    model, card = load_checkpoint(name, seed)
    recipe = groups.RECIPES[name]
    found = recipe.results(model, recipe.world())["right_after_all_moves"]
    assert found == pytest.approx(card.results["right_after_all_moves"], abs=0.01)
