import json
import math

import pytest
import torch

from utils.checkpoints import kept_proofs
from utils.checkpoints.recipes.kjv import king_james
from utils.experiments.proofreading import Proof

KINDS = sorted(kept_proofs.MAKE)
FEW = Proof(
    torch.tensor([True, False]),
    torch.tensor([False, False]),
    torch.tensor([3.25, 1.5], dtype=torch.double),
    torch.tensor([-math.inf, 2.0], dtype=torch.double),
    23,
)


@pytest.mark.parametrize("what", KINDS)
def test_nothing_has_changed_since_it_was_made(what):
    assert kept_proofs.stale(what) == [], (
        f"what made it has changed; `python -m utils.checkpoints accept {what}` if it still comes "
        f"out the same, else `remake {what}`"
    )


@pytest.mark.slow
def test_each_window_has_one_foreign_token_and_each_seed_windows_of_its_own():
    unseen = king_james().unseen
    broken, right, place = kept_proofs.pages(unseen)
    n = kept_proofs.EACH * len(kept_proofs.SEEDS)
    assert broken.shape == right.shape == (n, kept_proofs.LENGTH)
    assert torch.equal((broken != right).double().argmax(1), place)
    assert ((broken != right).sum(1) == 1).all()
    assert torch.equal(right.flatten(), unseen[: right.numel()])  # none comes twice


def test_what_is_kept_is_of_all_windows_and_of_readers_at_one_price():
    n, three = kept_proofs.EACH * len(kept_proofs.SEEDS), kept_proofs.tiny_proofs()
    assert len(three) == len(kept_proofs.SEEDS)
    for kept in (kept_proofs.proofs(), *three):
        assert all(len(p.found) == len(p.doubt) == len(p.right) == n for p in kept.values())
        assert all((p.mended <= p.found).all() for p in kept.values())
        assert 0 <= kept["leave one out"].passes - kept["Bayes"].passes <= 2  # in its favour


def test_no_proofreader_sees_the_other_half_of_what_is_kept():
    """With all that follows hidden a denoiser finds less; with nothing it would find one in 23."""
    kept = kept_proofs.proofs()
    share = {name: float(p.found.double().mean()) for name, p in kept.items()}
    assert 2 / 23 < share["the same, left only"] < share["leave one out"] - 0.1
    assert share["surprise"] < share["Bayes"] - 0.1


def test_what_was_written_is_judged_text_by_text():
    for row in kept_proofs.writing().values():
        assert len(row["bits"]) == kept_proofs.TEXTS and 0 < row["distinct"] <= 1


@pytest.mark.slow
def test_the_models_still_read_what_is_kept():
    for what in KINDS:
        kept = json.loads((kept_proofs.DATA / f"{what}.json").read_text())
        assert kept_proofs.REHEARSE[what](kept[what]) < 0.01


# -- how it is kept ------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file of proofs that two windows have given."""
    made = {"proofs": lambda: {"someone": kept_proofs._packed(FEW)}}
    monkeypatch.setattr(kept_proofs, "MAKE", made)
    monkeypatch.setattr(kept_proofs, "made_by", lambda what: {"utils.b": "1"})
    path = tmp_path / "proofs.json"
    kept_proofs.remake("proofs", path)
    return path


def test_what_is_kept_is_what_was_found(path):
    (found,) = kept_proofs.proofs(path).values()
    assert found.passes == 23 and not found.mended.any()
    for part in ("found", "doubt", "right"):
        assert torch.equal(getattr(found, part), getattr(FEW, part))


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"utils\.checkpoints remake proofs"):
        kept_proofs.proofs(tmp_path / "proofs.json")


def test_an_interrupted_remake_leaves_what_was_kept(path, monkeypatch):
    before = path.read_bytes()

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(kept_proofs, "MAKE", {"proofs": interrupted})
    with pytest.raises(KeyboardInterrupt):
        kept_proofs.remake("proofs", path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_changed_code_is_accepted_only_while_it_comes_out_the_same(path, monkeypatch):
    monkeypatch.setattr(kept_proofs, "made_by", lambda what: {"utils.b": "2"})
    monkeypatch.setattr(kept_proofs, "REHEARSE", {"proofs": lambda kept: 0.5})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"no longer comes out .* remake proofs"):
        kept_proofs.accept("proofs", path)
    assert path.read_bytes() == before
    monkeypatch.setattr(kept_proofs, "REHEARSE", {"proofs": lambda kept: 0.0})
    kept_proofs.accept("proofs", path)
    kept = json.loads(path.read_text())
    assert kept["made_by"] == {"utils.b": "2"}
    assert kept["proofs"] == json.loads(before)["proofs"]
