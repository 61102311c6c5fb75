"""A denoiser that knows its places by number, and not how far apart two of them are.

`Transformer` turns queries and keys by their positions, so that what a head sees depends on
distances alone: it is the same wherever it stands. Here nothing is turned. Each place has a learned
vector, which is added to that of its token (Vaswani et al. 2017, arXiv:1706.03762, section 3.5).
"""

import torch
from torch import nn

from utils.models.transformer import Transformer


class AbsoluteTransformer(Transformer):
    """Like `Transformer`, with `places` (max_len, d_model) in place of rotary positions. Raises
    ValueError for a causal config: a place is counted from the start of what is read, and a cache
    would shift it."""

    def __init__(self, config, *, seed=0):
        if config.causal:
            raise ValueError("causal=True: numbered places are for denoisers; set causal=False")
        super().__init__(config, seed=seed)
        self.rotary[..., 0], self.rotary[..., 1] = 1.0, 0.0  # turned by nothing
        shape, dice = (config.max_len, config.d_model), torch.Generator().manual_seed(seed)
        self.places = nn.Parameter(torch.normal(0.0, 0.02, shape, generator=dice))
        self.layers[0].register_forward_pre_hook(self._add_places)

    def _add_places(self, block, inputs):
        x, *others = inputs
        return x + self.places[: x.shape[1]], *others
