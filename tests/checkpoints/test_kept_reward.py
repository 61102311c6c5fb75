import pytest

from utils.checkpoints import kept_reward as kept


@pytest.mark.parametrize("what", kept.MAKE)
def test_nothing_has_changed_since_it_was_made(what):
    assert kept.stale(what) == [], (
        f"what made it has changed; `python -m utils.checkpoints accept {what}` if it still comes "
        f"out the same, else `remake {what}`"
    )


def test_every_arm_has_spent_what_all_have_to_spend():
    for what in ("reward-easy", "reward-hard"):
        runs = kept.kept(what)
        assert list(runs) == [*kept.CAUSAL, *kept.DENOISERS]
        for name, seeds in runs.items():
            assert len(seeds) == len(kept.SEEDS)
            for curve in seeds:
                spent, share = zip(*curve, strict=True)
                assert (spent[0], share[0]) == (0, 0) and max(share) <= 1
                assert list(spent) == sorted(spent)
                if name != "exact, for free":
                    assert kept.PASSES <= spent[-1] < 1.05 * kept.PASSES


def test_gradients_are_measured_at_both_moments_for_all():
    for moment in kept.kept("reward-gradients").values():
        assert len(moment) == len(kept.SEEDS)
        for seed in moment:
            assert set(seed["bias"]) == set(seed["cosine"]) == set(kept.EXPECTED)
            assert set(seed["noise"]) == set(kept.SAMPLED)
            for by in kept.EXPECTED:  # an angle is no more than the whole error
                assert (1 - seed["cosine"][by] ** 2) ** 0.5 <= seed["bias"][by] + 0.02


def test_ways_to_take_back_begin_and_end_where_they_should():
    found = kept.kept("reward-verdicts")
    assert list(found) == list(kept.WAYS)
    for name, seeds in found.items():
        assert len(seeds) == len(kept.SEEDS)
        for each in seeds:
            steps = [step for step, *_ in each["curve"]]
            assert steps[0] == 0 and steps[-1] == kept.WAYS[name][2]
            assert all(0 <= share <= 1 for _, *both in each["curve"] for share in both)
    first = [[run["curve"][0] for run in found[name]] for name in ("looks again", "tokens only")]
    assert first[0] == first[1]  # the same models, before they learn


def test_what_no_longer_comes_out_the_same_is_not_accepted(monkeypatch, tmp_path):
    path = tmp_path / "reward-verdicts.json"
    path.write_text('{"made_by": {}, "found": {}, "rehearsal": 0.5}')
    monkeypatch.setitem(kept.REHEARSE, "reward-verdicts", lambda: 0.51)
    kept.accept("reward-verdicts", path)
    assert '"made_by":{"code"' in path.read_text()
    monkeypatch.setitem(kept.REHEARSE, "reward-verdicts", lambda: 0.9)
    with pytest.raises(ValueError, match="make it again"):
        kept.accept("reward-verdicts", path)
