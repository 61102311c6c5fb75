import importlib.util
import json
import sys
import time

import pytest
import torch

from tests.places import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def run():
    """The module benchmarks/run.py, which is a script and no part of the library."""
    sys.path.insert(0, str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("run", BENCHMARKS / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARKS))


def test_the_stored_results_meet_their_targets(run):
    results = json.loads((BENCHMARKS / "results.json").read_text("utf-8"))
    assert list(results) == list(run.COMPARISONS)
    for name, result in results.items():
        assert result["low"] <= result["ratio"] <= result["high"]
        assert result["high"] >= result["target"], f"{name} is slower than it should be"


def test_the_table_is_made_from_the_results(run):
    results = json.loads((BENCHMARKS / "results.json").read_text("utf-8"))
    assert (BENCHMARKS / "results.md").read_text("utf-8") == run.table(results)
    assert run.table(results).count("\n| ") == len(results)


def test_a_race_divides_their_time_by_ours(run):
    order = []

    def sleep(name, seconds):
        order.append(name)
        time.sleep(seconds)

    ratios = run.race(lambda: sleep("ours", 0.002), lambda: sleep("theirs", 0.02), 4)
    assert len(ratios) == 4 and sorted(ratios)[2] > 3
    assert order[2:] == ["theirs", "ours", "ours", "theirs"] * 2  # by turns, either one first


def test_the_plain_gpt_learns_and_looks_only_back(run):
    torch.manual_seed(0)
    model = run.PlainGPT(vocab_size=68, max_len=128)
    tokens = torch.randint(68, (2, 20), generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[:, 10] = (changed[:, 10] + 1) % 68
    same = torch.isclose(model(tokens), model(changed), atol=1e-6).all(-1)
    assert same[:, :10].all() and not same[:, 10:].any()
    step = run.training_step(model)
    before = model(tokens).detach()
    step()
    assert not torch.equal(model(tokens), before)
