"""One transformer, written once, used by every model in this book.

A transformer reads a row of tokens and says, at each position, how likely each token of the
vocabulary is there. It keeps one vector per position, the *stream*, and each layer adds to it:
*attention* adds what a position gathers from other positions, *feed-forward* adds what it makes of
that on its own. Read this file from top to bottom and you have read all of it.

With `causal=True` a position sees itself and what lies before it: such a model predicts the next
token. With `causal=False` it sees everything: such a model fills in tokens that were hidden.
Nothing else differs. The parts are those of Llama (Touvron et al. 2023, arXiv:2302.13971), so the
weights of a published model fit in; `smollm.py` puts them there.

A weight has shape (in, out) and is applied as `x @ weight`, as one writes it on paper.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from utils.models.arithmetic import threaded_matmul, widened
from utils.text.ids import check_texts
from utils.text.numbers import SEED, real, whole


@dataclass(frozen=True)
class TransformerConfig:
    """All it takes to build a transformer.

    d_model is the width of the stream. Left out, n_kv_heads is n_heads, and d_ff, the width
    inside the feed-forward part, is 8/3 of d_model to the nearest 64.
    """

    vocab_size: int
    d_model: int = 128
    n_layers: int = 4
    n_heads: int = 4
    n_kv_heads: int | None = None
    d_ff: int | None = None
    max_len: int = 256
    causal: bool = True
    rope_theta: float = 10_000.0
    tie_embeddings: bool = True
    norm_eps: float = 1e-5

    def __post_init__(self):
        for name in "vocab_size d_model n_layers n_heads max_len n_kv_heads d_ff".split():
            value = getattr(self, name)
            if value is None and name in ("n_kv_heads", "d_ff"):
                wider = max(64, round(self.d_model / 24) * 64)
                value = self.n_heads if name == "n_kv_heads" else wider
            value = whole(name, value, "it must be at least 1", least=1)
            object.__setattr__(self, name, value)  # the dataclass is frozen for all others
        real("rope_theta", self.rope_theta, "choose 1 or more, such as 10_000", least=1)
        real("norm_eps", self.norm_eps, "choose a small number above 0, such as 1e-5", above=0)
        if self.d_model % (2 * self.n_heads):
            raise ValueError(
                f"d_model={self.d_model} cannot be shared out to n_heads={self.n_heads} heads of "
                f"even width; choose a multiple of {2 * self.n_heads}"
            )
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_kv_heads={self.n_kv_heads} does not divide n_heads={self.n_heads}; "
                "as many heads must share each key and value"
            )

    @property
    def head_dim(self) -> int:
        return self.d_model // self.n_heads


def check_tokens(tokens, config, start=0):
    """Raise a clear error unless a model of this config can read the tokens, from `start` on."""
    check_texts(tokens, config.vocab_size)
    if start + tokens.shape[1] > config.max_len:
        raise ValueError(
            f"{start + tokens.shape[1]} tokens are too many: this model reads at most "
            f"max_len={config.max_len}; shorten the text"
        )


def rms_norm(x, eps):
    """Bring each vector to a root mean square of 1 (Zhang & Sennrich 2019, arXiv:1910.07467).

    A learned scale for each channel usually follows. After all norms but the last comes a matrix
    of its own, whose rows can hold that scale, so only the last one is followed by it here.
    """
    wide = widened(x)  # in 16 bits the sum of squares could be infinite
    normed = wide * torch.rsqrt((wide * wide).sum(-1, keepdim=True) / x.shape[-1] + eps)
    return normed.to(x.dtype)


def rotary_table(config):
    """Rotary positions: cosine and sine of the angles they turn by, (max_len, head_dim / 2, 2).

    Position p turns pair i by p / theta^(2i / head_dim). The first pairs turn fast and tell
    neighbours apart; the last turn slowly (Su et al. 2021, arXiv:2104.09864, section 3.2.2).
    """
    pair = torch.arange(0, config.head_dim, 2) / config.head_dim
    angles = torch.arange(config.max_len)[:, None] / config.rope_theta**pair
    return torch.stack([angles.cos(), angles.sin()], -1)


def rotate(heads, rotary):
    """Turn each pair of numbers in each head by its position's angle. A query times a key then
    depends on how far apart they are, not on where they are.

    heads: (batch, length, heads, head_dim); rotary: (length, 1, head_dim / 2), complex.
    """
    pairs = widened(heads).unflatten(-1, (-1, 2))  # a pair is one complex number,
    turned = torch.view_as_complex(pairs) * rotary  # and to turn it is to multiply it
    return torch.view_as_real(turned).flatten(-2).to(heads.dtype)


class Attention(nn.Module):
    """Each position asks (query), each offers (key), and what matches is averaged (value).

    Where n_kv_heads < n_heads, neighbouring heads share a key and a value, and the cache is that
    much smaller (grouped queries: Ainslie et al. 2023, arXiv:2305.13245).
    """

    def __init__(self, config, layer):
        super().__init__()
        self.layer, self.head_dim = layer, config.head_dim
        self.heads = [config.n_heads, config.n_kv_heads, config.n_kv_heads]  # of q, k and v
        # Their three matrices stand side by side in one: one large product is faster than three.
        self.qkv = nn.Parameter(torch.empty(config.d_model, sum(self.heads) * config.head_dim))
        self.out = nn.Parameter(torch.empty(config.d_model, config.d_model))

    def parts(self):
        """The matrices of queries, keys and values, each (d_model, its heads * head_dim)."""
        return self.qkv.split([heads * self.head_dim for heads in self.heads], dim=1)

    query = property(lambda self: self.parts()[0])
    key = property(lambda self: self.parts()[1])
    value = property(lambda self: self.parts()[2])

    def project(self, x, rotary):
        """Queries, keys and values, each (batch, heads, length, head_dim)."""
        heads = threaded_matmul(x, self.qkv).unflatten(-1, (-1, self.head_dim))
        qk, v = heads.split([sum(self.heads[:2]), self.heads[2]], dim=2)
        q, k = rotate(qk, rotary).split(self.heads[:2], dim=2)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def forward(self, x, rotary, mask, cache=None, where=...):
        q, k, v = self.project(x, rotary)
        if cache is not None:
            k, v = cache.store(self.layer, k, v)  # add the new ones, get back all so far
        # softmax(q k^T / sqrt(head_dim)) v over what the mask allows; `weights` spells it out.
        gathered = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return threaded_matmul(gathered.transpose(1, 2).flatten(2)[where], self.out)

    def weights(self, x, rotary, mask, cache=None, where=...):
        """The share of each position (column) in what each (row) gathers: (batch, heads, length,
        length). Each row sums to 1."""
        q, k, _ = self.project(x, rotary)
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        scores = q @ k.transpose(-2, -1) / self.head_dim**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1)


class FeedForward(nn.Module):
    """What a position makes of its vector on its own: wider, gated, and back (SwiGLU: Shazeer 2020,
    arXiv:2002.05202)."""

    def __init__(self, config):
        super().__init__()
        self.gate = nn.Parameter(torch.empty(config.d_model, config.d_ff))
        self.up = nn.Parameter(torch.empty(config.d_model, config.d_ff))
        self.down = nn.Parameter(torch.empty(config.d_ff, config.d_model))

    def forward(self, x):
        gated = F.silu(threaded_matmul(x, self.gate)) * threaded_matmul(x, self.up)
        return threaded_matmul(gated, self.down)


class Block(nn.Module):
    """One layer. It only adds to the stream, so what earlier layers wrote stays readable.

    where: the positions whose stream is wanted; the others need keys and values, and no more.
    """

    def __init__(self, config, layer):
        super().__init__()
        self.eps = config.norm_eps
        self.attention = Attention(config, layer)
        self.feed_forward = FeedForward(config)

    def forward(self, x, rotary, mask, cache=None, where=...):
        x = x[where] + self.attention(rms_norm(x, self.eps), rotary, mask, cache, where=where)
        return x + self.feed_forward(rms_norm(x, self.eps))


class Transformer(nn.Module):
    """Tokens in; out, for each position, the logits of the token there (causal: of the next one).

    seed: draws the first weights; None leaves them unset, for a loader to fill in.
    """

    def __init__(self, config, *, seed=0):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.scale = nn.Parameter(torch.ones(config.d_model))
        self.output = nn.Parameter(torch.empty(config.d_model, config.vocab_size))
        if not config.tie_embeddings:
            self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.d_model))
        self.register_buffer("rotary", rotary_table(config), persistent=False)
        if seed is not None:
            self._draw(torch.Generator().manual_seed(whole("seed", seed, **SEED)))

    @torch.no_grad()
    def _draw(self, generator):
        for name, weight in self.named_parameters():
            # Weights that write to the stream start smaller, for there are many of them.
            writes = name.endswith((".out", ".down"))
            spread = 0.02 / (2 * self.config.n_layers) ** 0.5 if writes else 0.02
            attention = name.endswith(".qkv") and self.get_submodule(name.removesuffix(".qkv"))
            for part in attention.parts() if attention else [weight] * (name != "scale"):
                part.copy_(torch.normal(0.0, spread, part.shape, generator=generator))

    def forward(self, tokens, cache=None, where=...):
        """(batch, length) int64 -> (batch, length, vocab) float32; float64 of a model in float64.

        With a `KVCache`, `tokens` continue those already in it, and are added to it.
        where: an index into (batch, length), such as a bool mask of that shape or `LAST`: only
        there are the logits computed, as if one wrote `model(tokens)[where]`.

        Raises TypeError for a wrong dtype, ValueError for tokens that are empty, outside the
        vocabulary or too many, and for a cache that does not fit.
        """
        start = 0 if cache is None else cache.length
        check_tokens(tokens, self.config, start)
        if cache is not None:
            cache.check(self.config, *tokens.shape, self.output.dtype)
        end = start + tokens.shape[1]
        precision = torch.promote_types(self.output.dtype, torch.float32)  # complex has 32 or 64
        rotary = torch.view_as_complex(self.rotary[start:end].to(precision))[:, None]
        mask = None  # may the row's position look at the column's? None: at all of them
        if self.config.causal and end - start > 1:
            mask = torch.ones(end - start, end, dtype=torch.bool, device=tokens.device).tril(start)
        x = F.embedding(tokens, self.output.T if self.config.tie_embeddings else self.embedding)
        *layers, last = self.layers
        for layer in layers:
            x = layer(x, rotary, mask, cache)  # (batch, length, d_model)
        x = last(x, rotary, mask, cache, where)  # what nobody asks for is left out from here on
        if cache is not None:
            cache.length = end
        x = rms_norm(x, self.config.norm_eps) * self.scale
        return widened(threaded_matmul(x, self.output))


LAST = (slice(None), -1)  # of each row, the last position: its logits are those of the next token


def logits_at(model, tokens, where, cache=None):
    """`model(tokens, cache)[where]`: our own model computes no more than that, and any other
    function of tokens will do."""
    if isinstance(model, Transformer):
        return model(tokens, cache, where)
    return (model(tokens) if cache is None else model(tokens, cache))[where]


@torch.no_grad()
def attention_weights(model, tokens):
    """Every attention pattern of a model: (layers, batch, heads, length, length)."""
    patterns = []

    def record(attention, inputs):
        patterns.append(attention.weights(*inputs))

    hooks = [layer.attention.register_forward_pre_hook(record) for layer in model.layers]
    try:
        model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(patterns)
