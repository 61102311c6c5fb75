"""The letters of a figure's text, put together to one shape, look as they did one by one."""

import io
import re
import sys

import matplotlib.pyplot as plt
import pytest
from PIL import Image, ImageChops

from tests.places import ROOT
from utils.page import plotting, theme

ALT = "The more one measures, the less one knows."


@pytest.fixture
def join_letters(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    yield __import__("figure_letters").join_letters
    del sys.modules["figure_letters"]


def figure():
    plotting.style()
    fig, ax = plt.subplots()
    (line,) = ax.loglog([1, 10, 100], [3, 2, 1], color=plotting.AR)
    plotting.label_line(ax, line, "e = mc², “i j”")
    ax.set(title="The finding, in words", xlabel="$10^{-3}$ seconds", ylabel="bits a character")
    return plotting.html(fig, ALT)


def picture(page, html):
    page.set_content(f"<!doctype html><body style='background:white'>{html}")
    shot = page.locator(".ott-figure svg").screenshot()
    return Image.open(io.BytesIO(shot)).convert("L")


def test_a_text_is_one_shape_and_looks_the_same(browser, join_letters):
    page = browser.new_page()
    apart = picture(page, figure())
    drawn = "[...document.querySelectorAll('svg *')].filter((e) => e.checkVisibility()).length"
    before, texts = page.evaluate(drawn), page.locator("svg g[transform*=scale]").count()
    together = picture(page, join_letters(figure()))
    assert page.locator("svg path[transform$=' scale(0.015625)']").count() == texts > 8
    assert page.evaluate(drawn) < before / 2
    lost = """[...document.querySelectorAll("use")].map((use) => use.getAttribute("href"))
      .filter((name) => !document.querySelector(name))"""
    assert page.evaluate(lost) == []
    assert together.size == apart.size
    assert apart.getextrema()[0] < 80  # there are letters
    different = ImageChops.difference(apart, together).histogram()
    assert sum(different[64:]) == 0 and sum(different[32:]) < 100
    page.close()


def test_letters_in_any_form_of_a_stored_figure_are_joined(join_letters):
    """Definitions may stand in each text, a letter may have no outline, and be raised and small."""
    stored = """<svg><g style="fill: currentColor" transform="translate(5 6) scale(0.1 -0.1)">
<defs>
<path id="f1-0" d="M 0 10L 64 10Q 70 10 70 0L 0 10z" transform="scale(0.015625)"/>
<path id="f1-1" transform="scale(0.015625)"/>
</defs>
<use href="#f1-0"/>
<use href="#f1-1" transform="translate(20 0)"/>
<use href="#f1-0" transform="translate(30 2.5) scale(0.5)"/>
</g></svg>"""
    place = "translate(5 6) scale(0.1 -0.1) scale(0.015625)"
    d = "m0 10l64 0q6 0 6-10l-70 10zm1920 155l32 0q3 0 3-5l-35 5z"
    joined = join_letters(stored)
    assert joined == f'<svg><path style="fill: currentColor" transform="{place}" d="{d}"/></svg>'


def light(colour):
    """Its relative luminance (WCAG 2.2). colour: three shares of 255."""
    return sum(
        part * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
        for part, c in zip((0.2126, 0.7152, 0.0722), (c / 255 for c in colour), strict=True)
    )


@pytest.mark.parametrize("colour", [theme.AR, theme.DIFFUSION, theme.BASELINE, theme.MASK])
@pytest.mark.parametrize("ink, ground", [("#1f242b", "#fefdfb"), ("#d6dae0", "#15191f")])
def test_letters_in_a_colour_stand_out_in_both_themes(join_letters, colour, ink, ground):
    css = (ROOT / "book" / "_static" / "custom.css").read_text("utf-8")
    assert f"--pst-color-text-base: {ink}" in css and f"--pst-color-background: {ground}" in css
    text = '<g style="fill: %s" transform="translate(5 5)"><use href="#a"/></g>'
    letter = '<path id="a" d="M 0 0L 64 0z" transform="scale(0.015625)"/>'
    said = re.search(
        r"color-mix\(in srgb, (\S+) (\d+)%, currentColor\)", join_letters(letter + text % colour)
    )
    rgb = [[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in (said[1], ink, ground)]
    share = int(said[2]) / 100
    mixed = [share * a + (1 - share) * b for a, b in zip(*rgb[:2], strict=True)]
    dark, bright = sorted([light(mixed), light(rgb[2])])
    assert (bright + 0.05) / (dark + 0.05) >= 4.5
    assert "fill: #ffffff" in join_letters(letter + text % "#ffffff")  # on a heat map


def test_black_letters_have_no_style_and_stay(join_letters):
    letter = '<path id="a" d="M 0 0L 64 0z" transform="scale(0.015625)"/>'
    text = '<g transform="translate(5 5) scale(0.1 -0.1)"><use href="#a"/></g>'
    joined = join_letters(f"<defs>{letter}</defs>{text}")
    assert "<path transform=" in joined and "href" not in joined
