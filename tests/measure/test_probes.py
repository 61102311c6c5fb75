import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation import diffusion
from utils.measure.passes import Counted
from utils.measure.probes import Doubt, Linear, control_labels, features, slips
from utils.models.transformer import Transformer, TransformerConfig, rms_norm

MASK = 9
CONFIG = TransformerConfig(10, d_model=16, n_layers=2, n_heads=2, max_len=8, causal=False)
DENOISER = lively(CONFIG)


def test_a_learned_doubt_finds_mistakes_it_was_not_shown():
    """Tokens of 0 to 3 are right and 4 to 8 wrong: that much shows in the stream."""
    text, fresh = tokens(400, 8, 9), Transformer(DENOISER.config)
    doubt = Doubt(fresh, text[:300], text[:300] < 4, [2, 3, 4])
    model = Counted(fresh)
    found = doubt(model, text[300:], MASK, [2, 3, 4])
    assert model.passes == 100 and found.shape == (100, 3)
    assert ((found > 0.5) == (text[300:, 2:5] < 4)).float().mean() > 0.98
    assert (found >= 0).all() and (found <= 1).all()


def test_slips_are_one_plausible_mistake_in_each_text():
    text = tokens(1, 8, 9).repeat(3000, 1)
    generator = torch.Generator().manual_seed(0)
    wrong, right = slips(DENOISER, text, MASK, [3, 5], generator=generator)
    assert torch.equal(right, wrong == text) and not (wrong == MASK).any()
    assert ((~right).sum(1) == 1).all() and right[:, [0, 1, 2, 4, 6, 7]].all()
    hidden = text[:1].clone()
    hidden[0, 3] = MASK
    said = diffusion.log_probs(DENOISER, hidden, MASK)[0, 3].exp()
    said[text[0, 3]] = 0
    drawn = wrong[~right[:, 3], 3].bincount(minlength=10)
    assert int(drawn.sum()) == pytest.approx(1500, abs=110)
    assert (drawn / drawn.sum() - said / said.sum()).abs().sum() / 2 < 0.06


def test_features_are_what_each_layer_leaves_in_the_stream():
    """Side by side; the last of them, weighed, gives the logits. And the model stays as it was."""
    text = tokens(2, 6, 9)
    found = features(DENOISER, text)
    assert found.shape == (2, 6, 2 * 16)
    assert torch.allclose(
        found[..., 16:] * DENOISER.scale @ DENOISER.output, DENOISER(text), atol=1e-4
    )
    first = DENOISER.layers[0](*first_arguments(text))
    assert torch.allclose(found[..., :16], rms_norm(first, CONFIG.norm_eps), atol=1e-5)
    assert not any(layer._forward_hooks for layer in DENOISER.layers)


def first_arguments(text):
    """What the first layer is called with."""
    caught = []
    hook = DENOISER.layers[0].register_forward_pre_hook(lambda _, given: caught.append(given))
    DENOISER(text)
    hook.remove()
    return caught[0]


def test_hooks_are_taken_off_even_when_reading_fails():
    with pytest.raises(ValueError, match="token 99 is outside the vocabulary"):
        features(DENOISER, torch.tensor([[99]]))
    assert not any(layer._forward_hooks for layer in DENOISER.layers)


def test_a_doubt_is_decided_by_its_seed_and_leaves_the_model_and_chance_alone():
    text, before = tokens(50, 8, 9), [w.clone() for w in DENOISER.parameters()]
    state = torch.get_rng_state()
    doubts = [Doubt(DENOISER, text, text < 4, [2, 3], steps=5, seed=seed) for seed in (0, 0, 1)]
    first, same, other = (doubt(DENOISER, text, MASK, [2, 3]) for doubt in doubts)
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, before, DENOISER.parameters()))


# -- linear probes ---------------------------------------------------------------------------------


def test_a_linear_probe_learns_what_is_linear_and_no_more():
    dice = torch.Generator().manual_seed(0)
    x = torch.randn(600, 8, generator=dice)
    line, product = (x[:, 0] > 0).long(), (x[:, 0] * x[:, 1] > 0).long()
    for labels, low, high in ((line, 0.95, 1.0), (product, 0.35, 0.65)):
        probe = Linear(x[:300], labels[:300])
        assert low <= probe.accuracy(x[300:], labels[300:]) <= high


def test_control_labels_belong_to_words_and_are_as_frequent():
    words = torch.arange(12).repeat(20)
    labels = words % 3
    found = control_labels(words, labels, seed=0)
    assert (found.view(20, 12) == found[:12]).all() and not torch.equal(found, labels)
    assert torch.equal(found.bincount(), labels.bincount())
    assert torch.equal(found, control_labels(words, labels, seed=0))
