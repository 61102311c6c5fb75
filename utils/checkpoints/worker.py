"""What happens on a worker of a cluster: whether it has what it takes, and then the job.

The same results need the same book. Its fingerprint is made of the files that a job may read, the
version of Python, and those of the packages on which results depend.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ("utils", "tools", "checkpoints")  # of the book: what a job reads
PACKAGES = ("distributed", "torch", "numpy", "tokenizers", "safetensors", "matplotlib")
SET_UP = "check out the same commit there, and start it from the environment that `make` makes"


def work(function: str, message: bytes, wanted: dict, needs: str | None) -> bytes:
    """Do a job, if here is what it takes. Returns JSON whatever happens."""
    if why := why_unfit(wanted, needs):
        from distributed import get_worker

        return json.dumps({"unfit": why, "worker": get_worker().address}).encode()
    try:
        return json.dumps({"answer": named(function)(json.loads(message))}).encode()
    except Exception as error:
        return json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode()


def named(function):
    """The function that `module:function` names. `tools` is in no environment: it is beside us."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def why_unfit(wanted: dict, needs: str | None) -> str | None:
    """What this machine lacks, as the end of a sentence; None if nothing."""
    here = fingerprint()
    apart = [one for one in {**wanted, **here} if wanted.get(one) != here.get(one)]
    if apart:
        return f"has other versions than here of {', '.join(map(version, apart))}: {SET_UP}"
    reason = named(needs)() if needs else None
    return reason and f"cannot do this work: {reason.removesuffix('.')}"


def version(name):
    number = fingerprint().get(name, "none")
    return name if len(number) == 64 else f"{name} ({number})"


@functools.cache
def fingerprint() -> dict[str, str]:
    """What must be the same for the same results: {a part of the book: the hash of its files, a
    package: its version}."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found[name] = "none"
    return found | {f"{part}/": files(ROOT / part) for part in PARTS}


def files(folder: Path) -> str:
    """A hash of what is in a folder, by name and content, but for what programs leave there."""
    every = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        if path.is_file() and not re.search(r"(^|/)(\.|__pycache__/)|\.(pyc|part)$", inside):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            every.update(os.fsencode(f"{inside}\n{content}\n"))  # a name need not be UTF-8
    return every.hexdigest()
