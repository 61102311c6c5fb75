"""What is learned from a little real text, kept like a checkpoint (chapter 08).

    python -m utils.checkpoints remake learning-kjv     # each of these takes minutes

Each is one job of `experiments/scarce_kjv.py`: arms of one kind on slices of the King James Bible,
and how many bits they take for text that they have not seen. Weights are not kept.
"""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path

from utils.checkpoints import keeping
from utils.checkpoints.provenance import changes, provenance
from utils.checkpoints.recipes.kjv import king_james
from utils.experiments import scarce_kjv
from utils.experiments.scarce import Arm
from utils.experiments.scarce_kjv import Moment, Reading

DATA = Path(__file__).resolve().parent / "data"
TESTED, SEEDS = 128, (1, 2)  # windows; slice 0 was for pilots
JOBS = {  # what: arms that are trained together, and their steps
    "learning-kjv": (
        (
            Arm("causal"),
            Arm("causal", hidden=0.5),
            Arm("causal", 1.0, 0.2),
            Arm("causal", 1.0, 0.2, 0.5),
        ),
        800,
    ),
    "learning-kjv-denoiser": ((Arm("diffusion"),), 2000),
    "learning-kjv-held-back": ((Arm("diffusion", 0.1, 0.1),), 2000),
}


def do(arms, steps, seeds=SEEDS, tested=TESTED) -> list[Reading]:
    kjv = king_james()
    return scarce_kjv.learn(kjv, windows(tested), arms, seeds, steps=steps)


@cache
def windows(n=TESTED):
    """The tested windows, spread over the last tenth of the book: (n, length). The pilots were
    tested on others."""
    length, text = scarce_kjv.LENGTH, king_james().unseen
    rows = text[: len(text) // length * length].view(-1, length)
    apart = len(rows) // TESTED
    return rows[apart // 2 :: apart][:n]


def rehearsal() -> list[Reading]:
    """A few steps of each kind."""
    return [each for kind in ("causal", "diffusion") for each in do([Arm(kind)], 8, (0,), 4)]


def readings() -> list[Reading]:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return [
        _unpacked(each) for what in JOBS for each in keeping.read(DATA / f"{what}.json")["readings"]
    ]


def characters() -> list[int]:
    """How many characters are asked for in each of the tested windows."""
    return keeping.read(DATA / f"{next(iter(JOBS))}.json")["characters"]


def made_by(what: str) -> dict[str, str]:
    """{name: fingerprint} of all that it depends on."""
    return provenance({"code": do, "job": list(JOBS[what])})


def stale(what: str) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(keeping.read(DATA / f"{what}.json")["made_by"], made_by(what))


def remake(what: str) -> None:
    """Train it all again and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by(what)  # now: files may change in the meantime
    found = {"rehearsal": rehearsal(), "readings": do(*JOBS[what])}
    packed = {name: [_packed(each) for each in some] for name, some in found.items()}
    characters = scarce_kjv.ends_of(king_james(), windows())
    keeping.write(
        DATA / f"{what}.json", {"made_by": fingerprints, "characters": characters, **packed}
    )


def accept(what: str) -> None:
    """Keep it although code has changed, because a training of seconds comes out the same. Raises
    ValueError, and accepts nothing, if it does not."""
    fingerprints, kept = made_by(what), keeping.read(DATA / f"{what}.json")
    before = [_unpacked(each) for each in kept["rehearsal"]]
    for old, new in zip(before, rehearsal(), strict=True):
        if abs(sum(old.left) - sum(new.left)) > 0.01 * len(old.left):
            how = f"python -m utils.checkpoints remake {what}"
            raise ValueError(f"{what}: it no longer comes out as it is kept; make it again: {how}")
    keeping.write(DATA / f"{what}.json", {**kept, "made_by": fingerprints})


def _packed(reading):
    kept = asdict(reading)
    for name in ("left", "orders", "bound"):
        kept[name] = kept[name] and [round(nats, 3) for nats in kept[name]]
    for moment in kept["moments"]:
        for name, value in moment.items():
            moment[name] = round(value, 4)
    return kept


def _unpacked(kept):
    moments = tuple(Moment(**each) for each in kept["moments"])
    nats = {name: kept[name] and tuple(kept[name]) for name in ("left", "orders", "bound")}
    return Reading(Arm(**kept["arm"]), kept["seed"], moments, **nats)
