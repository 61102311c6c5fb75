import pytest
import torch

from utils.worlds import PETS, Sentences
from utils.worlds.slips import read, with_lost_thread

WORLD = Sentences()


def row(text, world=WORLD):
    return torch.cat([torch.tensor([world.vocab.start_id]), world.vocab.encode(text)])[None]


@pytest.mark.parametrize("world", [WORLD, Sentences(PETS)], ids=["everyday", "pets"])
def test_in_a_right_text_nothing_slips_and_the_judge_knows_what_may_come(world):
    rows = world.sample(200, seed=3)
    reading = read(world, rows)
    assert not reading.slip.any()
    assert torch.equal(reading.possible, world.next_probs(rows) > 0)


@pytest.mark.parametrize(
    ("text", "slips"),
    [
        ("the girl who feeds the dog runs .", []),
        ("the girl see the dog .", ["see"]),
        ("the the girl sleeps .", ["the"]),  # the second, which stands at 2
        ("the girl who hungry feeds the dog .", ["hungry", "feeds"]),
        ("girl runs .", ["girl"]),
    ],
)
def test_a_slip_is_counted_once_and_the_next_one_again(text, slips):
    found = read(WORLD, row(text)).slip[0].nonzero().flatten().tolist()
    words = ["<s>", *text.split()]
    assert [words[at] for at in found] == slips


def test_every_slip_is_one():
    """From the slip before up to a slip, the words are in no sentence: all of them, looked up."""
    world = Sentences(PETS)
    texts = {tuple(r[r != world.vocab.pad_id].tolist()) for r in world.sample(3000, seed=0)}
    stretches = {t[i:j] for t in texts for i in range(len(t)) for j in range(i + 1, len(t) + 1)}
    dice = torch.Generator().manual_seed(0)
    words = torch.randint(2, len(world.vocab) - 1, (300, 6), generator=dice)
    rows = torch.cat([torch.full((300, 1), world.vocab.start_id), words], 1)[:, : world.length]
    for tokens, slips in zip(rows.tolist(), read(world, rows).slip.tolist(), strict=True):
        begin = 0
        for at, slip in enumerate(slips):
            assert (tuple(tokens[begin : at + 1]) not in stretches) == slip
            begin = at if slip else begin


def test_a_text_begins_with_its_start():
    with pytest.raises(ValueError, match="begins with <s>"):
        read(WORLD, row("the girl runs .")[:, 1:])


def test_a_lost_thread_has_one_slip_at_most_and_ends_in_order():
    rows = WORLD.sample(300, seed=1)
    texts = with_lost_thread(WORLD, rows, torch.Generator().manual_seed(0))
    assert texts.shape == rows.shape
    slips = read(WORLD, texts).slip.sum(1)
    assert int(slips.max()) == 1 and 0.6 < float(slips.double().mean()) < 0.95
    assert bool((texts[:, :2] == rows[:, :2]).all())  # <s> and a word stay
