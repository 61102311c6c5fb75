"""Patching: which state is read, which one is put in its place, and what depends on it."""

import torch

from tests.small_models import lively, tokens
from utils.measure.patching import patched, states
from utils.measure.probes import features
from utils.models.transformer import TransformerConfig, rms_norm

CAUSAL = lively(TransformerConfig(10, d_model=16, n_layers=2, n_heads=2, n_kv_heads=1, max_len=8))


def test_states_are_the_stream_after_so_many_layers():
    text = tokens(3, 6, 9)
    assert torch.equal(states(CAUSAL, text, 0, 2), CAUSAL.output.T[text[:, 2]])
    layers = features(CAUSAL, text).unflatten(-1, (2, 16))
    for layer in (1, 2):
        found = rms_norm(states(CAUSAL, text, layer, 4), CAUSAL.config.norm_eps)
        assert torch.allclose(found, layers[:, 4, layer - 1], atol=1e-5)


def test_a_patch_changes_what_comes_after_it_and_nothing_before():
    text, other = tokens(3, 6, 9), tokens(3, 6, 9, seed=1)
    before = CAUSAL(text)
    for layer in (0, 1, 2):
        with patched(CAUSAL, layer, 3, states(CAUSAL, other, layer, 3)):
            after = CAUSAL(text)
        assert torch.equal(after[:, :3], before[:, :3])
        assert not torch.allclose(after[:, 3], before[:, 3], atol=1e-3)
        later = torch.allclose(after[:, 4:], before[:, 4:], atol=1e-5)
        assert later == (layer == 2)  # after the last layer nobody looks
    assert torch.equal(CAUSAL(text), before)


def test_with_the_first_state_exchanged_it_is_the_other_text():
    text, other = tokens(3, 6, 9), tokens(3, 6, 9, seed=1)
    swapped = text.clone()
    swapped[:, 2] = other[:, 2]
    with patched(CAUSAL, 0, 2, states(CAUSAL, other, 0, 2)):
        assert torch.allclose(CAUSAL(text), CAUSAL(swapped), atol=1e-5)
