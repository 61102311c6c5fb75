"""Labels beside crossing lines: each belongs to its line, and covers neither line nor label."""

from itertools import combinations

import matplotlib.pyplot as plt

from utils.page import plotting
from utils.page.labels import label_lines


def crossing():
    plotting.style()
    fig, ax = plt.subplots()
    x = [1, 2, 3, 4, 5]
    ax.plot(x, [0.9, 0.7, 0.5, 0.3, 0.1], "o-", color=plotting.AR, label="falling")
    ax.plot(x, [0.1, 0.3, 0.5, 0.7, 0.9], "s-", color=plotting.DIFFUSION, label="rising")
    ax.plot(x, [0.45] * 5, "D-", color=plotting.INK, label="level")
    ax.axhline(0.2)  # it has no label, and gets none
    ax.set(xlim=(0.5, 6), ylim=(0, 1), title="Three lines cross")
    return fig, ax


def test_every_labelled_line_gets_its_label_in_its_colour():
    _, ax = crossing()
    labels = label_lines(ax)
    assert [label.get_text() for label in labels] == ["falling", "rising", "level"]
    assert list(ax.texts) == labels  # what was tried is gone
    for label, line in zip(labels, ax.get_lines(), strict=False):
        assert label.get_color() == line.get_color()
        assert list(label.xy) in line.get_xydata().tolist()


def test_labels_stay_in_the_figure_and_off_each_other():
    fig, ax = crossing()
    boxes = [label.get_window_extent() for label in label_lines(ax)]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert all(fig.bbox.x0 <= box.x0 and box.x1 <= fig.bbox.x1 for box in boxes)
    assert all(ax.bbox.y0 <= box.y0 and box.y1 <= ax.bbox.y1 for box in boxes)


def test_labels_cover_no_point_of_any_line_where_there_is_room():
    _, ax = crossing()
    boxes = [label.get_window_extent() for label in label_lines(ax)]
    for line in ax.get_lines()[:3]:
        points = line.get_transform().transform(line.get_xydata())
        assert not any(box.count_contains(points) for box in boxes)


def test_a_label_stands_halfway_where_at_each_point_a_line_would_run_through_it():
    """As in chapter 13: below a steep line the name fits between two of its points alone."""
    plotting.style()
    _, ax = plt.subplots()
    x = [1, 2, 4, 8, 16, 32, 64]
    upper, lower = (
        [0.5, 0.38, 0.27, 0.16, 0.08, 0.03, 0.01],
        [0.24, 0.15, 0.09, 0.04, 0.02, 0.01, 0],
    )
    ax.plot(x, upper, "o-", color=plotting.AR, label="weights, left to right")
    ax.plot(x, lower, "D:", color=plotting.DIFFUSION, label="weights, filled in")
    ax.set(xscale="log", ylim=(0, None), title="Several texts repair what masking distorts")
    ink = [plotting.inked(line) for line in ax.get_lines()]
    boxes = [label.get_window_extent() for label in label_lines(ax)]
    assert not any(box.count_contains(points) for box in boxes for points in ink)


def test_a_figure_without_labels_gets_none():
    _, ax = plt.subplots()
    ax.plot([1, 2], [1, 2])
    assert label_lines(ax) == []


def test_a_single_point_can_be_labelled():
    _, ax = plt.subplots()
    ax.plot([1], [1], "o", label="alone")
    assert [label.get_text() for label in label_lines(ax)] == ["alone"]
