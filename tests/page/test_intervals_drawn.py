import matplotlib.pyplot as plt
import pytest

from utils.page import plotting


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_interval_points_reach_from_low_to_high(ax):
    dots = plotting.interval_points(ax, [1, 2], [0.5, 0.4], [0.2, 0.4], [0.6, 0.9], plotting.AR)
    assert list(dots.get_ydata()) == [0.5, 0.4]
    (bars,) = ax.collections
    ends = [sorted(segment[:, 1]) for segment in bars.get_segments()]
    assert ends == [pytest.approx([0.2, 0.6]), pytest.approx([0.4, 0.9])]


def test_interval_points_can_be_labelled(ax):
    dots = plotting.interval_points(ax, [1], [0.5], [0.2], [0.6], plotting.AR)
    label = plotting.label_line(ax, dots, "ours")
    assert label.xy == (1, 0.5) and label.get_color() == plotting.AR


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_mark_names_its_place_whatever_the_scale(ax, scale):
    ax.set(yscale=scale, xlim=(0, 10), ylim=(1, 100))
    plotting.mark(ax, 4, "window")
    (line,), (text,) = ax.get_lines(), ax.texts
    assert set(line.get_xdata()) == {4}
    ax.figure.draw_without_rendering()
    assert ax.bbox.y0 < text.get_window_extent().y0 < ax.bbox.y1
