from functools import partial

import pytest
import torch

from tests.small_models import lively_letters
from utils.experiments import reward
from utils.experiments.reward import Arm
from utils.measure import enumeration
from utils.worlds.tangle import Tangle

WORLD = Tangle("ab", 3)
PRAISED = reward.even(WORLD)


small = partial(lively_letters, WORLD)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def test_rewards_are_what_they_say():
    texts = ["".join(WORLD.vocab.tokens[i] for i in row) for row in WORLD.rows]
    assert reward.first(WORLD, 1).tolist() == [t[0] == "b" for t in texts]
    assert reward.even(WORLD).tolist() == [t.count("a") % 2 == 0 for t in texts]


@pytest.mark.parametrize(
    ("causal", "eagerness"), [(True, 0.0), (False, 0.0), (False, 3.0), (False, None)]
)
def test_a_law_sums_to_one_and_is_what_the_model_writes(causal, eagerness):
    model = small(causal)
    with torch.no_grad():
        p = reward.law(model, WORLD, eagerness).exp()
    assert float(p.sum()) == pytest.approx(1, abs=1e-5)
    n = 3000
    written = reward.write(model, WORLD, n, eagerness=eagerness, generator=dice())
    seen = torch.bincount(reward.number(WORLD, written.texts), minlength=8) / n
    assert ((seen - p).abs() < 4.5 * (p * (1 - p) / n).sqrt().clamp(min=3e-4)).all()


def test_texts_are_numbered_as_the_world_lists_them():
    assert reward.number(WORLD, WORLD.texts).tolist() == list(range(8))


def test_the_best_law_gains_most_and_what_it_is_said_to():
    log_p0 = torch.randn(8, generator=dice(), dtype=torch.float64).log_softmax(0)
    law, most = reward.best(log_p0, PRAISED, 0.3)
    assert reward.value(law, log_p0, PRAISED, 0.3) == pytest.approx(most)
    for seed in range(20):
        other = law + 0.3 * torch.randn(8, generator=dice(seed), dtype=torch.float64)
        assert reward.value(other.log_softmax(0), log_p0, PRAISED, 0.3) < most
    assert reward.gain(law, log_p0, PRAISED, 0.3) == pytest.approx(1)
    assert reward.gain(log_p0, log_p0, PRAISED, 0.3) == pytest.approx(0)


def test_what_is_missing_to_the_best_is_a_divergence():
    log_p0, log_p = (
        torch.randn(8, generator=dice(k), dtype=torch.float64).log_softmax(0) for k in (0, 1)
    )
    law, most = reward.best(log_p0, PRAISED, 0.3)
    missing = most - reward.value(log_p, log_p0, PRAISED, 0.3)
    assert missing == pytest.approx(0.3 * float(log_p.exp() @ (log_p - law)))


@pytest.mark.parametrize("eagerness", [0.0, 2.0])
def test_exact_log_probabilities_of_some_texts_are_those_of_the_law(eagerness):
    model = small()
    with torch.no_grad():
        some = reward.exact_of(model, WORLD, WORLD.texts[[3, 0, 6]], eagerness)
        law = reward.law(model, WORLD, eagerness)
    assert torch.allclose(some.double(), law[[3, 0, 6]], atol=1e-5)


def test_an_advantage_is_over_the_others():
    found = reward.advantages(torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0]))
    assert found.tolist() == pytest.approx([0.75, -0.5, -0.5, 0.75, -0.5])


def test_prices_count_writing_asking_back_and_the_first_model():
    assert reward.price("one pass", 6) == 6 + 4
    assert reward.price("steps", 6) == 6 + 24 == reward.price("left to right", 6)
    assert reward.price("one step", 6) == 6 + 5 and reward.price("16 masks", 6) == 6 + 80
    for by in set(reward.STAND_INS) - {"exact"}:
        model = small()
        written = reward.write(model, WORLD, 4, generator=dice())
        asked = reward.ask(by, written, WORLD.vocab.mask_id, dice())
        drawn = by not in reward.CERTAIN
        assert reward.price(by, 3) == 3 + (5 if drawn else 4) * asked.passes


def test_only_what_is_drawn_changes_when_it_is_asked_again():
    written = reward.write(small(), WORLD, 50, generator=dice())
    for by in set(reward.STAND_INS) - {"exact"}:
        one, other = (reward.ask(by, written, WORLD.vocab.mask_id, dice(k)) for k in (0, 1))
        assert torch.equal(one.states, other.states) == (by in reward.CERTAIN), by


def test_a_drawn_step_prices_the_leaving_as_much_as_all_steps_do():
    """By the same draw for the gradient and the price, one step of three would count threefold."""
    model, first_model = small(), lively_letters(WORLD, seed=1)
    how = {"beta": 1.0, "eagerness": 0.0}

    def slope(by, seed):
        generator = dice(seed)
        written = reward.write(model, WORLD, 5_000, generator=generator)
        aim = reward.surrogate(
            model, first_model, WORLD, written, PRAISED, by, generator=generator, **how
        )
        return torch.cat([g.flatten() for g in torch.autograd.grad(aim, [*model.parameters()])])

    expected = slope("steps", 0)
    assert (slope("one step", 1) - expected).norm() < 0.25 * expected.norm()


@pytest.mark.parametrize(("causal", "by"), [(True, "exact"), (False, "exact"), (False, "steps")])
def test_a_model_learns_the_reward_and_its_copy_alone(causal, by):
    model = small(causal)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    passes = 40 * reward.BATCH * reward.price(by, 3)
    arm = Arm(by, 1e-2)
    _, seen = reward.learn(model, WORLD, PRAISED, arm, passes=passes, beta=0.2, seed=0, looks=2)
    assert seen[0] == (0, 0.0) and seen[-1][1] > 0.6
    assert len(seen) == 3 and seen[-1][0] == passes
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_a_table_that_is_listed_can_be_differentiated():
    model = small()
    aim = enumeration.elbo(reward.listed(model, WORLD)).sum()
    parts = torch.autograd.grad(aim, list(model.parameters()))
    assert any(part.abs().sum() > 0 for part in parts)


def test_an_arm_has_a_stand_in_with_a_name():
    with pytest.raises(ValueError, match="'one pass'"):
        Arm("guess")
