"""One transformer, written once, used by every model in this book.

A transformer reads a row of tokens and says, at each position, how likely each token of the
vocabulary is there. It keeps one vector per position, the *stream*, and lets each layer add to it:
*attention* adds what a position gathers from other positions, the *feed-forward* part adds what
it makes of that on its own. Read this file from top to bottom and you have read all of it.

With `causal=True` a position sees itself and what lies before: the model then predicts the next
token. With `causal=False` it sees everything: the model then fills in tokens that were hidden. Nothing
else differs. The pieces are those of Llama (Touvron et al. 2023, arXiv:2302.13971), so that the
weights of a published model fit in as they are; `utils/smollm.py` puts them there.

A weight has the shape (in, out) and is applied as `x @ weight`, as one writes it on paper. Shapes in
comments are (batch, length, ...); `d_model` is the width of the stream.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class TransformerConfig:
    """What it takes to build a transformer. The two that may be left out are then chosen:
    `n_kv_heads`, as many as there are heads; `d_ff`, 8/3 of d_model to the nearest 64.
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
        if self.n_kv_heads is None:
            object.__setattr__(self, "n_kv_heads", self.n_heads)
        if self.d_ff is None:
            object.__setattr__(self, "d_ff", max(64, round(self.d_model * 8 / 3 / 64) * 64))
        for name in (
            "vocab_size",
            "d_model",
            "n_layers",
            "n_heads",
            "n_kv_heads",
            "d_ff",
            "max_len",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.d_model % (2 * self.n_heads):
            raise ValueError(
                f"d_model={self.d_model} does not split into n_heads={self.n_heads} heads of even "
                f"width; choose a multiple of {2 * self.n_heads}"
            )
        if self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_heads={self.n_heads} heads cannot share n_kv_heads={self.n_kv_heads} evenly; "
                "choose a divisor of n_heads"
            )

    @property
    def head_dim(self) -> int:
        return self.d_model // self.n_heads


def check_tokens(tokens, config, start=0):
    """Raise a clear error unless `tokens` can be read by a model of this config from `start` on."""
    if not isinstance(tokens, torch.Tensor) or tokens.dtype != torch.int64:
        kind = getattr(tokens, "dtype", type(tokens).__name__)
        raise TypeError(f"tokens are {kind}; give a LongTensor, such as torch.tensor([[3, 1, 4]])")
    if tokens.dim() != 2:
        raise ValueError(
            f"tokens have shape {tuple(tokens.shape)}; give (batch, length): "
            "one sequence becomes a batch of one with tokens[None]"
        )
    if tokens.numel() == 0:
        raise ValueError(f"tokens are empty, shape {tuple(tokens.shape)}; give at least one token")
    if start + tokens.shape[1] > config.max_len:
        raise ValueError(
            f"{start + tokens.shape[1]} tokens are more than this model can read, "
            f"max_len={config.max_len}; shorten the text"
        )
    low, high = (int(extreme) for extreme in tokens.aminmax())
    if low < 0 or high >= config.vocab_size:
        raise ValueError(
            f"token {low if low < 0 else high} is outside the vocabulary "
            f"(0..{config.vocab_size - 1}); encode the text with the model's own vocabulary"
        )


def product(x, weight):
    """x @ weight, where x is (batch, length, in) and weight (in, out).

    With few rows in x nearly all the time goes into reading the weight from memory, which one core
    cannot do at the speed the memory allows, and BLAS gives such a product to one core. So a
    large weight is cut into one block of rows per thread, and their shares are added up.
    """
    threads, (d_in, d_out) = torch.get_num_threads(), weight.shape
    rows = x.numel() // d_in
    if rows > 16 or weight.numel() < 2**18 or d_in % threads:
        return x @ weight
    shares = x.reshape(rows, threads, -1).transpose(0, 1) @ weight.view(threads, -1, d_out)
    return shares.sum(0).view(*x.shape[:-1], d_out)


def rms_norm(x, eps):
    """Scale each vector to a root mean square of 1 (Zhang & Sennrich 2019, arXiv:1910.07467).

    The learned scale per channel that usually follows is left out: after this comes always a matrix,
    which can hold that scale in its rows. It is kept at the very end only, where the matrix is shared.
    """
    return F.rms_norm(x, x.shape[-1:], eps=eps)


def rotation_table(config):
    """Cosine and sine of every angle that a position turns by: (max_len, head_dim / 2, 2).

    Position p turns pair i of a head by the angle p / theta^(2i / head_dim): the first pairs turn fast
    and tell neighbours apart, the last turn slowly (Su et al. 2021, arXiv:2104.09864, eq. 15).
    """
    pair = torch.arange(0, config.head_dim, 2) / config.head_dim
    angles = torch.arange(config.max_len)[:, None] / config.rope_theta**pair
    return torch.stack([angles.cos(), angles.sin()], -1)


def rotate(heads, rotation):
    """Turn each pair of numbers in each head by its position's angle. Afterwards the product of a
    query and a key depends on how far apart they are, not on where.

    heads: (batch, length, heads, head_dim); rotation: (length, 1, head_dim / 2), complex.
    """
    pairs = torch.view_as_complex(heads.unflatten(-1, (-1, 2)))  # a pair is one complex number
    return torch.view_as_real(pairs * rotation).flatten(-2)  # and turning is multiplying


class Attention(nn.Module):
    """Each position asks (query), each offers (key), and what matches is averaged (value).

    With fewer key-value heads than heads, neighbouring heads share one key and value, which makes the
    cache smaller (grouped queries: Ainslie et al. 2023, arXiv:2305.13245).
    """

    def __init__(self, config, layer):
        super().__init__()
        self.layer, self.head_dim = layer, config.head_dim
        d_kv = config.n_kv_heads * config.head_dim
        self.query = nn.Parameter(torch.empty(config.d_model, config.d_model))
        self.key = nn.Parameter(torch.empty(config.d_model, d_kv))
        self.value = nn.Parameter(torch.empty(config.d_model, d_kv))
        self.out = nn.Parameter(torch.empty(config.d_model, config.d_model))

    def project(self, x, rotation):
        """Queries, keys and values, each (batch, heads, length, head_dim)."""
        q, k, v = (
            product(x, w).unflatten(-1, (-1, self.head_dim))
            for w in (self.query, self.key, self.value)
        )
        return (
            rotate(q, rotation).transpose(1, 2),
            rotate(k, rotation).transpose(1, 2),
            v.transpose(1, 2),
        )

    def forward(self, x, rotation, mask, cache=None):
        q, k, v = self.project(x, rotation)
        if cache is not None:
            k, v = cache.store(self.layer, k, v)  # ours are added; all so far come back
        # softmax(q k^T / sqrt(head_dim) + mask) v in one call; `weights` below spells it out.
        gathered = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return product(gathered.transpose(1, 2).flatten(2), self.out)

    def weights(self, x, rotation, mask, cache=None):
        """How much of each position (column) goes into each (row): (batch, heads, length, length)."""
        q, k, _ = self.project(x, rotation)
        k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)
        scores = q @ k.transpose(-2, -1) / self.head_dim**0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(-1)


class FeedForward(nn.Module):
    """Two layers for each position on its own, the first with a learned gate (SwiGLU: Shazeer
    2020, arXiv:2002.05202)."""

    def __init__(self, config):
        super().__init__()
        self.gate = nn.Parameter(torch.empty(config.d_model, config.d_ff))
        self.up = nn.Parameter(torch.empty(config.d_model, config.d_ff))
        self.down = nn.Parameter(torch.empty(config.d_ff, config.d_model))

    def forward(self, x):
        return product(F.silu(product(x, self.gate)) * product(x, self.up), self.down)


class Block(nn.Module):
    """One layer. It only ever adds to the stream, so what earlier layers wrote stays readable."""

    def __init__(self, config, layer):
        super().__init__()
        self.eps = config.norm_eps
        self.attention = Attention(config, layer)
        self.feed_forward = FeedForward(config)

    def forward(self, x, rotation, mask, cache=None):
        x = x + self.attention(rms_norm(x, self.eps), rotation, mask, cache)
        return x + self.feed_forward(rms_norm(x, self.eps))


class Transformer(nn.Module):
    """Tokens in, for each position the logits of what stands there (causal: of what comes next) out.

    `seed` draws the first weights; `seed=None` leaves them unset, for a loader to fill in.
    """

    def __init__(self, config, *, seed=0):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.scale = nn.Parameter(torch.ones(config.d_model))
        self.output = nn.Parameter(torch.empty(config.d_model, config.vocab_size))
        if not config.tie_embeddings:
            self.embedding = nn.Parameter(torch.empty(config.vocab_size, config.d_model))
        self.register_buffer("rotation", rotation_table(config), persistent=False)
        if seed is not None:
            self._draw_weights(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _draw_weights(self, generator):
        """Small normal numbers; smaller still where a layer writes, so that many layers add up to 1."""
        for name, weight in self.named_parameters():
            if name.endswith((".out", ".down")):
                weight.normal_(0, 0.02 / (2 * self.config.n_layers) ** 0.5, generator=generator)
            elif name != "scale":
                weight.normal_(0, 0.02, generator=generator)

    def mask(self, length, start=0):
        """May the row's position see the column's? (length, start + length) booleans, or None for
        "yes, all": the denoiser sees everything, and the newest token alone sees all there is.
        """
        if not self.config.causal or length == 1:
            return None
        return torch.ones(length, start + length, dtype=torch.bool).tril(start)

    def forward(self, tokens, cache=None):
        """(batch, length) int64 -> (batch, length, vocab) float32.

        Given a `KVCache`, `tokens` are what comes after those already in it, and are added to it.
        Raises TypeError for a wrong dtype; ValueError for tokens that are empty, outside the
        vocabulary or too many, and for a cache that does not fit.
        """
        start, length = 0 if cache is None else cache.length, tokens.shape[-1]
        check_tokens(tokens, self.config, start)
        if cache is not None:
            cache.check(self.config, *tokens.shape)
        rotation = torch.view_as_complex(self.rotation[start : start + length])[:, None]
        mask = self.mask(length, start)
        x = F.embedding(tokens, self.output.T if self.config.tie_embeddings else self.embedding)
        for layer in self.layers:
            x = layer(x, rotation, mask, cache)
        if cache is not None:
            cache.length += length
        return product(rms_norm(x, self.config.norm_eps) * self.scale, self.output)


@torch.no_grad()
def attention_weights(model, tokens):
    """Every attention pattern at once: (layers, batch, heads, length, length); each row sums to 1."""
    patterns = []
    hooks = [
        layer.attention.register_forward_pre_hook(
            lambda attention, inputs: patterns.append(attention.weights(*inputs))
        )
        for layer in model.layers
    ]
    try:
        model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(patterns)
