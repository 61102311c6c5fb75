import pytest
import torch

from utils.checkpoints import kept_states
from utils.experiments import states
from utils.models import smollm


@pytest.mark.parametrize("what", kept_states.MAKE)
def test_nothing_has_changed_since_it_was_made(what):
    assert kept_states.stale(what) == [], (
        f"what made it has changed; `python -m utils.checkpoints accept {what}` if it still comes "
        f"out the same, else `remake {what}`"
    )


def test_what_is_left_of_a_swap_is_the_same_by_pairs_and_in_sum():
    for each in kept_states.kept("states-recurrent"):
        after = kept_states.at_after(each)
        assert after.moved.shape == (states.PAIRS, 1)
        whole = each["shares"]["belief"]
        assert after.shares()[0] == pytest.approx(whole[states.AFTER], abs=0.01)
        assert len(whole) == states.WORDS and len(each["right"]) == 24
        assert abs(each["shares"]["others"][0]) < 0.3 < whole[0]


def test_every_layer_is_there_and_what_is_kept_is_variance():
    kept = kept_states.kept("states-smollm")
    assert list(kept) == ["text", "shuffled"]
    for layers in kept.values():
        assert len(layers) == smollm.CONFIG.n_layers
        for layer in layers:
            parts = kept_states.smollm_split(layer)
            assert len(parts.total) == kept_states.PASSAGES and (parts.total > 0).all()
            assert -0.05 < min(parts.shares()) and sum(parts.shares()) == pytest.approx(1)
            assert len(layer["alike"]) == len(kept_states.LAGS)


class Letters:
    """A tokenizer whose tokens are characters."""

    def encode(self, text):
        return torch.tensor([ord(c) for c in text])


def test_shuffled_passages_hold_the_same_tokens():
    rows, mixed = (kept_states.passages(Letters(), 5, shuffled=x) for x in (False, True))
    begin = len("<|im_start|>")
    assert rows.shape == mixed.shape == (5, begin + kept_states.TOKENS)
    assert torch.equal(rows[:, :begin], mixed[:, :begin])
    apart = rows[:, begin:].flatten(), mixed[:, begin:].flatten()
    assert torch.equal(*(each.sort().values for each in apart)) and not torch.equal(*apart)


def test_what_is_missing_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr(kept_states, "DATA", tmp_path)
    with pytest.raises(FileNotFoundError, match="remake states-smollm"):
        kept_states.kept("states-smollm")


def test_what_no_longer_comes_out_the_same_is_not_accepted(monkeypatch, tmp_path):
    path = tmp_path / "states-recurrent.json"
    path.write_text('{"made_by": {}, "found": [], "rehearsal": 1.0}')
    monkeypatch.setitem(kept_states.REHEARSE, "states-recurrent", lambda: 1.001)
    kept_states.accept("states-recurrent", path)
    assert '"made_by":{"code"' in path.read_text()
    monkeypatch.setitem(kept_states.REHEARSE, "states-recurrent", lambda: 1.5)
    with pytest.raises(ValueError, match="make it again"):
        kept_states.accept("states-recurrent", path)
