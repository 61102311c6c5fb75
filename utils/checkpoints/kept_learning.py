"""What is learned from few texts and from many, kept like a checkpoint (chapter 08).

    python -m utils.checkpoints remake learning-causal     # each of these takes minutes

A run is one training: which language, how many texts, which arm (`experiments/scarce.py`), which
seed, and how far the model was from the truth at ten moments. Weights are not kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path

from utils.checkpoints import keeping
from utils.checkpoints.provenance import changes, provenance
from utils.experiments import scarce
from utils.experiments.learned import Run
from utils.experiments.scarce import Arm, Look
from utils.worlds.chains import Chains

DATA = Path(__file__).resolve().parent / "data"
WORLDS = {
    "chain": Chains,
    "twin": partial(Chains, rule="hash"),
    "chain, backwards": partial(Chains, mirrored=True),
    "twin, backwards": partial(Chains, rule="hash", mirrored=True),
}
AS_IS, DECAYED = Arm("causal"), Arm("causal", 1.0, 0.2)
STRONG = AS_IS, DECAYED, Arm("causal", 1.0, 0.2, 0.5)
LIGHT = AS_IS, Arm("causal", 0.1, 0.1), Arm("causal", 0.1, 0.1, 0.3)
DENOISER, HELD = Arm("diffusion"), Arm("diffusion", 1.0, 0.1)
GENTLE = Arm("diffusion", 0.1, 0.1)
THREE = DENOISER, HELD, GENTLE
MASKED = (Arm("causal", hidden=0.5),)
SHUFFLED = Arm("permuted")


@dataclass(frozen=True)
class Job:
    """Trainings that run together. n: texts, None for fresh ones at every step. seeds: how many,
    counted from `first`. errors: whether to keep how far each answer in each state is from the
    truth. average: whether to keep what the arms of a seed are as one, their probabilities
    averaged."""

    world: str
    n: int | None
    arms: tuple[Arm, ...]
    seeds: int
    steps: int
    errors: bool = False
    average: bool = False
    first: int = 0

    @property
    def kind(self) -> str:
        return self.arms[0].kind


JOBS = {
    "learning-causal": (
        Job("chain", 100, STRONG, 8, 600, average=True),
        Job("chain", 300, STRONG, 5, 800, average=True),
        Job("chain", 1000, LIGHT, 3, 1500, errors=True, average=True),
        Job("chain", 10_000, LIGHT, 3, 4000, average=True),
        Job("chain", None, (AS_IS,), 3, 4000, errors=True),
        Job("chain, backwards", 300, STRONG, 3, 800, average=True),
        Job("chain, backwards", 1000, LIGHT, 3, 1500, average=True),
        Job("chain, backwards", 10_000, LIGHT, 3, 4000, average=True),
    ),
    "learning-few": (
        Job("chain", 100, (DENOISER, HELD), 8, 2500),
        Job("chain", 300, (DENOISER, HELD), 5, 3000),
    ),
    "learning-many": (
        Job("chain", 1000, (DENOISER, GENTLE), 3, 6000, errors=True),
        Job("chain", 10_000, (DENOISER,), 3, 8000),
        Job("chain", None, (DENOISER,), 3, 8000, errors=True),
    ),
    "learning-twin": (
        Job("twin", 100, STRONG, 5, 600, average=True),
        Job("twin", 1000, LIGHT, 3, 1500, errors=True, average=True),
        Job("twin", None, (AS_IS,), 3, 3000, errors=True),
        Job("twin, backwards", 1000, LIGHT, 3, 1500, average=True),
        Job("twin", 100, (DENOISER, HELD), 5, 2500),
        Job("twin", 1000, (DENOISER, GENTLE), 3, 5000, errors=True),
        Job("twin", None, (DENOISER,), 3, 6000, errors=True),
    ),
    "learning-masks": (
        Job("chain", 100, MASKED, 8, 600),
        Job("twin", 100, MASKED, 5, 600),
    ),
    "learning-averaged": (
        Job("chain", 100, THREE, 5, 2500, average=True),
        Job("twin", 100, THREE, 3, 2500, average=True),
    ),
    "learning-mirrored": (
        Job("chain, backwards", 100, STRONG, 8, 600, average=True, first=3),
        Job("chain, backwards", 100, THREE, 8, 2500, average=True, first=3),
    ),
    "learning-again": (
        Job("chain", 100, STRONG, 8, 600, average=True, first=200),
        Job("chain", 100, THREE, 8, 2500, average=True, first=200),
    ),
    "learning-longer": (Job("chain, backwards", 100, STRONG, 8, 2400, first=3),),
    "learning-causal-five": (
        Job("chain", 1000, LIGHT, 2, 1500, errors=True, first=3),
        Job("chain", 10_000, LIGHT, 2, 4000, first=3),
        Job("chain", None, (AS_IS,), 2, 4000, first=3),
        Job("chain, backwards", 300, STRONG, 2, 800, first=3),
        Job("chain, backwards", 1000, LIGHT, 2, 1500, first=3),
        Job("chain, backwards", 10_000, LIGHT, 2, 4000, first=3),
    ),
    "learning-ten": (
        Job("chain", 10_000, (DENOISER,), 2, 8000, first=3),
        Job("chain", 10_000, (GENTLE,), 5, 8000),
    ),
    "learning-sixteen": (
        Job("chain", 16_000, LIGHT, 5, 5000),
        Job("chain", 16_000, (DENOISER,), 5, 10_000),
    ),
    "learning-sixteen-gentle": (
        Job("chain, backwards", 16_000, LIGHT, 5, 5000),
        Job("chain", 16_000, (GENTLE,), 5, 10_000),
    ),
    "learning-many-five": (Job("chain", 1000, (DENOISER, GENTLE), 2, 6000, errors=True, first=3),),
    "learning-fresh-five": (Job("chain", None, (DENOISER,), 2, 8000, first=3),),
    "learning-orders-few": (Job("chain", 100, (SHUFFLED, Arm("permuted", 1.0, 0.2)), 5, 2000),),
    "learning-orders-many": (Job("chain", 1000, (SHUFFLED, Arm("permuted", 0.1, 0.1)), 5, 5000),),
    "learning-twin-causal-five": (
        Job("twin", 1000, LIGHT, 2, 1500, errors=True, first=3),
        Job("twin", None, (AS_IS,), 2, 3000, first=3),
        Job("twin, backwards", 1000, LIGHT, 2, 1500, first=3),
        Job("twin", None, (DENOISER,), 2, 6000, first=3),
    ),
    "learning-twin-many-five": (
        Job("twin", 1000, (DENOISER, GENTLE), 2, 5000, errors=True, first=3),
    ),
    "learning-averaged-five": (Job("twin", 100, THREE, 2, 2500, average=True, first=3),),
}
APART = "learning-masks", "learning-averaged", "learning-averaged-five"
AGAIN = "learning-again"  # the first test on new draws
LONGER = "learning-longer"  # the causal models of the mirrored test, as long as its denoisers
REHEARSAL = (
    Job("chain", 100, (AS_IS, DECAYED), 2, 30, average=True),
    Job("chain", 100, (DENOISER, HELD), 1, 10),
)


def do(job: Job) -> list[Run]:
    world, seeds = WORLDS[job.world](), tuple(range(job.first, job.first + job.seeds))
    found, done = [], {}
    arms = [(arm,) for arm in job.arms] if job.kind == "diffusion" else [job.arms]
    for together in arms:  # a few at a time is as fast, and takes less memory
        done |= scarce.learn(world, job.n, together, seeds, steps=job.steps)
    for (arm, seed), (looks, best) in done.items():
        errors = None
        if job.errors:
            off = scarce.errors(world, scarce.answers(world, best))
            errors = tuple(tuple(round(x, 5) for x in row) for row in off.tolist())
        found.append(Run(job.world, job.n, arm, seed, tuple(looks), errors))
    if job.average:
        held = scarce.kept_out_texts(job.n)
        for seed in seeds:
            kept_out = scarce.numbers(world, scarce.texts_of(world, job.n, seed)[:held])
            models = [done[arm, seed][1] for arm in job.arms]
            look = scarce.averaged(world, models, kept_out)
            found.append(Run(job.world, job.n, None, seed, (look,), averaged=job.kind))
    return found


@cache
def rehearse() -> list[Run]:
    """A training of seconds, the same whatever is kept here, by which one sees whether changed code
    still trains alike."""
    return [run for job in REHEARSAL for run in do(job)]


def runs(what: str, path: Path | None = None) -> list[Run]:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return [_unpacked(each) for each in keeping.read(path or DATA / f"{what}.json")["runs"]]


def every_run() -> list[Run]:
    """Those among which the kept-out texts choose."""
    return [run for what in JOBS if what not in (*APART, AGAIN, LONGER) for run in runs(what)]


def runs_apart() -> list[Run]:
    """Those that stand beside them: a single part taken out, and denoisers averaged."""
    return [run for what in APART for run in runs(what)]


def made_by(what: str) -> dict[str, str]:
    """{name: fingerprint} of all that it depends on."""
    return provenance({"code": do, "jobs": list(JOBS[what])})


def stale(what: str) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(keeping.read(DATA / f"{what}.json")["made_by"], made_by(what))


def remake(what: str, path: Path | None = None) -> None:
    """Train it all again and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by(what)  # now: files may change in the meantime
    rehearsal = [_packed(run) for run in rehearse()]
    found = [_packed(run) for job in JOBS[what] for run in do(job)]
    kept = {"made_by": fingerprints, "runs": found, "rehearsal": rehearsal}
    keeping.write(path or DATA / f"{what}.json", kept)


def accept(what: str, path: Path | None = None) -> None:
    """Keep it although code has changed, because a training of seconds comes out the same. Raises
    ValueError, and accepts nothing, if it does not."""
    path = path or DATA / f"{what}.json"
    fingerprints, kept = made_by(what), keeping.read(path)
    before = [_unpacked(each) for each in kept["rehearsal"]]
    for old, new in zip(before, rehearse(), strict=True):
        if max(abs(a.kl - b.kl) for a, b in zip(old.looks, new.looks, strict=True)) > 0.01:
            how = f"python -m utils.checkpoints remake {what}"
            raise ValueError(f"{what}: it no longer comes out as it is kept; make it again: {how}")
    keeping.write(path, {**kept, "made_by": fingerprints})


def _packed(run: Run) -> dict:
    kept = asdict(run)
    for look in kept["looks"]:
        for name, value in look.items():
            look[name] = round(value, 5) if isinstance(value, float) else value
    return kept


def _unpacked(kept: dict) -> Run:
    arm = kept["arm"] and Arm(**kept["arm"])
    looks = tuple(Look(**look) for look in kept["looks"])
    return Run(**{**kept, "arm": arm, "looks": looks})
