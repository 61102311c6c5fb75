"""A cache that is not exact: where it must be, and that it is not where it cannot be."""

import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation.stale import Stale
from utils.models.transformer import TransformerConfig

SHAPE = {"d_model": 16, "n_heads": 2, "max_len": 12, "causal": False}
ONE, TWO = (lively(TransformerConfig(9, n_layers=n, **SHAPE)).double() for n in (1, 2))
TEXT = tokens(3, 10, 9)


def after_a_change(model):
    """The stretch from 4 to 7 as it is looked at after a token of it has changed, and exactly."""
    cache = Stale(model)
    assert torch.equal(cache.read(TEXT), model(TEXT))
    changed = TEXT.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 9
    return cache.look(changed, 4, 7), model(changed)[:, 4:7], cache


def test_one_layer_loses_nothing_and_two_do():
    found, exact, _ = after_a_change(ONE)
    assert (found - exact).abs().max() < 1e-12
    found, exact, _ = after_a_change(TWO)
    assert 1e-4 < (found - exact).abs().max()


def test_what_has_not_changed_is_as_it_was_and_reading_again_mends_all():
    cache = Stale(TWO)
    cache.read(TEXT)
    assert (cache.look(TEXT, 4, 7) - TWO(TEXT)[:, 4:7]).abs().max() < 1e-12
    _, _, cache = after_a_change(TWO)
    other = (TEXT + 1) % 9
    assert torch.equal(cache.read(other), TWO(other))
    assert (cache.look(other, 0, 10) - TWO(other)).abs().max() < 1e-12


def test_only_the_stretch_is_read():
    read = []
    hook = TWO.layers[0].register_forward_pre_hook(lambda _, given: read.append(given[0].shape[1]))
    after_a_change(TWO)
    hook.remove()
    assert 3 in read and read.count(3) == 1


def test_what_it_is_not_for():
    with pytest.raises(ValueError, match="causal=True: for a causal model KVCache is exact"):
        Stale(lively(TransformerConfig(9, **SHAPE | {"causal": True})))
    with pytest.raises(ValueError, match="nothing has been read yet; begin with read"):
        Stale(TWO).look(TEXT, 0, 3)
