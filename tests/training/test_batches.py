import itertools

import torch

from tests.verdicts import WORLD
from utils.training.batches import edited, sentence_batches, windows, world_batches
from utils.worlds import Sentences
from utils.worlds.judging import judge
from utils.worlds.mistakes import with_correction


def test_edited_batches_keep_their_length_and_their_share():
    plain = world_batches(WORLD, batch_size=400, seed=0)
    rows = next(edited(plain, lambda rows, _: with_correction(WORLD, rows), 0.25, 0))
    original = next(world_batches(WORLD, batch_size=400, seed=0))
    same = (rows[:, :16] == original).all(1)
    assert rows.shape == (400, 18) and 70 < int((~same).sum()) < 130
    assert bool((rows[same][:, 15:] == WORLD.vocab.id(".")).all())
    assert bool(judge(WORLD, rows).verdict_right.all())


def test_batches_are_new_rows_for_ever_and_the_seed_decides():
    first, same, other = (
        list(itertools.islice(world_batches(WORLD, batch_size=4, seed=seed), 70))
        for seed in (1, 1, 2)
    )
    assert all(batch.shape == (4, 16) for batch in first)  # 70 batches take three pools of 32
    assert all(map(torch.equal, first, same)) and not torch.equal(first[0], other[0])
    assert len({tuple(row) for batch in first for row in batch.tolist()}) > 150
    assert not torch.equal(first[0], first[32])


def test_what_must_not_be_seen_is_never_in_a_batch():
    def small_sums(world, rows):
        return rows[rows[:, 1] + rows[:, 3] < 10]

    batches = world_batches(WORLD, batch_size=8, seed=0, keep=small_sums)
    for batch in itertools.islice(batches, 20):
        assert 1 <= len(batch) <= 8 and bool((batch[:, 1] + batch[:, 3] < 10).all())


def test_sentences_are_cut_after_the_end_of_the_longest():
    world = Sentences()
    pairs = zip(
        sentence_batches(world, batch_size=16, seed=0),
        world_batches(world, batch_size=16, seed=0),
        strict=True,
    )
    for cut, batch in itertools.islice(pairs, 40):
        words = (batch != world.vocab.pad_id).sum(1).max()
        assert cut.shape[1] in (words + 1, world.length)  # one more, to learn that it ends there
        assert torch.equal(cut, batch[:, : cut.shape[1]])


def test_a_share_of_none_and_of_all():
    def corrected(rows, dice):
        return with_correction(WORLD, rows)

    for share, right in ((0.0, 1.0), (1.0, 0.0)):
        rows = next(edited(world_batches(WORLD, batch_size=50, seed=0), corrected, share, 0))
        same = (rows[:, :16] == next(world_batches(WORLD, batch_size=50, seed=0))).all(1)
        assert same.double().mean() == right


def test_windows_are_stretches_of_the_text_from_anywhere():
    text = torch.arange(100, 130)
    batch = next(windows(text, batch_size=500, length=8, seed=0))
    assert batch.shape == (500, 9) and bool((batch.diff() == 1).all())
    assert set(batch[:, 0].tolist()) == set(range(100, 122))  # the last one ends with the text
    assert torch.equal(batch, next(windows(text, batch_size=500, length=8, seed=0)))
