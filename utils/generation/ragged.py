"""Greedy decoding of prompts of different lengths, side by side in one batch."""

import torch
from torch.nn.utils.rnn import pad_sequence

from utils.generation.sampling import draw
from utils.models.kv_cache import KVCache
from utils.models.transformer import LAST, logits_at
from utils.text.ids import check_text, token_ids
from utils.text.numbers import whole


@torch.inference_mode()
def continue_each(model, prompts: list[torch.Tensor], n, stop) -> list[torch.Tensor]:
    """Up to n tokens after each prompt, greedily, without the stop token: (length,) each.

    prompts: (length,) int64 each, of any lengths. stop: a token id, or several. Each step adds one
    position to all rows, and a row whose prompt is longer gets its own next token there: nothing is
    padded, so each is read as if alone. Raises TypeError or ValueError for what are no tokens.
    """
    n = whole("n", n, "choose 0 or more", least=0)
    if not prompts:
        raise ValueError("there is no prompt; give at least one, (length,) int64 each")
    for tokens in prompts:
        check_text(tokens)
    stop = token_ids("stop", stop, model.config.vocab_size, fewest=0, device=prompts[0].device)
    lengths = prompts[0].new_tensor([len(tokens) for tokens in prompts])
    given = pad_sequence(prompts, batch_first=True)  # (batch, longest)
    cache = KVCache.like(model, len(prompts), given.shape[1] + n)
    tokens, ended = given[:, : lengths.min()], torch.zeros_like(lengths, dtype=torch.bool)
    while not ended.all():
        at = tokens.shape[1]
        new = draw(logits_at(model, tokens[:, cache.length :], LAST, cache), temperature=0)
        if at < given.shape[1]:
            new = torch.where(at < lengths, given[:, at], new)
        tokens = torch.cat([tokens, new[:, None]], 1)
        stopped = (at >= lengths) & torch.isin(new, stop)
        ended |= stopped | (at + 1 >= lengths + n)
    after = [row[k : k + n].tolist() for row, k in zip(tokens, lengths, strict=True)]
    stops = set(stop.tolist())
    ends = [next((i for i, t in enumerate(row) if t in stops), n) for row in after]
    return [lengths.new_tensor(row[:end]) for row, end in zip(after, ends, strict=True)]
