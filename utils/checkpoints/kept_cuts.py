"""What SmolLM2 writes after its own texts are cut, kept like a checkpoint.

python -m utils.checkpoints remake cuts     # minutes
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from utils.checkpoints.provenance import changes, provenance
from utils.experiments import horizon
from utils.experiments.horizon import Cut
from utils.models import smollm
from utils.text.files import write_whole

PATH = Path(__file__).resolve().parent / "data" / "cuts.json"


def made_by() -> dict[str, str]:
    """{name: fingerprint} of all that it depends on: requests, code, weights."""
    return provenance({"code": [smollm.load, horizon.ask], "requests": list(horizon.REQUESTS)})


def kept(path: Path = PATH) -> list[Cut]:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return [Cut(**each) for each in _read(path)["cuts"]]


def stale(path: Path = PATH) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(_read(path)["made_by"], made_by())


def remake(path: Path = PATH) -> None:
    """Ask again and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by()  # now: files may change in the meantime
    _write(path, fingerprints, horizon.ask())


def accept(path: Path = PATH) -> None:
    """Keep it although code has changed, because the first request comes out the same. Raises
    ValueError, and accepts nothing, if it does not."""
    fingerprints, before = made_by(), kept(path)
    for old, new in zip(before, horizon.ask(horizon.REQUESTS[:1]), strict=False):
        apart = max(abs(a - b) for a, b in zip(old.bits, new.bits, strict=True))
        if old.kept != new.kept or apart > 0.1:
            raise ValueError(
                "after the first request the model no longer writes what is kept; make all of it "
                "again: python -m utils.checkpoints remake cuts"
            )
    _write(path, fingerprints, before)


def _read(path):
    if not path.exists():
        how = "python -m utils.checkpoints remake cuts"
        raise FileNotFoundError(f"{path} is missing; make it with: {how}")
    return json.loads(path.read_text("utf-8"))


def _write(path, fingerprints, cuts):
    found = {"made_by": fingerprints, "cuts": [asdict(cut) for cut in cuts]}
    write_whole(path, json.dumps(found, separators=(",", ":")) + "\n")
