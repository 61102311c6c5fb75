import pytest
import torch

from utils.models.transformer import Transformer, TransformerConfig
from utils.training.fit import fit
from utils.training.losses import next_token_loss
from utils.training.stack import Stack, fit_stack


def three(causal=True):
    config = TransformerConfig(6, d_model=16, n_layers=2, n_heads=2, max_len=7, causal=causal)
    return [Transformer(config, seed=seed) for seed in range(3)]


@pytest.mark.parametrize("causal", [True, False])
def test_each_says_what_it_says_alone(causal):
    models = three(causal)
    rows = torch.randint(6, (3, 5, 7), generator=torch.Generator().manual_seed(0))
    stack = Stack(models).eval()
    said = stack(rows)
    for i, model in enumerate(models):
        assert torch.allclose(said[i], model(rows[i]), atol=1e-6)
        assert torch.allclose(stack.model(i)(rows[i]), model(rows[i]), atol=1e-6)


def test_each_learns_as_it_learns_alone():
    """`fit` with its weight decay of 0.01, and the stack with the same, step by step."""
    dice = torch.Generator().manual_seed(0)
    batches = [torch.randint(6, (3, 8, 7), generator=dice) for _ in range(12)]
    stack, source = Stack(three()), iter(batches)

    def loss(stack, rows):
        each = stack(rows[..., :-1]).flatten(0, 2)
        found = torch.nn.functional.cross_entropy(each, rows[..., 1:].flatten(), reduction="none")
        return found.view(3, -1).mean(1)

    fit_stack(stack, lambda: next(source), loss, steps=12, lr=4e-3, decay=[0.01] * 3)
    for i, model in enumerate(three()):
        own = [batch[i] for batch in batches]
        fit(model, own, next_token_loss, steps=12, lr=4e-3, seed=0, progress=False)
        ours = dict(stack.model(i).named_parameters())
        for name, weight in model.named_parameters():
            assert torch.allclose(ours[name], weight, atol=2e-4), name


def test_one_model_without_dropout_is_not_touched_by_the_others():
    stack = Stack(three()[:2], [0.0, 0.5]).train()
    rows = torch.zeros(2, 4, 7, dtype=torch.int64)
    first, second = stack(rows), stack(rows)
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1])


def test_decay_makes_weights_smaller_and_only_where_it_is_set():
    stack = Stack(three()[:2])

    def nothing(stack, rows):
        return stack(rows).sum((1, 2, 3)) * 0

    before = [weight.detach().clone() for weight in stack.weights]
    rows = torch.zeros(2, 1, 7, dtype=torch.int64)
    fit_stack(stack, lambda: rows, nothing, steps=5, lr=0.01, decay=[0.0, 1.0])
    for old, new in zip(before, stack.weights, strict=True):
        assert torch.equal(old[0], new[0])
        assert new[1].abs().sum() < old[1].abs().sum()


def test_models_of_other_shapes_do_not_stack():
    with pytest.raises(ValueError, match="config"):
        Stack([*three(), *three(causal=False)])
