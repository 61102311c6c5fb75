"""The forced prefix: putting words into a model's mouth, and letting it go on from there."""

from __future__ import annotations

import torch

from utils.generation.sampling import generate
from utils.models.transformer import check_tokens
from utils.text.ids import token_ids
from utils.text.trace import Trace, written


def force(model, prompt, tokens, max_new_tokens, *, trace: Trace | None = None, **how):
    """Write `tokens` after the prompt, whatever the model thinks of them, and let it go on.

    prompt: (batch, length) int64; tokens: (batch, k) int64, or a list of k ids for all rows. how:
    for `sampling.generate`. Returns (batch, length + k + new). A trace notes which were forced, and
    how likely the model found them.
    """
    check_tokens(prompt, model.config)
    tokens = _checked(tokens, model.config.vocab_size).to(prompt.device)
    text = torch.cat([prompt, tokens.expand(len(prompt), -1)], 1)
    if trace is not None:
        with torch.no_grad():
            probs = model(text).softmax(-1)
        for at in range(prompt.shape[1], text.shape[1]):
            trace.append(written(text[0, : at + 1], [at], probs[:, at - 1], note="forced"))
    return generate(model, text, max_new_tokens, trace=trace, **how)


def _checked(tokens, size):
    """The tokens that are forced, of each row or of all, (rows, k) int64."""
    tokens = tokens.tolist() if hasattr(tokens, "tolist") else tokens
    if not hasattr(tokens, "__len__") or not len(tokens):
        raise ValueError("tokens is empty; give at least one to force, or call sampling.generate")
    rows = tokens if isinstance(tokens[0], list | tuple) else [tokens]
    return torch.stack([token_ids("tokens", row, size) for row in rows])
