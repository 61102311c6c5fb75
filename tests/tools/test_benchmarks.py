import datetime
import importlib.util
import json
import os
import sys
import time

import pytest
import torch

from tests.disks import filling_up, killed_at, locked
from tests.places import ROOT
from tools import environment
from utils.generation import diffusion
from utils.models.transformer import Transformer, TransformerConfig

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


def test_the_stored_results_are_those_of_every_race(run):
    results = json.loads((BENCHMARKS / "results.json").read_text("utf-8"))
    assert list(results) == list(run.COMPARISONS)
    for name, result in results.items():
        assert result["low"] <= result["ratio"] <= result["high"], name
        assert "threads" in result["machine"] and result["gflops"] > 0, name
        assert datetime.date.fromisoformat(result["day"]).year >= 2026, name


def test_both_that_fill_blanks_fill_them_alike(run):
    """Else one of them might be faster because it does something else."""
    config = TransformerConfig(64, d_model=16, n_heads=2, causal=False, tie_embeddings=False)
    model = Transformer(config)
    blank = torch.full((3, 20), 63)
    blank[1, :7] = 5  # a row with fewer masks than the others

    def never_a_mask(tokens):
        return model(tokens).index_fill(-1, torch.tensor(63), -1e9)

    ours = diffusion.sample(model, blank, 63)
    assert torch.equal(ours, run.fill_as_llada(never_a_mask, blank.clone(), 63))
    assert (ours != 63).all() and (ours[1, :7] == 5).all()


def test_a_race_lost_is_no_error_and_an_absent_opponent_is_left_out(
    run, tmp_path, monkeypatch, capsys
):
    """Whoever runs it gets what there is to measure, and is told the rest."""

    def lost():
        """A race."""
        work = [lambda: time.sleep(0.002), lambda: None]
        return run.Comparison("work", "ours", "theirs", 9.0, 4, *work)

    def absent():
        """Another."""
        raise run.Missing("how to get it")

    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "COMPARISONS", {"lost": lost, "absent": absent})
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() is None
    said = capsys.readouterr().out
    assert "Slower than hoped for, on this machine: lost." in said and "how to get it" in said
    assert list(json.loads((tmp_path / "results.json").read_text("utf-8"))) == ["lost"]


@pytest.fixture
def one_race(run, open_folder, monkeypatch):
    """`make bench` with one short race, whose earlier results are to be replaced."""

    def race():
        """A race."""
        work = [lambda: None, lambda: None]
        return run.Comparison("work" * 500, "ours", "theirs", 0.0, 4, *work)

    monkeypatch.setattr(run, "HERE", open_folder)
    monkeypatch.setattr(run, "COMPARISONS", {"race": race})
    monkeypatch.setattr(sys, "argv", ["run.py"])
    monkeypatch.setattr(run, "gflops", lambda: 1)
    (open_folder / "results.json").write_text("{}")
    (open_folder / "results.md").write_text("old")
    return run.main


def stored(folder):
    return {name: (folder / name).read_text() for name in ("results.json", "results.md")}


@pytest.mark.parametrize("what", ["a full disk", "a locked folder"])
def test_results_that_cannot_be_written_are_one_line(one_race, open_folder, what):
    failing = filling_up(1000) if what == "a full disk" else locked(open_folder)
    said = "File too large" if what == "a full disk" else "Permission denied"
    with failing, pytest.raises(SystemExit, match=f"^The results are not kept: .*{said}.*'$"):
        one_race()
    assert stored(open_folder) == {"results.json": "{}", "results.md": "old"}
    assert len(os.listdir(open_folder)) == 2


@pytest.mark.parametrize("moment", ["fsync", "chmod", "replace"])
def test_killed_it_leaves_the_earlier_results(one_race, open_folder, moment):
    killed_at(moment, one_race)
    assert stored(open_folder) == {"results.json": "{}", "results.md": "old"}
    one_race()
    assert list(json.loads(stored(open_folder)["results.json"])) == ["race"]


def test_opponents_are_got_without_the_machines_settings_of_pip(run, monkeypatch, capsys):
    """As everything else is: only where packages come from is the machine's to say."""
    asked = []
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **how: asked.append(how["env"]))
    monkeypatch.setattr(environment, "pip_variables", lambda root, base: {"root": root})
    run.install_opponents()
    assert asked == [{"root": str(ROOT)}]

    def unreadable(root, base):
        raise environment.SetupError("pip cannot read its configuration files")

    monkeypatch.setattr(environment, "pip_variables", unreadable)
    run.install_opponents()
    assert len(asked) == 1
    assert capsys.readouterr().err.startswith("Nothing is installed: pip cannot read")


def test_the_table_is_made_from_the_results(run):
    results = json.loads((BENCHMARKS / "results.json").read_text("utf-8"))
    assert (BENCHMARKS / "results.md").read_text("utf-8") == run.table(results)
    assert run.table(results).count("\n| ") == len(results)


def test_a_race_divides_their_time_by_ours(run):
    order = []

    def sleep(name, seconds):
        order.append(name)
        time.sleep(seconds)

    work = [lambda: sleep("ours", 0.002), lambda: sleep("theirs", 0.02)]
    ratios = run.race(run.Comparison("work", "ours", "theirs", 1.0, 4, *work))
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
