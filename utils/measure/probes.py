"""Probes: small networks that read what a model keeps inside, while the model is left as it is.

`Doubt` reads, at each position, how likely the token there is to be right. It is a *signal* for
`revision.revise`, learned from mistakes as in PRISM (Kim et al. 2025, arXiv:2510.01384) and as
cheap as a single forward pass.
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from utils.generation import diffusion
from utils.generation.rounds import checked_positions
from utils.generation.sampling import draw
from utils.models.transformer import rms_norm
from utils.text import chance
from utils.text.numbers import SEED, whole


@torch.no_grad()
def features(model, tokens):
    """What each layer leaves in the stream, side by side: (batch, length, n_layers * d_model)."""
    kept = []
    hooks = [
        layer.register_forward_hook(lambda layer, given, out: kept.append(out))
        for layer in model.layers
    ]
    try:
        model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat([rms_norm(stream, model.config.norm_eps) for stream in kept], -1)


class Doubt:
    """A signal learned from mistakes: a small network that reads the stream at each position.

    texts: (n, length) int64, some of their tokens wrong; right: (n, length) bool, where they are
    not. The model is left as it is. Called like `glance`, for one forward pass it gives the
    probability that each token is right.
    """

    def __init__(self, model, texts, right, positions, *, hidden=32, steps=200, seed=0):
        hidden = whole("hidden", hidden, "take at least 1", least=1)
        steps = whole("steps", steps, "take at least 1", least=1)
        seed = whole("seed", seed, **SEED)
        positions = checked_positions(texts, positions)
        x, y = features(model, texts)[:, positions], right[:, positions].float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Sequential(
                nn.Linear(x.shape[-1], hidden), nn.SiLU(), nn.Linear(hidden, 1)
            ).to(x.device)
        optimizer = torch.optim.AdamW(self.head.parameters(), lr=1e-2)
        for _ in range(steps):
            loss = binary_cross_entropy_with_logits(self.head(x)[..., 0], y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.head.requires_grad_(False)

    def __call__(self, model, tokens, mask_id, positions):
        read = features(model, tokens)[:, checked_positions(tokens, positions)]
        return self.head(read)[..., 0].sigmoid()


@torch.no_grad()
def slips(model, tokens, mask_id, positions, *, generator=None):
    """Texts with one plausible mistake each, to learn from: a token is hidden and replaced by one
    drawn as the model would draw it, were it not for the right one.

    positions: where, drawn evenly. Returns the texts and where they are right: (batch, length).
    """
    positions = checked_positions(tokens, positions)
    dice = {"device": tokens.device, "generator": generator}
    at = positions[chance.integers(len(positions), (len(tokens),), **dice)][:, None]  # (batch, 1)
    where = torch.zeros_like(tokens, dtype=torch.bool).scatter(1, at, True)
    said = diffusion.log_probs(model, tokens.masked_fill(where, mask_id), mask_id, where)
    said = said.scatter(-1, tokens[where][:, None], -torch.inf)  # (batch, vocab)
    wrong = tokens.scatter(1, at, draw(said, generator=generator)[:, None])
    return wrong, wrong == tokens
