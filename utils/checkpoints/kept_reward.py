"""What models learned from reward, kept like a checkpoint (chapter 14).

    python -m utils.checkpoints remake reward-easy reward-hard     # each takes some minutes
    python -m utils.checkpoints remake reward-gradients
    python -m utils.checkpoints remake reward-verdicts

Weights are not kept: what is asked is how far each way to learn has come, and that is a number.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from utils.checkpoints import keeping
from utils.checkpoints.provenance import changes, provenance
from utils.checkpoints.store import at_seed, load_checkpoint, read_card
from utils.experiments import estimates, reward, taking_back
from utils.experiments.reward import Arm, Letters
from utils.experiments.taking_back import GoOn, LookAgain
from utils.worlds.tangle import Tangle
from utils.worlds.verdicts import Verdicts

DATA = Path(__file__).resolve().parent / "data"
SEEDS = 0, 1, 2
EASY, HARD = "first letter", "even number"  # what is rewarded
EAGER = 3.0  # how eager a denoiser is to fill first what it is sure of
BETA = 0.1
PASSES = 96_000  # for each training: fifty batches by steps
LOOKS = 8  # how often the law is computed on the way

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


def learning(rewarded, seeds=SEEDS, arms=None, passes=PASSES) -> dict:
    """{arm: for each seed [(passes spent, share of the gain)]}."""
    world, found = Tangle(), {}
    praised = reward.REWARDS[rewarded](world)
    for name in arms or [*CAUSAL, *DENOISERS]:
        found[name], arm = [], (CAUSAL | DENOISERS)[name]
        spend = as_many_texts(passes, world) if name == "exact, for free" else passes
        for seed in seeds:
            model = tangled("ar" if name in CAUSAL else "diffusion", seed, world)
            how = {"passes": spend, "beta": BETA, "seed": seed, "eagerness": EAGER}
            curve = reward.learn(model, world, praised, arm, **how, looks=LOOKS)[1]
            found[name].append([[spent, round(share, 4)] for spent, share in curve])
    return found


def as_many_texts(passes, world):
    """What passes pay for texts by steps, in passes at the price of the exact log-probability."""
    prices = (reward.price(by, world.length - 1) for by in ("exact", "steps"))
    return passes * next(prices) // next(prices)


# -- gradients -------------------------------------------------------------------------------------

BATCHES = 16
EXPECTED = "steps, tokens only", "one pass", "masks", "two bounds"
# In the order in which they draw from one generator: what is new comes last, and changes nothing.
SAMPLED = "steps", "one step", "one pass", "1 mask", "16 masks", "pairs", "two bounds", "4 masks"


def gradients(seeds=SEEDS, batches=BATCHES) -> dict:
    """Of the harder reward, before learning and after as many passes as half a training has:
    {"start" or "halfway": for each seed {"bias": {stand-in: share of the gradient's length},
    "cosine": …, "noise": {stand-in: mean square of what one batch is off by, likewise}}}."""
    world, found = Tangle(), {"start": [], "halfway": []}
    praised = reward.REWARDS[HARD](world)
    for seed in seeds:
        model = tangled("diffusion", seed, world)
        how = {"passes": PASSES // 2, "beta": BETA, "seed": seed, "eagerness": EAGER}
        later, _ = reward.learn(model, world, praised, DENOISERS["steps"], **how, looks=1)
        for moment, each in zip(found.values(), (model, later), strict=True):
            moment.append(_gradients(each, world, praised, seed, batches))
    return found


def _gradients(model, world, praised, seed, batches):
    exact = estimates.exact_gradient(model, world, praised, EAGER)
    length, generator = exact.norm(), torch.Generator().manual_seed(1000 + seed)
    bias, cosine, noise = {}, {}, {}
    for by in EXPECTED:
        mean = estimates.expected_gradient(model, world, praised, by, EAGER)
        bias[by] = round(float((mean - exact).norm() / length), 4)
        cosine[by] = round(float(mean @ exact / mean.norm() / length), 4)
    for by in SAMPLED:
        how = {"generator": generator, "eagerness": EAGER}
        some = [
            estimates.sampled_gradient(model, world, praised, by, **how) for _ in range(batches)
        ]
        some = torch.stack(some)
        spread = ((some - some.mean(0)) ** 2).sum(1).mean() * batches / (batches - 1)
        noise[by] = round(float(spread / length**2), 4)
    return {"bias": bias, "cosine": cosine, "noise": noise}


# -- taking back -----------------------------------------------------------------------------------

WAYS = {  # {name: the first model, how it may act, steps, learning rate}
    "never shown": ("verdicts-first", GoOn(), 300, 3e-4),
    "shown undo": ("verdicts-undo", GoOn(), 300, 1e-4),
    "looks again": ("verdicts-diffusion", LookAgain("steps"), 80, 3e-4),
    "tokens only": ("verdicts-diffusion", LookAgain("tokens"), 80, 3e-4),
    "1 mask": ("verdicts-diffusion", LookAgain("1 mask"), 80, 3e-4),
}
ASKED, TIMES = 200, 6  # questions on the way, and how often they are asked
FRESH = 900_000_000  # seeds from here on are no training's


def verdicts(seeds=SEEDS, ways=None, steps=None, asked=ASKED) -> dict:
    """{way: for each seed {"curve": [(steps, wrong verdicts that end right, right ones)], "wrong"
    and "right": the same of five times as many questions, "unseen": of sums in no training}}."""
    world, found = Verdicts(), {}
    on_the_way = taking_back.ask(world, asked, seed=FRESH)
    in_the_end = [taking_back.ask(world, 5 * asked, seed=FRESH + 1, held_out=x) for x in (0, 1)]
    for name in ways or WAYS:
        recipe, way, longest, lr = WAYS[name]
        last = steps or longest

        def ends(model, questions=on_the_way, way=way):
            both = taking_back.ends(model, world, way, questions)
            return [round(float(flags.double().mean()), 4) for flags in both]

        found[name] = []
        for seed in seeds:
            model = load_checkpoint(recipe, seed)[0]
            looks = [last * k // TIMES for k in range(TIMES + 1)]
            how = {"steps": last, "lr": lr, "seed": seed, "looks": looks, "measure": ends}
            taught, curve = taking_back.learn(model, world, way, **how)
            (wrong, right), unseen = (ends(taught, questions) for questions in in_the_end)
            kept = {"curve": [[step, *both] for step, both in curve], "wrong": wrong}
            found[name].append(kept | {"right": right, "unseen": unseen})
    return found


# -- keeping ---------------------------------------------------------------------------------------

MAKE = {
    "reward-easy": partial(learning, EASY),
    "reward-hard": partial(learning, HARD),
    "reward-gradients": gradients,
    "reward-verdicts": verdicts,
}


def kept(what: str) -> dict:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return keeping.read(DATA / f"{what}.json")["found"]


def made_by(what: str) -> dict[str, str]:
    """{name: fingerprint} of all that it depends on."""
    tangles = "tangle-ar", "tangle-diffusion"
    names = {way[0] for way in WAYS.values()} if what == "reward-verdicts" else tangles
    each = [at_seed(name, seed) for name in sorted(names) for seed in SEEDS]
    weights = {name: read_card(name).weights_sha256 for name in each}
    return provenance({"code": MAKE[what], "weights": weights})


def stale(what: str) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(keeping.read(DATA / f"{what}.json")["made_by"], made_by(what))


def remake(what: str, path: Path | None = None) -> None:
    """Do it all again and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by(what)  # now: files may change in the meantime
    kept = keeping.rehearsed(fingerprints, MAKE[what](), REHEARSE[what]())
    keeping.write(path or DATA / f"{what}.json", kept)


def accept(what: str, path: Path | None = None) -> None:
    """Keep it although code has changed, because what can be done in seconds comes out the same.
    Raises ValueError, and accepts nothing, if it does not."""
    path = path or DATA / f"{what}.json"
    keeping.accept(path, made_by(what), REHEARSE[what](), within=0.02)


def _rehearse_learning(rewarded):
    few = {"seeds": (0,), "arms": ("causal", "steps", "1 mask"), "passes": 20_000}
    return sum(runs[0][-1][1] for runs in learning(rewarded, **few).values())


def _rehearse_gradients():
    world = Tangle()
    model, praised = tangled("diffusion", 0, world), reward.first(world)
    found = _gradients(model, world, praised, 0, 2)
    return sum(found["bias"].values())


def _rehearse_verdicts():
    found = verdicts(seeds=(0,), ways=("shown undo", "looks again"), steps=6, asked=40)
    return sum(run["curve"][-1][1] + run["curve"][-1][2] for (run,) in found.values()) / 4


REHEARSE = {
    "reward-easy": partial(_rehearse_learning, EASY),
    "reward-hard": partial(_rehearse_learning, HARD),
    "reward-gradients": _rehearse_gradients,
    "reward-verdicts": _rehearse_verdicts,
}
