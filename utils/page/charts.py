"""The pictures that the book draws again and again, each as one call on a matplotlib `Axes`.

fig, ax = plt.subplots()
charts.line(ax, orders, bits, "old text", plotting.BASELINE)
charts.rates(ax, orders, correct, "correct", plotting.AR)
charts.level(ax, entropy, "the truth")
plotting.show(fig, "Bits per character fall with each letter of memory.")
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from utils.page.plotting import LEVEL, interval_band, label_line
from utils.page.theme import INK
from utils.text.numbers import real


def line(ax: Axes, x, y, name: str, color: str) -> Line2D:
    """A line through marked points, its name just right of the last one."""
    (drawn,) = ax.plot(x, y, "o-", color=color)
    label_line(ax, drawn, name)
    return drawn


def rates(ax: Axes, x, y: Sequence, name: str, color: str) -> Line2D:
    """The same for rates, whose intervals are shaded. y: `measure.rates.Rate`s, one for each x."""
    low, high = zip(*(each.interval for each in y), strict=True)
    interval_band(ax, x, low, high, color=color)
    return line(ax, x, [each.share for each in y], name, color)


def level(
    ax: Axes, y: float, name: str, color: str = INK, *, dotted: bool = True, right: bool = False
) -> None:
    """A horizontal line to compare with, its name on it: at the left edge, or at the right.

    Where another line would run through the name, it goes to the line's other side or end.
    """
    y = real("y", y, "give the height at which the line is to lie")
    ax.axhline(y, color=color, linewidth=1.5, linestyle=":" if dotted else "-")
    side, x = ("right", 0.99) if right else ("left", 0.01)
    where = ax.get_yaxis_transform()  # x in shares of the width, y in data
    ax.text(x, y, name, color=color, ha=side, va="bottom", transform=where, gid=LEVEL)


def heatmap(
    ax: Axes, shares, rows: Sequence[str], columns: Sequence[str], *, most: float | None = None
) -> AxesImage:
    """A table of shares as squares, darker for more, its rows and columns named.

    shares: (len(rows), len(columns)), 0 or more. most: the share that is darkest; by default the
    largest. Names that need the room are written aslant. Returns the picture, for a colour bar.
    """
    picture = ax.imshow(shares, cmap="Oranges", vmin=0, vmax=most)
    aslant = 60 if max(map(len, columns)) > 3 else 0
    ax.set_xticks(range(len(columns)), list(columns), rotation=aslant)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.grid(False)
    return picture
