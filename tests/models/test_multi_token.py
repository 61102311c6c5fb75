import pytest
import torch

from tests.small_models import lively, tokens
from utils.models.multi_token import MultiToken
from utils.models.transformer import Transformer, TransformerConfig

FIVE = TransformerConfig(20, d_model=8, n_layers=5, n_heads=1, max_len=16)
MODEL = lively(FIVE)
TEXT = tokens(2, 6, 20)


@pytest.mark.parametrize("tied", [True, False])
def test_each_head_is_a_transformer_of_the_trunk_and_one_more_layer(tied):
    how = {"d_model": 8, "n_heads": 1, "max_len": 16, "tie_embeddings": tied}
    model = lively(TransformerConfig(20, n_layers=5, **how))
    several = MultiToken(model, 3)(TEXT)
    assert several.shape == (2, 6, 3, 20)
    for head in range(3):
        alone = Transformer(TransformerConfig(20, n_layers=3, **how))
        weights = model.state_dict()
        alone.load_state_dict(
            {
                name: weights[name.replace("layers.2.", f"layers.{2 + head}.")]
                for name in alone.state_dict()
            }
        )
        assert torch.allclose(several[:, :, head], alone(TEXT), atol=1e-5)


def test_the_first_head_writes_with_the_same_weights():
    writer = MultiToken(MODEL, 3).first()
    assert torch.allclose(writer(TEXT), MultiToken(MODEL, 3)(TEXT)[:, :, 0], atol=1e-5)
    assert {id(p) for p in writer.parameters()} < {id(p) for p in MODEL.parameters()}
    assert writer.config.n_layers == len(writer.layers) == 3


def test_only_what_is_wanted_is_computed_and_it_is_the_same():
    where = slice(None), slice(3, None)
    several = MultiToken(MODEL, 2)
    assert torch.allclose(several(TEXT, where), several(TEXT)[where], atol=1e-6)


def test_one_head_is_the_model_itself_and_training_trains_it():
    model = Transformer(FIVE)
    assert torch.allclose(MultiToken(model, 1)(TEXT)[:, :, 0], model(TEXT), atol=1e-6)
    MultiToken(model, 3)(TEXT).logsumexp(-1).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_it_sees_nothing_of_what_comes():
    several = MultiToken(MODEL, 3)
    assert torch.allclose(several(TEXT[:, :4]), several(TEXT)[:, :4], atol=1e-5)
    with pytest.raises(ValueError, match="causal=True"):
        MultiToken(lively(TransformerConfig(20, d_model=8, n_heads=1, causal=False)), 2)
