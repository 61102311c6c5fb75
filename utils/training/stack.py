"""Several small models trained at once, their weights stacked.

Much of what a very small model costs is not arithmetic but the starting of it: some hundred
products a step, whatever their size. So models of one config, each with data, noise and settings of
its own, share each product: where one has a weight (in, out), the stack has (models, in, out). What
comes out is what each would say alone, and each learns as if it were alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from utils.models.arithmetic import widened
from utils.models.transformer import Transformer, rms_norm, rotate
from utils.text.numbers import real, whole
from utils.training.fit import _finite as finite
from utils.training.fit import _schedule as schedule


class Stack(nn.Module):
    """Models of one config. dropout: for each, the share of what a layer adds to the stream that is
    left out in training, drawn anew each time (Srivastava et al. 2014, JMLR 15)."""

    def __init__(self, models: Sequence[Transformer], dropout: Sequence[float] | None = None):
        super().__init__()
        self.config = models[0].config
        if any(model.config != self.config for model in models):
            raise ValueError("the models differ in their config; stack those of one shape")
        each = [dict(model.named_parameters()) for model in models]
        self.names = list(each[0])
        self.weights = nn.ParameterList(
            torch.stack([weights[name].detach() for weights in each]) for name in self.names
        )
        self.register_buffer("rotary", models[0].rotary)
        self.register_buffer("dropout", torch.tensor(dropout or [0.0] * len(models)))

    def forward(self, tokens):
        """(models, batch, length) int64 -> (models, batch, length, vocab) logits."""
        config, weight = self.config, dict(zip(self.names, self.weights, strict=True))
        models, batch, length = tokens.shape
        rotary = torch.view_as_complex(widened(self.rotary[:length]))[:, None]
        embedding = weight["output"].transpose(1, 2)  # (models, vocab, d_model)
        at = tokens.reshape(models, -1, 1).expand(-1, -1, config.d_model)
        x = embedding.gather(1, at)  # (models, batch * length, d_model)
        for layer in range(config.n_layers):
            part = f"layers.{layer}."
            heads = rms_norm(x, config.norm_eps) @ weight[part + "attention.qkv"]
            heads = heads.view(models * batch, length, -1, config.head_dim)
            qk, v = heads.split([2 * config.n_heads, config.n_heads], 2)
            q, k = rotate(qk, rotary).split(config.n_heads, 2)
            q, k, v = (part.transpose(1, 2) for part in (q, k, v))
            gathered = F.scaled_dot_product_attention(q, k, v, is_causal=config.causal)
            gathered = gathered.transpose(1, 2).reshape(x.shape)
            x = x + self.drop(gathered @ weight[part + "attention.out"])
            normed, feed = rms_norm(x, config.norm_eps), part + "feed_forward."
            gated = F.silu(normed @ weight[feed + "gate"]) * (normed @ weight[feed + "up"])
            x = x + self.drop(gated @ weight[feed + "down"])
        x = rms_norm(x, config.norm_eps) * weight["scale"][:, None]
        return widened(x @ weight["output"]).view(models, batch, length, -1)

    def drop(self, x):
        """Leave out what `dropout` says, and make the rest larger, so that the mean stays."""
        if not self.training or not self.dropout.any():
            return x
        keep = 1 - self.dropout[:, None, None]
        return x * (torch.rand_like(x) < keep) / keep

    def model(self, i: int) -> Transformer:
        """One of them, on its own, as it is now."""
        model = Transformer(self.config, seed=None)
        weights = (each[i].detach().clone() for each in self.weights)
        model.load_state_dict(dict(zip(self.names, weights, strict=True)), assign=True)
        return model.eval()


def fit_stack(stack, draw, loss, *, steps, lr, decay, look=None, look_at=()):
    """Train a stack in place, by the rules of `fit`: AdamW, a warm-up, a cosine, clipped gradients.

    draw: `draw()` -> (models, batch, length), the next batch of each.
    loss: `loss(stack, batch)` -> (models,), what each minimises; chance comes from PyTorch's
        global generator.
    decay: the weight decay of each model. look: `look(step)`, called after the steps `look_at`.

    Raises ValueError for a loss that stops being a number.
    """
    steps = whole("steps", steps, "take at least 1", least=1)
    lr = real("lr", lr, "choose a learning rate above 0, such as 1e-3", above=0)
    optimizer = torch.optim.AdamW(stack.parameters(), betas=(0.9, 0.98), weight_decay=0, fused=True)
    decay, look_at = torch.tensor(decay), set(look_at)
    stack.train()
    for step in range(1, steps + 1):
        rate = lr * schedule((step - 1) / steps)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        total = loss(stack, draw()).sum()
        total.backward()
        finite(total, step - 1, lr, stack)
        _clip(stack.weights)
        with torch.no_grad():
            for weight in stack.weights:
                weight.mul_((1 - rate * decay).view(-1, *[1] * (weight.dim() - 1)))
        optimizer.step()
        if step in look_at:
            stack.eval()
            look(step)
            stack.train()
    stack.eval()


def _clip(weights):
    """Shorten the gradient of each model to length 1 where it is longer."""
    squares = sum(weight.grad.flatten(1).square().sum(1) for weight in weights)
    factor = (1 / (squares.sqrt() + 1e-6)).clamp(max=1)
    for weight in weights:
        weight.grad.mul_(factor.view(-1, *[1] * (weight.dim() - 1)))
