"""What models are fed: batches of rows, (batch, length) int64, for ever.

Each comes from a seed, so that the same seed gives the same training.
"""

import torch


def world_batches(world, *, batch_size, seed, keep=None):
    """New rows of a world for ever, in batches (batch_size, length).

    keep: `keep(world, rows)` -> those of the rows that may be seen.
    """
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
    dice = torch.Generator().manual_seed(seed)
    for rows in batches:
        chosen = torch.rand(len(rows), generator=dice) < share
        longer = edit(rows, dice)
        stops = rows[:, -1:].expand(-1, longer.shape[1] - rows.shape[1])
        yield torch.where(chosen[:, None], longer, torch.cat([rows, stops], 1))


def windows(tokens, *, batch_size, length, seed):
    """Random stretches of a text for ever: (batch_size, length + 1), with `length` to predict."""
    generator = torch.Generator().manual_seed(seed)
    reach = torch.arange(length + 1)
    while True:
        starts = torch.randint(len(tokens) - length, (batch_size, 1), generator=generator)
        yield tokens[starts + reach]
