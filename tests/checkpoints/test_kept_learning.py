import pytest

from utils.checkpoints import kept_learning as kept
from utils.experiments.learned import chosen, mean, of_arm

PRESENT = sorted(kept.JOBS)
SIZES = 300, 1000, 10_000, 16_000
FIVE = {  # {(language, kind): how many texts}
    ("chain", "causal"): (100, *SIZES),
    ("chain", "diffusion"): (100, *SIZES),
    ("chain", "permuted"): (100, 1000),
    ("chain, backwards", "causal"): SIZES,
    ("twin", "causal"): (100, 1000),
    ("twin", "diffusion"): (100, 1000),
}


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
        seeds = list(range(job.first, job.first + job.seeds))
        for arm in job.arms:
            here = [r for r in runs if (r.world, r.n, r.arm) == (job.world, job.n, arm)]
            assert sorted(r.seed for r in here) == seeds
            assert all(r.looks[-1].step == job.steps for r in here)
            assert all((r.errors is not None) == job.errors for r in here)
        averaged = [
            r.seed for r in runs if (r.world, r.n, r.averaged) == (job.world, job.n, job.kind)
        ]
        assert sorted(averaged) == seeds * job.average


@pytest.mark.parametrize("world, kind", FIVE)
def test_the_same_five_draws_or_more_stand_behind_each_size(world, kind):
    runs = kept.every_run()
    for n in FIVE[world, kind]:
        here = [run for run in runs if (run.world, run.n) == (world, n) and run.arm]
        arms = {run.arm for run in here if run.arm.kind == kind}
        assert len(arms) >= 2, n
        for arm in arms:
            seeds = [run.seed for run in of_arm(runs, world, n, arm)]
            assert len(set(seeds)) == len(seeds) and seeds[:5] == [0, 1, 2, 3, 4], (n, arm)


@pytest.mark.parametrize("world", ["chain", "twin"])
@pytest.mark.parametrize("arm", [kept.DENOISER, kept.HELD])
def test_denoisers_that_were_trained_again_came_out_alike(world, arm):
    """Those that are averaged, and those among which the kept-out texts choose: on the same texts,
    with other batches."""
    again = of_arm(kept.runs_apart(), world, 100, arm)
    first = of_arm(kept.every_run(), world, 100, arm)[: len(again)]
    apart = [a.chosen.kl - b.chosen.kl for a, b in zip(again, first, strict=True)]
    assert len(again) >= 3 and abs(mean(apart)) < 0.08


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
