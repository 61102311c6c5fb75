"""What the models of the King James Bible make of real text, kept like a checkpoint.

    python -m utils.checkpoints remake proofs     # minutes
    python -m utils.checkpoints remake writing    # minutes

`proofs`: windows of the held-out text with a foreign token in each, and without, as each
proofreader read them (`experiments/proofreading.py`); `tiny-proofs`: the same of three pairs of
very small models. `writing`: texts that the denoiser wrote with several samplers, as the causal
model judges them.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import torch

from utils.checkpoints import keeping, store
from utils.checkpoints.provenance import changes, provenance
from utils.checkpoints.recipes.kjv import king_james
from utils.checkpoints.store import at_seed
from utils.experiments import proofreading
from utils.experiments.proofreading import Proof, Reading, plant, proof
from utils.generation import remasking, revision
from utils.generation.sampling import generate, score
from utils.measure import variety
from utils.measure.probes import Doubt
from utils.text import chance

DATA = Path(__file__).resolve().parent / "data"
LENGTH, EACH, SEEDS = 24, 100, (0, 1, 2)  # tokens of a window; windows for each seed of mistakes
TEXTS, TOKENS = 24, 64  # written by each sampler
MODELS = "kjv-diffusion", "kjv-ar"
TINY = "kjv-tiny-diffusion", "kjv-tiny"  # three seeds; as many predictions in training


# -- proofreading --------------------------------------------------------------------------------


def pages(tokens):
    """The windows with a foreign token, those without, and where it is: (n, 24), (n, 24), (n,).
    Each seed plants its mistakes in windows of its own."""
    right = tokens[: EACH * len(SEEDS) * LENGTH].view(len(SEEDS), EACH, LENGTH)
    planted = [plant(windows, seed=seed) for seed, windows in zip(SEEDS, right, strict=True)]
    broken, places = zip(*planted, strict=True)
    return torch.cat(broken), right.flatten(0, 1), torch.cat(places)


def read_all(denoiser, causal, texts, mask_id, doubt) -> dict[str, Reading]:
    """What all who read proofs say of these texts."""
    dice = torch.Generator().manual_seed(0)
    each = proofreading.hide_each(denoiser, texts, mask_id, generator=dice)
    left = proofreading.hide_each(denoiser, texts, mask_id, behind=False, generator=dice)
    return {
        "leave one out": proofreading.leave_one_out(each),
        "the same, by gain": proofreading.leave_one_out(each, by="gain"),
        "the same, drawn": proofreading.leave_one_out(each, drawn=True),
        "the same, left only": proofreading.leave_one_out(left),
        "glance": proofreading.by_signal(denoiser, texts, mask_id, revision.glance),
        "trained doubt": proofreading.by_signal(denoiser, texts, mask_id, doubt),
        "surprise": proofreading.at_first_sight(causal, texts),
        "Bayes": proofreading.by_bayes(causal, texts, places=5, candidates=4),
    }


def doubter(denoiser, kjv, n=500):
    """A doubt trained on foreign tokens in text that the denoiser has learned from."""
    starts = torch.arange(n) * (len(kjv.tokens) // n)
    right = kjv.tokens[starts[:, None] + torch.arange(LENGTH)]
    broken, _ = plant(right, seed=7)
    return Doubt(denoiser, broken, broken == right, range(proofreading.FIRST, LENGTH), steps=100)


def read_proofs(names=MODELS, seed=0, first=None) -> dict[str, Proof]:
    """Let all of them read all windows, or so many of the first. Minutes. names: of the denoiser
    and of the causal model."""
    kjv = king_james()
    denoiser, causal = (store.load_checkpoint(name, seed)[0] for name in names)
    broken, right, place = (part[:first] for part in pages(kjv.unseen))
    doubt = doubter(denoiser, kjv)
    of_broken, of_right = (
        read_all(denoiser, causal, texts, kjv.mask_id, doubt) for texts in (broken, right)
    )
    return {name: proof(of_broken[name], of_right[name], right, place) for name in of_right}


def proofs(path: Path = DATA / "proofs.json") -> dict[str, Proof]:
    """What is kept: {reader: Proof} of 300 windows each. Raises FileNotFoundError, saying how to
    make it, where it is missing."""
    return {name: _unpacked(kept) for name, kept in keeping.read(path)["proofs"].items()}


def tiny_proofs(path: Path = DATA / "tiny-proofs.json") -> list[dict[str, Proof]]:
    """The same of three pairs of very small models, {reader: Proof} of each."""
    return [
        {name: _unpacked(kept) for name, kept in pair.items()}
        for pair in keeping.read(path)["tiny-proofs"]
    ]


def _packed(found: Proof) -> dict:
    numbers = {
        name: [round(x, 4) if math.isfinite(x) else None for x in getattr(found, name).tolist()]
        for name in ("doubt", "right")
    }
    flags = {
        name: "".join("01"[flag] for flag in getattr(found, name).tolist())
        for name in ("found", "mended")
    }
    return {"passes": found.passes} | flags | numbers


def _unpacked(kept: dict) -> Proof:
    found, mended = (torch.tensor([x == "1" for x in kept[name]]) for name in ("found", "mended"))
    doubt, right = (
        torch.tensor([-math.inf if x is None else x for x in kept[name]], dtype=torch.double)
        for name in ("doubt", "right")
    )
    return Proof(found, mended, doubt, right, kept["passes"])


# -- writing -------------------------------------------------------------------------------------


def write_all(names=None, texts=TEXTS) -> dict[str, dict]:
    """{sampler: its passes, bits per token of each text, variety of all}. Minutes."""
    kjv = king_james()
    denoiser, causal = (store.load_checkpoint(name)[0] for name in MODELS)
    found = {}
    for name, (passes, write) in samplers(denoiser, causal, kjv, texts).items():
        if names is None or name in names:
            found[name] = {"passes": passes} | judged(causal, write())
    return found


def samplers(denoiser, causal, kjv, texts=TEXTS):
    """{name: (passes, function that writes (texts, 64) tokens)}."""
    blank = torch.full((texts, TOKENS), kjv.mask_id)
    real = kjv.unseen[: len(kjv.unseen) // TOKENS * TOKENS].view(-1, TOKENS)
    real = real[:: len(real) // texts][:texts]
    found = {"real text": (0, lambda: real)}
    for heat in (1.0, 0.7):
        how = {"temperature": heat}
        write = partial(_left_to_right, causal, real[:, :1], **how)
        found[f"left to right, {heat:g}"] = (TOKENS, write)
        for most in (0.0, 0.05):
            for steps in (16, 64, 128):
                name = f"{'ReMDM' if most else 'plain'}, {heat:g}, {steps}"
                write = partial(_remask, denoiser, blank, kjv.mask_id, steps=steps, most=most)
                found[name] = (steps, partial(write, **how))
        write = partial(_redraw, denoiser, blank, kjv.mask_id, first=16, rounds=112, **how)
        found[f"by lot, {heat:g}, 128"] = (128, write)
    write = partial(_redraw, denoiser, blank, kjv.mask_id, first=16, rounds=112, temperature=0.0)
    return found | {"by lot, 0, 128": (128, write)}


def judged(judge, written):
    """What a causal model makes of texts: bits per token of each, and how varied they are."""
    with torch.inference_mode():
        bits = -score(judge, written).mean(1) / math.log(2)
    return {
        "bits": [round(x, 3) for x in bits.tolist()],
        "distinct": round(variety.distinct(written), 4),
        "entropy": round(variety.entropy(written), 3),
    }


def _left_to_right(causal, first, **how):
    dice = torch.Generator().manual_seed(0)
    return generate(causal, first, TOKENS - 1, generator=dice, **how)


def _remask(denoiser, blank, mask_id, **how):
    dice = torch.Generator().manual_seed(0)
    return remasking.sample(denoiser, blank, mask_id, generator=dice, **how)


def _redraw(denoiser, blank, mask_id, *, first, rounds, temperature):
    """Write in a few passes, then hide one token after the other, by lot, and fill it anew."""
    dice = torch.Generator().manual_seed(0)

    def by_lot(model, tokens, mask_id, positions):
        return chance.uniform((len(tokens), len(positions)), device=tokens.device, generator=dice)

    how = {"temperature": temperature, "generator": dice}
    written = remasking.sample(denoiser, blank, mask_id, steps=first, most=0.0, **how)
    for _ in range(rounds):  # one by one: no text is settled because one word came out the same
        written = revision.revise(
            denoiser, written, mask_id, range(TOKENS), rounds=1, signal=by_lot, **how
        )
    return written


def writing(path: Path = DATA / "writing.json") -> dict[str, dict]:
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return keeping.read(path)["writing"]


# -- keeping -------------------------------------------------------------------------------------


def _proofs(**how):
    return {name: _packed(found) for name, found in read_proofs(**how).items()}


MAKE = {
    "proofs": _proofs,
    "tiny-proofs": lambda: [_proofs(names=TINY, seed=seed) for seed in SEEDS],
    "writing": write_all,
}


def made_by(what: str) -> dict[str, str]:
    """{name: fingerprint} of all that it depends on: code and weights."""
    code = write_all if what == "writing" else read_proofs
    names = MODELS if what != "tiny-proofs" else [at_seed(n, s) for n in TINY for s in SEEDS]
    weights = {name: store.read_card(name).weights_sha256 for name in names}
    return provenance({"code": code, "weights": weights})


def stale(what: str) -> list[str]:
    """What has changed, by name, since it was made."""
    return changes(keeping.read(DATA / f"{what}.json")["made_by"], made_by(what))


def remake(what: str, path: Path | None = None) -> None:
    """Do it all again and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by(what)  # now: files may change in the meantime
    kept = {"made_by": fingerprints, what: MAKE[what]()}
    keeping.write(path or DATA / f"{what}.json", kept)


def accept(what: str, path: Path | None = None) -> None:
    """Keep it although code has changed, because what can be done in seconds comes out the same.
    Raises ValueError, and accepts nothing, if it does not."""
    path = path or DATA / f"{what}.json"
    fingerprints, kept = made_by(what), keeping.read(path)
    if REHEARSE[what](kept[what]) > 0.01:
        how = f"python -m utils.checkpoints remake {what}"
        raise ValueError(f"{what}: it no longer comes out as it is kept; make it again: {how}")
    keeping.write(path, {**kept, "made_by": fingerprints})


def _rehearse_proofs(kept, first=10, names=MODELS):
    """How far the doubts of two readers in the first windows are from those kept, in nats."""
    again = read_proofs(names, first=first)
    return max(
        float((again[name].doubt - _unpacked(kept[name]).doubt[:first]).abs().max())
        for name in ("leave one out", "Bayes")
    )


def _rehearse_writing(kept):
    """The same of the bits of texts written in sixteen passes, on average."""
    again = write_all(["plain, 1, 16"])["plain, 1, 16"]["bits"]
    return abs(sum(again) - sum(kept["plain, 1, 16"]["bits"])) / len(again)


REHEARSE = {
    "proofs": _rehearse_proofs,
    "tiny-proofs": lambda kept: _rehearse_proofs(kept[0], names=TINY),
    "writing": _rehearse_writing,
}
