"""What runs in the reader's browser is the book's models, and does what the library does."""

import re

import pytest
import torch

from tests.places import ROOT
from tests.sites import DESK, PHONE
from utils.checkpoints import javascript
from utils.checkpoints.recipes.verdicts import MOMENTS, held_out
from utils.checkpoints.store import load_checkpoint, read_card
from utils.generation import diffusion, revision, sampling
from utils.generation.rewriting import backtrack
from utils.worlds import Verdicts

NAMES = ("verdicts-first", "verdicts-diffusion")
SMALL = [f"verdicts-small-{kind}-after-{n}" for kind in ("first", "diffusion") for n in MOMENTS]
FOLDER = ROOT / "book" / "_static" / "playground"
WORLD = Verdicts()
MASK = WORLD.vocab.mask_id
FREE = list(range(WORLD.positions["answer"], WORLD.length))


@pytest.fixture(scope="module")
def models(browser, tmp_path_factory):
    """A page, opened from a file, with the models' scripts and weights beside it."""
    folder = tmp_path_factory.mktemp("a page")
    for name in [*NAMES, *SMALL]:
        script = javascript.script(name, WORLD.vocab, in_bytes=name in SMALL)
        (folder / f"{name}.js").write_bytes(script)
    scripts = ("transformer.js", "writers.js", "lane.js")
    for script in scripts:
        (folder / script).write_bytes((FOLDER / script).read_bytes())
    tags = "".join(f'<script src="{script}"></script>' for script in scripts)
    (folder / "page.html").write_text(f"<!doctype html>{tags}", encoding="utf-8")
    page, complaints = browser.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((folder / "page.html").as_uri())
    yield page
    page.close()
    assert complaints == []


def texts(n, blanks=0):
    """Texts of the world, and of what it would never say; with so many blanks in the answer."""
    dice = torch.Generator().manual_seed(n + blanks)
    rows = torch.cat(
        [WORLD.sample(n // 2, seed=5), WORLD.sample(n - n // 2, seed=6, held_out=True)]
    )
    slips = torch.rand(rows.shape, generator=dice) < 0.1
    rows[slips] = torch.randint(MASK, (int(slips.sum()),), generator=dice)
    for row in rows if blanks else ():
        row[torch.tensor(FREE)[torch.randperm(len(FREE), generator=dice)[:blanks]]] = MASK
    return rows


# --- the forward pass -------------------------------------------------------------------------


def logits(page, name):
    """What the page's script and PyTorch make of the same 100 texts: pairs of (length * vocab,)."""
    model, card = load_checkpoint(name)
    dice = torch.Generator().manual_seed(0)
    lengths = [1, card.config.max_len, *torch.randint(2, 24, (98,), generator=dice).tolist()]
    rows = [torch.randint(card.config.vocab_size, (n,), generator=dice) for n in lengths]
    found = page.evaluate(
        "([name, rows]) => oneToken.load(name).then((m) => rows.map((row) => [...m.logits(row)]))",
        [name, [row.tolist() for row in rows]],
    )
    with torch.no_grad():
        expected = [model(row[None]).flatten() for row in rows]
    return list(zip(map(torch.tensor, found), expected, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_the_logits_are_those_of_pytorch(models, name):
    assert max((found - expected).abs().max() for found, expected in logits(models, name)) < 1e-3


@pytest.mark.parametrize("name", SMALL)
def test_weights_of_a_byte_each_are_close(models, name):
    """The models of the slider: what rounding does to a logit is small beside how much logits
    differ, and hardly ever changes which token is likeliest."""
    found, expected = map(torch.cat, zip(*logits(models, name), strict=True))
    assert (found - expected).abs().median() < 0.02 * expected.std()
    best = [each.view(-1, len(WORLD.vocab)).argmax(1) for each in (found, expected)]
    assert (best[0] == best[1]).double().mean() > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_a_pass_over_sixteen_tokens_is_quick(models, name):
    timed = """(name) => oneToken.load(name).then(({ logits }) => {
      const times = Array.from({ length: 30 }, () => {
        const start = performance.now();
        logits([...Array(16).keys()]);
        return performance.now() - start;
      });
      return times.sort((a, b) => a - b)[10];
    })"""
    assert models.evaluate(timed, name) < 200  # ms; 50 where nothing else runs


def test_all_that_the_page_loads_is_small(html):
    folder = html / "_static" / "playground"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6
    assert {path.stem for path in folder.glob("verdicts-*.js")} == {*NAMES, *SMALL}


# --- ways of writing --------------------------------------------------------------------------


def written(page, name, way, rows, **options):
    """The texts that the page's scripts end with, and how many passes they say it took."""
    script = """([name, way, rows, blank, options]) => oneToken.load(name).then((model) => {
      const read = oneToken.reader(model);
      return rows.map((row) => {
        const run = oneToken.run(read, row, blank, way, options);
        let step = 0;
        while (run.has(step + 1)) step++;
        return [run.at(step).text, run.at(step).passes];
      });
    })"""
    options = {"free": FREE, "rounds": 3, **options}
    found = page.evaluate(script, [name, way, rows.tolist(), MASK, options])
    return torch.tensor([text for text, _ in found]), [passes for _, passes in found]


@pytest.mark.parametrize(
    ("way", "how"),
    [
        ("surest", {}),
        ("left", {"order": "left-to-right"}),
        ("threshold", {"threshold": 0.9}),
    ],
)
def test_blanks_are_filled_as_the_library_fills_them(models, way, how):
    model, _ = load_checkpoint("verdicts-diffusion")
    rows = texts(20, blanks=6)
    found, passes = written(models, "verdicts-diffusion", way, rows, **how)
    assert torch.equal(found, diffusion.sample(model, rows, MASK, **how))
    assert max(passes) == 6 if way != "threshold" else max(passes) < 6


def test_words_are_taken_back_as_the_library_takes_them_back(models):
    model, _ = load_checkpoint("verdicts-diffusion")
    rows = texts(20)
    found, passes = written(models, "verdicts-diffusion", "doubt", rows)
    assert torch.equal(found, revision.revise(model, rows, MASK, FREE, rounds=3))
    assert set(passes) <= {10, 20, 30} and len(set(passes)) > 1


@pytest.mark.parametrize("way", ["doubt", "back", "surest", "left", "threshold"])
def test_a_player_reads_one_text_at_a_time_and_answers_its_reader_in_between(models, way):
    """The steps that `ready` takes are those that `has` takes, a pass or two in one task."""
    script = """async ([way, row, blank, options]) => {
      let reads = 0, most = 0;
      const odds = (i) => Array.from({ length: blank + 1 }, (_, k) => (k === i) + k / 99);
      const said = row.map((_, i) => odds(i));
      const read = () => {
        most = Math.max(most, ++reads);
        setTimeout(() => (reads = 0));
        return said;
      };
      const later = oneToken.run(read, row, blank, way, options);
      let step = 0;
      for (; ; step++) {
        await later.ready(step + 1);
        await new Promise((resolve) => setTimeout(resolve, 5));
        const before = most;
        if (!later.has(step + 1)) break;
        if (most !== before) return "the step was not ready";
      }
      const calm = most, now = oneToken.run(read, row, blank, way, options);
      const texts = [now, later].map((run) => run.at(step).text.join());
      return [calm, now.has(step), now.has(step + 1), texts[0] === texts[1]];
    }"""
    options = {"free": FREE, "rounds": 2, "threshold": 0.9}
    (row,) = texts(1, blanks=4).tolist()
    most, *same = models.evaluate(script, [way, row, MASK, options])
    assert most <= 2 and same == [True, False, True]


def test_left_to_right_and_back_as_the_library_does(models):
    model, _ = load_checkpoint("verdicts-first")
    rows = texts(20)
    open_ended = rows.clone()
    open_ended[:, 9:] = MASK
    found, passes = written(models, "verdicts-first", "left", open_ended)
    assert torch.equal(found, sampling.generate(model, rows[:, :9], 7))
    assert set(passes) == {7}
    found, _ = written(models, "verdicts-first", "back", rows)
    assert torch.equal(found, backtrack(model, rows, FREE, rounds=3))


def test_an_answer_is_judged(models):
    said = {
        "is 1 + 1 = 2 ? yes , because 1 + 1 = 2 .": "Right",
        "is 1 + 1 = 3 ? no , because 1 + 1 = 2 .": "Right",
        "is 1 + 1 = 2 ? no , because 1 + 1 = 2 .": "It contradicts itself: it says no",
        "is 1 + 1 = 3 ? yes , because 1 + 1 = 2 .": "It contradicts itself: it says yes",
        "is 1 + 1 = 2 ? no , because 1 + 1 = 3 .": "Its reason does not add up: 1 + 1 is not 3",
        "is 1 + 1 = 2 ? no , because 1 + 2 = 3 .": "It fits together, and the sum is wrong",
        "is 1 + 1 = 2 ? because 1 . 2 no , because 2 +": "Not an answer",
    }
    tokens = list(WORLD.vocab.tokens)
    for text, judgement in said.items():
        row = WORLD.vocab.encode(text).tolist()
        assert models.evaluate("([a, b]) => oneToken.judge(a, b)", [row, tokens]).startswith(
            judgement
        )


# --- the reader's hands -----------------------------------------------------------------------


@pytest.fixture
def playground(visit):
    """Opens the playground at a state, and waits for the models."""

    def opened(state="", **options):
        page = visit(f"book/playground.html{state}", reduced_motion="reduce", **options)
        page.locator("#pg:not([data-waiting])").wait_for()
        return page

    return opened


def lanes(page):
    """The answers that stand in the lanes, and what is said of them."""
    return page.locator(".pg-lane").evaluate_all("""(lanes) => lanes.map((lane) => [
      [...lane.querySelectorAll(".pg-word:not(.pg-given)")].map((word) =>
        word.classList.contains("pg-blank") ? "_" : word.firstChild.textContent).join(" "),
      lane.querySelector(".pg-verdict").textContent,
    ])""")


def draft(page):
    return page.locator(".pg-draft [data-at]").evaluate_all(
        "(all) => all.map((word) => word.textContent || '_').join(' ')"
    )


def press(page, name):
    page.locator("#pg").get_by_role("button", name=name, exact=True).click()


STUCK = "no , because 1 + 1 = 2 ."
MENDED = "yes , because 1 + 1 = 2 ."


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_no_is_final_in_one_and_mended_in_the_other(playground, width):
    page = playground(width=width)
    assert [answer for answer, _ in lanes(page)] == ["no" + " _" * 8] * 2
    heard = page.locator(".pg-lane.pg-diffusion .pg-blank").all_text_contents()
    assert len(heard) == 8 and all(each.startswith("blank, likeliest ") for each in heard)
    press(page, "Step")
    assert lanes(page)[0][0] == "no ," + " _" * 7
    told = page.locator(".pg-said").inner_text()
    assert told.startswith("Step 1. One token at a time wrote “,” 1.00. All tokens at once wrote “")
    press(page, "End")
    (stuck, why), (mended, right) = lanes(page)
    assert (stuck, mended) == (STUCK, MENDED)
    assert why.startswith("It contradicts itself") and right.startswith("Right")
    assert MENDED in page.locator(".pg-said").inner_text()
    press(page, "Start")
    assert [answer for answer, _ in lanes(page)] == ["no" + " _" * 8] * 2


def test_on_the_smallest_phone_nothing_sticks_out(playground):
    page = playground(width=320)
    press(page, "End")
    page.locator(".pg-lane .pg-word").nth(9).click()  # "because", and the roads not taken
    outside = """[...document.querySelectorAll(".pg-draft, .pg-lane, .pg-controls")]
      .flatMap((box) => [...box.querySelectorAll("*")].filter(
        (e) => e.getBoundingClientRect().right > box.getBoundingClientRect().right + 1))
      .map((e) => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(outside) == []
    tops = page.locator(".pg-controls button").evaluate_all("all => all.map((e) => e.offsetTop)")
    assert len(set(tops)) == 1  # the steps in one row


PLACES = """() => [...document.querySelectorAll("#pg :is(button, select, input)")]
  .filter((one) => one.checkVisibility() && !one.matches(".pg-draft .pg-word"))
  .map((one) => one.getBoundingClientRect())
  .map(({ x, y }) => [Math.round(x), Math.round(y + scrollY)])"""


@pytest.mark.parametrize("width", [320, PHONE, DESK])
def test_no_control_moves_when_another_is_used(playground, width):
    """Else the next click of a quick hand is lost, or meant for another."""
    page = playground("#scene=stays", width=width)

    def same_after(*selectors):
        before = page.evaluate(PLACES)
        for selector in selectors:
            page.locator(selector).first.evaluate("(one) => one.click()")
            assert page.evaluate(PLACES) == before, selector

    scenes = [f"[data-scene={name}]" for name in ("slip", "back", "question", "no")]
    same_after(*scenes, "[data-do=forward]", "[data-do=end]", "[data-do=start]")
    page.locator(".pg-editor summary").click()
    page.locator(".pg-diffusion li button").first.wait_for()
    rival = ".pg-diffusion li:last-child button"
    same_after("[data-do=forward]", "[data-do=end]", rival, "[data-do=undo]", "[data-do=blank]")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_what_is_under_the_hand_stays_there_when_the_editor_opens(playground, width):
    page = playground("#scene=no&step=99", width=width)
    page.locator(".pg-lanes").evaluate("e => scrollTo(0, e.offsetTop - 300)")
    word = page.locator(".pg-lane.pg-ar .pg-word").nth(9)
    before = word.bounding_box()
    word.click()
    after = page.locator(".pg-lane.pg-ar .pg-word").nth(9).bounding_box()
    assert page.locator(".pg-editor[open]").count() == 1
    assert abs(after["y"] - before["y"]) < 2


def test_it_plays_to_the_end_by_itself(playground):
    page = playground("#scene=once")
    press(page, "Play")
    page.get_by_text("9 forward passes, finished").wait_for()
    page.get_by_role("button", name="Play", exact=True).wait_for()
    assert "ends with" in page.locator(".pg-said").inner_text()


def test_an_address_shows_everybody_the_same(playground):
    page = playground("#scene=back&step=9")
    assert draft(page) == "is 1 + 1 = 2 ? no" + " _" * 8
    assert lanes(page)[0][0] == " ".join("_" * 9)  # gone back to the first word
    shared = page.evaluate("location.hash")
    assert shared == "#text=is_1_+_1_=_2_?_no&ar=back&diffusion=doubt&at=7&step=9"
    again = playground(shared)
    assert (draft(again), lanes(again)) == (draft(page), lanes(page))
    again.evaluate("location.hash = '#scene=slip&step=99'")
    again.get_by_text("12 =").or_(
        again.locator(".pg-about", has_text="one wrong number")
    ).wait_for()
    assert [answer for answer, _ in lanes(again)] == ["yes , because 2 + 9 = 11 ."] * 2


@pytest.mark.parametrize(
    "state", ["#scene=none", "#text=nonsense", "#text=is_1&step=-3&at=99", "#%"]
)
def test_an_address_that_makes_no_sense_does_no_harm(playground, state):
    assert draft(playground(state)) == "is 1 + 1 = 2 ? no" + " _" * 8


def test_everything_can_be_done_by_keyboard_alone(playground):
    page = playground()
    keys = page.keyboard
    here = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
    for _ in range(60):
        if page.evaluate(here) == "no, word 8 of 16":
            break
        keys.press("Tab")
    assert page.evaluate(here) == "no, word 8 of 16"
    keys.type("yes")
    keys.press("Enter")
    assert draft(page) == "is 1 + 1 = 2 ? yes" + " _" * 8
    assert page.evaluate(here) == "yes, word 8 of 16"
    assert page.locator(".pg-said").inner_text() == "Word 8 is “yes” now. Both begin again."
    keys.press("ArrowLeft")
    keys.press("ArrowLeft")
    assert page.evaluate(here) == "2, word 6 of 16"
    keys.press("Delete")
    assert "The question stays" in page.locator(".pg-said").inner_text()
    keys.type("38")
    keys.press("Enter")
    keys.press("End")
    for _ in range(12):
        keys.press("Shift+ArrowLeft")
    keys.press("Backspace")
    assert draft(page) == "is 1 + 1 = 38 ?" + " _" * 9
    keys.type("maybe")
    keys.press("Enter")
    assert "“maybe” is none of their words" in page.locator(".pg-said").inner_text()


def test_a_word_is_changed_by_the_road_not_taken(playground):
    page = playground(width=PHONE, has_touch=True)
    page.locator(".pg-draft [data-at='7']").tap()
    road = page.locator(".pg-roads .pg-diffusion").get_by_role("button", name="yes")
    assert float(road.inner_text().split()[-1]) > 0.9
    road.tap()
    assert draft(page) == "is 1 + 1 = 2 ? yes" + " _" * 8
    press(page, "Undo")
    assert draft(page) == "is 1 + 1 = 2 ? no" + " _" * 8
    press(page, "Blank from here on")
    assert draft(page) == "is 1 + 1 = 2 ?" + " _" * 9
    blind = page.locator(".pg-roads .pg-ar .pg-asked")
    page.locator(".pg-draft [data-at='9']").tap()
    assert "nothing to say here yet" in blind.inner_text()


def test_a_span_is_marked_by_dragging(playground):
    page = playground("#scene=slip")
    boxes = [page.locator(f".pg-draft [data-at='{i}']").bounding_box() for i in (10, 14)]
    (x, y), (to, _) = [(box["x"] + 5, box["y"] + 5) for box in boxes]
    page.mouse.move(x, y)
    page.mouse.down()
    # the first touch unfolds what stands below, and nothing above it
    page.mouse.move(to, y, steps=9)
    page.mouse.up()
    press(page, "Blank it")
    assert draft(page) == "is 2 + 9 = 11 ? yes , because" + " _" * 5 + " ."


def test_the_way_of_writing_can_be_chosen(playground):
    page = playground("#scene=once")
    diffusion = page.locator(".pg-lane.pg-diffusion")
    press(page, "End")
    few = diffusion.locator(".pg-count").inner_text()
    diffusion.get_by_role("combobox").select_option("left")
    assert page.locator(".pg-said").inner_text() == "Both begin again."
    assert not diffusion.get_by_role("slider").is_visible()
    press(page, "End")
    assert diffusion.locator(".pg-count").inner_text() == "9 forward passes, finished" != few
    assert "Right" in lanes(page)[1][1]


def test_it_works_from_a_file(browser, html):
    page, complaints = browser.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((html / "book" / "playground.html").as_uri() + "#scene=no&step=99")
    page.locator("#pg:not([data-waiting])").wait_for()
    assert [answer for answer, _ in lanes(page)] == [STUCK, MENDED]
    assert complaints == []
    page.close()


# --- as they learn ----------------------------------------------------------------------------


def test_the_slider_shows_them_at_five_moments_of_their_training(playground):
    page, asked = playground("#scene=question"), []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    slider = page.get_by_label("How much have they learned?")
    steps = slider.get_attribute("data-steps").split(" ")
    assert steps == [str(steps) for steps in MOMENTS]
    grown = page.locator(".pg-results").all_inner_texts()
    slider.press("Home")
    told = page.locator(".pg-learned output", has_text="after 20 of 3,000 steps")
    told.wait_for()
    assert slider.get_attribute("aria-valuetext") == told.inner_text()
    weights = [name for name in asked if name.startswith("verdicts")]
    assert weights == [f"verdicts-small-{kind}-after-20.js" for kind in ("first", "diffusion")]
    assert [said for _, said in lanes(page)] == ["Not an answer."] * 2
    assert "Not an answer." in page.locator(".pg-said").inner_text()
    shared = page.evaluate("location.hash")
    assert "&after=20&" in shared
    for moment in MOMENTS:  # what is said to be measured is what the cards say
        page.locator(".pg-learned output", has_text=f"after {moment:,} of").wait_for()
        for kind, shown in zip(
            ("first", "diffusion"), page.locator(".pg-results").all(), strict=True
        ):
            card = read_card(f"verdicts-small-{kind}-after-{moment}").results
            said = [float(word.rstrip("%,")) for word in shown.inner_text().split() if "%" in word]
            expected = [100 * card["right_verdicts"], 100 * card["right_sums"]]
            assert said == pytest.approx(expected, abs=0.1)
        slider.press("ArrowRight")
    page.locator(".pg-learned output", has_text="the chapters’ models").wait_for()
    assert page.locator(".pg-results").all_inner_texts() == grown
    assert "after=" not in page.evaluate("location.hash")
    again = playground(shared)
    assert (
        again.locator(".pg-learned output").inner_text()
        == "a smaller pair, after 20 of 3,000 steps"
    )
    assert f"{len(held_out(WORLD)):,} questions" in page.locator("article").inner_text()


def test_on_a_phone_both_can_be_watched_while_they_write(playground):
    """The buttons stay in sight, and nothing that is said moves the lanes."""
    page = playground(width=PHONE)
    page.locator(".pg-lanes").evaluate("e => scrollTo(0, e.getBoundingClientRect().top - 120)")
    play = page.get_by_role("button", name="Step", exact=True)
    places = set()
    for _ in range(12):
        play.click()
        boxes = [page.locator(".pg-lane").nth(i).bounding_box() for i in (0, 1)]
        places.add((boxes[0]["y"], boxes[1]["y"]))
        button = play.bounding_box()
        assert 0 <= button["y"] and button["y"] + button["height"] <= boxes[0]["y"] + 1
        words = page.locator(".pg-lane .pg-words").nth(1).bounding_box()
        assert words["y"] + words["height"] < 844
    assert len(places) == 1


def test_who_has_learned_little_writes_little_sense(playground):
    page = playground("#scene=learning&step=99", width=PHONE)
    assert "early in their training" in page.locator(".pg-about").inner_text()
    assert [said for _, said in lanes(page)] == ["Not an answer."] * 2
    press(page, "Left alone")
    page.locator(".pg-learned output", has_text="the chapters’ models").wait_for()
    about = page.locator(".pg-about[aria-live=polite]", has_text="Nobody interferes.")
    assert about.count() == 1 and page.locator(".pg-said").inner_text() == ""
    press(page, "As they learn")
    page.locator(".pg-learned output", has_text="after 20 of").wait_for()


# --- the landing page -------------------------------------------------------------------------


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_a_word_can_be_put_into_their_mouths(visit, width):
    page, asked = visit("book/intro.html", width=width, reduced_motion="reduce"), []
    page.on("request", lambda request: asked.append(request.url.rsplit("/", 1)[-1]))
    mouth = page.locator("#mouth")
    assert mouth.bounding_box()["y"] < 400
    at_rest = lanes(page)
    scripts = page.locator("script[src]").evaluate_all("(all) => all.map((one) => one.src)")
    assert not any(name in script for name in NAMES for script in scripts)
    mouth.get_by_role("button", name="7").click()
    page.locator(".pg-verdict", has_text="Not an answer.").wait_for()
    assert asked == [f"{name}.js" for name in NAMES]
    mouth.get_by_role("button", name="no").click()
    page.locator(".pg-verdict", has_text="It contradicts itself").wait_for()
    assert lanes(page) == at_rest  # what the page said before is what the models say
    assert [answer for answer, _ in at_rest] == [STUCK, MENDED]
    for box in mouth.get_by_role("checkbox").all():
        box.click()
    page.locator(".pg-lane.pg-ar", has_text="Right").wait_for()
    assert [answer for answer, _ in lanes(page)] == [MENDED, STUCK]


@pytest.mark.parametrize("width", [320, PHONE, DESK])
def test_nothing_moves_while_they_write(visit, width):
    page = visit("book/intro.html", width=width, reduced_motion="reduce")
    places = """() => [...document.querySelectorAll("article :is(a, button, input, h2)")]
      .map((one) => Math.round(one.getBoundingClientRect().y + scrollY))"""
    before, words = page.evaluate(places), page.locator("#mouth [data-word]").all()
    for word in words:
        word.click()
        page.locator(".pg-said", has_text=re.compile("time: “" + word.inner_text())).wait_for(
            state="attached"
        )
        assert page.evaluate(places) == before
    assert len(words) == 4


def test_models_that_are_late_or_do_not_come_are_said_to_be(slow):
    page, let_go = slow("book/intro.html", width=PHONE, reduced_motion="reduce")
    page.locator(".bd-footer-content").wait_for(state="attached")
    let_go()
    page.wait_for_function("document.readyState === 'complete'")
    held, said = [], page.locator("#mouth .pg-ar .pg-verdict")
    page.route("**/verdicts-*.js*", lambda route: held.append(route))
    page.locator("#mouth [data-word=yes]").click()
    said.get_by_text("The models are on their way").wait_for()
    page.wait_for_timeout(100)
    assert len(held) == 2
    for route in held:
        route.abort()
    said.get_by_text("The models did not arrive").wait_for()
    page.unroute("**/verdicts-*.js*")
    page.locator("#mouth [data-word=yes]").click()
    page.locator("#mouth .pg-ar", has_text="Right, and the verdict fits").wait_for()


@pytest.mark.parametrize("first", ["[data-word=yes]", ".pg-ar input"])
def test_a_touch_before_the_scripts_are_there_is_not_lost(slow, first):
    page, let_go = slow("book/intro.html", width=PHONE, reduced_motion="reduce")
    page.locator(f"#mouth {first}").click()
    assert "It contradicts itself" in page.locator("#mouth .pg-ar").inner_text()
    let_go()
    page.locator("#mouth .pg-ar", has_text="Right, and the verdict fits").wait_for()
