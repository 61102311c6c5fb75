"""The debate as a picture: every test of every claim is in it, and can be reached."""

import re

import pytest

from utils.page import claims, debate

LISTED = claims.load()
TESTS = [test for claim in LISTED for test in claim.tests]
MARKS = sum(max(1, len(claim.tests)) for claim in LISTED)


@pytest.fixture
def shown(page):
    page.set_content(debate.html(LISTED, start="no-edit"))
    return page


def marks(page):
    return page.locator(".ott-map button")


def told(page):
    return page.locator(".ott-told")


def test_without_scripts_it_is_a_table_of_every_claim_and_verdict():
    plain = re.sub(
        r"<(style|script)>.*?</\1>", "", debate.html(LISTED, start="no-edit"), flags=re.S
    )
    assert plain.count("<tbody") == len(LISTED)
    verdicts = re.findall(r'<td class="ott-is-[\w-]+">(.*?)</td>', plain)
    assert len(verdicts) == MARKS
    assert sorted(v for v in verdicts if v in claims.VERDICTS) == sorted(t.verdict for t in TESTS)
    assert f"{len(LISTED)} claims" in plain and f"in {len(TESTS)} tests" in plain


def test_as_text_it_has_every_claim_and_verdict():
    lines = debate.text(LISTED).splitlines()
    assert sum(line.startswith("  ") for line in lines) == MARKS
    for claim in LISTED:
        assert " ".join(claim.statement.split()) in lines


def test_every_side_of_the_debate_has_a_row():
    named = {claim.held_by.split()[0] for claim in LISTED}
    assert {"critics", "defenders", "enthusiasts", "sceptics", "both"} <= named & set(debate.SIDES)


def test_it_begins_with_a_claim_there_is():
    with pytest.raises(ValueError, match="start is 'no-such'; give the id of a claim"):
        debate.html(LISTED, start="no-such")


def test_the_picture_has_a_mark_for_each_test_in_the_column_of_its_verdict(shown):
    assert marks(shown).count() == MARKS
    columns = shown.locator(".ott-map thead th").all_inner_texts()
    for name, verdicts in (
        ("does not hold", {"does not hold"}),
        ("open", {"open"}),
        ("holds", {"holds", "holds with limits"}),
    ):
        column = shown.locator(f".ott-map td:nth-child({columns.index(name) + 1}) button")
        assert column.count() == sum(test.verdict in verdicts for test in TESTS)
        said = column.evaluate_all("all => all.map((one) => one.ariaLabel.split(': ').at(-1))")
        assert set(said) == verdicts


def test_a_mark_tells_what_was_asked(shown):
    claim = next(claim for claim in LISTED if claim.id == "no-edit")
    assert " ".join(claim.statement.split()) in told(shown).inner_text()  # at rest, too
    cross = marks(shown).and_(shown.locator("[aria-label*='does not hold']")).first
    cross.click()
    assert cross.get_attribute("aria-pressed") == "true"
    said = told(shown).inner_text()
    found = [t for c in LISTED for t in c.tests if " ".join(t.question.split()) in said]
    assert len(found) == 1 and found[0].verdict == "does not hold"
    assert told(shown).get_by_role("link").first.get_attribute("href").startswith("../book/claims")


def test_it_can_be_walked_by_keyboard_alone(shown):
    shown.keyboard.press("Tab")
    here = "document.activeElement.ariaLabel"
    assert shown.evaluate(here) == marks(shown).and_(
        shown.locator("[aria-pressed=true]")
    ).first.get_attribute("aria-label")
    shown.keyboard.press("Home")
    seen = [shown.evaluate(here)]
    for _ in range(MARKS - 1):
        shown.keyboard.press("ArrowRight")
        seen.append(shown.evaluate(here))
    assert seen == marks(shown).evaluate_all("all => all.map((one) => one.ariaLabel)")
    shown.keyboard.press("Home")
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("ArrowUp")
    assert shown.evaluate(here) == seen[0]
    shown.keyboard.press("Tab")  # out of the picture, into what is told
    assert shown.evaluate("document.activeElement.closest('.ott-told') !== null")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_marks_are_large_enough_to_touch_and_what_they_tell_is_in_sight(shown, width):
    shown.set_viewport_size({"width": width, "height": 844})
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [mark.bounding_box() for mark in marks(shown).all()]
    assert min(min(box["width"], box["height"]) for box in boxes) >= 24
    assert len({(box["x"], box["y"]) for box in boxes}) == MARKS
    marks(shown).first.click()
    box = told(shown).bounding_box()
    assert 0 <= box["y"] and box["y"] + box["height"] <= 844


@pytest.mark.parametrize(("width", "height"), [(320, 844), (1280, 500)])
def test_what_a_mark_tells_neither_covers_it_nor_changes_its_height(shown, width, height):
    shown.set_viewport_size({"width": width, "height": height})
    low = [m for m in marks(shown).all() if height - 130 < m.bounding_box()["y"] < height - 40][-1]
    low.click()
    over = """(mark) => { const { x, y } = mark.getBoundingClientRect();
      return document.elementFromPoint(x + 9, y + 9) === mark; }"""
    assert low.evaluate(over)
    heights = set()
    for mark in marks(shown).all()[::9]:
        mark.evaluate("(mark) => mark.click()")
        heights.add(told(shown).bounding_box()["height"])
    assert len(heights) == 1


def test_the_table_is_still_there(shown):
    assert not shown.locator(".ott-tests").is_visible()
    shown.get_by_text("The same as a table").click()
    assert shown.locator(".ott-tests").is_visible()
