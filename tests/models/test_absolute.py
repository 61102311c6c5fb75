import pytest
import torch

from utils.models.absolute import AbsoluteTransformer
from utils.models.transformer import TransformerConfig

CONFIG = TransformerConfig(11, d_model=16, n_layers=2, n_heads=2, max_len=8, causal=False)
TOKENS = torch.tensor([[3, 1, 4, 1, 5]])
TURNED = torch.tensor([4, 2, 0, 1, 3])


def test_places_are_all_it_knows_of_order():
    model = AbsoluteTransformer(CONFIG, seed=1)
    there, moved = model(TOKENS), model(TOKENS[:, TURNED])
    assert not torch.allclose(there[:, TURNED], moved, atol=1e-4)
    model.places.data.zero_()  # then a text is a bag of tokens
    there, moved = model(TOKENS), model(TOKENS[:, TURNED])
    assert torch.allclose(there[:, TURNED], moved, atol=1e-6)


def test_what_is_asked_for_is_computed_alone():
    model, where = AbsoluteTransformer(CONFIG, seed=1), TOKENS == 1
    assert torch.allclose(model(TOKENS, None, where), model(TOKENS)[where], atol=1e-6)


def test_a_causal_one_is_refused():
    with pytest.raises(ValueError, match="set causal=False"):
        AbsoluteTransformer(TransformerConfig(11, d_model=16, n_heads=2))
