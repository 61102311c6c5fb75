import pytest
import torch
from torch.nn.functional import embedding

from tests.small_models import lively, tokens
from utils.models.feedback import Feedback
from utils.models.transformer import Transformer, TransformerConfig, rms_norm

CONFIG = TransformerConfig(20, d_model=16, n_layers=2, n_heads=2, n_kv_heads=1, max_len=16)
MODEL, TEXT = lively(CONFIG), tokens(3, 9, 19)


def slowly(model, text):
    """The top of every token of one text, (length, d_model), one pair of tokens at a time."""
    rotary = torch.view_as_complex(model.rotary)[:, None]
    tops = []
    for t, x in enumerate(embedding(text, model.output.T)):
        for layer in model.layers:
            read = torch.stack([*tops, x])[None]
            q, k, v = layer.attention.project(rms_norm(read, 1e-5), rotary[: t + 1])
            heads = []
            for head in range(q.shape[1]):
                scores = q[0, head, -1] @ k[0, 0].T / k.shape[-1] ** 0.5
                heads.append(scores.softmax(-1) @ v[0, 0])
            x = x + torch.cat(heads) @ layer.attention.out
            x = x + layer.feed_forward(rms_norm(x, 1e-5))
        tops.append(x)
    return torch.stack(tops)


@torch.no_grad()
def test_every_layer_reads_the_top_of_earlier_tokens_and_its_own_stream():
    tops = slowly(MODEL, TEXT[0])
    logits = (rms_norm(tops, 1e-5) * MODEL.scale) @ MODEL.output
    assert torch.allclose(Feedback(MODEL)(TEXT[:1])[0], logits, atol=1e-4)


@torch.no_grad()
def test_the_first_token_has_nothing_to_look_back_on():
    assert torch.allclose(Feedback(MODEL)(TEXT)[:, 0], MODEL(TEXT)[:, 0], atol=1e-5)
    assert not torch.allclose(Feedback(MODEL)(TEXT)[:, 3], MODEL(TEXT)[:, 3], atol=1e-2)


@torch.no_grad()
def test_what_comes_later_changes_nothing():
    assert torch.allclose(Feedback(MODEL)(TEXT[:, :5]), Feedback(MODEL)(TEXT)[:, :5], atol=1e-5)


@torch.no_grad()
def test_the_top_of_a_token_goes_on_for_as_long_as_there_are_tokens():
    """In a transformer of one layer a change in its stream reaches no later token."""
    one = lively(TransformerConfig(20, d_model=16, n_layers=1, n_heads=2, max_len=16))

    def nudged(layer, t, x):
        return x + (t == 2)

    before, after = Feedback(one)(TEXT), Feedback(one)(TEXT, nudged)
    moved = (after - before).abs().amax((0, 2))
    assert (moved[:2] < 1e-5).all() and (moved[2:] > 1e-4).all()


def test_training_it_trains_the_model_within():
    model = Transformer(CONFIG)
    Feedback(model)(TEXT).logsumexp(-1).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in model.parameters())


def test_a_model_that_sees_the_future_is_refused():
    with pytest.raises(ValueError, match="causal=True"):
        Feedback(lively(TransformerConfig(20, d_model=8, n_layers=1, n_heads=1, causal=False)))
