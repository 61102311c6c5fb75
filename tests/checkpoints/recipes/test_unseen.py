"""What the chapters test models on lies in nothing that a model was trained on.

It could: a small sample may be the beginning of a large one with its seed, and the pools of a
training come from one seed after the other. So a chapter draws its texts from seeds that no recipe
reaches, of whatever world, and that its own trainings do not reach. Where it does not, `HARMLESS`
says why, and a test shows it.
"""

import ast
from itertools import islice

import nbformat
import pytest
import torch

from tests.places import CHAPTERS, ROOT
from utils.checkpoints.recipes import RECIPES, bare_words, kjv
from utils.worlds import Groups, Sentences, Totals

REAL_TEXT = kjv.king_james, bare_words.short_pieces  # its last tenth is held out
OWN_POOLS = 100  # more than a training in a chapter draws

OTHER_TEXTS = "`Sentences` draws word by word, so a sample of another size has other texts"
ALL_SEEN = "nearly every text of the language was seen, and none of these is called new"
NOT_ASKED = "no model is asked about these"
HARMLESS = {  # {(chapter, seed): why}
    ("02", 5): OTHER_TEXTS,
    ("03", 1): OTHER_TEXTS,
    ("03", 21): OTHER_TEXTS,
    ("03", 31): OTHER_TEXTS,
    ("03", 32): OTHER_TEXTS,
    ("04", 6): ALL_SEEN,
    ("04", 7): NOT_ASKED,
    ("04", 8): ALL_SEEN,
    ("04", 11): ALL_SEEN,
    ("05", 1): NOT_ASKED,
    ("05", 3): ALL_SEEN,
    ("06", 6): ALL_SEEN,
    ("06", 7): ALL_SEEN,
    ("10", 1): NOT_ASKED,
    ("08", 5): ALL_SEEN,
}


# -- what was trained on ---------------------------------------------------------------------------


class Noting:
    """A world that notes the seeds it is asked for. Which texts come does not count, so it draws
    them once."""

    def __init__(self, world):
        self.world, self.pools, self.drawn = world, {}, None

    def __getattr__(self, name):
        return getattr(self.world, name)

    def sample(self, n, *, seed):
        self.pools[seed] = n
        self.drawn = self.world.sample(n, seed=seed) if self.drawn is None else self.drawn
        return self.drawn


def pools(recipe, seed):
    """{seed: how many texts} of the pools from which a training comes."""
    noting = Noting(recipe.world())
    for _ in islice(recipe.batches(noting, seed), recipe.steps):
        pass
    assert noting.pools
    return noting.pools


@pytest.fixture(scope="module")
def trained_on():
    """The seeds of all that a checkpoint has learned from."""
    recipes = [recipe for recipe in RECIPES.values() if recipe.world not in REAL_TEXT]
    return {seed for recipe in recipes for first in recipe.seeds for seed in pools(recipe, first)}


# -- what is tested --------------------------------------------------------------------------------


def code_of(path):
    cells = nbformat.read(path, as_version=4).cells
    return ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))


def names_of(tree):
    """What a chapter takes from the library, and the constants that it names itself."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("utils."):
            exec(ast.unparse(node), known)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            known[ast.unparse(node.targets[0])] = node.value.value
    return known


def number(node, known):
    """The number that is written there; of BASE + k with a k from a loop, BASE."""
    try:
        return eval(ast.unparse(node), dict(known))
    except NameError:
        assert isinstance(node, ast.BinOp), f"write {ast.unparse(node)} as a number, or BASE + k"
        return number(node.left, known)


def calls(tree, ending):
    """The calls of what is so called: each with what it is given by name."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func).endswith(ending):
            yield call, {keyword.arg: keyword.value for keyword in call.keywords}


def texts_of(tree, known):
    """{seed: the call} of the texts that code draws, but for those that a world holds out."""
    drawn = [(c, given) for c, given in calls(tree, ".sample") if "seed" in given]
    return {number(g["seed"], known): c for c, g in drawn if "held_out" not in g}


def in_reach(tree, trained_on):
    """{seed: the call} of those that a checkpoint, or a training in this code, has learned from."""
    known = names_of(tree)
    reached = set(trained_on) if "load_" in ast.unparse(tree) else set()
    for _, given in calls(tree, "_batches"):
        first = number(given["seed"], known)
        reached |= set(range(first, first + OWN_POOLS))
    return {seed: call for seed, call in texts_of(tree, known).items() if seed in reached}


@pytest.mark.slow
def test_no_chapter_tests_on_what_was_trained_on(trained_on):
    trees = {path.name[:2]: code_of(path) for path in CHAPTERS}
    found = {(name, seed) for name, tree in trees.items() for seed in in_reach(tree, trained_on)}
    assert found == set(HARMLESS)  # of one that is not listed: draw from a seed above 20 million


@pytest.mark.slow
@pytest.mark.parametrize(
    "code, seeds",
    {
        "load_seeds('groups-writer')\nrows = cups.sample(300, seed=9)": {9},  # chapter 09, once
        "A = 1\nload_seeds('x')\nfor k in (1, 2): w.sample(5, seed=A + k)": {1},
        "world_batches(w, batch_size=8, seed=1)\nw.sample(300, seed=90)": {90},
        "load_seeds('x')\nw.sample(300, seed=20_000_009)\nw.sample(5, seed=9, held_out=True)": {},
        "rows = world.sample(300, seed=9)": {},  # no model
    }.items(),
)
def test_a_leak_is_seen(code, seeds, trained_on):
    assert set(in_reach(ast.parse(code), trained_on)) == set(seeds)


def test_no_card_tells_of_what_was_trained_on(trained_on):
    measured = set()
    for path in (ROOT / "utils" / "checkpoints" / "recipes").glob("*.py"):
        measured |= set(texts_of(ast.parse(path.read_text("utf-8")), {}))
    assert measured and not measured & trained_on


# -- why it matters, and why not there -------------------------------------------------------------


@pytest.mark.parametrize("world", [Groups(), Totals()])
def test_a_small_sample_may_be_the_beginning_of_a_large_one(world):
    assert torch.equal(world.sample(2048, seed=2)[:300], world.sample(300, seed=2))


@pytest.mark.parametrize(
    "chapter, seed", [at for at, why in HARMLESS.items() if why is OTHER_TEXTS]
)
def test_a_sample_of_another_size_has_other_texts(chapter, seed, trained_on):
    (path,) = (path for path in CHAPTERS if path.name.startswith(chapter))
    n = ast.literal_eval(in_reach(code_of(path), trained_on)[seed].args[0])
    rows, pool = Sentences().sample(n, seed=seed), Sentences().sample(2048, seed=seed)
    assert not (rows[:2048] == pool[:n]).all(1).any()


@pytest.mark.parametrize("name", ["verdicts-first", "verdicts-diffusion", "chains-ar"])
def test_nearly_every_text_of_a_small_language_was_seen(name):
    recipe = RECIPES[name]
    world = recipe.world()
    seen = torch.cat([world.sample(n, seed=seed) for seed, n in pools(recipe, 0).items()])
    assert float(world.log_prob(seen.unique(dim=0)).exp().sum()) > 0.99


# -- what learns in a chapter ----------------------------------------------------------------------


def test_the_doubt_of_chapter_06_learns_on_other_questions_than_it_is_tested_on():
    (path,) = (path for path in CHAPTERS if path.name.startswith("06"))
    tree, drawn = code_of(path), {"n", "world", "right", "tested", "examples"}
    known = names_of(tree)
    for line in tree.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) in drawn:
            exec(ast.unparse(line), known)
        elif "Doubt(" in ast.unparse(line):
            break
    learned, asked = (set(map(tuple, known[name].tolist())) for name in ("examples", "right"))
    assert len(known["examples"]) == 1000 and len(known["right"]) == 300
    assert not learned & asked
