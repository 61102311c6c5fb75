"""What many trainings of `scarce` came to: which arm and moment the kept-out texts choose, and how
far from the truth that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from utils.experiments.scarce import Arm, Look
from utils.measure.intervals import bootstrap_ratio


@dataclass(frozen=True)
class Run:
    """A training. world: the name of its language. n: texts, None for fresh ones at every step.
    errors: how far each answer in each state is from the truth. averaged: instead of an arm, the
    kind of those of this seed that are one here, their probabilities averaged."""

    world: str
    n: int | None
    arm: Arm | None
    seed: int
    looks: tuple[Look, ...]
    errors: tuple[tuple[float, ...], ...] | None = None
    averaged: str = ""

    @property
    def chosen(self) -> Look:
        """The moment at which the texts that were kept out say to stop."""
        return min(self.looks, key=lambda look: look.stopping)


@dataclass(frozen=True)
class Multiple:
    """How far one kind is from the truth as a multiple of another, with its interval over draws."""

    value: float
    interval: tuple[float, float]
    n: int  # draws

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2f} [{low:.2f}, {high:.2f}]"


def mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def of_arm(runs: Sequence[Run], world: str, n: int | None, arm: Arm) -> list[Run]:
    """The trainings of one arm on so many texts, one for each seed, in their order."""
    here = [run for run in runs if (run.world, run.n, run.arm) == (world, n, arm)]
    return sorted(here, key=lambda run: run.seed)


def by_seed(runs, world: str, n: int | None, kind: str, averaged=False) -> dict[int, Look]:
    """For each seed, in order, the arm of this kind, and its moment, that the texts kept out
    choose; or all its arms as one."""
    here = [run for run in runs if (run.world, run.n) == (world, n)]
    if averaged:
        mine = [run for run in here if run.averaged == kind]
    else:
        mine = [run for run in here if run.arm and run.arm.kind == kind]
    looks = {seed: [] for seed in sorted({run.seed for run in mine})}
    for run in mine:
        looks[run.seed].append(run.chosen)
    return {seed: min(each, key=lambda look: look.stopping) for seed, each in looks.items()}


def chosen(runs, world: str, n: int | None, kind: str, averaged=False) -> list[Look]:
    """What the texts kept out choose, as in `by_seed`: one for each seed."""
    return list(by_seed(runs, world, n, kind, averaged).values())


def on_same_draws(*looks: dict[int, Look]) -> list[list[Look]]:
    """Several of `by_seed`, on the seeds that all of them have. Raises ValueError for none."""
    seeds = sorted(set.intersection(*map(set, looks)))
    if not seeds:
        raise ValueError("they have no draw in common; compare trainings on the same texts")
    return [[each[seed] for seed in seeds] for each in looks]


def multiple(theirs: Sequence[Look], ours: Sequence[Look], measure: str = "kl") -> Multiple:
    """The KL divergence of causal models, `theirs`, as a multiple of that of denoisers, `ours`, on
    the same draws. measure: of the denoisers, "kl", "left" or "bound"."""
    theirs, ours = [look.kl for look in theirs], [getattr(look, measure) for look in ours]
    return Multiple(sum(theirs) / sum(ours), bootstrap_ratio(theirs, ours, seed=0), len(ours))


def slopes(runs, world: str, kind: str, sizes: Sequence[int]) -> torch.Tensor:
    """How steeply log KL falls against log texts, for each draw that all sizes have: (draws,)."""
    x = torch.tensor(sizes, dtype=torch.double).log()
    x = x - x.mean()
    looks = on_same_draws(*(by_seed(runs, world, n, kind) for n in sizes))
    kls = [[look.kl for look in each] for each in looks]
    y = torch.tensor(kls, dtype=torch.double).log()  # (sizes, draws)
    return x @ (y - y.mean(0)) / (x @ x)


def by_sides(runs: Sequence[Run]) -> torch.Tensor:
    """The mean error of a hidden letter by how many letters are visible before it (rows) and after
    it (columns): (places, places), nan where there is no such state."""
    found = torch.tensor([run.errors for run in runs]).mean(0)  # (states, places)
    places = found.shape[1]
    total, count = torch.zeros(places, places), torch.zeros(places, places)
    for state in range(1, 2**places):
        seen = [not state >> i & 1 for i in range(places)]
        for i in (i for i in range(places) if not seen[i]):
            total[sum(seen[:i]), sum(seen[i:])] += found[state, i]
            count[sum(seen[:i]), sum(seen[i:])] += 1
    return total / count


def versus(theirs, ours, world: str, *, n: int = 100, against: str | None = None) -> Multiple:
    """Tuned causal models, among the runs `theirs`, over tuned denoisers, among `ours`, on the
    draws that have both. against: the language of the denoisers, if it is another."""
    causal = by_seed(theirs, world, n, "causal")
    denoisers = by_seed(ours, against or world, n, "diffusion")
    return multiple(*on_same_draws(causal, denoisers))


def compared(runs, world: str, *, apart: Sequence[Run] = ()) -> dict[str, Multiple]:
    """Causal models over denoisers on a hundred texts: each as its kept-out texts choose; the
    denoiser kept to one order; three of each averaged, on the draws that have both. apart: where
    averages of denoisers are, if not among `runs`."""
    alone = on_same_draws(*(by_seed(runs, world, 100, kind) for kind in ("causal", "diffusion")))
    three = by_seed(runs, world, 100, "causal", averaged=True)
    fillers = by_seed([*runs, *apart], world, 100, "diffusion", averaged=True)
    return {
        "tuned causal / tuned denoiser": multiple(*alone),
        "the same, denoiser in one order": multiple(*alone, "left"),
        "three averaged / three averaged": multiple(*on_same_draws(three, fillers)),
    }


def by_step(runs, world: str, n: int | None, arm: Arm) -> list[tuple[int, float]]:
    """Steps taken, and the mean KL of all draws then."""
    looks = zip(*[run.looks for run in of_arm(runs, world, n, arm)], strict=True)
    return [(at[0].step, mean(look.kl for look in at)) for at in looks]


def by_pass(runs, world: str, n: int, arm: Arm) -> list[tuple[float, float]]:
    """Passes over the four fifths of n texts that are learned from, and the mean KL then."""
    return [(step * 32 / (0.8 * n), kl) for step, kl in by_step(runs, world, n, arm)]
