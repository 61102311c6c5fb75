import pytest

from utils.checkpoints import kept_learning as kept
from utils.experiments.learned import chosen, of_arm

PRESENT = sorted(kept.JOBS)


@pytest.mark.parametrize("what", PRESENT)
def test_nothing_has_changed_since_it_was_made(what):
    assert kept.stale(what) == [], (
        f"what made it has changed; `python -m utils.checkpoints accept {what}` if it still comes "
        f"out the same, else `remake {what}`"
    )


@pytest.mark.parametrize("what", PRESENT)
def test_every_job_is_kept_with_all_its_arms_and_seeds(what):
    runs = kept.runs(what)
    for job in kept.JOBS[what]:
        for arm in job.arms:
            here = [r for r in runs if (r.world, r.n, r.arm) == (job.world, job.n, arm)]
            assert sorted(r.seed for r in here) == list(range(job.seeds))
            assert all(r.looks[-1].step == job.steps for r in here)
            assert all((r.errors is not None) == job.errors for r in here)
        averaged = [
            r.seed for r in runs if (r.world, r.n, r.averaged) == (job.world, job.n, job.kind)
        ]
        assert sorted(averaged) == list(range(job.seeds)) * job.average


def test_denoisers_that_were_trained_twice_came_out_alike():
    """Those that are averaged are the same as those among which the kept-out texts choose."""
    apart, twice = kept.runs_apart(), 0
    for run in kept.runs("learning-few") + kept.runs("learning-twin"):
        if run.n == 100 and run.arm and run.arm.kind == "diffusion":
            for again in of_arm(apart, run.world, 100, run.arm):
                if again.seed == run.seed:
                    assert again.chosen.kl == pytest.approx(run.chosen.kl, abs=0.02)
                    twice += 1
    assert twice == 2 * (5 + 3)


def test_the_moment_is_chosen_without_the_truth():
    runs = kept.every_run()
    found = chosen(runs, "chain", 100, "causal")
    assert len(found) == 8
    for seed, look in enumerate(found):
        here = [r for r in runs if (r.world, r.n, r.seed) == ("chain", 100, seed)]
        looks = [x for r in here if r.arm and r.arm.kind == "causal" for x in r.looks]
        assert look.stopping == min(x.stopping for x in looks)
    assert any(look.kl > min(x.kl for x in looks) for look in found)


def test_a_file_that_is_missing_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="remake learning-few"):
        kept.runs("learning-few", tmp_path / "learning-few.json")
