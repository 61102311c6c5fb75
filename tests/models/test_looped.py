import pytest
import torch

from tests.small_models import lively, tokens
from utils.models.looped import looped
from utils.models.transformer import Transformer, TransformerConfig

ONE = TransformerConfig(20, d_model=8, n_layers=1, n_heads=1, max_len=16)
TEXT = tokens(2, 6, 20)


def test_it_is_the_transformer_whose_layers_all_have_these_weights():
    model = lively(ONE)
    three = Transformer(TransformerConfig(20, d_model=8, n_layers=3, n_heads=1, max_len=16))
    weights = model.state_dict()
    copied = {
        name: weights[name.replace("layers.1", "layers.0").replace("layers.2", "layers.0")]
        for name in three.state_dict()
    }
    three.load_state_dict(copied)
    assert torch.allclose(looped(model, 3)(TEXT), three(TEXT), atol=1e-6)
    assert torch.equal(looped(model, 1)(TEXT), model(TEXT))
    assert not torch.allclose(looped(model, 2)(TEXT), model(TEXT), atol=1e-3)


def test_it_has_no_weights_of_its_own_and_training_it_trains_the_model():
    model = Transformer(ONE)
    again = looped(model, 4)
    assert {id(p) for p in again.parameters()} == {id(p) for p in model.parameters()}
    again(TEXT).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_untied_embeddings_are_shared_too():
    model = lively(TransformerConfig(20, d_model=8, n_layers=1, n_heads=1, tie_embeddings=False))
    assert looped(model, 2).embedding is model.embedding


def test_no_loop_is_no_model():
    with pytest.raises(ValueError, match="loops is 0"):
        looped(lively(ONE), 0)
