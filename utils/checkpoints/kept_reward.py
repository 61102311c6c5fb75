"""What models learned from reward, kept like a checkpoint (chapter 14).

    python -m utils.checkpoints remake reward-learning      # each takes some minutes
    python -m utils.checkpoints remake reward-gradients
    python -m utils.checkpoints remake reward-verdicts

Weights are not kept: what is asked is how far each way to learn has come, and that is a number.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from utils.checkpoints.provenance import changes, provenance
from utils.checkpoints.store import load_checkpoint
from utils.experiments import reward, taking_back
from utils.experiments.reward import Arm, Letters
from utils.experiments.taking_back import GoOn, LookAgain
from utils.text.files import write_whole
from utils.worlds.tangle import Tangle
from utils.worlds.verdicts import Verdicts

DATA = Path(__file__).resolve().parent / "data"
SEEDS = 0, 1, 2
EAGER = 3.0  # how eager a denoiser is to fill first what it is sure of
BETA = 0.1
PASSES = 192_000  # for each training: a hundred batches by steps

# -- where all is exact ----------------------------------------------------------------------------

CAUSAL = {"causal": Arm("exact")}
DENOISERS = {
    "exact, for free": Arm("exact"),
    "steps": Arm("steps"),
    "one step": Arm("one step"),
    "left to right": Arm("left to right"),
    "one pass": Arm("one pass"),
    "1 mask": Arm("1 mask"),
    "4 masks": Arm("4 masks"),
    "16 masks": Arm("16 masks"),
    "pairs": Arm("pairs"),
    "two bounds": Arm("two bounds"),
}


def tangled(kind, seed, world):
    """One of chapter 07's models, that writes no other tokens than letters."""
    return Letters(load_checkpoint(f"tangle-{kind}", seed)[0].requires_grad_(True), world)


def learning(
    seeds=SEEDS, rewards=("first letter", "even number"), arms=None, passes=PASSES
) -> dict:
    """{reward: {arm: for each seed [(passes spent, share of the gain)]}}."""
    world, found = Tangle(), {}
    for name in rewards:
        praised = reward.REWARDS[name](world)
        found[name] = {arm: [] for arm in (arms or [*CAUSAL, *DENOISERS])}
        for arm, curves in found[name].items():
            for seed in seeds:
                model = tangled("ar" if arm in CAUSAL else "diffusion", seed, world)
                way = (CAUSAL | DENOISERS)[arm]
                spend = passes
                if arm == "exact, for free":  # as many texts as by steps
                    letters = world.length - 1
                    spend = (
                        passes * reward.price("exact", letters) // reward.price("steps", letters)
                    )
                how = {"passes": spend, "beta": BETA, "seed": seed, "eagerness": EAGER}
                seen = reward.learn(model, world, praised, way, **how)[1]
                curves.append([[spent, round(share, 4)] for spent, share in seen])
    return found
