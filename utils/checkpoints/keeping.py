"""Results that are kept with what made them, as JSON: how a file of them is read and accepted.

A rehearsal is a number that comes of the same code in seconds. While it comes out the same, code
that has changed may be taken for the code that made the file.
"""

from __future__ import annotations

import json
from pathlib import Path

from utils.text.files import write_whole


def read(path: Path) -> dict | list:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; make it with: python -m utils.checkpoints remake {path.stem}"
        )
    return json.loads(path.read_text("utf-8"))


def write(path: Path, kept: dict | list) -> None:
    """Keep it. An interruption leaves the old file as it was."""
    write_whole(path, json.dumps(kept, separators=(",", ":")) + "\n")


def rehearsed(made_by: dict, found: dict | list, rehearsal: float) -> dict:
    """What is to be kept of results with a rehearsal."""
    return {"made_by": made_by, "found": found, "rehearsal": round(rehearsal, 4)}


def accept(path: Path, made_by: dict, rehearsal: float, *, within: float) -> None:
    """Keep what there is as made by the code of now. Raises ValueError, and accepts nothing, if the
    rehearsal is further than that from the one that is kept."""
    before = read(path)
    if not abs(rehearsal - before["rehearsal"]) <= within:  # what is no number is not near it
        raise ValueError(
            f"{path.stem}: it no longer comes out as it is kept; make it again: "
            f"python -m utils.checkpoints remake {path.stem}"
        )
    write(path, rehearsed(made_by, before["found"], before["rehearsal"]))
