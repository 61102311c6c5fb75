"""Each picture holds what it was given, and names it."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from utils.measure.rates import Rate
from utils.page import charts, plotting


@pytest.fixture
def ax():
    with matplotlib.rc_context():
        matplotlib.use("agg")
        plotting.style()
        yield plt.subplots()[1]
    plt.close("all")


def words(ax):
    return {text.get_text(): text for text in ax.texts}


def test_a_line_carries_its_name_in_its_colour(ax):
    drawn = charts.line(ax, [1, 2, 3], [5, 6, 7], "left to right", plotting.AR)
    assert list(drawn.get_ydata()) == [5, 6, 7]
    assert words(ax)["left to right"].get_color() == drawn.get_color() == plotting.AR


def test_rates_are_drawn_with_their_intervals(ax):
    measured = [Rate(1, 20), Rate(19, 20)]
    drawn = charts.rates(ax, [0, 1], measured, "correct", plotting.AR)
    assert drawn.get_ydata() == pytest.approx([0.05, 0.95])
    corners = ax.collections[0].get_paths()[0].vertices
    bounds = {bound for each in measured for bound in each.interval}
    assert bounds <= set(corners[:, 1])


@pytest.mark.parametrize("right", [True, False])
def test_a_level_runs_across_with_its_name_inside(ax, right):
    charts.line(ax, [10, 1000], [0, 2], "model", plotting.AR)
    charts.level(ax, 1.5, "the truth", right=right)
    assert set(ax.get_lines()[-1].get_ydata()) == {1.5}
    ax.figure.draw_without_rendering()
    box, frame = words(ax)["the truth"].get_window_extent(), ax.get_window_extent()
    assert frame.x0 <= box.x0 and box.x1 <= frame.x1
    assert (box.x0 + box.x1) / 2 > (frame.x0 + frame.x1) / 2 if right else box.x0 < frame.x0 + 9


@pytest.mark.parametrize(("course", "side"), [([0, 2, 2], "bottom"), ([1.6, 1.6, 2], "top")])
def test_no_line_runs_through_the_name_of_a_level(ax, course, side):
    drawn = charts.line(ax, [0, 1, 2], course, "model", plotting.AR)
    charts.level(ax, 1.5, "the truth")
    ax.set(ylim=(0, 3))
    plotting.tidy(ax.figure)
    name = words(ax)["the truth"]
    assert (name.get_ha(), name.get_va()) == ("left", side)
    assert not name.get_window_extent().count_contains(plotting.inked(drawn))


def test_a_heatmap_names_its_rows_and_columns(ax):
    shares = np.array([[0.1, 0.9, 0.0], [0.3, 0.3, 0.4]])
    picture = charts.heatmap(ax, shares, rows=["boy", "dogs"], columns="abc", most=1)
    assert np.array_equal(picture.get_array(), shares) and picture.get_clim() == (0, 1)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["boy", "dogs"]
    assert ax.get_xticklabels()[0].get_rotation() == 0


def test_long_names_stand_aslant(ax):
    charts.heatmap(ax, np.eye(2), rows=["boy", "farmers"], columns=["boy", "farmers"])
    assert ax.get_xticklabels()[0].get_rotation() == 60


@pytest.mark.parametrize("y", [np.nan, np.inf, "x", None, True, [1, 2]])
def test_what_is_no_height_is_refused(ax, y):
    with pytest.raises(ValueError, match=r"^y is .*; give the height"):
        charts.level(ax, y, "chance")
