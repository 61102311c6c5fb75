"""`remake NAME --seeds`: recipes at other seeds, here and on a cluster."""

import re
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch

from tests import clusters
from tests.checkpoints.conftest import contents
from tests.places import ROOT
from utils.checkpoints import making, store, study
from utils.checkpoints.__main__ import main
from utils.checkpoints.cluster import JobError

QUICK = "verdicts-small-diffusion-after-20"  # of the book's, trains for a fifth of a second


@pytest.mark.parametrize(
    ("text", "meant"), [("7", [7]), ("0-2", [0, 1, 2]), ("3, 0-1,3", [3, 0, 1]), ("5-5", [5])]
)
def test_seeds(text, meant):
    assert study.seeds(text) == meant


@pytest.mark.parametrize("text", ["", "x", "-1", "5-2", "1.5", "0-", "0-99999999", "0,,1", "²"])
def test_what_are_no_seeds(text):
    with pytest.raises(ValueError, match="names no seeds: give such as 0-49"):
        study.seeds(text)


@pytest.mark.slow
def test_on_a_cluster_the_same_comes_out_as_here(tmp_path, monkeypatch, capsys):
    """As in this process, with one thread. Cards differ by the seconds that it took."""
    away, here = tmp_path / "away", tmp_path / "here"
    with clusters.cluster() as (address, _):
        there = ["--cluster", address, "--folder", str(away)]
        assert main(["remake", QUICK, "--seeds", "3-4", *there]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"; 1 left, about \d+ min\n", printed)
    assert printed.endswith(f"2 made, 0 failed; all of them are in {away}\n")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for seed in (3, 4):
        making.remake(f"{QUICK}-{seed}", folder=here, progress=False)
    torch.set_num_threads(threads)
    assert contents(away).keys() == contents(here).keys() and len(contents(here)) == 4
    for seed in (3, 4):
        name, cards = f"{QUICK}-{seed}", []
        assert contents(away)[f"{name}.safetensors"] == contents(here)[f"{name}.safetensors"]
        for folder in (away, here):
            card = asdict(store.read_card(name, folder=folder)) | {"seconds": 0}
            cards.append(card | {"curve": [(n, value) for n, _, value in card["curve"]]})
        assert cards[0] == cards[1] and cards[0]["threads"] == 1
    assert main(["remake", QUICK, "--seeds", "3-4", "--folder", str(away)]) == 0  # it is there
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 made, 0 failed")


@pytest.mark.slow
def test_a_training_ends_with_who_asked_for_it():
    """A worker may be killed; what it has begun must not go on for an hour."""
    process = subprocess.Popen(
        [sys.executable, "-m", "utils.checkpoints.study"],
        **{"cwd": ROOT, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True},
    )
    with process:
        process.stdin.write('{"label": "sentences-ar", "parent": null}\n')
        process.stdin.close()
        assert process.wait(60) == 1 and process.stdout.read() == ""


# -- with the tiny recipes, in this process ------------------------------------------------------


@pytest.fixture
def here(empty, tmp_path, monkeypatch):
    """(a folder for studies, [what has been made]); it is made in this process, where the tiny
    recipes are."""
    made = []

    def make(message):
        label = message["label"]
        made.append(label)
        if label == "tiny-6":
            raise JobError(f"{label} could not be made: no luck")
        folder = tmp_path / f"for-{label}"
        if parent := message["parent"]:
            study.keep(parent["card"]["name"], parent, folder)
        making.remake(label, folder=folder, progress=False)
        return study.packed(label, folder)

    monkeypatch.setattr(study, "make", make)
    monkeypatch.setattr(study.os, "cpu_count", lambda: 1)
    monkeypatch.setattr("utils.checkpoints.__main__.RECIPES", making.RECIPES)
    return tmp_path / "studies", made


def test_parents_are_made_first_and_what_is_there_is_left_alone(here, empty, capsys):
    folder, made = here
    assert main(["remake", "more", "--seeds", "5,8", "--folder", str(folder)]) == 0
    assert made == ["tiny-5", "tiny-8", "more-5", "more-8"] and contents(empty) == {}
    assert store.load_checkpoint("more", 8, folder=folder)[1].seed == 8
    assert making.stale("more-5", folder=folder) == {"made": [], "measured": []}
    (folder / "tiny-5.safetensors").write_bytes(b"damaged")
    made.clear()
    assert main(["remake", "tiny", "more", "--seeds", "5-6,8", "--folder", str(folder)]) == 1
    shown = capsys.readouterr()
    assert made == ["tiny-5", "tiny-6"] and "tiny-6 could not be made: no luck" in shown.out
    assert "there is no checkpoint 'tiny-6'" in shown.out  # for `more-6`
    assert "1 made, 2 failed" in shown.out


def test_a_parent_that_was_kept_until_a_kill_is_one(here):
    """Killed between its two renames, a checkpoint has its weights under the other name."""
    folder, made = here
    assert main(["remake", "tiny", "--seeds", "5", "--folder", str(folder)]) == 0
    (folder / "tiny-5.safetensors").rename(folder / "tiny-5.safetensors.part")
    (folder / "tiny-5.safetensors").write_bytes(b"those of the card before")
    assert main(["remake", "more", "--seeds", "5", "--folder", str(folder)]) == 0
    assert made == ["tiny-5", "more-5"]


def test_what_has_changed_is_made_again_with_all_that_starts_from_it(here, monkeypatch):
    folder, made = here
    assert main(["remake", "more", "--seeds", "5", "--folder", str(folder)]) == 0
    changed = {**making.RECIPES, "tiny": replace(making.RECIPES["tiny"], lr=1e-3)}
    monkeypatch.setattr(making, "RECIPES", changed)
    made.clear()
    for _ in range(2):
        assert main(["remake", "more", "--seeds", "5", "--folder", str(folder)]) == 0
    assert made == ["tiny-5", "more-5"]


def test_what_comes_back_is_looked_at(here):
    folder, _ = here
    files = study.make({"label": "tiny-3", "parent": None})
    with pytest.raises(ValueError, match="in place of tiny-2 is another checkpoint, or damaged"):
        study.keep("tiny-2", files, folder)
    with pytest.raises(ValueError, match="in place of tiny-3 is another checkpoint, or damaged"):
        study.keep("tiny-3", files | {"weights": "AAAA"}, folder)
    assert study.keep("tiny-3", files, folder).name == "tiny-3"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tiny", "--seeds", "x"], "'x' names no seeds"),
        (["tiny-1", "--seeds", "1"], "there is no recipe 'tiny-1'; there are: tiny, more"),
        (["--seeds", "1"], "name a recipe; there are: tiny, more"),
        (["tiny", "--cluster", "tcp://a:1"], "--folder and --cluster are for --seeds"),
        (["tiny", "--seeds", "1", "--cluster", "foo"], "'foo' is no address of a Dask scheduler"),
    ],
)
def test_what_cannot_be_made_is_said_in_a_line(here, arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "remake",
                *arguments,
                *([] if "--cluster" in arguments else ["--folder", str(here[0])]),
            ]
        )
    assert said in f"{ended.value.code}{capsys.readouterr().err}"
