"""How many tokens came of each pass of SmolLM2 with guesses from its own text, kept like a
checkpoint (chapter 12).

    python -m utils.checkpoints remake drafts      # two minutes
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from utils.checkpoints import keeping
from utils.checkpoints.provenance import changes, provenance
from utils.experiments import drafting
from utils.experiments.drafting import Draft
from utils.models import smollm

DATA = Path(__file__).resolve().parent / "data"
NAME = "drafts"
MAKE = {NAME: drafting.ask}


def made_by() -> dict[str, str]:
    """{name: fingerprint} of all that it depends on: requests, code, weights."""
    return provenance({"code": [smollm.load, drafting.ask]})


def kept(data: Path = DATA) -> list[Draft]:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return [Draft(**each) for each in keeping.read(data / f"{NAME}.json")["drafts"]]


def stale(data: Path = DATA) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(keeping.read(data / f"{NAME}.json")["made_by"], made_by())


def remake(name: str = NAME, data: Path = DATA) -> None:
    """Ask again and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by()  # now: files may change in the meantime
    _write(data, fingerprints, drafting.ask())


def accept(name: str = NAME, data: Path = DATA) -> None:
    """Keep it although code has changed, because the first request comes out the same. Raises
    ValueError, and accepts nothing, if it does not."""
    fingerprints, before = made_by(), kept(data)
    if drafting.ask(drafting.requests()[:1]) != before[:1]:
        raise ValueError(
            "the first request no longer comes out as it is kept; make all of it again: "
            f"python -m utils.checkpoints remake {NAME}"
        )
    _write(data, fingerprints, before)


def _write(data, fingerprints, drafts):
    found = {"made_by": fingerprints, "drafts": [asdict(each) for each in drafts]}
    keeping.write(data / f"{NAME}.json", found)
