"""What a forward pass over k tokens costs beside one over one: what parallel decoding can gain.

To write a token with a cache, a processor reads every weight from memory and does two operations
with each. It could do many more in that time. So reading k tokens at once costs little more than
reading one, until arithmetic takes as long as memory does (the roofline model: Williams, Waterman
and Patterson 2009, doi:10.1145/1498765.1498785). Whoever gets a tokens out of a pass over k tokens
is at most

    a * t(1) / t(k)

times as fast as writing one by one, be it by speculation or by diffusion in blocks. With k = a, all
that was read being accepted, that is the most this machine allows. Rows of a batch fill the same
gap: with many of them the arithmetic is busy, and less is left to gain.

Passes over 1, 2, 4, … tokens take turns, so that a machine that slows down slows all of them, and
what is compared is the ratio within each round.
"""

import platform
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from utils.models.kv_cache import KVCache
from utils.text.numbers import SEED, real, whole

COUNTS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Roofline:
    """seconds: for each count of tokens, 1 among them, the seconds of a pass in each round, as many
    for every count. rows: texts side by side. threads: those of the processor."""

    seconds: dict[int, tuple[float, ...]]
    rows: int
    threads: int

    def ratios(self, k: int) -> torch.Tensor:
        """t(k) / t(1) in each round: (rounds,) float64, ascending."""
        both = torch.tensor([self.seconds[k], self.seconds[1]], dtype=torch.float64)
        return (both[0] / both[1]).sort().values

    def ratio(self, k: int) -> float:
        """Their median."""
        return float(self.ratios(k).quantile(0.5))

    def spread(self, k: int) -> tuple[float, float]:
        """The quarter and the three-quarter point of the rounds."""
        return tuple(self.ratios(k).quantile(torch.tensor([0.25, 0.75]).double()).tolist())

    def gain(self, k: int, accepted: float | None = None) -> float:
        """How many times as fast as one by one it is to get so many tokens out of a pass over k;
        None: all k, the most there is."""
        accepted = k if accepted is None else accepted
        accepted = real("accepted", accepted, f"choose 0 to {k}", least=0, most=k)
        return accepted / self.ratio(k)


@torch.inference_mode()
def measure(
    model,
    *,
    counts=COUNTS,
    context=64,
    rows=1,
    rounds=9,
    seed=0,
    warm_up=True,
    clock=time.perf_counter,
) -> Roofline:
    """Time a causal model over each count of tokens, after `context` tokens in its cache.

    rounds: how often each is timed. warm_up, clock: as in `by_turns`.
    The tokens are random: their number matters and not what they say.

    Raises ValueError for counts without 1, and for more tokens than the model can read.
    """
    counts = [whole("counts", k, "name numbers of tokens, 1 or more", least=1) for k in counts]
    if 1 not in counts:
        raise ValueError(f"counts is {counts}; 1 must be among them, to compare with")
    most = model.config.max_len - max(counts)
    context = whole("context", context, f"choose 0 to {most}", least=0, most=most)
    rows = whole("rows", rows, "it must be at least 1", least=1)
    rounds = whole("rounds", rounds, "it must be at least 1", least=1)
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    shape = rows, context + max(counts)
    tokens = torch.randint(model.config.vocab_size, shape, generator=dice)
    tokens = tokens.to(model.output.device)
    cache = KVCache.like(model, rows, shape[1])
    if context:
        model(tokens[:, :context], cache)

    def read(k):
        model(tokens[:, context : context + k], cache.crop(context))

    calls = {k: partial(read, k) for k in counts}
    seconds = by_turns(calls, rounds=rounds, warm_up=warm_up, clock=clock)
    return Roofline(seconds, rows, torch.get_num_threads())


def by_turns(calls, *, rounds=9, warm_up=True, clock=time.perf_counter) -> dict:
    """Time several things, one after the other, round after round: {name: call} -> {name: seconds
    in each round}. So a machine that slows down slows all of them.

    warm_up: whether a round before them is not counted; not needed where the same has just run.
    clock: seconds since some moment."""
    rounds = whole("rounds", rounds, "it must be at least 1", least=1)
    found = {name: [] for name in calls}
    for round_ in range(-1 if warm_up else 0, rounds):
        for name, call in calls.items():
            begun = clock()
            call()
            taken = clock() - begun
            if round_ >= 0:
                found[name].append(taken)
    return {name: tuple(each) for name, each in found.items()}


def machine() -> str:
    """What a clock was read on, in a line: processor, threads, and the versions that count."""
    threads, version = torch.get_num_threads(), torch.__version__.split("+")[0]
    return (
        f"{_processor()}, {threads} thread{'s' * (threads > 1)}, torch {version}, "
        f"Python {platform.python_version()}"
    )


def _processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()
