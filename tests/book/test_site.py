"""The site, built from the stored outputs and driven in a browser: what a passer-by gets."""

import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import nbformat
import pytest
from fontTools.ttLib import TTFont

from tests.book.conftest import SETTLED
from tests.places import CHAPTERS, ROOT
from tests.servers import running
from tests.sites import DESK, LETTERING, PAGES, PHONE, TOC, build
from tools import environment, refresh
from utils.page import claims
from utils.text import columns

# How much lighter or darker than what is behind it a text must be (WCAG 2.2, 1.4.3).
CONTRAST = {"text": 4.5, "large": 3.0}
# The texts of the page that are hard to read, with their contrast.
FAINT = """(limits) => {
  const parse = (color) => {  // rgb(255 0 0 / 0.5), or what a mixture is: color(srgb 1 0 0 / 0.5)
    const parts = (color.match(/[\\d.]+/g) || []).map(Number);
    return color.startsWith("color(srgb") ? parts.map((x, i) => (i < 3 ? 255 * x : x)) : parts;
  };
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const over = (top, under) =>
    [0, 1, 2].map((i) => top[i] * (top[3] ?? 1) + under[i] * (1 - (top[3] ?? 1)));
  const behind = (e) =>
    e ? over(parse(getComputedStyle(e).backgroundColor), behind(e.parentElement)) : [255, 255, 255];
  const exempt = "script, style, .ott-mask, [disabled], .headerlink";
  const faint = new Set();
  const main = document.querySelector("main");
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest(exempt)) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const style = getComputedStyle(element), ground = behind(element);
    const ink = over(parse(element.closest("svg") ? style.fill : style.color), ground);
    const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.6 && style.fontWeight >= 700);
    if (ratio < (large ? limits.large : limits.text)) {
      const name = element.tagName + "." + element.className;
      faint.add(`${ratio.toFixed(2)} ${name}: ${text.slice(0, 40)}`);
    }
  }
  return [...faint];
}"""


# What scrolls sideways and has no shadow where there is more.
UNMARKED = """[...document.querySelectorAll("article *")]
  .filter((e) => e.checkVisibility() && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
  .filter((e) => ["auto", "scroll"].includes(getComputedStyle(e).overflowX))
  .filter((e) => !getComputedStyle(e).backgroundImage.includes("gradient"))
  .map((e) => e.outerHTML.slice(0, 120))"""


# --- every page -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PAGES, "search"])
@pytest.mark.parametrize(("width", "theme"), [(DESK, "light"), (PHONE, "dark")])
def test_a_page_is_quiet_legible_fits_and_has_words_for_pictures(visit, name, width, theme):
    page = visit(f"{name}.html", width=width, theme=theme, reduced_motion="reduce")
    assert page.title()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")  # whatever waits to be seen
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(UNMARKED) == []
    contents = page.locator(".bd-sidebar-secondary").count()  # which this button opens
    assert page.locator(".secondary-toggle:visible").count() == (contents and width == PHONE)
    colours = "all => [...new Set(all.map((a) => getComputedStyle(a).color))]"
    links = page.locator("article :is(p, li, td) > a[href*='://']:not(.ott *)")
    assert len(links.evaluate_all(colours)) <= 1  # in a quotation, too
    without_words = """[
        ...[...document.querySelectorAll("img")].filter((img) => !img.alt.trim()),
        ...[...document.querySelectorAll("main svg[viewBox]")]
          .filter((svg) => !svg.closest("button, [aria-hidden=true]") && !svg.ariaLabel),
      ].map((picture) => picture.outerHTML.slice(0, 200))"""
    assert page.evaluate(without_words) == []
    assert page.evaluate(FAINT, CONTRAST) == []


AXE = files("axe_playwright_python").joinpath("axe.min.js")  # of that package, only this file
WCAG = [f"wcag{version}{level}" for version in ("2", "21", "22") for level in ("a", "aa")]
VIOLATIONS = """async (options) => (await axe.run(options)).violations.flatMap(({ id, nodes }) =>
  nodes.map(({ html }) => id + ": " + html.slice(0, 120)))"""


@pytest.mark.parametrize("name", [*PAGES, "search", "404"])
@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_page_is_accessible(visit, name, width):
    page = visit(f"{name}.html", width=width, reduced_motion="reduce")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    rules = {"label-content-name-mismatch": {"enabled": True}}  # else held back as experimental
    options = {"runOnly": WCAG, "rules": rules, "resultTypes": ["violations"], "preload": False}
    assert page.evaluate(VIOLATIONS, options) == []
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert page.evaluate(VIOLATIONS, {"runOnly": ["color-contrast"], "preload": False}) == []


def test_a_page_says_what_it_is(html):
    heads = {}
    for name in PAGES:
        page = (html / f"{name}.html").read_text(encoding="utf-8")
        title = re.search(r"<title>(.*?)</title>", page)[1]
        heads[name] = title, re.search(r'<meta name="description" content="(.*?)">', page)[1]
        before, _, after = title.partition(" &#8212; ")
        assert before != after
    titles, descriptions = zip(*heads.values(), strict=True)
    assert len(set(titles)) == len(set(descriptions)) == len(PAGES)
    assert min(map(len, descriptions)) > 40 and max(map(len, descriptions)) < 250


def test_a_site_with_an_address_says_so(tmp_path):
    result = build(ROOT, tmp_path, base="https://example.org/a/book")
    assert result.returncode == 0, result.stderr
    html = tmp_path / "_build" / "html"
    home = "https://example.org/a/book/"
    page = (html / "chapters" / "04_forced_prefix.html").read_text(encoding="utf-8")
    assert f'<link rel="canonical" href="{home}chapters/04_forced_prefix.html"' in page
    cards = set()
    for name in PAGES:
        page = (html / f"{name}.html").read_text(encoding="utf-8")
        tags = dict(re.findall(r'<meta property="og:(image\S*)" content="(.*?)">', page))
        card = (html / tags["image"].removeprefix(home)).read_bytes()
        assert card.startswith(b"\x89PNG")
        size = int.from_bytes(card[16:20], "big"), int.from_bytes(card[20:24], "big")
        assert size == (1200, 630) == (int(tags["image:width"]), int(tags["image:height"]))
        assert len(tags["image:alt"]) > 40
        cards.add(card)
    assert len(cards) == len(PAGES)
    sitemap = (html / "sitemap.xml").read_text(encoding="utf-8")
    assert {f"{home}{name}.html" for name in PAGES} <= set(re.findall("<loc>(.*?)</loc>", sitemap))
    assert '<base href="/a/book/">' in (html / "404.html").read_text(encoding="utf-8")


def test_an_address_that_is_none_is_refused(tmp_path):
    result = build(ROOT, tmp_path, base="example.org")
    assert result.returncode != 0 and "give the site's whole address" in result.stderr


class Addresses(HTMLParser):
    """The addresses a browser would load by itself: not those of plain links."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag != "a":
            names = ("src", "href", "srcset", "data", "poster", "action")
            self.found += [value for name, value in attributes if name in names and value]


def test_no_file_names_another_host(html):
    foreign = []
    for path in html.rglob("*.html"):
        parser = Addresses()
        parser.feed(path.read_text(encoding="utf-8"))
        foreign += [f"{path.name}: {url}" for url in parser.found if re.match("(https?:)?//", url)]
    for path in html.rglob("*.css"):
        urls = re.findall(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""", path.read_text())
        foreign += [f"{path.name}: {url}" for url in urls]
    assert foreign == []


def test_who_is_lost_is_told_so(html):
    command = [sys.executable, str(ROOT / "tools" / "site.py"), "serve", str(html.parent.parent)]
    with running(command, cwd=html) as address:
        with pytest.raises(HTTPError) as lost:
            urlopen(f"{address}chapters/nowhere.html", timeout=5)
        assert lost.value.code == 404 and "No such page" in lost.value.read().decode()


def test_the_front_door_leads_in(visit):
    page = visit("")
    page.wait_for_url("**/book/intro.html")
    assert page.locator("article h1").inner_text().startswith("One Token at a Time?")


def test_each_part_is_introduced(html):
    for name in ("book/intro", "chapters/00_start_here"):
        page = (html / f"{name}.html").read_text(encoding="utf-8")
        for part in (part["caption"].split(" ·")[0] for part in TOC["parts"] if "numbered" in part):
            assert f"<strong>{part}" in page, name


def test_the_sidebar_has_every_page_by_parts(visit):
    links = visit("book/intro.html").locator(".bd-sidebar-primary")
    for part in TOC["parts"]:
        if "caption" in part:
            assert links.get_by_text(part["caption"], exact=True).count() == 1
        for page in part["chapters"]:
            assert links.locator(f'a[href$="{Path(page["file"]).name}.html"]').count() == 1


# --- colours, and what is printed --------------------------------------------------------------

PAINT = "getComputedStyle(document.body).backgroundColor"
PAPER = {"light": "rgb(254, 253, 251)", "dark": "rgb(21, 25, 31)"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_right_at_first_paint(browser, address, theme):
    with browser.new_context(color_scheme=theme) as context:
        page = context.new_page()
        page.route(re.compile("pydata-sphinx-theme.js"), lambda route: route.abort())
        page.goto(f"{address}chapters/00_start_here.html")
        assert page.evaluate(PAINT) == PAPER[theme]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_right_without_scripts(browser, address, theme):
    with browser.new_context(color_scheme=theme, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}chapters/00_start_here.html")
        assert page.evaluate(PAINT) == PAPER[theme]
        assert page.evaluate(FAINT, CONTRAST) == []


BOXES = ".highlight, .ott-columns, .ott-table, .ott-strip, .pst-scrollable-table-container, math"
# What is cut off, or scrolls without showing it or without the keyboard reaching it.
CUT = """(boxes) => [...document.querySelectorAll("article *")]
  .filter((e) => e.closest(boxes) && e.checkVisibility() && e.clientWidth)
  .filter((e) => !e.matches("table.ott-stacked thead"))  // not drawn: each cell says its column
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible")
  .filter((e) => e.tabIndex < 0 || !["auto", "scroll"].includes(getComputedStyle(e).overflowX))
  .map((e) => e.outerHTML.slice(0, 120))"""

# Tables of which a phone does not show all columns.
PUSHED = """() => {
  for (const fold of document.querySelectorAll("article details")) fold.open = true;
  return [...document.querySelectorAll(".ott-columns, .pst-scrollable-table-container")]
    .filter((box) => box.scrollWidth > box.clientWidth)
    .map((box) => box.innerText.slice(0, 80));
}"""


# Tables in which two cells beside each other stand so near that they read as one.
TIGHT = """() => {
  const lines = (cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return [...range.getClientRects()].filter((line) => line.width >= 1);
  };
  const run = (a, b) => a.top < b.bottom - 2 && b.top < a.bottom - 2 && b.left - a.right < 5;
  return [...document.querySelectorAll(".ott-columns :is(td, th) + :is(td, th)")]
    .map((cell) => [cell.previousElementSibling, cell])
    .filter(([left, right]) => lines(left).some((a) => lines(right).some((b) => run(a, b))))
    .map(([left, right]) => `${left.innerText} | ${right.innerText}`);
}"""


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("width", [320, PHONE])
def test_what_is_printed_wraps_or_shows_that_it_scrolls(visit, chapter, width):
    page = visit(f"chapters/{chapter.stem}.html", width=width)
    assert page.evaluate(CUT, BOXES) == []
    assert page.evaluate(UNMARKED) == []
    printed = page.locator(".cell_output .output:not(.text_html) pre").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)"
    )
    assert printed == []
    broken = page.locator(".ott-columns th[scope=row]:visible").evaluate_all("""(all) => all
      .map((name) => {
        const range = document.createRange();
        range.selectNodeContents(name);
        const lines = [...range.getClientRects()].map((box) => Math.round(box.bottom));
        return [new Set(lines).size, name.textContent];
      }).filter(([lines, name]) => lines > 1 + name.length / 8)""")
    assert broken == []
    assert width < PHONE or page.evaluate(PUSHED) == []
    assert page.evaluate(TIGHT) == []


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("book/")])
@pytest.mark.parametrize("width", [320, PHONE])
def test_a_table_of_words_is_read_on_a_phone_without_pushing_it_about(visit, name, width):
    page = visit(f"{name}.html", width=width)
    assert page.evaluate(PUSHED) == []


def test_a_stacked_cell_says_its_column(visit):
    """And it is a table still to who does not see how it lies."""
    page = visit("book/teaching.html", width=PHONE)
    table = page.get_by_role("table").filter(has_text="hand in")
    week = table.get_by_role("row").nth(7)
    cells = [cell.inner_text().strip() for cell in week.get_by_role("cell").all()]
    assert cells[:2] == ["7", "04 The forced prefix"]
    names = "(cell) => getComputedStyle(cell, '::before').content"
    assert week.get_by_role("cell").nth(1).evaluate(names) == '"read"'
    at = [cell.bounding_box()["y"] for cell in week.get_by_role("cell").all()[:3]]
    assert at == sorted(set(at))  # below each other
    wide = visit("book/teaching.html").locator("table.ott-stacked tr").nth(7).locator("td")
    assert len({cell.bounding_box()["y"] for cell in wide.all()}) == 1


def test_a_formula_in_the_name_of_a_column_stays_one(html):
    assert 'data-name="(c) (1−e)^n"' in (html / "book" / "rubrics.html").read_text("utf-8")


@pytest.mark.parametrize(
    "name, long",
    [
        ("chapters/05_text_diffusion", "utils/checkpoints/recipes/verdicts.py"),
        ("book/bibliography", "https://huggingface.co/docs/transformers/model_doc/diffusion_gemma"),
        ("book/bibliography", "doi:10.1017/S0269889706001074"),
    ],
)
def test_a_long_path_or_address_breaks_after_a_slash(visit, name, long):
    page = visit(f"{name}.html", width=320)
    lines = page.get_by_text(long, exact=True).last.evaluate("""(code) => {
      const range = document.createRange(), tops = new Map();
      for (const text of code.childNodes) for (let i = 0; i < (text.length ?? 0); i++) {
        range.setStart(text, i); range.setEnd(text, i + 1);
        const { top } = range.getBoundingClientRect();
        tops.set(top, (tops.get(top) ?? "") + text.data[i]);
      }
      return [...tops.values()];
    }""")
    assert len(lines) > 1 and all(line.endswith("/") for line in lines[:-1])


def test_no_line_begins_with_what_closes_a_formula(visit):
    """A comma would, wherever the formula just fits."""
    page = visit("chapters/12_speed.html", width=PHONE)
    closed = page.locator("article span.ott-whole:has(> span.math)")
    assert closed.evaluate_all("(all) => all.map((e) => e.lastChild.data)").count(",") > 0
    apart = closed.evaluate_all("""(all) => all.map((e) => {
      const range = document.createRange(), formula = e.firstChild.getBoundingClientRect();
      range.selectNodeContents(e.lastChild);
      return range.getBoundingClientRect().left - formula.right;
    }).filter((gap) => Math.abs(gap) > 2)""")
    assert apart == []
    loose = page.locator("article span.math:not(span.ott-whole > *)")
    after = loose.evaluate_all("(all) => all.map((e) => e.nextSibling?.data ?? '')")
    assert [text for text in after if re.match(r"[.,;:?!)]", text)] == []


def test_short_code_stays_in_one_line_and_a_head_without_names_is_not_drawn(visit):
    page = visit("book/grading.html", width=320)
    broken = page.locator("article :is(p, li, dd) code").evaluate_all(
        "(all) => all.filter((e) => e.textContent.length < 24 && e.getClientRects().length > 1)"
        ".map((e) => e.textContent)"
    )
    assert broken == []
    assert page.get_by_text("make feedback", exact=True).count()  # there is such code
    heads = page.locator("article thead").evaluate_all(
        "(all) => all.map((e) => [e.checkVisibility(), Boolean(e.textContent.trim())])"
    )
    assert [False, False] in heads and [True, False] not in heads


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_what_is_printed_in_columns_is_a_table(html, chapter):
    page = (html / "chapters" / f"{chapter.stem}.html").read_text(encoding="utf-8")
    tables = 0
    for cell in json.loads(chapter.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = "".join(output.get("text", data.get("text/plain", "")))
            shown = "".join(data.get("text/html", ""))
            tables += "ott-columns" in shown or (not shown and columns.has_table(text))
    assert page.count('<div class="ott-columns">') == tables


def test_what_is_printed_above_a_table_stands_above_it(html):
    page = (html / "chapters" / "04_forced_prefix.html").read_text(encoding="utf-8")
    first, second = (page.index(f">{name}:") for name in ("left alone", "wrong verdict forced"))
    assert "<table" in page[first:second]


def test_lettering_in_figures_and_players_is_large_enough_on_a_phone(visit):
    for chapter in CHAPTERS:
        page = visit(f"chapters/{chapter.stem}.html", width=PHONE)
        sizes = page.evaluate(LETTERING)
        assert min(sizes, default=11) >= 11, chapter.stem
        figures = page.locator(".ott-figure svg:visible").count()
        assert len(sizes) >= 3 * figures, chapter.stem
        small = """[...document.querySelectorAll(".ott *")].filter((e) => !e.closest("svg, math"))
          .flatMap((e) => [getComputedStyle(e), getComputedStyle(e, "::after")])
          .map((style) => parseFloat(style.fontSize)).filter((size) => size < 11)"""
        assert page.evaluate(small) == [], chapter.stem


# --- chapters ---------------------------------------------------------------------------------


def test_mathematics_is_set_and_numbered(visit, html):
    page = visit("chapters/01_markov_chains.html")
    assert page.locator(".math .eqno").first.inner_text().startswith("(1.1)")
    sizes = page.locator("article .math > math").evaluate_all(
        """(all) => all.filter((one) => one.checkVisibility())
          .map((one) => one.getBoundingClientRect().height)"""
    )
    assert len(sizes) > 5 and min(sizes) > 8
    drawn = TTFont(next(html.rglob("mathematics.woff"))).getBestCmap()
    assert ord("√") in drawn  # of chapter 02, where attention divides by a root
    fonts = """document.fonts.ready.then((all) =>
      [...all].filter((font) => font.status === "loaded").map((font) => font.family))"""
    assert any("Book Math" in family for family in page.evaluate(fonts))
    assert page.locator("article .math", has_text="\\").count() == 0  # no LaTeX is left over


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_formula_begins_within_its_box_and_its_number_is_in_sight(visit, chapter, width):
    page = visit(f"chapters/{chapter.stem}.html", width=width)
    hidden = page.locator("article div.math").evaluate_all("""(all) => all
      .filter((box) => box.checkVisibility())
      .map((box) => [box, box.querySelector("math"), box.querySelector(".eqno")]
        .map((one) => one?.getBoundingClientRect()))
      .filter(([box, math, number]) => math.left < box.left - 1 || number?.right > box.right + 1
        || (number?.left < math.right && number.top < math.bottom && number.bottom > math.top))
      .map((boxes) => boxes.map((box) => box && [box.left, box.right]))""")
    assert hidden == []


def test_no_page_needs_a_script_for_mathematics(html):
    assert not [path for path in html.rglob("*") if "mathjax" in path.name.lower()]
    assert not any("mathjax/" in path.read_text("utf-8") for path in html.rglob("*.html"))


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_player_steps_and_plays(visit, width):
    page = visit("chapters/00_start_here.html", width=width)
    player = page.locator(".ott-player").first
    stage = player.locator(".ott-stage")
    first = stage.inner_text()
    assert "step 1 of" in first  # at rest, since before it nothing is written
    assert player.locator(".ott-now").count() >= 1
    player.get_by_role("button", name="Step forward").click()
    assert "step 2 of" in stage.inner_text() and first != stage.inner_text()
    stage.press("ArrowRight")
    assert "step 3 of" in stage.inner_text()
    stage.press("ArrowLeft")
    stage.press("ArrowLeft")
    assert "step 1 of" in stage.inner_text()
    player.get_by_role("button", name="Play").click()
    last = re.search(r"step 1 of (\d+)", first)[1]
    page.wait_for_function(
        "([player, text]) => player.textContent.includes(text)",
        arg=[player.element_handle(), f"step {last} of {last}"],
    )


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_nothing_moves_when_one_comes_to_it(visit, chapter):
    """Else who is quick, by a link or with a wheel, clicks on what is no longer there."""
    page = visit(f"chapters/{chapter.stem}.html", width=PHONE)
    places = """() => [...document.querySelectorAll("article :is(h1, h2, p, button, a, img)")]
      .filter((one) => one.getClientRects().length)
      .map((one) => [one.textContent, Math.round(one.getBoundingClientRect().top + scrollY)])"""
    before = page.evaluate(places)
    page.evaluate("""async () => {
      const frame = () => new Promise(requestAnimationFrame);
      for (let top = 0; top < document.body.scrollHeight; top += 844) {
        scrollTo({ top, behavior: "instant" });
        await frame(), await frame();
      }
    }""")
    after = page.evaluate(places)
    assert len(before) == len(after) > 100
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_opens_with_something_to_play(visit, chapter):
    page = visit(f"chapters/{chapter.stem}.html", width=PHONE)
    tops = page.locator(".ott-player.ott-live, .ott-knobs.ott-live").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().top)"
    )
    assert tops[0] < 4 * 844  # within the first screens of a phone
    words = (
        page.locator(".ott-player")
        .first.locator(".ott-film")
        .evaluate_all(
            """all => all.map((one) => one.querySelectorAll(
          ".ott-text span:not(.ott-caret, .ott-mask)").length)"""
        )
    )
    assert min(words) > 0  # and it is not an empty box
    assert "nothing written yet" not in page.locator(".ott-player").first.inner_text()


@pytest.mark.parametrize(
    "chapter, scene",
    [("00_start_here", "no"), ("04_forced_prefix", "no"), ("06_changing_its_mind", "stays")],
)
def test_a_chapter_leads_to_its_scene_of_the_playground(visit, chapter, scene):
    page = visit(f"chapters/{chapter}.html", width=PHONE, reduced_motion="reduce")
    page.locator(f"article a[href$='playground.html#scene={scene}']").first.click()
    page.locator("#pg:not([data-waiting])").wait_for()
    assert page.locator(f".pg-scenes [data-scene={scene}]").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_debate_is_a_picture_whose_links_lead_to_pages(visit, theme):
    page = visit("chapters/00_start_here.html", width=PHONE, theme=theme)
    picture = page.locator(".ott-debate.ott-live")
    picture.get_by_role("button").first.click()
    told = picture.locator(".ott-told")
    assert told.evaluate("e => e.getBoundingClientRect().bottom") <= 844
    told.get_by_role("link").first.click()
    page.wait_for_url("**/book/claims.html#claim-*")


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_the_players_numbers_stay_in_one_line(visit, width):
    player = visit("chapters/06_changing_its_mind.html", width=width).locator(".ott-player").first
    for _ in range(4):
        player.get_by_role("button", name="Step forward").click()
    numbers = player.locator(".ott-choices > ol > li > em", has_text="<0.01")
    heights = numbers.evaluate_all("all => all.map((one) => one.getBoundingClientRect().height)")
    assert heights and max(heights) < 30


def test_the_landing_page_shows_the_player_of_the_first_chapter(visit):
    page = visit("book/intro.html")
    assert page.locator(".ott-player.ott-live").count() == 1
    assert "A picture of the player" not in page.locator("main").inner_text()  # that is elsewhere


def test_the_bibliography_is_the_sites_own_list(visit):
    entries = (ROOT / "book" / "references.bib").read_text("utf-8").count("\n@")
    listed = visit("book/bibliography.html").locator("div.citation[id]")
    assert listed.count() == entries
    assert not re.findall(
        r".*[$\\{}].*", "\n".join(listed.all_inner_texts())
    )  # LaTeX as it is typed


def test_a_knob_changes_the_page(visit):
    page = visit("chapters/01_markov_chains.html")
    knobs = page.locator(".ott-knobs.ott-live").first
    shown = knobs.locator("details.ott-panel:not([hidden])")
    before = shown.inner_text()
    slider = knobs.locator("input[type=range]").first
    slider.focus()
    slider.press("Home")
    at_home = shown.inner_text()
    slider.press("End")
    assert shown.count() == 1
    assert len({before, at_home, shown.inner_text()}) >= 2


def test_without_scripts_everything_is_there_to_read(browser, address):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{address}chapters/00_start_here.html")
        assert page.locator(".ott-player table").first.is_visible()
        page.goto(f"{address}chapters/01_markov_chains.html")
        assert page.locator(".ott-figure svg").first.is_visible()
        assert page.locator(".solution").first.is_visible()


@pytest.mark.parametrize("name", ["book/intro", "book/playground", "chapters/04_forced_prefix"])
def test_without_scripts_nothing_is_offered_that_takes_one(browser, address, name):
    size = {"width": PHONE, "height": 844}
    with browser.new_context(java_script_enabled=False, viewport=size) as context:
        page = context.new_page()
        page.goto(f"{address}{name}.html")
        assert page.locator("article h1").is_visible()
        controls = page.locator("main :is(button, input, select)")
        assert [one.inner_text() for one in controls.all() if one.is_visible()] == []
        listed = page.locator(".bd-sidebar-primary a.reference.internal")
        assert listed.count() >= len(PAGES) - 1 and all(one.is_visible() for one in listed.all())
        room = page.locator("#pg").bounding_box() if name == "book/playground" else None
        assert room is None or room["height"] < 200


@pytest.mark.parametrize("chapter", ["04_forced_prefix", "10_planning_ahead"])
def test_on_a_slow_line_nothing_moves_and_no_click_is_lost(slow, chapter):
    page, let_go = slow(f"chapters/{chapter}.html", width=PHONE)
    page.locator(".bd-footer-content").wait_for(state="attached")
    page.wait_for_function(SETTLED)
    heads = """() => [...document.querySelectorAll("article :is(h2, h3, .admonition-title)")]
      .map((one) => Math.round(one.getBoundingClientRect().y + scrollY))"""
    before = page.evaluate(heads)
    page.get_by_role("button", name="Search").last.click()
    let_go()
    page.locator("#pst-search-dialog[open]").wait_for()
    assert page.locator(".toggle-button").count() and len(before) > 10
    assert page.evaluate(heads) == before


def test_a_folded_solution_opens(visit):
    page = visit("chapters/01_markov_chains.html")
    solution = page.locator(".solution.dropdown").first
    content = solution.locator(":scope > :not(.admonition-title)").first
    assert not content.is_visible()
    solution.locator(".admonition-title").click(position={"x": 5, "y": 5})
    content.locator("p, pre, div").first.wait_for(state="visible")


def test_what_is_folded_says_what_it_is(html):
    fold = r'<div class="[^"]*\bdropdown\b[^"]*"[^>]*>\s*<p class="admonition-title">(.*?)</p>'
    for chapter in CHAPTERS:
        page = (html / "chapters" / f"{chapter.stem}.html").read_text(encoding="utf-8")
        titles = re.findall(fold, page)
        assert titles and "Note" not in titles, chapter.stem
        assert "Solution to<a" not in page and not re.search(r"Solution to <a [^>]*> ", page)


def test_code_can_be_copied(visit):
    page = visit("chapters/01_markov_chains.html")
    assert page.locator("div.cell_input button.copybtn").count() >= 10


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_the_notebook_of_a_page_can_be_downloaded(visit, html, chapter):
    page = visit(f"chapters/{chapter.stem}.html")
    link = page.locator('a[href$=".ipynb"][href*="_sources"]').first
    served = page.request.get(page.evaluate("(a) => a.href", link.element_handle())).json()
    assert served == json.loads(chapter.read_text(encoding="utf-8"))


# --- the claims, search, the dark theme -------------------------------------------------------


def test_the_ledger_shows_every_claim_and_what_was_measured(visit):
    page = visit("book/claims.html", width=PHONE)
    found = claims.collect(CHAPTERS)
    for claim in claims.load():
        card = page.locator(f"#claim-{claim.id}")
        assert claim.held_by in card.inner_text()
        for test in claim.tests:
            for item in found.get(test.chapter, []):
                if item.id == test.id:
                    assert item.measured() in card.inner_text()
                    assert test.verdict in card.inner_text()
                    assert card.locator(f'a[href*="chapters/{test.chapter}_"]').count() >= 1


TERMS = re.compile(r'<dt id="(term-[^"]+)">(.*?)<a class="headerlink"')


def test_search_ranks_the_entry_of_the_glossary_first(visit, html):
    page = visit("search.html?q=token")
    page.locator("ul.search > li").first.wait_for()
    terms = TERMS.findall((html / "book" / "glossary.html").read_text(encoding="utf-8"))
    assert len(terms) > 50
    best = """(query) => {
      const [name, , anchor] = Search._performSearch(...Search._parseQuery(query)).at(-1);
      return name + anchor;
    }"""
    for name, term in terms:
        assert page.evaluate(best, re.sub("<[^>]+>", "", term)) == f"book/glossary#{name}"


def test_the_search_index_is_loaded_where_one_searches(html):
    for path in html.rglob("*.html"):
        searches = "searchindex.js" in path.read_text(encoding="utf-8")
        assert searches == (path == html / "search.html"), path.name


def test_search_finds_a_word(visit):
    page = visit("book/intro.html")
    page.locator(".search-button-field").first.click()
    field = page.locator("#pst-search-dialog input")
    icon = page.locator("#pst-search-dialog i").first.bounding_box()
    room = field.bounding_box()["x"] + field.evaluate(
        "(e) => parseFloat(getComputedStyle(e).paddingLeft)"
    )
    assert icon["x"] + icon["width"] <= room  # what one types does not begin on the icon
    field.fill("perplexity")
    page.keyboard.press("Enter")
    results = page.locator("ul.search > li")
    results.first.wait_for()
    assert any("Markov chains" in text for text in results.all_inner_texts())


def test_search_shows_where_the_words_are_on_a_site_opened_from_files(browser, html):
    with browser.new_context() as context:
        page, problems = context.new_page(), []
        page.on("console", lambda said: said.type == "error" and problems.append(said.text))
        page.goto(f"{(html / 'search.html').as_uri()}?q=perplexity")
        page.locator("ul.search > li p.context", has_text="perplexity").first.wait_for()
        assert problems == []


def test_the_theme_switches_and_text_stays_legible(visit):
    page = visit("chapters/01_markov_chains.html", reduced_motion="reduce")  # else words fade in
    theme = "document.documentElement.dataset.theme"
    seen = {page.evaluate(theme): page.evaluate(FAINT, CONTRAST)}
    for _ in range(3):  # the button goes round: system, light, dark
        page.locator(".theme-switch-button:visible").first.click()
        if page.evaluate(theme) not in seen:
            seen[page.evaluate(theme)] = page.evaluate(FAINT, CONTRAST)
    assert seen == {"light": [], "dark": []}


def test_figures_take_the_colour_of_the_page(visit):
    page = visit("chapters/01_markov_chains.html", theme="dark")
    cards = page.evaluate("""[...document.querySelectorAll(".cell_output .text_html")]
        .map((e) => getComputedStyle(e).backgroundColor)""")
    assert set(cards) == {"rgba(0, 0, 0, 0)"}
    inks = page.evaluate("""[...document.querySelectorAll(".ott-figure svg")]
        .map((e) => getComputedStyle(e).color)""")
    assert inks
    assert all(min(map(int, re.findall(r"\d+", ink)[:3])) > 180 for ink in inks)  # light on dark


def test_paper_is_white_and_shows_what_the_screen_folds_away(visit):
    page = visit("chapters/00_start_here.html", theme="dark")
    theme = "document.documentElement.dataset.theme"
    folded = """document.querySelectorAll("article details:not([open]):not([hidden])").length"""
    before = page.evaluate(folded)
    assert before and page.evaluate(theme) == "dark"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(theme) == "light"
    assert page.evaluate(folded) == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(theme) == "dark"


def test_code_that_is_unfolded_for_paper_is_not_still_fading_in(visit):
    page = visit("chapters/06_changing_its_mind.html")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    names = page.evaluate("""[...document.querySelectorAll("details.hide[open] > summary ~ *")]
        .map((e) => getComputedStyle(e).animationName)""")
    assert names and set(names) == {"none"}


# --- the keyboard -----------------------------------------------------------------------------

STOPS = """[...document.querySelectorAll(
    "article :is(a[href], button, input, select, summary, [tabindex='0'])")]
  .filter((e) => e.tabIndex >= 0 && e.checkVisibility())"""


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_each_section_can_be_skipped(visit, chapter):
    page = visit(f"chapters/{chapter.stem}.html")
    ids = page.locator("article section:has(> h2)").evaluate_all("all => all.map((e) => e.id)")
    assert len(ids) > 4
    for here, there in itertools.pairwise(ids):
        first = page.locator(f"#{here} > .section-skip").first
        assert first.evaluate(f"e => ({STOPS}).find((s) => s.closest('#{here}')) === e")
        first.focus()
        assert first.bounding_box()["height"] > 20  # seen when it has the focus
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate(f"document.activeElement.closest('#{there}') !== null")


def test_formulas_and_what_fits_are_no_stops(visit):
    page = visit("chapters/01_markov_chains.html", width=1920)
    assert page.locator("article :is(.math, math, .ott-columns)[tabindex]").count() == 0
    assert page.locator("article .headerlink").first.evaluate("e => e.tabIndex") == -1


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_the_focus_is_seen_on_every_control(visit, name):
    page = visit(f"{name}.html")
    page.keyboard.press("Tab")  # from here on the focus is the keyboard's
    unseen = f"""({STOPS}).filter((e) => {{
      e.focus({{ preventScroll: true }});
      if (document.activeElement !== e) return false;
      const shows = (one) => {{
        const style = getComputedStyle(one);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)
          || style.boxShadow !== "none";
      }};
      const near = [e, e.nextElementSibling, e.parentElement, e.parentElement.parentElement];
      return !near.some((one) => one && shows(one));
    }}).map((e) => e.outerHTML.slice(0, 120))"""
    assert page.evaluate(unseen) == []


def test_a_term_is_explained_where_it_stands(visit, html):
    page = visit("chapters/01_markov_chains.html", width=PHONE)
    links, box = page.locator("article a[href*='#term-']"), page.locator(".term-box")
    links.first.hover()
    box.wait_for()
    assert "random sequence" in box.inner_text() and box.locator("a").count() == 0
    box.hover()  # it stays
    page.wait_for_timeout(400)
    assert box.is_visible()
    page.keyboard.press("Escape")
    assert box.count() == 0
    page.mouse.move(0, 0)
    page.keyboard.press("Tab")
    for i in range(links.count()):
        links.nth(i).focus()
        box.wait_for()
        assert links.nth(i).get_attribute("aria-describedby") == box.get_attribute("id")
        place = box.bounding_box()
        assert place["x"] >= 0 and place["x"] + place["width"] <= PHONE
    page.keyboard.press("Tab")
    assert box.count() == 0 or "term-" in page.evaluate("document.activeElement.href || ''")


def test_a_term_is_explained_on_a_page_opened_from_a_file(browser, html):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((html / "chapters" / "01_markov_chains.html").as_uri())
        page.locator("article a[href*='#term-']").first.hover()
        page.locator(".term-box", has_text="random sequence").wait_for()


# --- running it oneself -----------------------------------------------------------------------


def test_a_chapter_says_how_to_run_it(html, tmp_path):
    page = (html / "chapters" / "04_forced_prefix.html").read_text(encoding="utf-8")
    assert "make lab" in page and "mybinder" not in page and "colab" not in page
    result = build(ROOT, tmp_path, repo="https://github.com/someone/a-book")
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "_build/html/chapters/04_forced_prefix.html").read_text(encoding="utf-8")
    path = "chapters/04_forced_prefix.ipynb"
    assert f"https://mybinder.org/v2/gh/someone/a-book/main?urlpath=lab/tree/{path}" in page
    assert f"https://colab.research.google.com/github/someone/a-book/blob/main/{path}" in page
    assert "git clone https://github.com/someone/a-book" in page
    needed = re.search(r"pip install --quiet (.*?) -e", page)[1].split()
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert len(needed) >= 4 and set(needed) <= set(pins)


@pytest.mark.parametrize("repo", ["someone/a-book", "https://example.org/a-book", "file:///a"])
def test_a_repository_that_is_none_is_refused(tmp_path, repo):
    result = build(ROOT, tmp_path, repo=repo)
    assert result.returncode != 0 and "give the repository's whole address" in result.stderr


def test_binder_installs_what_make_does():
    script = ROOT / ".binder" / "postBuild"
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK) and text.startswith("#!/bin/bash\n")
    asked = [
        line.split(" install --no-cache-dir ")[1].split() for line in re.findall("python.*", text)
    ]
    assert asked == [["-r", "requirements.txt"], ["--no-deps", "-r", "requirements-nodeps.txt"]]
    version = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert tuple(map(int, version.removeprefix("python-").split("."))) >= environment.NEEDED


def test_a_downloaded_notebook_runs_from_any_folder(html, tmp_path):
    copy = shutil.copy(html / "_sources" / "chapters" / "00_start_here.ipynb", tmp_path)
    notebook = nbformat.read(copy, as_version=4)
    refresh.execute(notebook, Path(copy))  # raises where a cell fails
    assert any(cell.get("outputs") for cell in notebook.cells)
    for chapter in CHAPTERS:  # and no other asks for a file by its place
        code = [
            c.source for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "code"
        ]
        assert not re.search(r"""\bopen\(|Path\(["']|["']\.\.?/""", "\n".join(code)), chapter.stem


def test_the_icon_font_has_every_icon_of_the_pages(visit, html):
    font = next(html.rglob("fa-solid-900.woff"))
    assert font.stat().st_size < 12_000
    drawn = TTFont(font).getBestCmap()
    for name in ("book/playground", "chapters/04_forced_prefix"):  # with a note, and an aside
        page = visit(f"{name}.html", reduced_motion="reduce")
        asked = page.evaluate("""[...document.querySelectorAll("*")]
          .flatMap((e) => ["::before", "::after"].map((part) => getComputedStyle(e, part)))
          .filter((style) => style.fontFamily.includes("Awesome") && style.content.length === 3)
          .map((style) => style.content.codePointAt(1))""")
        assert len(asked) > 5 and set(asked) <= set(drawn)
    folds = page.locator("details.hide > summary > p").evaluate_all(
        """all => all.map((e) => [getComputedStyle(e).fontWeight,
          getComputedStyle(e.closest("details")).boxShadow].join())"""
    )
    assert set(folds) == {"500,none"}  # code that is folded away does not shout


# --- how heavy a page is ----------------------------------------------------------------------

MOST_KIB, MOST_NODES = 300, 4_000


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_is_light(browser, address, chapter):
    with browser.new_context(viewport={"width": PHONE, "height": 844}) as context:
        page, answers = context.new_page(), []
        page.on("response", lambda answer: answers.append(answer))
        page.goto(f"{address}chapters/{chapter.stem}.html")
        page.wait_for_load_state("networkidle")
        nodes = page.evaluate(
            "[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()).length"
        )
        sizes = {answer.url: len(gzip.compress(answer.body())) for answer in answers}
    assert sum(sizes.values()) < MOST_KIB * 1024, sizes
    assert nodes < MOST_NODES


# --- faults -----------------------------------------------------------------------------------


def test_a_broken_link_fails_the_build(tmp_path):
    for name in ("_config.yml", "book", "chapters", "tools", "utils"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    page = tmp_path / "book" / "teaching.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[a page](nowhere.md)\n", encoding="utf-8")
    result = build(tmp_path, tmp_path)
    assert result.returncode != 0
    assert "nowhere.md" in result.stderr and "The site was not finished" in result.stderr


def test_serving_needs_a_site(tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "site.py"), "serve", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "There is no site in" in result.stderr and "make site" in result.stderr
