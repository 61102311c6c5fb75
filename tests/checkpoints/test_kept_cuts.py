import pytest

from utils.checkpoints import kept_cuts
from utils.experiments import horizon


def test_what_is_kept_is_of_these_requests_and_this_code():
    assert kept_cuts.stale() == [], (
        "what made it has changed; `python -m utils.checkpoints accept cuts` if it still comes "
        "out the same, else `remake cuts`"
    )
    cuts = kept_cuts.kept()
    expected = [(request, at) for request in horizon.REQUESTS for at in horizon.CUTS]
    assert [(cut.request, cut.at) for cut in cuts] == expected


def test_what_is_kept_adds_up():
    for cut in kept_cuts.kept():
        assert len(cut.bits) == horizon.AHEAD and len(cut.went_on) == horizon.SHOWN
        assert cut.bits[0] == pytest.approx(cut.next_bits[0], abs=1e-3)  # nothing stands between
        for most, same, bits, after in zip(
            cut.most, cut.same, cut.bits, cut.next_bits, strict=True
        ):
            assert 0 <= same <= most + 1e-4 and after <= bits + 1e-3


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="remake cuts"):
        kept_cuts.kept(tmp_path / "none.json")
