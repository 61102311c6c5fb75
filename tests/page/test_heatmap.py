"""Every cell of a heat map is an experiment that can be read, with scripts and without."""

import re

import pytest

from utils.page import heatmap
from utils.page.heatmap import Cell

CELLS = [
    [Cell(0.0, "as before"), Cell(1.02, "a line\nand <another>"), None],
    [Cell(-0.1, "hardly"), None, Cell(0.5, "half")],
    [None, None, Cell(-0.001, "nothing")],
]
HOW = {"rows": ["first", "second", "third"], "columns": ["a", "b", "c"], "title": "What moves it"}
ALT = "Only the cell in the middle moves the word."
HTML = heatmap.html(CELLS, alt=ALT, **HOW)


def test_without_scripts_it_is_a_table_and_a_list_of_what_came_out():
    plain = re.sub(r"<(style|script)>.*?</\1>", "", HTML, flags=re.S)
    shown = re.findall(r"<td[^>]*>(.*?)</td>", plain)
    assert shown == ["", "0.00", "1.02", "", "-0.10", "", "0.50", "", "", "0.00"]
    assert "<dt>first, b: 1.02</dt><dd>a line\nand &lt;another&gt;</dd>" in plain
    assert plain.count("<dt>") == 5 and ALT in plain


def test_shades_stay_between_none_and_all():
    assert re.findall(r"--shade-of:(\S+)%", HTML) == ["0", "100", "0", "50", "0"]


def test_a_cell_that_tells_nothing_is_a_dash_that_can_be_chosen(page):
    cells = [[Cell(None, "it has not learned"), *CELLS[0][1:]], *CELLS[1:]]
    assert heatmap.text(cells, **HOW).splitlines()[2].split() == ["first", "–", "1.02"]
    page.set_content(heatmap.html(cells, alt=ALT, **HOW))
    dash = page.get_by_role("button", name="first, a: –")
    assert told(page).splitlines()[0] == "first, b: 1.02"  # and never the dash at first
    dash.click()
    assert told(page).splitlines() == ["first, a: –", "it has not learned"]
    paint = "(cell) => getComputedStyle(cell.closest('td')).backgroundColor"
    plain = page.get_by_role("button", name="second, a: -0.10").evaluate(paint)
    assert dash.evaluate(paint) == plain


def test_as_text_it_is_the_table():
    lines = heatmap.text(CELLS, **HOW).splitlines()
    assert lines[0] == "What moves it" and lines[2].split() == ["first", "0.00", "1.02"]
    assert lines[3].endswith("0.50") and lines[4].split() == ["third", "0.00"]


def test_what_is_no_heat_map():
    for cells in ([], CELLS[:1], [row[:2] for row in CELLS]):
        with pytest.raises(ValueError, match="3 names of rows and 3 of columns; give as many"):
            heatmap.html(cells, alt=ALT, **HOW)
    with pytest.raises(ValueError, match="share is nan"):
        heatmap.html([[Cell(float("nan"), "")] * 3, *CELLS[1:]], alt=ALT, **HOW)


@pytest.fixture
def shown(page):
    page.set_content(HTML)
    return page


def told(page):
    return page.locator(".ott-told").inner_text()


def test_the_strongest_cell_is_chosen_at_first_and_any_other_by_touch(shown):
    assert told(shown).splitlines() == ["first, b: 1.02", "a line", "and <another>"]
    shown.get_by_role("button", name="second, c: 0.50").click()
    assert told(shown).splitlines() == ["second, c: 0.50", "half"]
    assert shown.locator("[aria-pressed=true]").count() == 1


def test_it_can_be_walked_by_keyboard_over_empty_cells(shown):
    shown.keyboard.press("Tab")
    seen = [told(shown).splitlines()[0]]
    for key in ("ArrowLeft", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        shown.keyboard.press(key)
        seen.append(told(shown).splitlines()[0].split(":")[0])
    assert seen[1:] == ["first, a", "second, a", "second, c", "second, c", "second, c", "second, a"]


# What JupyterLab says of all tables in outputs.
LAB = """<style>:not(.jp-RenderedMarkdown).jp-RenderedHTMLCommon :is(th, td, tr) {text-align: right}
.jp-RenderedHTMLCommon :is(th, td) {padding: 0.5em; vertical-align: middle}
summary {display: block}</style><div class="jp-RenderedHTMLCommon jp-RenderedHTML">"""


@pytest.mark.parametrize("around", ["", LAB])
def test_a_column_is_named_above_its_middle(page, around):
    page.set_content(around + HTML)
    style = "(cell, name) => getComputedStyle(cell)[name]"
    heads, names = (page.locator(f"{part} th").all() for part in ("thead", "tbody"))
    assert {head.evaluate(style, "textAlign") for head in heads} == {"center"}
    assert {name.evaluate(style, "textAlign") for name in names} == {"left"}
    assert {cell.evaluate(style, "paddingLeft") for cell in heads + names} == {"0px"}
    assert page.locator("summary").evaluate(style, "display") == "list-item"  # it can be opened


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_cells_are_large_enough_to_touch_and_nothing_runs_over(shown, width):
    shown.set_viewport_size({"width": width, "height": 844})
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [button.bounding_box() for button in shown.get_by_role("button").all()]
    assert min(min(box["width"], box["height"]) for box in boxes) >= 24


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_below_moves_when_another_cell_is_chosen(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    long = [
        [Cell(0.3, "\n".join(["a line that is long enough to be two on a phone"] * n))]
        for n in (1, 6)
    ]
    page.set_content(heatmap.html(long, rows=["a", "b"], columns=["c"], title="Which", alt=ALT))
    tops = []
    for cell in page.get_by_role("button").all():
        cell.click()
        tops.append(page.locator(".ott-heat summary").bounding_box()["y"])
    assert len(tops) == 2 and len(set(tops)) == 1
