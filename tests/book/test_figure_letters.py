"""The letters of a figure's text, put together to one shape, look as they did one by one."""

import io
import sys

import matplotlib.pyplot as plt
import pytest
from PIL import Image, ImageChops

from tests.places import ROOT
from utils.page import plotting

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


def test_black_letters_have_no_style_and_stay(join_letters):
    letter = '<path id="a" d="M 0 0L 64 0z" transform="scale(0.015625)"/>'
    text = '<g transform="translate(5 5) scale(0.1 -0.1)"><use href="#a"/></g>'
    joined = join_letters(f"<defs>{letter}</defs>{text}")
    assert "<path transform=" in joined and "href" not in joined
