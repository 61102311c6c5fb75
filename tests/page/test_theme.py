"""A colour means the same everywhere, and all can tell it from the others, in the dark too."""

import re
from pathlib import Path

import numpy as np
import pytest

from utils.page import heatmap, theme
from utils.page.theme import asset, carried, check_alt, renew

FOLDER = Path(theme.__file__).parent
COLOURS = {name: getattr(theme, name) for name in ("AR", "DIFFUSION", "MASK", "BASELINE")}

# -- colours -------------------------------------------------------------------------------------


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


# -- light and dark ------------------------------------------------------------------------------


def variables(declarations):
    return dict(re.findall(r"(--[a-z]+):([^;}]+)", declarations))


def test_light_and_dark_give_every_variable_a_value():
    css = theme.theme()
    light, *dark = re.findall(r"\.ott\{([^}]*)\}", css)
    assert {"--ar", "--diffusion", "--mask", "--ink", "--paper"} <= set(variables(light))
    assert dark and all(variables(each) == variables(dark[0]) for each in dark)
    assert set(variables(dark[0])) <= set(variables(light))
    pages = "".join(
        path.read_text("utf-8")
        for ending in ("css", "js", "py")
        for path in FOLDER.glob(f"*.{ending}")
    )
    used = set(re.findall(r"var\((--[a-z]+)", pages))
    their_own = set(
        re.findall(r"(?<!var\()(--[a-z]+)", pages.replace(Path(theme.__file__).read_text(), ""))
    )
    assert "--ink" in used and used - their_own <= set(variables(light))


@pytest.mark.parametrize("ink", ["--ink", "--muted"])
def test_text_can_be_read_on_paper_in_both(ink):
    for declarations in re.findall(r"\.ott\{([^}]*)\}", theme.theme()):
        found = variables(declarations)
        if "--paper" in found:
            assert contrast(full(found[ink]), full(found["--paper"])) >= 4.5  # WCAG 2.2, 1.4.3


def full(color):
    """#fff as #ffffff."""
    return color if len(color) == 7 else "#" + "".join(2 * digit for digit in color[1:])


@pytest.mark.parametrize(
    ("html", "system", "dark"),
    [
        ('<html data-theme="dark"><body>', "light", True),
        ('<html data-theme="light"><body>', "dark", False),
        ('<html><body data-jp-theme-light="false">', "light", True),
        ('<html><body data-jp-theme-light="true">', "dark", False),
        ("<html><body>", "dark", True),
        ("<html><body>", "light", False),
    ],
)
def test_the_site_decides_then_jupyterlab_then_the_system(page, html, system, dark):
    page.emulate_media(color_scheme=system)
    page.set_content(f"<!doctype html>{html}<style>{theme.theme()}</style><p class=ott>words")
    colour = page.locator("p").evaluate("p => getComputedStyle(p).color")
    assert (min(map(int, re.findall(r"\d+", colour)[:3])) > 200) == dark
    page.emulate_media(media="print")
    colour = page.locator("p").evaluate("p => getComputedStyle(p).color")
    assert max(map(int, re.findall(r"\d+", colour)[:3])) < 60  # paper is white


# -- words and files -----------------------------------------------------------------------------


def test_a_sentence_stands_in_for_a_picture():
    assert check_alt("  The red line rises.\n") == "The red line rises."
    for alt in ("", "   ", None, 7, "Two curves", "One two three"):
        with pytest.raises(ValueError, match=r"alt is .*; write at least a sentence"):
            check_alt(alt)


@pytest.mark.parametrize(
    "name", ["player.css", "player.js", "knobs.css", "knobs.js", "debate.css", "debate.js"]
)
def test_what_goes_into_a_page_has_no_comments_and_means_the_same(name):
    source = (FOLDER / name).read_text("utf-8")
    short = asset(name)
    assert short and "/*" not in short and not re.search(r"(?m)^\s*//|^\s|\s$", short)
    for text in re.findall(r"\"[^\"\n]*\"|'[^'\n]*'", short):
        assert text in source
    if name.endswith(".css"):
        assert short.count("{") == short.count("}")


@pytest.mark.parametrize("alt", ["裁决写在总和之前，并且保持不变。", "คำตอบมาก่อนเหตุผลเสมอ"])
def test_a_sentence_without_spaces_is_a_sentence(alt):
    assert check_alt(f" {alt} ") == alt


@pytest.mark.parametrize("alt", ["图表", "Notrealwordsatall", "一图 a b"])
def test_a_word_is_no_sentence(alt):
    with pytest.raises(ValueError, match="write at least a sentence"):
        check_alt(alt)


def test_of_what_outputs_bring_along_the_age_does_not_matter():
    words = {"title": "One cell", "alt": "There is one cell, half full."}
    now = heatmap.html([[heatmap.Cell(0.5, "half")]], rows=["a"], columns=["b"], **words)
    assert renew(now) == now
    old = now.replace("{display:block;", "{display:inline;").replace("told.className", "told.was")
    assert old.count("display:inline") and old.count("told.was") and renew(old) == now
    other = "<style>.ott{}.ott-figure{}</style><script>window.oneTokenElse = 1</script>"
    assert renew(other) == other
    assert len(carried()) == len([*FOLDER.glob("*.css"), *FOLDER.glob("*.js")])
