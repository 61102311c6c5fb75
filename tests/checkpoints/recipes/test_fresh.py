"""What chapter 10 measures on was drawn from seeds from which no training draws."""

import json
import re
from itertools import islice
from pathlib import Path

import pytest

from utils.checkpoints.recipes import couplets, graphs

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "chapters" / "10_planning_ahead.ipynb"
RECIPES = couplets.RECIPES | graphs.RECIPES


def code():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def fresh_from():
    (found,) = re.findall(r"^FRESH = ([\d_]+)", code(), re.M)
    return int(found)


@pytest.mark.parametrize("name", RECIPES)
def test_no_training_reaches_the_seeds_of_the_tests(name):
    recipe = RECIPES[name]
    world, seen = recipe.world(), []
    sample = world.sample

    def watched(n, *, seed):
        seen.append(seed)
        return sample(min(n, 64), seed=seed).repeat(-(-n // 64), 1)[:n]  # the seeds matter here

    world.sample = watched
    for seed in recipe.seeds:
        assert sum(1 for _ in islice(recipe.batches(world, seed), recipe.steps)) == recipe.steps
    assert len(seen) == len(set(seen)) >= recipe.steps // 32 * len(recipe.seeds)
    assert max(seen) < fresh_from()


def test_the_cards_of_stars_are_measured_on_those_seeds():
    """The chapter reads the shares of most models off their cards."""
    seen = []

    class Watched(graphs.Graphs):
        def sample(self, n, *, seed):
            seen.append(seed)
            return super().sample(n, seed=seed)

    graphs.unseen(Watched())
    assert min(seen) >= fresh_from()
    for recipe in graphs.RECIPES.values():
        assert "utils.checkpoints.recipes.graphs.unseen" in recipe.measured_by()


def test_every_measurement_of_the_chapter_is_drawn_from_those_seeds():
    drawn = re.findall(r"\.sample\((\w+), seed=([^)]*)\)", code())
    measured = [seed for n, seed in drawn if n == "n" or int(n) >= 100]
    assert len(measured) >= 4
    assert all(seed.startswith("FRESH + ") for seed in measured), drawn
