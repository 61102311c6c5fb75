"""What recurrent networks make of `Topics` and of `Groups`, and what is in the states of SmolLM2,
kept like a checkpoint (chapter 11).

    python -m utils.checkpoints remake states-recurrent     # each takes a minute or two
    python -m utils.checkpoints remake states-smollm
    python -m utils.checkpoints remake states-topics     # SmolLM2 reads `Topics`; some more
"""

from __future__ import annotations

from pathlib import Path

import torch

from utils.checkpoints import keeping, kept_foreign
from utils.checkpoints.provenance import changes, provenance
from utils.checkpoints.recipes.cups import LONGEST, next_states
from utils.checkpoints.recipes.cups import batches as cup_batches
from utils.checkpoints.recipes.topics import above_exact, next_words
from utils.checkpoints.recipes.topics import batches as topic_batches
from utils.experiments import states
from utils.models import smollm
from utils.models.recurrent import Recurrent
from utils.text import corpus
from utils.training.fit import fit
from utils.worlds.groups import Groups
from utils.worlds.topics import Topics

DATA = Path(__file__).resolve().parent / "data"
SEEDS = 0, 1, 2

# -- recurrent networks ----------------------------------------------------------------------------

ON_TOPICS = {"d_model": 32, "d_state": 110, "steps": 200, "lr": 3e-3}
ON_CUPS = {"d_model": 32, "d_state": 108, "steps": 500, "lr": 5e-3}


def recurrent(world, batches, loss, seed, *, d_model, d_state, steps, lr, progress=False):
    """A recurrent network that is trained as the transformers of a recipe are: `batches` and `loss`
    are the recipe's."""
    model = Recurrent(len(world.vocab), d_model, d_state, seed=seed)
    how = {"steps": steps, "lr": lr, "seed": seed, "progress": progress}
    fit(model, batches(world, seed), lambda m, rows: loss(m, rows, world), **how)
    return model.eval()


def recurrents(seeds=SEEDS, **shorter) -> list[dict]:
    """Train and measure one on each world, for each seed. A minute."""
    found = []
    for seed in seeds:
        world, game = Topics(), Groups("cups", LONGEST)
        on_topics = recurrent(world, topic_batches, next_words, seed, **(ON_TOPICS | shorter))
        on_cups = recurrent(Groups("cups"), cup_batches, next_states, seed, **(ON_CUPS | shorter))
        both = on_topics, on_cups
        swaps = {kind: states.swap_trial(on_topics, world, kind) for kind in ("belief", "others")}
        found.append(
            above_exact(on_topics, world)
            | {
                "parameters": [sum(p.numel() for p in m.parameters()) for m in both],
                "shares": {kind: _rounded(after.shares()) for kind, after in swaps.items()},
                "moved": _rounded(swaps["belief"].moved[:, states.AFTER]),
                "due": _rounded(swaps["belief"].due[:, states.AFTER]),
                "right": _rounded(states.right_after(on_cups, game).double().mean(0)),
            }
        )
    return found


# -- SmolLM2 ---------------------------------------------------------------------------------------

PASSAGES, TOKENS, LAG, FIRST = 24, 128, 16, 17
LAGS = 1, 2, 4, 8, 16, 32, 64


def passages(tokenizer, n=PASSAGES, *, shuffled=False):
    """Passages of the King James Bible from its beginning to its end, (n, 129) int64, each after
    the token that begins a text for SmolLM2; or the same tokens in random order, from all
    passages."""
    text = corpus.kjv()
    starts = [text.index("\n", k * len(text) // n) + 1 for k in range(n)]
    rows = [tokenizer.encode(text[at : at + 8 * TOKENS])[:TOKENS] for at in starts]
    rows = torch.stack(rows)
    if shuffled:
        order = torch.randperm(rows.numel(), generator=torch.Generator().manual_seed(0))
        rows = rows.flatten()[order].view(rows.shape)
    begin = tokenizer.encode("<|im_start|>")
    return torch.cat([begin.expand(n, -1), rows], 1)


def of_smollm(n=PASSAGES, kinds=("text", "shuffled")) -> dict:
    """{kind: of each layer the parts of the variance, of each passage, and autocorrelations}."""
    model, tokenizer = smollm.load()
    found = {}
    for kind in kinds:
        rows = passages(tokenizer, n, shuffled=kind == "shuffled")
        seen = torch.cat([states.streams(model, few) for few in rows.split(4)], 1)[:, :, FIRST:]
        found[kind] = [_layer(states.as_read(layer)) for layer in seen]
    return found


def _layer(read):
    parts = states.split(read, lag=LAG)
    kept = {name: _rounded(getattr(parts, name)) for name in ("position", "slow", "total")}
    return kept | {"alike": [round(x, 4) for x in states.autocorrelation(read, LAGS)]}


def _rounded(numbers):
    return [round(float(x), 5) for x in numbers]


# -- keeping ---------------------------------------------------------------------------------------

MAKE = {
    "states-recurrent": recurrents,
    "states-smollm": of_smollm,
    "states-topics": kept_foreign.of_topics,
}


def kept(what: str):
    """What is kept. Raises FileNotFoundError, saying how to make it, where it is missing."""
    return keeping.read(DATA / f"{what}.json")["found"]


def smollm_split(layer: dict) -> states.Split:
    """The parts of one layer's variance as `states.split` gave them."""
    return states.Split(*(torch.tensor(layer[n]) for n in ("position", "slow", "total")))


def at_after(each: dict) -> states.After:
    """A recurrent network's swap, `states.AFTER` words later alone. Where hardly anything is
    due, what is kept is 0; half of the smallest number that can be kept stands for it."""
    moved, due = (torch.tensor(each[name])[:, None] for name in ("moved", "due"))
    return states.After(moved, due.clamp_min(5e-6))


def made_by(what: str) -> dict[str, str]:
    """{name: fingerprint} of all that it depends on."""
    return provenance({"code": MAKE[what]})


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
    keeping.accept(path, made_by(what), REHEARSE[what](), within=0.01)


def _rehearse_recurrents():
    return recurrents(seeds=(0,), steps=10)[0]["nats_above_exact"]


def _rehearse_smollm():
    return of_smollm(n=2, kinds=("text",))["text"][15]["alike"][0]


def _rehearse_topics():
    few = kept_foreign.of_topics(learned=6, asked=2, pairs=2, nets=("trained",))
    return float(kept_foreign.swap_of(few, "whole past").due.mean())


REHEARSE = {
    "states-recurrent": _rehearse_recurrents,
    "states-smollm": _rehearse_smollm,
    "states-topics": _rehearse_topics,
}
