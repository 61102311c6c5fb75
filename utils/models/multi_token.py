"""Several tokens at once: a trunk that all share, and a head for each of the next tokens.

A transformer has one task at each position, the next token. Here it has several: from what the
trunk has made of the text so far, the first head says the next token, the second the one after it,
and so on, each without knowing what the others say. What later tokens need is thereby asked of
every earlier state. The trunk and the heads are layers of a `Transformer`, and all heads share its
output (Gloeckle et al. 2024, arXiv:2404.19737). For writing, the first head is enough.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from utils.models.arithmetic import widened
from utils.models.transformer import Transformer, check_tokens, rms_norm
from utils.text.numbers import whole


class MultiToken(nn.Module):
    """The layers of a causal transformer, used as a trunk and, each of the last ones, as a head.
    It has no weights of its own: training it trains `model`.

    heads: how many tokens it predicts at once; at most the layers of `model`.
    """

    def __init__(self, model, heads):
        super().__init__()
        if not model.config.causal:
            raise ValueError("the model sees what comes after it; give one with causal=True")
        most = model.config.n_layers
        advice = f"each takes one of the {most} layers of the model"
        self.heads = whole("heads", heads, advice, least=1, most=most)
        self.model, self.config = model, model.config

    def forward(self, tokens, where=...):
        """(batch, length) int64 -> (batch, length, heads, vocab) float32: at position t, head i has
        the logits of the token at t + 1 + i.

        where: the positions that are wanted, as in `Transformer.forward`.
        """
        check_tokens(tokens, self.config)
        model, length = self.model, tokens.shape[-1]
        rotary = torch.view_as_complex(widened(model.rotary[:length]))[:, None]
        mask = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        embedding = model.output.T if self.config.tie_embeddings else model.embedding
        x = F.embedding(tokens, embedding)
        for layer in model.layers[: -self.heads]:
            x = layer(x, rotary, mask)
        heads = model.layers[-self.heads :]
        x = torch.stack([head(x, rotary, mask, None, where) for head in heads], -2)
        return widened((rms_norm(x, self.config.norm_eps) * model.scale) @ model.output)

    def first(self):
        """The trunk and the first head: a `Transformer` that writes token by token, with the same
        weights."""
        writer = Transformer(self.config, seed=None)
        trunk = len(self.model.layers) - self.heads
        writer.layers = self.model.layers[: trunk + 1]
        writer.scale, writer.output = self.model.scale, self.model.output
        if not self.config.tie_embeddings:
            writer.embedding = self.model.embedding
        writer.config = replace(self.config, n_layers=trunk + 1)
        return writer.train(self.model.training)
