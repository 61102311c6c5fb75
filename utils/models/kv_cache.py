"""The KV cache: what a causal model need not compute twice.

In a causal transformer a position looks only backwards, so its keys and values never change once
they are computed. Keep them, and a new token costs one position's work instead of the whole text's.
Nothing is remembered that the text does not imply: throw the cache away, read the text again, and
the same numbers come back. Chapter 03 measures both halves of that.
"""

import torch

from utils.text.numbers import whole


class KVCache:
    """Room for the keys and values of `max_len` positions in each layer, taken once.

    config: the model's; batch_size: rows that go forward together; max_len: positions to make room
    for, by default as many as the model can read. `length` positions are filled.

        cache = KVCache.like(model)            # on the model's device, as precise as its weights
        with torch.inference_mode():           # no gradients will be asked for, which saves time
            logits = model(prompt, cache)      # (1, length, vocab), the cache now holds the prompt
            logits = model(next_token, cache)  # (1, 1, vocab), one position's work
    """

    def __init__(self, config, batch_size=1, max_len=None, dtype=torch.float32, device=None):
        batch_size, max_len = _check_room(config, batch_size, max_len)
        self.config, self.batch_size, self.max_len = config, batch_size, max_len
        shape = (config.n_layers, batch_size, config.n_kv_heads, max_len, config.head_dim)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.length = 0

    @classmethod
    def like(cls, model, batch_size=1, max_len=None):
        """A cache for this model, where its weights are and as precise as they are."""
        weight = getattr(model, "output", torch.empty(0))  # any model with a config will do
        return cls(model.config, batch_size, max_len, weight.dtype, weight.device)

    @property
    def nbytes(self) -> int:
        """Bytes of memory set aside, filled or not:
        2 * n_layers * batch_size * n_kv_heads * max_len * head_dim * bytes per number.
        """
        return self.keys.nbytes + self.values.nbytes

    def check(self, config, batch_size, length, dtype=None):
        """Raise a clear error unless `length` more tokens of such a model fit in, whose keys have
        this dtype."""
        if config != self.config:
            raise ValueError(
                f"the cache was made for another model, {self.config}, not {config}; "
                "make one with KVCache(model.config)"
            )
        if dtype not in (None, self.keys.dtype):
            raise ValueError(
                f"the cache keeps {self.keys.dtype} and the model computes in {dtype}; "
                "make one with KVCache.like(model)"
            )
        if batch_size != self.batch_size:
            raise ValueError(
                f"tokens have {batch_size} rows but the cache was made for "
                f"batch_size={self.batch_size}"
            )
        if self.length + length > self.max_len:
            raise ValueError(
                f"the cache is full: it holds {self.length} of max_len={self.max_len} positions "
                f"and {length} more do not fit; make a longer one, or crop it"
            )

    def store(self, layer, keys, values):
        """Add keys and values, (batch, n_kv_heads, new, head_dim), after those that one layer has;
        return that layer's keys and values so far. `length` grows when all layers are done.

        What is kept is cut off from what gradients need: else each step would hold on to all that
        were before. So a model writes with a cache, and learns without one.
        """
        end = self.length + keys.shape[2]
        all_keys, all_values = self.keys[layer, :, :, :end], self.values[layer, :, :, :end]
        all_keys[:, :, self.length :] = keys.detach()
        all_values[:, :, self.length :] = values.detach()
        return all_keys, all_values

    def crop(self, length):
        """Forget all positions from `length` on; return the cache itself. It costs nothing: the
        numbers stay where they are until others are written over them.
        """
        advice = f"the cache holds {self.length} positions; choose 0 to {self.length}"
        self.length = whole("length", length, advice, least=0, most=self.length)
        return self

    def clone(self):
        """A copy that can be continued on its own, with as much room."""
        keys = self.keys
        other = KVCache(self.config, self.batch_size, self.max_len, keys.dtype, keys.device)
        other.keys[..., : self.length, :] = self.keys[..., : self.length, :]
        other.values[..., : self.length, :] = self.values[..., : self.length, :]
        other.length = self.length
        return other


def _check_room(config, batch_size, max_len):
    if not config.causal:
        raise ValueError(
            "causal=False: a cache serves a causal model only; in a model that looks both ways "
            "each new token changes all keys and values"
        )
    batch_size = whole("batch_size", batch_size, "it must be at least 1", least=1)
    most = config.max_len
    if max_len is None:
        return batch_size, most
    advice = f"choose 1 to {most}, the model's own"
    return batch_size, whole("max_len", max_len, advice, least=1, most=most)
