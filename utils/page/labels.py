"""Direct labels for lines that cross: each stands beside its own line, where there is room.

    ax.plot(passes, share, label="going back")
    label_lines(ax)

takes the place of a legend. Where lines lie apart at their ends, `plotting.label_line` will do.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from utils.page.plotting import inked, tidy

GAP = 9  # points between a label and the marker it belongs to
SIDES = {  # (horizontal, vertical alignment): the direction from the marker
    ("left", "center"): (1, 0),
    ("center", "bottom"): (0, 1),
    ("center", "top"): (0, -1),
    ("right", "center"): (-1, 0),
    ("left", "bottom"): (0.7, 0.7),
    ("left", "top"): (0.7, -0.7),
    ("right", "bottom"): (-0.7, 0.7),
    ("right", "top"): (-0.7, -0.7),
}


def label_lines(ax: Axes) -> list[Annotation]:
    """Write the label of each line beside one of its points, or halfway to the next, in its colour,
    where there is room.

    Call it last, when limits and title are set. A place is the better the less it covers, and the
    fewer other lines it is near to. The labels are placed one by one, those with the fewest points
    to choose from first, and then each once more, now that the others have their places. Returns
    the annotations, in the order of the lines.
    """
    tidy(ax.figure)  # so that the axes have their final place
    ink = {line: inked(line) for line in ax.get_lines()}
    lines = [line for line in ink if not line.get_label().startswith("_")]
    placed: dict[Line2D, Annotation] = {}
    for line in 2 * sorted(lines, key=lambda line: len(line.get_xydata())):
        if line in placed:
            placed.pop(line).remove()
        placed[line] = _best(ax, line, ink, [*placed.values()])
    return [placed[line] for line in lines]


def _best(ax, line, ink, placed):
    """The label where it costs least; what was tried besides is removed again."""
    taken = [label.get_window_extent() for label in placed]
    others = [points for other, points in ink.items() if other is not line]
    tried = [_at(ax, line, point, side) for point in _places(ax, line) for side in SIDES]
    costs = [_cost(ax, label.get_window_extent(), ink[line], others, taken) for label in tried]
    best = tried[int(np.argmin(costs))]
    for label in tried:
        if label is not best:
            label.remove()
    return best


def _places(ax, line):
    """The line's points and, as drawn, the middle between each and the next: pairs, in data."""
    points = ax.transData.transform(line.get_xydata())
    halfway = (points[:-1] + points[1:]) / 2
    return [*line.get_xydata(), *ax.transData.inverted().transform(halfway)]


def _at(ax, line, point, side):
    (ha, va), (right, up) = side, SIDES[side]
    return ax.annotate(
        line.get_label(),
        point,
        xytext=(GAP * right, GAP * up),
        textcoords="offset points",
        ha=ha,
        va=va,
        color=line.get_color(),
        fontweight="bold",
    )


def _cost(ax, box, own, others, taken):
    """What speaks against a label there: in this order, what it covers and what it is near to."""
    inside = ax.bbox.x0 <= box.x0 and box.x1 <= ax.figure.bbox.x1
    inside &= ax.bbox.y0 <= box.y0 and box.y1 <= ax.bbox.y1
    labels = sum(box.padded(4).overlaps(other) for other in taken)
    crossed = sum(box.padded(2).count_contains(points) for points in [own, *others])
    near = sum(bool(box.padded(14).count_contains(points)) for points in others)
    return 1e6 * (labels + (not inside)) + 1e3 * crossed + near
