from functools import partial

import pytest
import torch

from tests.small_models import lively, tokens
from utils.experiments.bare_words import bare, bare_loss, last_word_alone, looking, surprise
from utils.models.transformer import TransformerConfig
from utils.training.losses import next_token_loss

CONFIG = TransformerConfig(50, d_model=32, n_layers=3, n_heads=4, n_kv_heads=2, max_len=12)
TEXT = tokens(2, 12)


@pytest.fixture(scope="module")
def model():
    return lively(CONFIG).double()


def differ(a, b):
    return (a - b).abs().amax((0, 2)) > 1e-9  # (length,)


def offers(model, text, reach=1):
    """What the offering stream holds after each layer: (layers, batch, length, d_model)."""
    seen = []
    hooks = [
        layer.register_forward_hook(lambda _, __, x: seen.append(x[:, : text.shape[1]]))
        for layer in model.layers
    ]
    bare(model, text, reach)
    for hook in hooks:
        hook.remove()
    return torch.stack(seen)


@pytest.mark.parametrize("length", [1, 2, 12])
def test_without_the_restriction_it_is_the_ordinary_model(model, length):
    text = TEXT[:, :length]
    assert torch.allclose(bare(model, text, reach=length), model(text), atol=1e-9)
    assert bare_loss(model, TEXT, reach=12).item() == pytest.approx(
        next_token_loss(model, TEXT).item(), abs=1e-9
    )


@pytest.mark.parametrize("tied", [True, False])
def test_float32_and_both_kinds_of_embedding(tied):
    config = TransformerConfig(50, d_model=32, n_layers=2, max_len=12, tie_embeddings=tied)
    plain = lively(config)
    apart = (bare(plain, TEXT, reach=12) - plain(TEXT)).abs().max()
    assert apart < 1e-4 * plain(TEXT).abs().max() and bare(plain, TEXT).dtype == torch.float32


@pytest.mark.parametrize("changed", [0, 5, 11])
def test_no_earlier_position_hears_of_another(model, changed):
    """Change one token: what is offered at all other places stays, in every layer."""
    other = TEXT.clone()
    other[:, changed] = (other[:, changed] + 1) % 50
    for before, after in zip(offers(model, TEXT), offers(model, other), strict=True):
        assert differ(before, after).tolist() == [i == changed for i in range(12)]


def test_what_is_offered_depends_on_the_token_alone(model):
    """The same token offers the same wherever it stands: a dictionary would do for a cache."""
    held = offers(model, torch.tensor([[7, 3, 9, 7, 1, 7]]))
    assert torch.allclose(held[:, :, 0], held[:, :, 3], atol=1e-12)
    assert torch.allclose(held[:, :, 0], held[:, :, 5], atol=1e-12)


@pytest.mark.parametrize("reach", [2, 3])
def test_a_longer_reach_hears_that_many_in_each_layer(model, reach):
    other = TEXT.clone()
    other[:, 2] = (other[:, 2] + 1) % 50
    moved = [
        differ(before, after).nonzero()[:, 0].tolist()
        for before, after in zip(
            offers(model, TEXT, reach), offers(model, other, reach), strict=True
        )
    ]
    assert moved == [list(range(2, min(12, 3 + n * (reach - 1)))) for n in (1, 2, 3)]


def test_the_newest_sees_all_and_no_more(model):
    other = TEXT.clone()
    other[:, 4] = (other[:, 4] + 1) % 50
    assert differ(bare(model, TEXT), bare(model, other)).tolist() == [i >= 4 for i in range(12)]


def test_it_is_what_one_gets_by_masking_each_prefix_by_itself(model):
    """The slow way: for each position a pass of its own, in which the earlier ones see only
    themselves and the last one sees them all."""
    found = bare(model, TEXT)
    for i in range(12):
        mask = torch.eye(i + 1, dtype=torch.bool)
        mask[-1] = True
        with looking(model, mask):
            assert torch.allclose(model(TEXT[:, : i + 1])[:, -1], found[:, i], atol=1e-9)


def test_one_layer_loses_nothing():
    """The keys and values of a first layer know their own token only, in any model."""
    single = lively(TransformerConfig(50, d_model=32, n_layers=1, max_len=12)).double()
    assert torch.allclose(bare(single, TEXT), single(TEXT), atol=1e-9)
    deeper = lively(CONFIG).double()
    assert (bare(deeper, TEXT) - deeper(TEXT)).abs().max() > 0.1


def test_surprise_is_the_loss_without_what_is_given(model):
    assert surprise(model, TEXT, given=0).mean() == pytest.approx(next_token_loss(model, TEXT))
    log_probs = model(TEXT[:, :-1]).log_softmax(-1)
    last = [-float(log_probs[i, 10, TEXT[i, 11]]) for i in range(2)]
    assert surprise(model, TEXT, given=10).tolist() == pytest.approx(last)
    read = partial(bare, model)
    assert surprise(read, TEXT, given=0).mean() == pytest.approx(bare_loss(model, TEXT))


def test_the_floor_counts_what_follows_each_word():
    rows = torch.tensor([[0, 1, 0, 1, 0, 2]] * 50)  # after 0 comes 1 twice and 2 once
    read = last_word_alone(rows, 4, weight=0.01)
    probs = read(torch.tensor([[0, 1, 3]])).exp()
    assert probs.shape == (1, 3, 4) and torch.allclose(probs.sum(-1), torch.ones(1, 3).double())
    assert probs[0, 0].tolist() == pytest.approx([0, 2 / 3, 1 / 3, 0], abs=1e-3)
    assert float(probs[0, 1, 0]) == pytest.approx(1, abs=1e-3)
    assert probs[0, 2].tolist() == pytest.approx([0.4, 0.4, 0.2, 0], abs=1e-3)  # never followed
    assert read(torch.tensor([[3]])).isfinite().all()


def test_looking_takes_its_masks_off_again(model):
    before = model(TEXT)
    with looking(model, torch.eye(12, dtype=torch.bool)):
        blind = model(TEXT)
    assert not torch.allclose(blind, before) and torch.equal(model(TEXT), before)
    with pytest.raises(RuntimeError), looking(model, torch.eye(3, dtype=torch.bool)):
        model(TEXT)
    assert torch.equal(model(TEXT), before)


def test_bad_arguments(model):
    both_ways = lively(TransformerConfig(50, d_model=32, n_layers=1, causal=False, max_len=12))
    with pytest.raises(ValueError, match="causal=False"):
        bare(both_ways, TEXT)
    with pytest.raises(ValueError, match="reach is 0; choose 1 or more"):
        bare(model, TEXT, reach=0)
    with pytest.raises(ValueError, match="13 tokens are too many"):
        bare(model, tokens(1, 13))
    with pytest.raises(TypeError, match="int64"):
        bare(model, TEXT.float())
