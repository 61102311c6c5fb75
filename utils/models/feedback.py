"""Feedback: what the last layer made of a token is what later tokens look at, in every layer.

In a transformer a layer reads what the layer *below* has made of earlier tokens, so a thought
climbs a layer with each step and can never come down again. Here every layer reads the top: its
keys and values come from the last layer's streams at earlier tokens, and of the token itself from
its own. The weights are those of a `Transformer`, each used as before. So a state may go on from
word to word for as long as one likes; and the price stands in the loop: token t needs the top of
token t - 1, so a text can no longer be read all at once, not even in training. (After Fan et al.
2020, arXiv:2002.09402, where the memory is a mixture of all layers and has keys and values of its
own.)
"""

import torch
import torch.nn.functional as F
from torch import nn

from utils.models.arithmetic import widened
from utils.models.transformer import check_tokens, rms_norm


class Feedback(nn.Module):
    """A transformer's weights, used with feedback. Training it trains `model`."""

    def __init__(self, model):
        super().__init__()
        if not model.config.causal:
            raise ValueError("the model sees what comes after it; give one with causal=True")
        self.model, self.config = model, model.config

    def forward(self, tokens, watch=None):
        """(batch, length) int64 -> (batch, length, vocab) float32, like the transformer.

        watch: `watch(layer, t, x)` -> x is given what each layer leaves in the stream at token t,
        (batch, d_model); what it returns goes on in its place.
        """
        model, eps = self.model, self.config.norm_eps
        check_tokens(tokens, self.config)
        rotary = torch.view_as_complex(widened(model.rotary[: tokens.shape[1]]))[:, None]
        embedding = model.output.T if self.config.tie_embeddings else model.embedding
        embedded = F.embedding(tokens, embedding)
        memory = [([], []) for _ in model.layers]  # of each layer: keys, values
        tops = []
        for t in range(tokens.shape[1]):
            x = embedded[:, t : t + 1]
            for i, (layer, (keys, values)) in enumerate(zip(model.layers, memory, strict=True)):
                q, k, v = layer.attention.project(rms_norm(x, eps), rotary[t : t + 1])
                k, v = torch.cat([*keys, k], 2), torch.cat([*values, v], 2)
                gathered = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
                x = x + gathered.transpose(1, 2).flatten(2) @ layer.attention.out
                x = x + layer.feed_forward(rms_norm(x, eps))
                x = x if watch is None else watch(i, t, x[:, 0])[:, None]
            tops.append(x)
            for layer, (keys, values) in zip(model.layers, memory, strict=True):
                _, k, v = layer.attention.project(rms_norm(x, eps), rotary[t : t + 1])
                keys.append(k)
                values.append(v)
        top = torch.cat(tops, 1)
        return widened((rms_norm(top, eps) * model.scale) @ model.output)
