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
