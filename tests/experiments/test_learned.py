import pytest
import torch

from utils.experiments import learned
from utils.experiments.learned import Run, chosen, multiple
from utils.experiments.scarce import Arm, Look

CAUSAL, DENOISER = Arm("causal"), Arm("diffusion")


def run(arm, seed, kl, n=100, stopping=1.0, **more):
    return Run("chain", n, arm, seed, (Look(1, stopping + 1, 0.0), Look(2, stopping, kl)), **more)


def test_kept_out_texts_choose_the_moment_the_arm_and_never_an_average():
    decayed = Arm("causal", 1.0)
    runs = [
        run(CAUSAL, 0, 0.5, stopping=2.0),
        run(decayed, 0, 0.7, stopping=1.5),
        run(CAUSAL, 1, 0.4, stopping=0.5),
        run(DENOISER, 0, 0.1),
        run(None, 0, 0.3, stopping=0.1, averaged="causal"),
    ]
    assert [look.kl for look in chosen(runs, "chain", 100, "causal")] == [0.7, 0.4]
    assert [look.kl for look in chosen(runs, "chain", 100, "causal", averaged=True)] == [0.3]
    assert chosen(runs, "chain", 300, "causal") == []


def test_a_multiple_is_of_the_same_draws_and_of_the_measure_that_is_named():
    theirs = [Look(1, 0.0, 1.0), Look(1, 0.0, 3.0)]
    ours = [Look(1, 0.0, 0.5, left=1.0, bound=2.0), Look(1, 0.0, 1.5, left=3.0, bound=6.0)]
    assert multiple(theirs, ours).value == 2
    assert str(multiple(theirs, ours, "left")) == "1.00 [1.00, 1.00]"
    assert multiple(theirs, ours, "bound").value == 0.5


def test_the_slope_of_one_over_the_texts_is_minus_one():
    runs = [run(CAUSAL, s, 7 / n, n=n) for n in (100, 1000, 5000) for s in range(3)]
    found = learned.slopes(runs, "chain", "causal", (100, 1000, 5000))
    assert torch.allclose(found, -torch.ones(3, dtype=torch.double))


def test_errors_are_sorted_by_what_is_visible_on_either_side():
    """Two places: nothing visible, the second visible, the first visible."""
    errors = ((0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.1, 0.2))
    found = learned.by_sides([run(CAUSAL, 0, 1.0, errors=errors)])
    assert float(found[0, 0]) == pytest.approx(0.15)  # the mean of both, all hidden
    assert float(found[0, 1]) == pytest.approx(0.3)  # of the first, the second visible
    assert float(found[1, 0]) == pytest.approx(0.5)
    assert found[1, 1].isnan()


def test_families_are_compared_on_the_draws_that_both_have():
    runs = [run(CAUSAL, s, kl) for s, kl in enumerate((1.0, 3.0, 100.0))]
    runs += [run(DENOISER, s, kl) for s, kl in enumerate((0.5, 1.5))]
    assert learned.versus(runs, runs, "chain").value == 2
    assert learned.versus(runs, runs, "chain").n == 2
    elsewhere = [Run("twin", 100, DENOISER, s, (Look(1, 0.0, 8.0),)) for s in range(2)]
    assert learned.versus(runs, elsewhere, "chain", against="twin").value == 0.25


def test_draws_are_matched_by_their_seed_and_not_by_their_place():
    """Mirrored texts have other draws at a hundred than at a thousand."""
    runs = [run(CAUSAL, s, s + 1.0) for s in range(4)] + [run(DENOISER, s, 1.0) for s in (2, 3, 4)]
    assert learned.versus(runs, runs, "chain").value == 3.5
    assert learned.versus(runs, runs, "chain").n == 2
    runs = [run(CAUSAL, s, 7 * s / n, n=n) for n in (100, 1000) for s in (n // 100, 5)]
    assert learned.slopes(runs, "chain", "causal", (100, 1000)).tolist() == pytest.approx([-1])
    with pytest.raises(ValueError, match="no draw in common"):
        learned.slopes(runs[1:2] + runs[2:3], "chain", "causal", (100, 1000))


def test_the_trainings_of_an_arm_come_in_the_order_of_their_seeds():
    runs = [run(CAUSAL, s, 1.0) for s in (3, 4, 0, 1)]
    assert [each.seed for each in learned.of_arm(runs, "chain", 100, CAUSAL)] == [0, 1, 3, 4]


def test_averages_of_denoisers_may_lie_apart():
    def at(arm, seed, kl, **more):
        return Run("chain", 100, arm, seed, (Look(1, 0.0, kl, left=2 * kl),), **more)

    runs = [at(CAUSAL, s, 1.0) for s in range(3)] + [at(DENOISER, s, 2.0) for s in range(3)]
    runs += [at(None, s, 0.6, averaged="causal") for s in range(3)]
    apart = [at(None, s, 0.3, averaged="diffusion") for s in range(2)]
    found = learned.compared(runs, "chain", apart=apart)
    assert [each.value for each in found.values()] == [0.5, 0.25, 2]
    assert [each.n for each in found.values()] == [3, 3, 2]


def test_passes_are_over_what_is_learned_from():
    runs = [run(CAUSAL, s, kl) for s, kl in enumerate((1.0, 3.0))]
    assert learned.by_step(runs, "chain", 100, CAUSAL) == [(1, 0.0), (2, 2.0)]
    assert [passes for passes, _ in learned.by_pass(runs, "chain", 100, CAUSAL)] == [0.4, 0.8]
