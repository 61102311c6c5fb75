"""Recipes at other seeds than the book's: `python -m utils.checkpoints remake NAME --seeds 0-49`.

Each training is a process of its own with one thread, so that it comes out the same whether it ran
here, as many at a time as there are processors, or on a cluster's worker. What it makes is kept in
a folder beside `checkpoints`, in the same form: `load_checkpoint(name, 7, folder=study.FOLDER)`.
What is there already, and up to date, is left alone.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from utils.checkpoints import cluster, making, store
from utils.checkpoints.cluster import Cluster, JobError
from utils.checkpoints.store import Card, at_seed
from utils.checkpoints.worker import ROOT

FOLDER = ROOT / "studies"
MOST_SEEDS = 10_000


def seeds(text: str) -> list[int]:
    """ "0-2,7" is [0, 1, 2, 7]. Raises ValueError for what is no list of seeds."""
    found = []
    for part in text.replace(" ", "").split(","):
        pair = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part)
        first, last = (int(pair[1]), int(pair[2] or pair[1])) if pair else (1, 0)
        if not first <= last < first + MOST_SEEDS:
            raise ValueError(
                f"{text!r} names no seeds: give such as 0-49, or 0,3,7-9, {MOST_SEEDS:,} at most"
            )
        found += range(first, last + 1)
    return list(dict.fromkeys(found))


def study(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    folder: Path = FOLDER,
    scheduler: str | None = None,
) -> Iterator[tuple[str, Card | str, int]]:
    """Make each recipe at each seed, and before it its parent. Yields, as they are done, (name,
    card or why there is none, how many are left). scheduler: a cluster's address; None for here.

    Raises ValueError for a name without a recipe, ClusterError if nobody can work.
    """
    jobs = _waiting(names, seeds, folder)
    left = len(jobs)
    if not jobs:
        return
    store.check_folder(folder)
    at_once = cluster.MOST if scheduler else os.cpu_count() or 1
    with (
        Cluster(scheduler) if scheduler else contextlib.nullcontext() as away,
        concurrent.futures.ThreadPoolExecutor(min(at_once, left)) as pool,
    ):
        try:
            for depth in sorted({depth for depth, _, _ in jobs}):
                running = {}
                for _, name, seed in (job for job in jobs if job[0] == depth):
                    if depth and _up_to_date(at_seed(name, seed), folder):
                        left -= 1  # its parent has come out as it was
                        continue
                    doing = pool.submit(_made, name, seed, folder, away and away.call)
                    running[doing] = at_seed(name, seed)
                for done in concurrent.futures.as_completed(running):
                    left -= 1
                    try:
                        yield running[done], done.result(), left
                    except (JobError, OSError, ValueError) as error:
                        yield running[done], str(error), left
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            if away:
                away.stop()
            raise


def _waiting(names, seeds, folder):
    """[(how many come before it, recipe, seed)] of what is not there, or may not be when what it
    starts from has been made anew."""
    depths = {}
    for name in names:
        chain = [name]
        while (parent := making.recipe_of(chain[-1])[0].parent) is not None:
            chain.append(parent)
        depths |= {each: depth for depth, each in enumerate(reversed(chain))}
    jobs = {}
    for seed in seeds:
        for name, depth in sorted(depths.items(), key=lambda item: item[1]):
            parent = making.recipe_of(name)[0].parent
            if (parent, seed) in jobs or not _up_to_date(at_seed(name, seed), folder):
                jobs[name, seed] = depth
    return [(depth, name, seed) for (name, seed), depth in jobs.items()]


def _up_to_date(label, folder):
    try:
        card = store.read_card(label, folder=folder)
        if card.weights_sha256:
            store.load_checkpoint(label, folder=folder)
        return not any(making.stale(label, folder=folder).values())
    except (OSError, ValueError):
        return False


def _made(name, seed, folder, call):
    """Have one checkpoint made, and keep it. call: hands a job to a cluster; None: here."""
    recipe, _ = making.recipe_of(name)
    parent = recipe.parent and packed(at_seed(recipe.parent, seed), folder)
    message = {"label": at_seed(name, seed), "parent": parent}
    files = call("utils.checkpoints.study:make", message) if call else make(message)
    return keep(message["label"], files, folder)


def packed(label, folder):
    """A checkpoint as a message: its card, and its weights as text, None if they are not kept."""
    card = store.read_card(label, folder=folder)
    weights = store._weights(card, folder) if card.weights_sha256 else None
    return {"card": asdict(card), "weights": weights and base64.b64encode(weights).decode()}


def keep(label, files, folder):
    """Write what `packed` has packed, if it is whole and what was asked for. Returns the card."""
    card = store.as_card(files["card"])
    weights = base64.b64decode(files["weights"]) if files["weights"] else None
    if card.name != label or card.weights_sha256 != (weights and store.sha256(weights)):
        raise ValueError(f"what came back in place of {label} is another checkpoint, or damaged")
    store.write_checkpoint(card, weights, folder=folder)
    return card


# -- where it is made ----------------------------------------------------------------------------


def make(message: dict) -> dict:
    """Train in a process of its own, which ends with this one. message: {"label", "parent": a
    checkpoint as `packed` makes it, or None}. Raises JobError, with its last words, if it fails."""
    environ = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            [sys.executable, "-m", "utils.checkpoints.study"],
            **{"cwd": ROOT, "env": environ, "text": True, "stderr": said},
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE},
        ) as process,
    ):
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        answer = process.stdout.read()
        if process.wait() == 0:
            return json.loads(answer)
        said.seek(0)
        last = (said.read().strip().splitlines() or ["it was ended"])[-1]
        raise JobError(f"{message['label']} could not be made: {last}")


def main():
    """In that process: one line comes in, one goes out."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints does not get between
    message = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_the_other, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        folder, parent = Path(folder), message["parent"]
        if parent:
            keep(parent["card"]["name"], parent, folder)
        making.remake(message["label"], folder=folder, progress=False)
        with answer:
            json.dump(packed(message["label"], folder), answer)


def end_with_the_other():
    if not os.read(0, 1):
        os._exit(1)


if __name__ == "__main__":
    main()
