import pytest

from utils.checkpoints import kept_reading as kept
from utils.experiments.scarce_kjv import bits

PRESENT = sorted(kept.JOBS)


@pytest.mark.parametrize("what", PRESENT)
def test_nothing_has_changed_since_it_was_made(what):
    assert kept.stale(what) == [], (
        f"what made it has changed; `python -m utils.checkpoints accept {what}` if it still comes "
        f"out the same, else `remake {what}`"
    )


def test_every_arm_is_kept_at_every_seed_with_all_its_windows():
    readings = kept.readings()
    wanted = {(arm, seed) for arms, _ in kept.JOBS.values() for arm in arms for seed in kept.SEEDS}
    assert {(each.arm, each.seed) for each in readings} == wanted
    for each in readings:
        assert len(each.left) == kept.TESTED == len(kept.characters())
        assert (each.orders is None) == (each.arm.kind == "causal")


def test_windows_and_moments_tell_the_same():
    for each in kept.readings():
        again = bits(sum(each.left), sum(kept.characters()))
        assert again == pytest.approx(each.chosen.bits, abs=1e-3)


def test_a_bound_is_no_likelihood():
    for each in kept.readings():
        if each.orders:
            assert all(b <= o + 1e-3 for b, o in zip(each.bound, each.orders, strict=True))


def test_a_file_that_is_missing_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "DATA", tmp_path)
    with pytest.raises(FileNotFoundError, match="remake learning-kjv"):
        kept.readings()
