import torch

from tests.small_models import lively, tokens
from utils.generation.sampling import generate
from utils.measure.passes import Counted
from utils.models.transformer import TransformerConfig

MODEL = lively(TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=16))


def test_it_counts_each_text_of_each_pass_and_changes_nothing():
    counted, text = Counted(MODEL), tokens(3, 5, 10)
    assert torch.equal(counted(text), MODEL(text)) and counted.passes == 3
    counted(text[:1])
    assert counted.passes == 4
    assert counted.config is MODEL.config and counted.layers is MODEL.layers


def test_a_token_costs_a_pass_with_a_cache_and_without():
    text = tokens(2, 3, 10)
    for cache in (True, False):
        counted = Counted(MODEL)
        assert torch.equal(generate(counted, text, 7, cache=cache), generate(MODEL, text, 7))
        assert counted.passes == 2 * 7
