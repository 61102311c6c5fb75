"""`python -m utils.checkpoints`."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.checkpoints import counting
from tests.checkpoints.conftest import contents
from tests.disks import filling_up, locked
from tests.places import ROOT
from utils.checkpoints import kept_answers, making, store
from utils.checkpoints.__main__ import ANSWERS, main
from utils.checkpoints.recipes import RECIPES


def test_list_tells_what_is_made_what_is_not_and_what_is_out_of_date(folder, monkeypatch, capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"tiny +[\d,]+ parameters, +\d+ s: total -?[\d.]+", lines[0])
    assert [line.split(maxsplit=1)[1] for line in lines[1:]] == ["not made yet"] * 3
    monkeypatch.setitem(making.RECIPES, "tiny", replace(counting.TINY, lr=1))
    assert main(["list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("; changed since it was made")


def test_list_goes_on_after_a_damaged_card(folder, capsys):
    making.remake("tiny-1", progress=False)
    (folder / "tiny.json").write_text("{")
    assert main(["list"]) == 1
    shown = capsys.readouterr()
    assert "tiny.json is not a card" in shown.err and "tiny-1 " in shown.out


def test_show_tells_all_but_the_fingerprints(folder, monkeypatch, capsys):
    monkeypatch.setitem(making.RECIPES, "tiny", replace(counting.TINY, lr=1, steps=3))
    assert main(["show", "tiny"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("tiny: A tiny model that counts.\n") and '"final_loss"' in shown
    assert "pieces that the weights depend on; they are in tiny.json" in shown
    assert shown.endswith(
        "Changed since it was made: lr, steps.\nChanged since it was measured: nothing.\n"
    )


def test_remake_makes_those_named_or_all(empty, capsys):
    assert main(["remake", "tiny"]) == 0
    assert sorted(contents(empty)) == ["tiny.json", "tiny.safetensors"]
    assert "tiny: A tiny model that counts." in capsys.readouterr().out
    assert main(["remake", "--all"]) == 0
    assert sorted(path.stem for path in empty.glob("*.json")) == [
        "more",
        "more-1",
        "tiny",
        "tiny-1",
    ]


def test_measure_and_accept(folder, monkeypatch, capsys):
    monkeypatch.setitem(making.RECIPES, "tiny", replace(counting.TINY, results=doubled, loss=alike))
    assert main(["measure", "tiny"]) == main(["accept", "tiny"]) == 0
    shown = capsys.readouterr().out
    assert "twice" in shown and "accepted: the first losses are within 0.0" in shown
    assert making.stale("tiny") == {"made": [], "measured": []}
    store.write_card(replace(making.read_card("tiny"), measured_by={}, weights_sha256=None))
    for how, left in (([], True), (["--measured"], False)):
        assert main(["accept", "tiny", *how]) == 0
        assert bool(making.stale("tiny")["measured"]) == left


def alike(model, batch, world):
    return counting.next_numbers(model, batch, world)


def doubled(model, world):
    return {"twice": 2 * counting.total(model, world)}


def test_one_failure_does_not_keep_the_others_from_being_done(folder, capsys):
    assert main(["measure", "more", "tiny"]) == 1
    shown = capsys.readouterr()
    assert "there is no checkpoint 'more'" in shown.err and shown.out.startswith("tiny ")


@pytest.mark.parametrize("name", ["tiny", ANSWERS])
@pytest.mark.parametrize("what", ["a full disk", "a locked folder"])
def test_what_could_not_be_kept_is_not_made(empty, open_folder, monkeypatch, capsys, name, what):
    """It is said in a line, and before minutes of training."""
    monkeypatch.setitem(making.remake.__kwdefaults__, "folder", open_folder)
    monkeypatch.setattr(kept_answers, "DATA", open_folder)
    monkeypatch.setattr(making, "train", lambda *_, **__: pytest.fail("trained"))
    monkeypatch.setattr(kept_answers, "remake", lambda: pytest.fail("asked"))
    failing = filling_up(1000) if what == "a full disk" else locked(open_folder)
    with failing:
        assert main(["remake", name]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f": '{open_folder}'") and not list(open_folder.iterdir())


@pytest.mark.parametrize("arguments", [["remake"], ["remake", "huge"], ["measure", ANSWERS]])
def test_it_names_what_there_is(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "there are: sentences-ar, sentences-ar-1, " in capsys.readouterr().err


def test_it_runs_as_the_errors_and_cards_say():
    """Errors tell the reader to type this, and the help names every recipe."""
    ran = subprocess.run(
        [sys.executable, "-m", "utils.checkpoints", "remake", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": "1000"},
    )
    shown = "".join(ran.stdout.split())  # a name may go on in the next line
    assert all(name in shown for name in RECIPES)
