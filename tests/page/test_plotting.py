"""Figures must be legible in both themes, say what they show, and leave the page alone."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.page import plotting

ALT = "Both curves fall, and the causal one is lower from the third minute on."
COLOURS = {name: getattr(plotting, name) for name in ("AR", "DIFFUSION", "MASK", "BASELINE")}


@pytest.fixture(autouse=True)
def _matplotlib_as_it_was():
    with matplotlib.rc_context():
        matplotlib.use("agg")
        yield
    plt.close("all")


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


def linear(color):
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(a, b):
    """WCAG 2's contrast ratio of two colours, 1 to 21."""
    high, low = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(rgb):
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# What a reader with no long-, medium- or short-wave cones sees of a colour (Machado, Oliveira and
# Fernandes, "A physiologically-based model for simulation of color vision deficiency", 2009).
EYES = {
    "three cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("background", ["#ffffff", "#121212", "#14181e"])
@pytest.mark.parametrize("name", COLOURS)
def test_each_colour_stands_out_in_both_themes(name, background):
    assert contrast(COLOURS[name], background) >= 3


@pytest.mark.parametrize("eye", EYES)
def test_colours_differ_for_every_kind_of_eye(eye):
    seen = {name: lab(np.array(EYES[eye]) @ linear(color)) for name, color in COLOURS.items()}
    for a in seen:
        for b in seen:
            if a < b:  # 2.3 is a just noticeable difference
                assert np.linalg.norm(seen[a] - seen[b]) > (
                    60 if {a, b} == {"AR", "DIFFUSION"} else 12
                )


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


def test_figures_on_one_page_do_not_share_names():
    one, other = (plotting.html(figure(title), ALT) for title in ("One", "Another"))
    page = Page(one + other)
    assert len(page.ids) == len(set(page.ids)) and page.used == set(page.ids)
    assert "<style type" not in one  # matplotlib's style sheet would reach every SVG of the page


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


def test_the_png_is_small_and_opaque():
    import io

    from PIL import Image

    data = plotting.png(figure())
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert len(data) < 60_000 and image.getpixel((1, 1)) == (255, 255, 255)


def test_show_displays_one_bundle_and_closes_the_figure(monkeypatch):
    shown = []
    monkeypatch.setattr(plotting, "publish", shown.append)
    fig = figure()
    plotting.show(fig, ALT, name="falling")
    assert [set(bundle) for bundle in shown] == [{"text/html", "image/png", "text/plain"}]
    assert shown[0]["text/plain"] == ALT and 'id="falling"' in shown[0]["text/html"]
    assert not plt.fignum_exists(fig.number)


@pytest.mark.parametrize("alt", ["", "   ", None, "Two curves"])
def test_a_figure_without_a_sentence_is_refused(alt):
    with pytest.raises(ValueError, match="write at least a sentence"):
        plotting.show(figure(), alt)


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
    assert page.locator("svg").evaluate("svg => svg.getBoundingClientRect().width") > 500
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
