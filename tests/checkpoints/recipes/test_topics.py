import ast
import inspect
from itertools import islice

import nbformat
import pytest
import torch

from tests.places import ROOT
from utils.checkpoints.recipes import cups, groups, topics
from utils.checkpoints.store import load_checkpoint
from utils.experiments import states
from utils.worlds import Topics


@pytest.mark.parametrize("name", topics.RECIPES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_models_are_as_near_to_the_floor_as_their_cards_say(name, seed):
    model, card = load_checkpoint(name, seed)
    above = topics.above_exact(model, topics.RECIPES[name].world())["nats_above_exact"]
    assert above == pytest.approx(card.results["nats_above_exact"], abs=1e-4)
    assert 0 < above < 0.005, "the training has failed: it stands far above the exact floor"


def test_who_knows_the_language_is_at_the_floor():
    world = Topics()

    def knows(rows):
        return world.next_probs(world.beliefs(rows)).log()

    assert topics.above_exact(knows, world)["nats_above_exact"] == pytest.approx(0, abs=1e-6)


def test_a_swap_moves_the_next_word_and_not_those_after_it():
    model, world = load_checkpoint("topics-ar", 1)[0], Topics()
    shares = states.swap_trial(model, world, seed=states.FRESH + 7).shares()
    assert 0.8 < shares[0] < 1.2 and abs(shares[states.AFTER]) < 0.3


# -- what is tested was never trained on -----------------------------------------------------------


class Noting:
    """Notes the seeds of the texts that are asked for."""

    def __init__(self):
        self.seeds = set()

    def sample(self, n, *, seed):
        self.seeds.add(seed)
        return torch.zeros(n, 1)


def trained_on():
    """The seed of every pool of texts that one of the models of chapter 11 has learned from."""
    noting = Noting()
    for recipe in (topics.RECIPES | cups.RECIPES | groups.RECIPES).values():
        for seed in recipe.seeds:
            for _ in islice(recipe.batches(noting, seed), recipe.steps):
                pass
    return noting.seeds


def drawn_in_the_chapter():
    """The seeds of the texts that its code draws itself."""
    path = ROOT / "chapters" / "11_what_a_state_remembers.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    tree = ast.parse("\n".join(c.source for c in cells if c.cell_type == "code"))
    loops = {}  # {node: the `for`s of the list that it stands in}
    for one in (
        node for node in ast.walk(tree) if isinstance(node, ast.ListComp | ast.GeneratorExp)
    ):
        loops |= dict.fromkeys(ast.walk(one.elt), one.generators)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "sample":
            seed = next(k.value for k in call.keywords if k.arg == "seed")
            words = " ".join(ast.unparse(part) for part in (seed, *loops.get(call, ())))
            yield from eval(f"[{words}]", {"states": states})


def test_no_text_that_the_chapter_asks_about_lies_in_what_a_model_learned_from():
    seen, drawn = trained_on(), list(drawn_in_the_chapter())
    assert len(seen) > 200 and len(drawn) >= 5
    for trial in (states.swap_trial, states.right_after):
        drawn.append(inspect.signature(trial).parameters["seed"].default)
    assert not seen & set(drawn) and min(drawn) >= states.FRESH > max(seen)
