"""Figures must be legible in both themes, say what they show, and leave the page alone."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sites import LETTERING
from utils.page import plotting

ALT = "Both curves fall, and the causal one is lower from the third minute on."


def figure(title="Both curves fall", labels=("left to right", "diffusion")):
    plotting.style()
    fig, ax = plt.subplots()
    x = np.arange(1, 9)
    for i, (label, color) in enumerate(zip(labels, (plotting.AR, plotting.DIFFUSION), strict=True)):
        (line,) = ax.plot(x, 3 / x + 0.02 * i, color=color)
        plotting.interval_band(ax, x, 3 / x - 0.1, 3 / x + 0.1, color)
        plotting.label_line(ax, line, label)
    ax.set(xlabel="minutes", ylabel="bits per character", title=title)
    return fig


# --- colours ---------------------------------------------------------------------------------


# --- figures ---------------------------------------------------------------------------------


class Page(HTMLParser):
    """The ids of a page, the ids it points at, and its tags with their attributes."""

    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)
        self.ids = [a["id"] for _, a in self.tags if "id" in a]
        self.used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', html))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def test_a_figure_says_what_it_shows_and_takes_the_pages_colour():
    html = plotting.html(figure(), ALT)
    svg = next(a for tag, a in Page(html).tags if tag == "svg")
    assert svg["role"] == "img" and svg["aria-label"] == ALT
    assert "currentColor" in html and plotting.INK not in html.split("</style>")[1]
    assert "#ffffff" not in html.split("</style>")[1]  # transparent
    assert "<text" not in html  # letters are shapes: no font of the reader's is needed


def test_the_same_figure_gives_the_same_bytes():
    assert plotting.html(figure(), ALT) == plotting.html(figure(), ALT)


def test_a_figure_has_no_groups_that_say_nothing():
    html = plotting.html(figure(), ALT)
    assert "<g>" not in html and html.count("<g ") == html.count("</g>") > 10
    assert html.count("<defs>") == html.count("</defs>") == 1
    assert 'style="fill: none"' not in html  # a shape that nobody sees


def test_figures_on_one_page_do_not_share_names():
    one, other = (plotting.html(figure(title), ALT) for title in ("One", "Another"))
    page = Page(one + other)
    assert len(page.ids) == len(set(page.ids)) and page.used == set(page.ids)
    assert "<style type" not in one  # matplotlib's style sheet would reach every SVG of the page


@pytest.mark.filterwarnings("ignore:constrained_layout not applied")  # while it is too long
def test_a_long_title_is_wrapped_into_the_figure():
    long = "A causal model that has seen one order only overtakes the n-grams " * 2
    fig = figure(title=long)
    plotting.html(fig, ALT)
    title = fig.axes[0]._left_title
    assert "\n" in title.get_text() and title.get_text().split() == long.split()
    assert title.get_window_extent().x1 <= fig.bbox.x1


@settings(deadline=None, max_examples=10)
@given(st.lists(st.floats(0, 10), min_size=2, max_size=5))
def test_direct_labels_never_overlap(heights):
    plotting.style()
    fig, ax = plt.subplots()
    ax.set(xlim=(0, 1), ylim=(0, 10))
    labels = [plotting.label_line(ax, (1, y), "a label", plotting.AR) for y in heights]
    plotting.html(fig, ALT)
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.y0)
    assert all(a.y1 <= b.y0 + 0.5 for a, b in pairwise(boxes))
    plt.close(fig)


def test_labels_at_the_top_stay_clear_of_the_title():
    fig = figure(title="Long enough to reach the labels at the right end")
    ax = fig.axes[0]
    for height in (0.97, 0.98, 1):
        plotting.label_line(ax, (8, ax.get_ylim()[1] * height), "a label that is long")
    plotting.html(fig, ALT)
    title = ax._left_title.get_window_extent()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(box.y1 < title.y0 for box in boxes)
    boxes.sort(key=lambda box: box.y0)
    assert all(a.y1 <= b.y0 + 0.5 for a, b in pairwise(boxes))


def test_the_png_is_small_and_opaque():
    import io

    from PIL import Image

    data = plotting.png(figure())
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert len(data) < 60_000 and image.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("dpi", [0, -1, 10**9, np.nan, np.inf, "x", None, True, np.array([1, 2])])
def test_what_is_no_resolution_is_refused(dpi):
    with pytest.raises(ValueError, match=r"^dpi is .*; choose 10 to 1000 dots per inch"):
        plotting.png(figure(), dpi)


@pytest.mark.parametrize("place", [np.nan, np.inf, "x", None, True, [1, 2]])
def test_what_is_no_place_is_not_marked(place):
    _, ax = plt.subplots()
    with pytest.raises(ValueError, match=r"^x is .*; give the place"):
        plotting.mark(ax, place, "here")
    plt.close("all")


def test_show_displays_one_bundle_and_closes_the_figure(monkeypatch):
    shown = []
    monkeypatch.setattr(plotting, "publish", shown.append)
    fig = figure()
    plotting.show(fig, ALT, name="falling")
    assert [set(bundle) for bundle in shown] == [{"text/html", "image/png", "text/plain"}]
    assert shown[0]["text/plain"] == ALT and 'id="falling"' in shown[0]["text/html"]
    assert not plt.fignum_exists(fig.number)


@pytest.fixture
def ax():
    return plt.subplots()[1]


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


@pytest.mark.parametrize("alt", ["", "   ", None, "Two curves"])
def test_a_figure_without_a_sentence_is_refused(alt):
    with pytest.raises(ValueError, match="write at least a sentence"):
        plotting.show(figure(), alt)


@pytest.mark.parametrize(
    ("size", "change"),
    [
        ((7.2, 3.2), lambda ax: None),
        ((5, 3.2), lambda ax: ax.text(0.5, 0.5, "a note", fontsize=9)),
        ((5, 3.2), lambda ax: ax.tick_params(labelsize=8)),
    ],
)
def test_lettering_too_small_for_a_phone_is_refused(size, change):
    plotting.style()
    fig, ax = plt.subplots(figsize=size)
    change(ax)
    with pytest.raises(ValueError, match=r"on a phone .* make it 5, or its letters larger"):
        plotting.show(fig, ALT)


def test_lettering_is_large_enough_on_a_phone(browser):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_content(f"<body style='margin:0 18px'>{plotting.html(figure(), ALT)}")
    sizes = page.evaluate(LETTERING)
    assert len(sizes) > 10 and min(sizes) >= 11
    page.close()


def test_alt_text_is_only_ever_text():
    html = plotting.html(figure(), 'One "</svg><script>alert(1)</script>" is & stays text.')
    assert "<script" not in html and html.count("</svg>") == 1


@pytest.mark.parametrize(
    "dark", ['<html data-theme="dark"><body>', '<html><body data-jp-theme-light="false">']
)
def test_axes_turn_light_in_the_dark_theme(browser, dark):
    page = browser.new_page()
    page.set_content(f"<!doctype html>{dark}{plotting.html(figure(), ALT)}")
    colour = page.locator("svg").evaluate("svg => getComputedStyle(svg).color")
    assert min(map(int, re.findall(r"\d+", colour)[:3])) > 200
    assert page.locator("svg").evaluate("svg => svg.getBoundingClientRect().width") > 470
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
