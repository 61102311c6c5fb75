"""A rate never stands alone: how many of how many, and which true rates would make that ordinary.

    print_rates({"left to right": {"verdict": flags, "passes": 9.0}, "diffusion": {...}})

prints a row for each way, a column for each thing measured, every rate with its interval and its n.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from utils.measure.intervals import bootstrap_mean, wilson
from utils.text import columns
from utils.text.numbers import whole


@dataclass(frozen=True)
class Rate:
    """k of n tries came out so."""

    k: int
    n: int

    @property
    def share(self) -> float:
        return self.k / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The true rates that k of n leaves plausible (Wilson's, 95%)."""
        return wilson(self.k, self.n)

    def text(self, digits: int = 1) -> str:
        """ "12.3% [11.0, 13.8]": the share and its interval, in percent."""
        digits = _digits(digits)
        low, high = self.interval
        return f"{self.share:.{digits}%} [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"

    def __str__(self) -> str:
        return f"{self.text()} of {self.n}"


def rate(flags: torch.Tensor) -> Rate:
    """The rate of True among these flags, bool of any shape. Raises ValueError if there are none,
    TypeError for anything but bool."""
    if not isinstance(flags, torch.Tensor) or flags.dtype != torch.bool:
        kind = flags.dtype if isinstance(flags, torch.Tensor) else type(flags).__name__
        raise TypeError(f"flags are {kind}; give a tensor of bool, such as rows == right")
    if not flags.numel():
        raise ValueError("flags is empty; a rate needs at least one try")
    return Rate(int(flags.sum()), flags.numel())


@dataclass(frozen=True)
class Spread:
    """One share from each of several models that differ only by the seed of their training."""

    shares: tuple[float, ...]
    n: int  # tries, of all models together

    @property
    def share(self) -> float:
        return sum(self.shares) / len(self.shares)

    @property
    def interval(self) -> tuple[float, float]:
        """The shares of the lowest and of the highest model; no confidence interval."""
        return min(self.shares), max(self.shares)

    def text(self, digits: int = 1) -> str:
        """ "12.3% (10.1 to 14.0)": the mean of the models and their range, in percent."""
        digits = _digits(digits)
        low, high = self.interval
        return f"{self.share:.{digits}%} ({100 * low:.{digits}f} to {100 * high:.{digits}f})"

    def __str__(self) -> str:
        return f"{self.text()} of {self.n}"


def spread(models: Iterable[torch.Tensor]) -> Spread:
    """The share of each model, given its flags, bool, or its probabilities, of any shape. Raises
    ValueError if there are none, or one that is not finite, and TypeError for what is no tensor."""
    found = list(models)
    for each in found:
        if not isinstance(each, torch.Tensor):
            raise TypeError(f"models has {type(each).__name__}; give a tensor for each model")
    if not found or not all(each.numel() for each in found):
        raise ValueError("nothing to average; give at least one try of at least one model")
    shares = tuple(float(each.double().mean()) for each in found)
    if not all(map(math.isfinite, shares)):
        raise ValueError("models has what is not finite; give flags or probabilities")
    return Spread(shares, sum(each.numel() for each in found))


@dataclass(frozen=True)
class Across:
    """A number from each of several models, with the 95% interval that its own tries leave it."""

    models: tuple[tuple[float, tuple[float, float]], ...]
    n: int  # tries, of all models together

    @property
    def share(self) -> float:
        return sum(number for number, _ in self.models) / len(self.models)

    @property
    def interval(self) -> tuple[float, float]:
        """From the lowest end of the models' own intervals to the highest."""
        lows, highs = zip(*(own for _, own in self.models), strict=True)
        return min(lows), max(highs)


def across(models: Iterable[torch.Tensor | Rate] | Spread) -> Across:
    """Several models, of which each is one try of a training: three with a hundred texts are not
    one with three hundred. So the interval spans theirs.

    models: of each its `Rate`; or its flags, bool; or a number for each of its texts, such as 1, 0
    or -1 where it is compared with another, whose mean's interval is from resampling the texts. Or
    all in one, a `Spread` of counted shares, of equally many tries each.
    Raises ValueError if there are none, fewer than two numbers of a model, or shares of a `Spread`
    that cannot have been counted.
    """
    if isinstance(models, Spread):
        models = _counts(models)
    found, n = [], 0
    for each in models:
        if isinstance(each, torch.Tensor) and each.dtype != torch.bool:
            numbers = each.double().flatten()
            found.append((float(numbers.mean()), bootstrap_mean(numbers.tolist(), seed=0)))
            n += len(numbers)
        else:
            own = each if isinstance(each, Rate) else rate(each)
            found.append((own.share, own.interval))
            n += own.n
    if not found:
        raise ValueError("models is empty; give the tries of at least one")
    return Across(tuple(found), n)


def _counts(found):
    tries = found.n / len(found.shares)
    counts = [share * tries for share in found.shares]
    if tries % 1 or any(abs(count - round(count)) > 1e-6 for count in counts):
        raise ValueError(
            f"shares {found.shares} of {found.n} tries are no counts of equally many each; give "
            "each model's flags"
        )
    return [Rate(round(count), round(tries)) for count in counts]


def print_rates(rows: Mapping[str, Any], *, digits: int = 1, bare: Collection[str] = ()) -> None:
    """Print a table: for each row its name and what was measured.

    rows: {name: {column: cell}}, or {name: cell} for a single column without a heading. A cell is a
    bool tensor, a `Rate` or a `Spread` (shown with its interval), a number, or text; a row may lack
    a column.
    digits: of the rates, after the point. bare: columns whose rates are shown without interval and
    n, where a line would get too long. Below the table stands n; where it differs from rate to
    rate, it stands behind each. JupyterLab shows a table, a terminal its text.
    """
    if not isinstance(rows, Mapping) or not rows:
        raise ValueError(f"rows is {rows!r}; give at least one, such as {{'a name': rate(flags)}}")
    digits = _digits(digits)
    table = {name: dict(r) if isinstance(r, Mapping) else {"": r} for name, r in rows.items()}
    table = {name: {c: _counted(cell) for c, cell in r.items()} for name, r in table.items()}
    sizes = {
        cell.n for r in table.values() for cell in r.values() if isinstance(cell, Rate | Spread)
    }
    shown = {
        name: {c: _shown(cell, digits, len(sizes) > 1, c in bare) for c, cell in r.items()}
        for name, r in table.items()
    }
    names = list(dict.fromkeys(column for r in shown.values() for column in r))
    first = max(map(len, shown))
    widths = {c: max(len(c), *(len(r.get(c, "")) for r in shown.values())) for c in names}
    lines = [" " * first + "".join(f"  {c:>{widths[c]}}" for c in names)] if any(names) else []
    for name, r in shown.items():
        lines.append(f"{name:{first}}" + "".join(f"  {r.get(c, ''):>{widths[c]}}" for c in names))
    lines += [f"n = {sizes.pop():,}"] if len(sizes) == 1 else []
    columns.show("\n".join(line.rstrip() for line in lines))


def _counted(cell):
    return rate(cell) if isinstance(cell, torch.Tensor) and cell.dtype == torch.bool else cell


def _shown(cell, digits, with_n, bare):
    if isinstance(cell, Rate | Spread) and bare:
        return f"{cell.share:.{digits}%}"
    if isinstance(cell, Rate | Spread):
        return cell.text(digits) + (f" of {cell.n}" if with_n else "")
    return f"{float(cell):.1f}" if isinstance(cell, float | torch.Tensor) else str(cell)


def _digits(digits):
    return whole("digits", digits, "choose 0 to 15, such as 1", least=0, most=15)
