import json

import pytest

from utils.checkpoints import kept_drafts
from utils.experiments import drafting
from utils.experiments.drafting import Draft

DRAFTS = [Draft("repeat", [3, 2], True)]


def test_what_is_kept_is_of_this_code():
    assert kept_drafts.stale() == [], (
        "what made it has changed; `python -m utils.checkpoints accept drafts` if it still comes "
        "out the same, else `remake drafts`"
    )


def test_what_is_kept_is_of_as_many_requests_as_it_says_and_adds_up():
    kept = kept_drafts.kept()
    assert [each.kind for each in kept] == [kind for kind, _ in drafting.requests()]
    for each in kept:
        assert 1 <= sum(each.tokens) <= drafting.NEW
        assert all(1 <= n <= drafting.AHEAD + 1 for n in each.tokens)


def test_it_is_written_and_accepted_only_if_the_first_comes_out_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_drafts, "made_by", lambda: {"code": "ours"})
    monkeypatch.setattr(drafting, "ask", lambda asked=None: DRAFTS)
    kept_drafts.remake(data=tmp_path)
    assert kept_drafts.kept(tmp_path) == DRAFTS
    old = json.loads((tmp_path / "drafts.json").read_text())
    (tmp_path / "drafts.json").write_text(json.dumps(old | {"made_by": {"code": "other"}}))
    kept_drafts.accept(data=tmp_path)
    assert kept_drafts.stale(tmp_path) == [] and kept_drafts.kept(tmp_path) == DRAFTS
    monkeypatch.setattr(drafting, "ask", lambda asked=None: [Draft("repeat", [5], True)])
    with pytest.raises(ValueError, match="remake drafts"):
        kept_drafts.accept(data=tmp_path)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="remake drafts"):
        kept_drafts.kept(tmp_path)
