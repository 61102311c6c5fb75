import pytest

from utils.checkpoints import kept_passages


def test_what_is_kept_is_of_these_passages_and_this_code():
    assert kept_passages.stale() == []
    found = kept_passages.kept()
    assert found.after.shape == found.before.shape == (40, 40)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="remake passages"):
        kept_passages.kept(tmp_path / "none.json")
