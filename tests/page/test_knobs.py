"""A knob must show what the function said: in a live kernel, in a stored page, without scripts."""

import json
import re

import matplotlib
import matplotlib.pyplot as plt
import pytest
from IPython.display import HTML

from utils.page import knobs, player, plotting
from utils.page.theme import asset
from utils.text.trace import Step, Trace

ALT = "The line rises with its slope, whatever the colour."
WORDS = ["yes", "no"]
HEAT = [0.1, 0.5, 1.0, 2.0]


def says(word, temperature):
    return f"<{word}> at {temperature}"


@pytest.fixture
def turned(monkeypatch):
    """Call knobs.turn and get the bundle that it displays."""

    def turn(function, **choices):
        bundles = []
        monkeypatch.setattr(knobs, "publish", bundles.append)
        knobs.turn(function, **choices)
        (bundle,) = bundles
        return bundle

    return turn


def test_every_combination_is_computed_once_and_stored(turned):
    calls = []

    def function(word, temperature):
        calls.append((word, temperature))
        return says(word, temperature)

    html = turned(function, word=WORDS, temperature=HEAT)["text/html"]
    assert sorted(calls) == sorted((word, heat) for word in WORDS for heat in HEAT)
    for word, heat in calls:
        assert f'<pre class="ott-pre">&lt;{word}&gt; at {heat}</pre>' in html


def test_the_first_of_each_is_shown_first_unless_said_otherwise(turned):
    plain = turned(says, word=WORDS, temperature=HEAT)
    assert plain["text/plain"] == "word yes, temperature 0.1\n<yes> at 0.1"
    other = turned(says, title="Heat", start={"temperature": 1.0}, word=WORDS, temperature=HEAT)
    assert other["text/plain"] == "Heat\nword yes, temperature 1.0\n<yes> at 1.0"
    shown = re.findall(
        r"<details class=\"ott-panel\" open><summary>(.*?)</summary>", other["text/html"]
    )
    assert shown == ["word yes, temperature 1.0"]


def test_labels_may_differ_from_values(turned):
    def first_line(prompt_text):
        return prompt_text.splitlines()[0]

    choices = {"a sum": "2 + 9\n= 11", "a verse": "In the beginning\nGod"}
    bundle = turned(first_line, start={"prompt_text": "a verse"}, prompt_text=choices)
    assert bundle["text/plain"] == "prompt text a verse\nIn the beginning"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["yes", "no"], "toggle"),
        ([True, False], "toggle"),
        ([0.1, 0.2], "toggle"),
        ([1, 2, 3], "slider"),
        ([3, 1, 2], "toggle"),
        (["a", "b", "c", "d", "e"], "menu"),
        (["a long name for a choice", "b"], "menu"),
    ],
)
def test_each_choice_gets_the_control_that_suits_it(turned, values, kind):
    html = turned(lambda choice: str(choice), choice=values)["text/html"]
    data = json.loads(re.search(r'oneTokenKnobs\("[\w-]+",(\[.*\]),\d+\)', html)[1])
    assert data == [
        {"name": "choice", "kind": kind, "labels": [str(v) for v in values], "start": 0}
    ]


def test_tables_figures_and_players_are_shown_as_such(turned):
    table = turned(lambda n: [{"model": "<ar>", "rate": n / 3}], n=[1, 2])
    assert "<td>&lt;ar&gt;</td><td>0.3333</td>" in table["text/html"]
    assert table["text/plain"].splitlines()[1:] == ["model  rate", "<ar>   0.3333"]

    def draws(slope):
        fig, ax = plt.subplots()
        ax.plot([0, slope])
        return fig

    with matplotlib.rc_context():
        matplotlib.use("agg")
        plotting.style()
        figures = turned(draws, alt=ALT, slope=[1, 2])
    assert figures["text/html"].count("<svg") == 2 and plt.get_fignums() == []
    assert f"{ALT} Here: slope 2." in figures["text/html"]

    players = turned(plays, word=WORDS)
    assert players["text/html"].count('class="ott ott-player"') == 2
    assert "a yes" in players["text/plain"] and "<" not in players["text/plain"]
    shared = [asset("player.js"), asset("player.css")]
    assert [players["text/html"].count(part) for part in shared] == [1, 1]


class Letters:
    texts = ("a", " yes", " no")

    def decode(self, ids):
        return "".join(self.texts[i] for i in ids)


def plays(word):
    trace = Trace([Step([0, 1 + WORDS.index(word)], 1, 0.5)], kind="ar")
    return HTML(player.html(trace, Letters(), title=f"It says {word}", alt=ALT))


def test_the_same_answers_give_the_same_bytes(turned):
    once, again = (turned(says, word=WORDS, temperature=HEAT) for _ in range(2))
    assert once == again


def test_a_drawing_rounded_otherwise_does_not_change_the_name(turned):
    """Else the stored page of one computer is not that of another."""

    def drawn(slope, *, rounding):
        fig, ax = plt.subplots()
        ax.plot([0, 1], [0, slope + rounding])
        return fig

    with matplotlib.rc_context():
        plotting.style()
        one, other = (
            turned(lambda slope, by=by: drawn(slope, rounding=by), alt=ALT, slope=[1, 2])
            for by in (0, 0.01)
        )
    one, other = one["text/html"], other["text/html"]
    assert one != other
    assert len(set(re.findall("knobs-[0-9a-f]{10}", one + other))) == 1


def test_text_cannot_become_markup_or_leave_the_script(turned):
    bad = "</script><img src=x>"
    html = turned(lambda word: bad, title=bad, word=[bad, "b"])["text/html"]
    assert "<img" not in html and html.count("</script>") == 2


def test_without_an_interactive_session_the_text_is_printed(capsys):
    knobs.turn(says, word=WORDS, temperature=HEAT)
    assert capsys.readouterr().out == "word yes, temperature 0.1\n<yes> at 0.1\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no choices: name an argument and its values"),
        ({"word": []}, "word has no values to choose from"),
        ({"word": "yes"}, "word is 'yes'; give a list of values"),
        ({"word": 3}, "word is 3; give a list of values"),
        ({"word": [1, "1"]}, "two values of word look the same: 1, 1"),
        ({"a": range(7), "b": range(7)}, "7 × 7 = 49 combinations are more than 48"),
        (
            {"word": WORDS, "start": {"word": "maybe"}},
            "start has word = maybe; choose one of yes, no",
        ),
        ({"word": WORDS, "start": {"heat": 1}}, "start names heat, which is not among the choices"),
    ],
)
def test_bad_choices_are_refused_with_a_reason(options, message):
    with pytest.raises(ValueError, match=message):
        knobs.turn(lambda **chosen: "text", **options)


def test_an_answer_that_cannot_be_shown_is_refused(turned):
    with pytest.raises(ValueError, match=r"returned float for n 1; return text, a figure"):
        turned(lambda n: 0.5, n=[1, 2])
    with matplotlib.rc_context():
        matplotlib.use("agg")
        with pytest.raises(ValueError, match="alt is ''; write at least a sentence"):
            turned(lambda n: plt.figure(), n=[1, 2])
        plt.close("all")


def test_in_a_live_kernel_turning_a_widget_shows_the_stored_answer(turned, monkeypatch):
    from ipywidgets.widgets import widget

    monkeypatch.setattr(knobs, "in_kernel", lambda: True)
    calls = []

    def function(word, temperature):
        calls.append(word)
        return says(word, temperature)

    bundle = turned(function, word=WORDS, temperature=HEAT)
    assert set(bundle) == {"text/html", "text/plain", "application/vnd.jupyter.widget-view+json"}
    assert bundle["text/plain"].startswith("word yes")
    box = widget._instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
    controls, shown = box.children
    word, temperature = controls.children
    assert (word.description, temperature.description) == ("word", "temperature")
    word.value, temperature.value = 1, 3
    (output,) = shown.outputs
    assert output["data"]["text/plain"] == "<no> at 2.0"
    assert len(calls) == 8  # nothing was computed again
    box.close()


# --- in a browser ----------------------------------------------------------------------------


def test_the_stored_page_has_the_same_knobs(page, turned):
    bundle = turned(says, start={"temperature": 0.5}, word=WORDS, temperature=HEAT)
    page.set_content(bundle["text/html"])
    answer = page.locator("pre:visible")
    assert answer.inner_text() == "<yes> at 0.5"
    page.get_by_text("no", exact=True).click()
    assert answer.inner_text() == "<no> at 0.5"
    slider = page.get_by_role("slider", name="temperature")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert answer.inner_text() == "<no> at 1.0"
    assert slider.get_attribute("aria-valuetext") == "1.0"
    page.keyboard.press("End")
    assert answer.inner_text() == "<no> at 2.0"
    page.get_by_role("radio", name="no").focus()
    page.keyboard.press("ArrowLeft")
    assert answer.inner_text() == "<yes> at 2.0"
    assert page.locator("[aria-live]").inner_text() == "word yes, temperature 2.0"


def test_no_control_moves_when_one_is_turned(page, turned):
    page.set_content(turned(says, word=WORDS, temperature=["a bit", "much", "no end"])["text/html"])
    places = """() => [...document.querySelectorAll(".ott-segments label")]
      .map((one) => one.getBoundingClientRect().x)"""
    before = page.evaluate(places)
    for choice in page.get_by_role("radio").all():
        choice.check()
        assert page.evaluate(places) == before


def test_menus_turn_too_and_two_copies_do_not_meddle(page, turned):
    bundle = turned(lambda letter, side: letter + side, letter=list("abcde"), side=["l", "r"])
    page.set_content(bundle["text/html"] * 2)
    assert page.locator("pre:visible").all_inner_texts() == ["al", "al"]
    page.get_by_label("letter").nth(1).select_option("d")
    page.get_by_text("r", exact=True).nth(1).click()
    assert page.locator("pre:visible").all_inner_texts() == ["al", "dr"]
    assert page.get_by_role("radio", name="l", exact=True).first.is_checked()


def test_players_behind_knobs_play_and_open_on_their_outcome(page, turned):
    page.set_content(turned(plays, word=WORDS)["text/html"])
    stage = page.locator(".ott-text:visible")
    assert stage.inner_text() == "a yes"
    page.get_by_role("radio", name="no").check()
    assert stage.inner_text() == "a no"
    page.get_by_role("button", name="Step back").click()
    assert stage.inner_text().strip() == "a"


def test_with_scripts_off_one_answer_stands_open_and_the_others_unfold(browser, turned):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(turned(says, word=WORDS, temperature=HEAT)["text/html"])
    assert page.locator("pre:visible").all_inner_texts() == ["<yes> at 0.1"]
    page.get_by_text("Other settings").click()
    page.get_by_text("word no, temperature 2.0").click()
    assert page.locator("pre:visible").all_inner_texts() == ["<yes> at 0.1", "<no> at 2.0"]
    assert page.get_by_role("radio").count() == page.get_by_role("slider").count() == 0
    context.close()


def test_on_a_phone_nothing_overflows_and_every_control_can_be_hit(page, turned):
    page.set_viewport_size({"width": 360, "height": 740})
    names = ["a prompt with a long name", "another prompt with quite a long name", "c"]
    page.set_content(
        turned(lambda **_: "x " * 200, word=WORDS, heat=HEAT, prompt=names)["text/html"]
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in page.locator(
        ".ott-dial label span, .ott-dial select, .ott-dial [type=range]"
    ).all():
        assert control.bounding_box()["height"] >= 40
