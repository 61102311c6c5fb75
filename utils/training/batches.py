"""What models are fed: batches of rows, (batch, length) int64, for ever.

Each comes from a seed, so that the same seed gives the same training.
"""

import torch

from utils.text.ids import check_text
from utils.text.numbers import SEED, real, whole


def world_batches(world, *, batch_size, seed, keep=None):
    """New rows of a world for ever, in batches (batch_size, length).

    keep: `keep(world, rows)` -> those of the rows that may be seen.
    """
    batch_size, seed = _check_batches(batch_size, seed)
    while True:
        pool = world.sample(32 * batch_size, seed=seed)
        yield from (keep(world, pool) if keep else pool).split(batch_size)
        seed += 1


def sentence_batches(world, *, batch_size, seed, keep=None):
    """The same, for `Sentences`, each batch cut after the end of its longest sentence."""
    for batch in world_batches(world, batch_size=batch_size, seed=seed, keep=keep):
        longest = int((batch != world.vocab.pad_id).sum(1).max())
        yield batch[:, : longest + 1]


def edited(batches, edit, share, seed):
    """The same batches, where `edit(rows, generator)` has rewritten a share of the rows and the
    others have been filled up to the same length with their last token, the full stop.
    """
    share = real("share", share, "choose a share from 0 to 1", least=0, most=1)
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    for rows in batches:
        chosen = torch.rand(len(rows), generator=dice) < share
        longer = edit(rows, dice)
        stops = rows[:, -1:].expand(-1, longer.shape[1] - rows.shape[1])
        yield torch.where(chosen[:, None], longer, torch.cat([rows, stops], 1))


def windows(tokens, *, batch_size, length, seed):
    """Random stretches of a text for ever: (batch_size, length + 1), with `length` to predict.

    tokens: (length of the text,) int64. Raises TypeError or ValueError for what are no tokens.
    """
    check_text(tokens)
    batch_size, seed = _check_batches(batch_size, seed)
    advice = f"choose 1 to {len(tokens) - 1}: the text has {len(tokens)} tokens"
    length = whole("length", length, advice, least=1, most=len(tokens) - 1)
    generator = torch.Generator().manual_seed(seed)
    reach = torch.arange(length + 1)
    while True:
        starts = torch.randint(len(tokens) - length, (batch_size, 1), generator=generator)
        yield tokens[starts + reach]


def _check_batches(batch_size, seed):
    batch_size = whole("batch_size", batch_size, "take at least 1 row", least=1)
    return batch_size, whole("seed", seed, **SEED)
