"""The forced prefix: putting words into a model's mouth, and letting it go on from there."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from utils.generation.rounds import check_one_text
from utils.generation.sampling import generate
from utils.models.transformer import check_tokens
from utils.text.ids import token_ids
from utils.text.trace import Trace, written


def force(model, prompt, tokens, max_new_tokens, *, trace: Trace | None = None, **how):
    """Write `tokens` after the prompt, whatever the model thinks of them, and let it go on.

    prompt: (batch, length) int64; tokens: (batch, k) int64, or a list of k ids for all rows. how:
    for `sampling.generate`. Returns (batch, length + k + new). A trace notes which were forced, and
    how likely the model found them.

    Raises TypeError or ValueError like `sampling.generate`, and for tokens that are none.
    """
    check_tokens(prompt, model.config)
    tokens = _checked(tokens, prompt, model.config.vocab_size)
    text = torch.cat([prompt, tokens.expand(len(prompt), -1)], 1)
    check_one_text(prompt, trace)
    if trace is not None:
        with torch.no_grad():
            probs = model(text).softmax(-1)
        for at in range(prompt.shape[1], text.shape[1]):
            trace.append(written(text[0, : at + 1], [at], probs[:, at - 1], note="forced"))
    return generate(model, text, max_new_tokens, trace=trace, **how)


def _checked(tokens, prompt, size):
    """The tokens that are forced, of all rows or of each, (1 or batch, k) int64."""
    given = tokens.tolist() if hasattr(tokens, "tolist") else tokens
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes)
    rows = list(given) if several else [given]
    if not rows:
        raise ValueError("tokens is empty; give at least one to force, or call sampling.generate")
    rows = rows if isinstance(rows[0], list | tuple) else [rows]
    rows = [token_ids("tokens", row, size, device=prompt.device) for row in rows]
    if len(rows) not in (1, len(prompt)) or len(set(map(len, rows))) > 1:
        raise ValueError(
            f"tokens is {len(rows)} rows of {', '.join(str(len(row)) for row in rows)} ids; give "
            f"one for all {len(prompt)} rows of the prompt, or one for each, all of one length"
        )
    return torch.stack(rows)
