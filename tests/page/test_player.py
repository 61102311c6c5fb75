"""The player must tell the truth about a trace: as a table, as text, and where scripts run."""

import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.page import player
from utils.page.theme import asset
from utils.text.trace import Step, Trace
from utils.text.vocab import Vocab

WORDS = Vocab(
    ["<mask>", "<pad>", *"is 2 + 9 = 11 ? yes no , because .".split()], joiner=" ", hidden=["<pad>"]
)
ALT = "The verdict is written before the sum, and stays."
TITLE = "A forced word is defended"


def ids(text):
    return WORDS.encode(text).tolist()


def left_to_right(rest="no , because 2 + 9 = 11 .", label="forced"):
    text, trace = ids("is 2 + 9 = 11 ?"), Trace(label=label)
    for i, word in enumerate(rest.split()):
        text = [*text, WORDS.id(word)]
        rivals = [(WORDS.id("yes"), 0.97), (WORDS.id(word), 0.02), (WORDS.id("="), 0.001)]
        note = "forced" if i == 0 else ""
        trace.append(Step(text, len(text) - 1, 0.02 if i == 0 else 0.991, note, [rivals]))
    return trace


def any_order(label="diffusion"):
    whole, trace = ids("is 2 + 9 = 11 ? yes , because 2 + 9 = 11 ."), Trace(label=label)
    text = whole[:7] + [WORDS.mask_id] * 9
    for positions in ([8, 9, 15], [10, 11, 12], [13, 14], [7]):
        for at in positions:
            text[at] = whole[at]
        trace.append(Step(text, positions, [0.9] * len(positions)))
    return trace


def html(*traces):
    return player.html(list(traces), WORDS, title=TITLE, alt=ALT)


class Table(HTMLParser):
    """What is left of a page without styles, scripts and attributes: tags, and rows of cells."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.rows, self.marked, self.open = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "mark":
            self.marked.append("")
        if tag == "br":
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data
        if "mark" in self.open:
            self.marked[-1] += data


# --- the strip -------------------------------------------------------------------------------


def test_the_strip_reads_row_by_row_with_everything_but_text_stripped():
    table = Table(html(left_to_right()))
    assert table.rows[0] == ["Step", "Text after it", "Written, with probability"]
    assert table.rows[1] == ["0", "is 2 + 9 = 11 ?", "as given"]
    assert table.rows[2] == ["1", "is 2 + 9 = 11 ? no", "“no” 0.02; instead “yes” 0.97forced"]
    assert table.rows[-1][1] == "is 2 + 9 = 11 ? no , because 2 + 9 = 11 ."
    assert table.marked == "no , because 2 + 9 = 11 .".split()
    assert table.open == []


def test_blanks_are_shown_where_nothing_is_written_yet():
    table = Table(html(any_order()))
    assert table.rows[1][1] == "is 2 + 9 = 11 ? ▒ ▒ ▒ ▒ ▒ ▒ ▒ ▒ ▒"
    assert table.rows[2][1] == "is 2 + 9 = 11 ? ▒ , because ▒ ▒ ▒ ▒ ▒ ."
    assert table.marked[:3] == [",", "because", "."]


def test_a_word_taken_back_is_named_and_leaves_a_blank():
    mask = WORDS.mask_id
    no, yes = WORDS.id("no"), WORDS.id("yes")
    trace = Trace([Step([2, no], [], []), Step([2, mask], 1, 0.01), Step([2, yes], 1, 0.9)])
    table = Table(html(trace))
    assert table.rows[3] == ["2", "is ▒", "took back “no” 0.01"]
    assert table.rows[4] == ["3", "is yes", "“yes” 0.90"]


def test_padding_is_not_shown_unless_it_was_written():
    trace = Trace([Step([2, 9, 1, 1], 1, 0.9), Step([2, 9, 1, 1], 2, 0.9)], kind="ar")
    table = Table(html(trace))
    assert [row[1] for row in table.rows[2:]] == ["is yes", "is yes ∅"]


def test_a_blank_before_what_is_given_is_there_from_the_start():
    """Whoever fills it: a film of a causal model grows at the end of its text alone."""
    trace = Trace([Step([0, 9, 3, 4], 1, 0.9), Step([2, 9, 3, 4], 0, 0.9)], kind="ar")
    assert [row[1].count("▒") for row in Table(html(trace)).rows[-3:]] == [2, 1, 0]


class Pieces:
    """A vocabulary whose tokens bring their own spaces, as those of a language model do."""

    def __init__(self, *texts):
        self.texts = texts

    def decode(self, ids):
        return "".join(self.texts[i] for i in ids)


def strip_of(*texts):
    trace = Trace([Step(list(range(k + 1)), k, 0.5) for k in range(1, len(texts))])
    return Table(player.html(trace, Pieces(*texts), title=TITLE, alt=ALT))


def test_spaces_and_line_ends_inside_tokens_are_seen():
    table = strip_of("In", " the", "\n", " ", "\t", "end")
    assert table.rows[-1][1] == "In the⏎ ⇥end"
    assert table.marked == ["the", "⏎", "␣", "⇥", "end"]


def test_a_long_text_is_shown_around_its_changes_and_whole_at_the_end():
    words = [f" w{i}" for i in range(200)]
    trace = Trace([Step(list(range(200)), at, 0.5) for at in (100, 150)], kind="diffusion")
    table = Table(player.html(trace, Pieces(*words), title=TITLE, alt=ALT))
    row = table.rows[2][1]
    assert row.startswith("…  w80 w81") and row.endswith("w120 …") and "w79" not in row
    assert table.rows[3][1] == "".join(words)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(max_size=12), min_size=2, max_size=6))
def test_no_token_can_become_markup_or_leave_the_script(texts):
    plain = strip_of("a", *"b" * (len(texts) - 1))
    hostile = strip_of(*texts)
    assert hostile.tags == plain.tags and hostile.open == []


@pytest.mark.parametrize(
    "text",
    ["</script><img src=x onerror=alert(1)>", "<!--<script>", "\"'&amp;", "\u202egnp", "]]>"],
)
def test_hostile_titles_labels_notes_and_tokens_stay_text(text):
    trace = Trace([Step([0, 1], 1, 0.5, text)], label=text, kind="ar")
    page = player.html(trace, Pieces(text, text), title=text, alt=f"{text} is what it shows")
    tame = player.html(
        Trace([Step([0, 1], 1, 0.5, "x")], label="x", kind="ar"),
        Pieces("x", "x"),
        title="x",
        alt="x is what it shows",
    )
    assert Table(page).tags == Table(tame).tags
    assert page.count("</script>") == tame.count("</script>") == 2


def test_what_has_no_shape_is_shown_and_what_shapes_its_neighbours_is_kept():
    """Texts from elsewhere hold controls, marks of their byte order, places to break a word."""
    shapeless = [
        c for c in map(chr, range(0x3000)) if unicodedata.category(c) in ("Cc", "Zl", "Zp")
    ]
    shapeless += [*"\u00ad\u061c\u200b\u200e\u202e\u2060\u2064\u2066\ufeff\ufff9\ufffb"]
    shaping = ["\u200c", "\u200d"]
    words = Pieces("a", *shapeless, *shaping)
    trace = Trace([Step(list(range(len(words.texts))), 0, 0.5)])
    page = player.html(trace, words, title=TITLE, alt=ALT)
    row = player.text(trace, words, title=TITLE).split("\n")[-1]
    assert not set(shapeless) & set(row) and set(shaping) < set(row)
    assert not set(shapeless) & set(page) - {"\n"}


def data_of(page):
    """The arguments that the page hands to player.js."""
    call = re.search(r'oneTokenPlayer\("[\w-]+",(.*)\)</script>', page, flags=re.S)[1]
    words, end = json.JSONDecoder().raw_decode(call)
    return words, json.loads(call[end + 1 :])


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_script_can_rebuild_every_text_from_the_changes_it_gets(data):
    trace, mask = Trace(), WORDS.mask_id
    for _ in range(data.draw(st.integers(1, 5))):
        text = data.draw(st.lists(st.integers(0, len(WORDS) - 1), min_size=1, max_size=6))
        changed = data.draw(st.lists(st.sampled_from(range(len(text))), unique=True))
        trace.append(Step(text, changed, [0.5] * len(changed)))
    words, [film] = data_of(html(trace))
    text = film["start"]
    for step, (length, new, changed, *_) in zip(trace, film["steps"], strict=True):
        text = text[:length] + [None] * (length - len(text))
        for at, word in new:
            text[at] = word
        assert changed == list(step.changed)
        shown = [WORDS.decode([token]) for token in step.tokens]
        expected = [
            "▒" if token == mask else s for token, s in zip(step.tokens, shown, strict=True)
        ]
        assert ["▒" if word < 0 else words[word] for word in text] == expected


def test_the_same_trace_gives_the_same_bytes_and_another_trace_another_name():
    assert html(left_to_right()) == html(left_to_right())
    name = re.compile(r'id="(player-\w+)"')
    names = {name.search(page)[1] for page in (html(left_to_right()), html(any_order()))}
    assert len(names) == 2


def test_the_script_is_small_and_asks_no_other_host_for_anything():
    script = asset("player.js")
    assert len(script.encode()) < 10_000
    page = html(left_to_right(), any_order())
    assert not re.search(r"\bsrc=|\bhref=|@import|url\(|fetch\(|import\(", page)


def test_the_transcript_reads_without_html():
    lines = player.text([left_to_right(), any_order()], WORDS, title=TITLE).splitlines()
    assert lines[0] == TITLE and lines[2] == "forced"
    assert lines[4] == "  1  is 2 + 9 = 11 ? [no]  (0.02)"
    assert lines[-1] == "  4  is 2 + 9 = 11 ? [yes] , because 2 + 9 = 11 .  (0.90)"


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (Trace(), "the trace is empty: make one with trace = Trace()"),
        ([], "the trace is empty"),
        ([left_to_right(), Trace()], "the trace is empty"),
        ([left_to_right()] * 3, "got 3 traces; the player shows one, or two side by side"),
        (["yes"], "trace must be a Trace, or a list of two of them"),
        ([[1, 2]], "trace must be a Trace"),
        (3, "trace must be a Trace, or a list of two of them; got 3"),
        (None, "trace must be a Trace, or a list of two of them; got None"),
    ],
)
def test_what_is_no_trace_is_refused_with_a_reason(trace, message):
    with pytest.raises(ValueError, match=message):
        player.show(trace, WORDS, title=TITLE, alt=ALT)


def test_a_title_and_a_sentence_are_required():
    with pytest.raises(ValueError, match="title is ' '; say in a few words"):
        player.show(left_to_right(), WORDS, title=" ", alt=ALT)
    with pytest.raises(ValueError, match="alt is 'A text'; write at least a sentence"):
        player.show(left_to_right(), WORDS, title=TITLE, alt="A text")


def test_outside_a_notebook_the_transcript_is_printed(capsys):
    player.show(left_to_right(), WORDS, title=TITLE, alt=ALT)
    assert "is 2 + 9 = 11 ? [no]  (0.02)" in capsys.readouterr().out


# --- tokens that are bytes -------------------------------------------------------------------


class Bytes:
    """A vocabulary of single bytes: every character that is not ASCII takes several tokens."""

    mask_id = 256

    def decode(self, ids):
        return bytes(ids).decode(errors="replace")


def bytes_left_to_right(prompt, new):
    given, trace = len(prompt.encode()), Trace()
    whole = list((prompt + new).encode())
    for at in range(given, len(whole)):
        trace.append(Step(whole[: at + 1], at, 0.5))
    return Table(player.html(trace, Bytes(), title=TITLE, alt=ALT))


SCRIPTS = ["床前明月光", "a 😀 👩‍👩‍👧b", "السلام عليكم", "e\u0301té", "हिन्दी", "naïve — “ﬁ”", "🇫🇷✈️"]


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_chip_shows_the_characters_that_its_bytes_complete(text):
    table = bytes_left_to_right("> ", text)
    assert "�" not in str(table.rows) and table.rows[-1][1] == f"> {text}"
    named = [row[2].removesuffix(" 0.50").strip("“”").removeprefix("◌") for row in table.rows[2:]]
    spoken = "".join(" " if name == "␣" else name for name in named if name != "◔")
    assert spoken == text.replace("“", "").replace("”", "") if "“" in text else spoken == text


def test_what_is_begun_is_a_part_until_it_is_complete():
    table = bytes_left_to_right("", "月")
    assert [row[1] for row in table.rows[1:]] == ["", "◔", "◔◔", "月"]
    assert table.marked == ["◔", "◔", "月"]


def test_bytes_that_never_become_a_character_are_shown_as_lost():
    """Nothing more will come once a whole character has followed."""
    ids = [0xE5, 0xBA, ord("a"), 0x8A, ord("b")]
    trace = Trace([Step(ids, 4, 0.5)], kind="ar")
    assert Table(player.html(trace, Bytes(), title=TITLE, alt=ALT)).rows[-1][1] == "�a�b"


def test_bytes_around_a_blank_may_still_become_a_character():
    month = list("月".encode())
    blank = Bytes.mask_id
    trace = Trace(
        [
            Step([blank, month[1], blank, 97], 1, 0.5),
            Step([month[0], month[1], blank, 97], 0, 0.5),
            Step([*month, 97], 2, 0.5),
        ]
    )
    table = Table(player.html(trace, Bytes(), title=TITLE, alt=ALT))
    assert [row[1] for row in table.rows[1:]] == ["▒▒▒a", "▒◔▒a", "◔◔▒a", "月a"]


def test_a_rival_shows_what_it_would_have_completed():
    month, moon = "月".encode(), "朋".encode()  # the same but for the last byte
    assert month[:2] == moon[:2]
    trace = Trace([Step([*month], 2, 0.6, "", [[(moon[2], 0.3), (97, 0.1)]])], kind="ar")
    table = Table(player.html(trace, Bytes(), title=TITLE, alt=ALT))
    assert table.rows[-1][2] == "“月” 0.60; instead “朋” 0.30, “a” 0.10"


def test_a_part_is_explained_where_there_is_one():
    page = player.html(left_to_right(), WORDS, title=TITLE, alt=ALT)
    assert "◔: a part of a character" not in page
    trace = Trace([Step([*"月".encode()], 2, 0.6)], kind="ar")
    page = player.html(trace, Bytes(), title=TITLE, alt=ALT)
    assert "◔: a part of a character, which is shown by the token that completes it" in page


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([*"é月a😀 ".encode(), 256]), min_size=1, max_size=12))
def test_whatever_the_bytes_whole_characters_are_shown_once_and_in_order(ids):
    """Between two blanks, what is shown is what decoding shows, but for parts of characters."""
    tokens = [None if i == Bytes.mask_id else i for i in ids]
    texts = player._texts(lambda *some: Bytes().decode(some), tokens)
    shown = "".join("|" if i is None else text or "" for i, text in zip(tokens, texts, strict=True))
    runs = bytes(ord("|") if i is None else i for i in tokens).split(b"|")
    decoded = "|".join(run.decode(errors="replace") for run in runs)
    parts = str.maketrans("", "", "�◔")
    assert shown.translate(parts) == decoded.translate(parts)
    assert "◔" in shown or shown == decoded


# --- in a browser ----------------------------------------------------------------------------


def text(page, nth=0):
    """The text on the stage as a reader sees it: each token once, blanks as ▒, no labels."""
    stage = page.locator(".ott-text").nth(nth)
    return " ".join(stage.locator("span:not(.ott-caret)").all_inner_texts())


def press(page, name):
    page.get_by_role("button", name=name, exact=True).first.click()


PROMPT = "is 2 + 9 = 11 ?"


def test_stepping_with_the_buttons(page):
    page.set_content(html(left_to_right()))
    press(page, "First step")
    assert text(page) == PROMPT
    press(page, "Step forward")
    assert text(page) == f"{PROMPT} no"
    now = page.locator(".ott-text .ott-now")
    assert now.inner_text() == "no" and now.get_attribute("data-p") == "0.02"
    rows = page.locator(".ott-choices li").all_inner_texts()
    assert [row.split() for row in rows] == [["yes", "0.97"], ["no", "0.02"], ["=", "<0.01"]]
    assert "wrote “no” (0.02) · forced" in page.locator("[aria-live=polite]").inner_text()
    press(page, "Step forward")
    press(page, "Step back")
    assert text(page) == f"{PROMPT} no"
    press(page, "Last step")
    assert text(page) == f"{PROMPT} no , because 2 + 9 = 11 ."
    press(page, "First step")
    assert text(page) == PROMPT


def test_stepping_with_the_keyboard_alone(page):
    page.set_content(html(left_to_right()))
    page.keyboard.press("Tab")  # to the stage
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert text(page) == f"{PROMPT} no ,"
    page.keyboard.press("ArrowLeft")
    assert text(page) == f"{PROMPT} no"
    page.keyboard.press("End")
    assert text(page).endswith("= 11 .")
    page.keyboard.press("Home")
    assert text(page) == PROMPT
    page.keyboard.press("Tab")  # to the slider
    assert page.evaluate("document.activeElement.type") == "range"
    page.keyboard.press("ArrowRight")
    assert text(page) == f"{PROMPT} no"
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "step 1 of 9"


def test_space_plays_to_the_end_and_stops(page):
    page.clock.install(time=0)
    page.clock.pause_at(60)  # from here on time goes on only where the test says so
    page.set_content(html(left_to_right()))
    page.locator(".ott-stage").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    page.clock.run_for(1500)
    middle = text(page)
    assert PROMPT < middle < f"{PROMPT} no , because 2 + 9"
    page.keyboard.press("Space")
    page.clock.run_for(5000)
    assert text(page) == middle  # paused
    assert page.get_by_label("Speed").input_value() == "1"
    page.get_by_label("Speed").select_option("4")
    press(page, "Play")
    page.clock.run_for(5000)
    assert text(page).endswith("= 11 .")
    page.get_by_role("button", name="Play").wait_for()
    press(page, "Play")  # from the start again
    assert text(page) == PROMPT


def test_scrubbing_and_clicking_on_a_word(page):
    page.set_content(html(any_order()))
    track = page.locator(".ott-track").bounding_box()
    page.mouse.move(track["x"] + 2, track["y"] + 10)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] - 2, track["y"] + 10)
    page.mouse.up()
    assert text(page) == "is 2 + 9 = 11 ? yes , because 2 + 9 = 11 ."
    page.locator(".ott-text").get_by_text("because").click()  # from step 1
    assert text(page) == "is 2 + 9 = 11 ? ▒ , because ▒ ▒ ▒ ▒ ▒ ."


def test_what_was_taken_back_is_told(page):
    no, yes = WORDS.id("no"), WORDS.id("yes")
    trace = Trace(
        [Step([2, no], [], []), Step([2, 0], 1, 0.01, "unlikely"), Step([2, yes], 1, 0.9)]
    )
    page.set_content(html(trace))
    told = page.locator("[aria-live=polite]")
    press(page, "First step")
    press(page, "Step forward")
    assert told.inner_text() == "Step 1: wrote nothing"
    press(page, "Step forward")
    assert told.inner_text() == "Step 2: took back “no” (0.01) · unlikely"
    press(page, "Step forward")
    assert told.inner_text() == "Step 3: wrote “yes” (0.90)"


def test_two_traces_step_together_and_the_shorter_waits(page):
    page.set_content(html(left_to_right(), any_order()))
    assert page.get_by_role("button", name="Play").count() == 1
    for _ in range(5):
        press(page, "Step forward")
    assert text(page, 0) == f"{PROMPT} no , because 2 + 9"
    assert text(page, 1) == f"{PROMPT} yes , because 2 + 9 = 11 ."
    assert page.locator(".ott-name span").all_inner_texts() == ["step 6 of 9", "step 4 of 4"]
    films = [box.bounding_box() for box in page.locator(".ott-film").all()]
    assert films[0]["y"] == films[1]["y"]
    page.set_viewport_size({"width": 390, "height": 800})
    films = [box.bounding_box() for box in page.locator(".ott-film").all()]
    assert films[1]["y"] > films[0]["y"] and films[0]["x"] == films[1]["x"]


def test_at_rest_no_box_is_empty(page):
    """A player opens on a step at which each of its writers has written something."""
    bare = Trace([Step([2, WORDS.mask_id], [0], [0.5]), Step([2, 2], [1], [0.5])], label="anywhere")
    late = Trace([Step([2], [], []), Step([2, 3], [1], [0.5])], label="first a look", kind="ar")
    for traces, rests in ([bare], 1), ([left_to_right()], 1), ([left_to_right(), late], 2):
        page.set_content(html(*traces))
        counts = page.locator(".ott-name span").all_inner_texts()
        assert {count.split(" of ")[0] for count in counts} == {f"step {rests}"}
        panels = page.locator(".ott-choices")
        assert all(panels.nth(i).locator("li").count() for i in range(len(traces)))
        told = page.locator(".ott-panels p").all_inner_texts()
        assert all(each.startswith("wrote “") for each in told)
    page.set_content(html(bare))
    press(page, "First step")
    assert text(page) == "▒ ▒"


def test_players_on_one_page_do_not_meddle_even_when_identical(page):
    page.set_content(html(left_to_right()) + html(left_to_right()) + html(any_order()))
    players = page.locator(".ott-player.ott-live")
    assert players.count() == 3
    players.nth(1).get_by_role("button", name="Step forward").click()
    counts = page.locator(".ott-name span").all_inner_texts()
    assert counts == ["step 1 of 9", "step 2 of 9", "step 1 of 4"]


def back_and_at_once():
    """Words of many lengths beside blanks, a word taken back, and then nine at once."""
    trace, words = any_order(), ids("is 2 + 9 = 11 ? no , because 2 + 9 = 11 .")
    hidden = [*words[:7], WORDS.mask_id, *words[8:]]
    trace.append(Step(hidden, 7, 0.02, "the least likely of all nine, and so it goes"))
    trace.append(Step(words, range(7, 16), [0.9, 1.0, 0.4, 1.0, 1.0, 0.3, 1.0, 0.8, 1.0]))
    return trace


@pytest.mark.parametrize("width", [320, 390, 1000])
def test_the_page_does_not_jump_while_stepping(page, width):
    page.set_viewport_size({"width": 640, "height": 800})
    page.set_content(html(left_to_right(), back_and_at_once()))
    page.set_viewport_size({"width": width, "height": 800})  # as one turns a phone
    press(page, "First step")
    heights = set()
    for _ in range(9):
        press(page, "Step forward")
        heights.add(page.locator(".ott-player").bounding_box()["height"])
    assert len(heights) == 1


def test_of_many_words_at_once_the_least_sure_are_told(page):
    """All of them would leave a void below every other step."""
    page.set_content(html(back_and_at_once()))
    press(page, "Last step")
    told = "diffusion: wrote “no” (0.90), “because” (0.40), “9” (0.30), “11” (0.80), and 5 surer"
    assert page.locator("[aria-live=polite]").inner_text() == told
    rows = [row.split() for row in page.locator(".ott-choices li").all_inner_texts()]
    assert rows == [["no", "0.90"], ["because", "0.40"], ["9", "0.30"], ["11", "0.80"]]


def test_inserted_as_jupyterlab_does_it(page):
    page.set_content("<body></body>")
    page.evaluate(
        """html => {  // set as inner HTML, then each script replaced by a copy, which runs
          document.body.innerHTML = html;
          for (const old of [...document.querySelectorAll("script")]) {
            const copy = document.createElement("script");
            copy.textContent = old.textContent;
            old.replaceWith(copy);
          }
        }""",
        html(left_to_right()),
    )
    press(page, "Step forward")
    assert text(page) == f"{PROMPT} no ,"


def test_hostile_tokens_are_played_as_text(page):
    bad = "</script><img src=x onerror=document.title='bad'>"
    trace = Trace([Step([0, 1], 1, 0.5, bad, [[(0, 0.4)]])], label=bad, kind="ar")
    page.set_content(player.html(trace, Pieces(bad, " שלום"), title=bad, alt=f"{bad} stays text"))
    assert text(page) == f"{bad} שלום"
    assert page.title() == "" and page.locator("img").count() == 0


@pytest.mark.parametrize("written", SCRIPTS)
def test_bytes_are_played_as_the_characters_they_complete(page, written):
    whole, trace = [*f"> {written}".encode()], Trace()
    for at in range(2, len(whole)):
        trace.append(Step(whole[: at + 1], at, 0.5))
    page.set_content(player.html(trace, Bytes(), title=TITLE, alt=ALT))
    press(page, "Step forward")
    press(page, "Last step")
    stage = page.locator(".ott-text")
    assert stage.evaluate("box => box.textContent.replaceAll('␣', '')") == f"> {written}"
    assert "�" not in page.locator(".ott-player").inner_text()
    assert page.evaluate("word => find(word)", max(written.split(), key=len))  # as readers search


def test_with_scripts_off_the_strip_is_all_there_is(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(html(any_order()))
    assert page.locator("tbody tr").count() == 5 and page.locator("tbody tr").last.is_visible()
    assert page.get_by_role("button").count() == 0  # no control that does nothing
    context.close()


def test_on_a_phone_nothing_overflows_and_every_control_can_be_hit(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.set_content(html(left_to_right(), any_order()))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in page.locator(".ott-bar button, .ott-bar select, .ott-track").all():
        box = control.bounding_box()
        assert box["width"] >= 40 and box["height"] >= 40


def test_printed_it_is_the_strip_again(page):
    page.set_content(html(left_to_right()))
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("tbody tr").last.is_visible()
    assert not page.get_by_role("button", name="Play").is_visible()
