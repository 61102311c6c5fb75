import json

import pytest

from utils.checkpoints import keeping


def test_what_is_missing_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"-m utils\.checkpoints remake some-results"):
        keeping.read(tmp_path / "some-results.json")


def test_what_is_kept_is_read_as_it_was(tmp_path):
    path, found = tmp_path / "some-results.json", [{"right": 0.25}, "é"]
    keeping.write(path, keeping.rehearsed({"code": {"f": "1"}}, found, 0.123456))
    assert keeping.read(path) == {
        "made_by": {"code": {"f": "1"}},
        "found": found,
        "rehearsal": 0.1235,
    }


def test_what_no_longer_comes_out_the_same_is_not_accepted(tmp_path):
    path = tmp_path / "some-results.json"
    keeping.write(path, keeping.rehearsed({"old": 1}, [7], 0.5))
    keeping.accept(path, {"new": 1}, 0.51, within=0.02)
    assert keeping.read(path) == {"made_by": {"new": 1}, "found": [7], "rehearsal": 0.5}
    before = path.read_text()
    for rehearsal in (0.53, float("nan")):
        with pytest.raises(ValueError, match=r"some-results: it no longer .* remake some-results"):
            keeping.accept(path, {"newer": 1}, rehearsal, within=0.02)
    assert path.read_text() == before and json.loads(before)["made_by"] == {"new": 1}
