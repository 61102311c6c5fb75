import pytest

from utils.checkpoints import kept_passages


@pytest.mark.parametrize("name", kept_passages.NAMES)
def test_what_is_kept_is_of_these_passages_and_this_code(name):
    assert kept_passages.stale(name) == []
    found = kept_passages.kept(name)
    assert found.after.shape == found.before.shape == (40, 40)


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="remake fresh-passages"):
        kept_passages.kept("fresh-passages", tmp_path)
