import pytest

from utils.checkpoints import kept_cuts
from utils.experiments import horizon


@pytest.mark.parametrize("name", kept_cuts.MAKE)
def test_what_is_kept_is_of_this_code(name):
    assert kept_cuts.stale(name) == [], (
        f"what made it has changed; `python -m utils.checkpoints accept {name}` if it still comes "
        f"out the same, else `remake {name}`"
    )


def test_what_is_kept_is_of_these_requests():
    expected = [(request, at) for request in horizon.REQUESTS for at in horizon.CUTS]
    assert [(cut.request, cut.at) for cut in kept_cuts.kept()] == expected
    expected = [(request, horizon.RECITED_AT) for request, _ in horizon.RECITED]
    assert [(cut.request, cut.at) for cut in kept_cuts.kept("recited")] == expected


@pytest.mark.parametrize("name", kept_cuts.MAKE)
def test_what_is_kept_adds_up(name):
    for cut in kept_cuts.kept(name):
        assert len(cut.bits) == horizon.AHEAD and len(cut.went_on) == horizon.SHOWN
        assert cut.bits[0] == pytest.approx(cut.next_bits[0], abs=1e-3)  # nothing stands between
        for most, same, bits, after in zip(
            cut.most, cut.same, cut.bits, cut.next_bits, strict=True
        ):
            assert 0 <= same <= most + 1e-4 and after <= bits + 1e-3


@pytest.mark.parametrize("request_, answer", horizon.RECITED)
def test_what_is_recited_begins_before_the_cut(request_, answer):
    """So that what stands there cannot be confused with what is to come."""
    (cut,) = [cut for cut in kept_cuts.kept("recited") if cut.request == request_]
    assert answer.startswith(cut.kept) and len(answer.split()) > len(cut.kept.split())


@pytest.mark.parametrize("name", kept_cuts.MAKE)
def test_a_missing_file_says_how_to_make_it(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"remake {name}"):
        kept_cuts.kept(name, tmp_path)
