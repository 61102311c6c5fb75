"""What runs in the reader's browser is the book's models, and does what the library does."""

import base64
import hashlib
import json

import pytest
import torch

from tests.places import ROOT
from utils.checkpoints.store import load_checkpoint, read_card
from utils.generation import diffusion, revision, sampling
from utils.generation.rewriting import backtrack
from utils.page import weights
from utils.worlds import Verdicts

NAMES = ("verdicts-first", "verdicts-diffusion")
FOLDER = ROOT / "book" / "_static" / "playground"
WORLD = Verdicts()
MASK = WORLD.vocab.mask_id
FREE = list(range(WORLD.positions["answer"], WORLD.length))


@pytest.fixture(scope="module")
def models(browser, tmp_path_factory):
    """A page, opened from a file, with the models' scripts and weights beside it."""
    folder = tmp_path_factory.mktemp("a page")
    for name in NAMES:
        (folder / f"{name}.js").write_text(weights.script(name, WORLD.vocab), encoding="ascii")
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


@pytest.mark.parametrize("name", NAMES)
def test_the_logits_are_those_of_pytorch(models, name):
    model, card = load_checkpoint(name)
    dice = torch.Generator().manual_seed(0)
    lengths = [1, card.config.max_len, *torch.randint(2, 24, (98,), generator=dice).tolist()]
    rows = [torch.randint(card.config.vocab_size, (n,), generator=dice) for n in lengths]
    found = models.evaluate(
        "([name, rows]) => oneToken.load(name).then((m) => rows.map((row) => [...m.logits(row)]))",
        [name, [row.tolist() for row in rows]],
    )
    with torch.no_grad():
        for row, logits in zip(rows, found, strict=True):
            assert (model(row[None]).flatten() - torch.tensor(logits)).abs().max() < 1e-3


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


@pytest.mark.parametrize("name", NAMES)
def test_the_script_holds_the_checkpoints_own_file(name):
    script = weights.script(name, WORLD.vocab)
    sent = json.loads(script[script.index("{") : script.rindex("}") + 1])
    assert sent["tokens"] == list(WORLD.vocab.tokens)
    data = base64.b64decode(sent["base64"])
    assert hashlib.sha256(data).hexdigest() == read_card(name).weights_sha256


def test_all_that_the_page_loads_is_small():
    scripts = sum(path.stat().st_size for path in FOLDER.iterdir())
    assert scripts + sum(len(weights.script(name, WORLD.vocab)) for name in NAMES) < 1.5e6


def test_weights_that_the_script_cannot_compute_are_refused():
    with pytest.raises(ValueError, match="knows 50 tokens, the vocabulary 42"):
        weights.script("verdicts-first", Verdicts(high=15).vocab)


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
