"""What SmolLM2 writes after its own texts are cut, kept like a checkpoint.

    python -m utils.checkpoints remake cuts        # minutes
    python -m utils.checkpoints remake recited     # a minute

`cuts`: after texts of its own. `recited`: after texts that can go on in one way only.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from utils.checkpoints import keeping
from utils.checkpoints.provenance import changes, provenance
from utils.experiments import horizon
from utils.experiments.horizon import Cut
from utils.models import smollm

DATA = Path(__file__).resolve().parent / "data"
MAKE = {  # {what is kept: what makes it, and of what}
    "cuts": (horizon.ask, horizon.REQUESTS),
    "recited": (horizon.recite, horizon.RECITED),
}


def made_by(name: str = "cuts") -> dict[str, str]:
    """{name: fingerprint} of all that it depends on: requests, code, weights."""
    make, requests = MAKE[name]
    return provenance({"code": [smollm.load, make], "requests": list(requests)})


def kept(name: str = "cuts", data: Path = DATA) -> list[Cut]:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return [Cut(**each) for each in keeping.read(data / f"{name}.json")["cuts"]]


def stale(name: str = "cuts", data: Path = DATA) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(keeping.read(data / f"{name}.json")["made_by"], made_by(name))


def remake(name: str, data: Path = DATA) -> None:
    """Ask again and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by(name)  # now: files may change in the meantime
    _write(name, data, fingerprints, MAKE[name][0]())


def accept(name: str, data: Path = DATA) -> None:
    """Keep it although code has changed, because the first request comes out the same. Raises
    ValueError, and accepts nothing, if it does not."""
    fingerprints, before = made_by(name), kept(name, data)
    make, requests = MAKE[name]
    for old, new in zip(before, make(requests[:1]), strict=False):
        apart = max(abs(a - b) for a, b in zip(old.bits, new.bits, strict=True))
        if old.kept != new.kept or apart > 0.1:
            raise ValueError(
                "after the first request the model no longer writes what is kept; make all of it "
                f"again: python -m utils.checkpoints remake {name}"
            )
    _write(name, data, fingerprints, before)


def _write(name, data, fingerprints, cuts):
    found = {"made_by": fingerprints, "cuts": [asdict(cut) for cut in cuts]}
    keeping.write(data / f"{name}.json", found)
