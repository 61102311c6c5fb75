"""The exact law of a sampler, against enumeration, against the sampler itself, and by hand."""

import pytest
import torch

from tests.small_models import lively
from utils.experiments import speed
from utils.generation import blocks
from utils.generation.refining import Masks
from utils.measure import enumeration
from utils.models.transformer import TransformerConfig
from utils.worlds.chains import Chains
from utils.worlds.tangle import Tangle

WORLD = Tangle("abc", 4)
PROBS = WORLD.log_prob(WORLD.texts).exp()
GRID = WORLD.grid(PROBS)
TABLE = enumeration.by_bayes(GRID)
MASK = WORLD.vocab.mask_id
MODEL = lively(TransformerConfig(len(WORLD.vocab), d_model=16, n_layers=2, n_heads=2)).double()


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize(("which", "order"), [("likeliest", "confidence"), ("random", "random")])
def test_it_is_what_listing_every_text_gives(which, order, size):
    law = speed.write(speed.truth(GRID, 4), size=size, which=which)
    expected, passes = enumeration.write_probs(TABLE, order, size=size)
    assert (law.log_probs - expected).abs().max() < 1e-12
    assert law.passes == pytest.approx(float(expected.exp() @ passes))


def test_a_threshold_fills_all_that_is_surer():
    law = speed.write(speed.truth(GRID, 4), threshold=0.6)
    expected, passes = enumeration.write_probs(TABLE, "confidence", threshold=0.6)
    assert (law.log_probs - expected).abs().max() < 1e-12
    assert law.passes == pytest.approx(float(expected.exp() @ passes)) and 1 < law.passes < 4


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("which", ["likeliest", "random"])
def test_with_the_truth_one_token_a_pass_loses_nothing_whatever_the_block(size, which):
    law = speed.write(speed.truth(GRID, size), which=which)
    assert law.lost(GRID) == pytest.approx(0, abs=1e-12) and law.apart(PROBS) < 1e-12
    assert law.passes == pytest.approx(4)


@pytest.mark.parametrize("which", speed.WHICH)
def test_all_at_once_is_lost_what_the_places_know_of_each_other(which):
    """The total correlation: nothing where letters are drawn on their own, whoever comes first."""
    a, b, c, d = (GRID.sum([i for i in range(4) if i != place]) for place in range(4))
    alone = torch.einsum("a,b,c,d->abcd", a, b, c, d)
    known = float((GRID * (GRID / alone).log()).sum())
    lost = speed.write(speed.truth(GRID, 4), size=4, which=which).lost(GRID)
    assert lost == pytest.approx(known) and known > 0.1
    assert speed.write(speed.truth(alone, 4), size=4, which=which).lost(alone) == pytest.approx(0)


def test_the_published_rule_is_what_the_sampler_does():
    """Its law against 4,000 texts of `blocks.write`: chi squared over the 16 texts of a world; and
    it is not the language's."""
    world = Chains("ab", 4)
    probs = world.log_prob(world.texts).exp()
    said = speed.truth(world.grid(probs), 4)
    law = speed.write(said, which="drawn")
    assert law.apart(probs) > 0.1

    def say(tokens):
        letters = torch.where(tokens[:, 1:] == world.vocab.mask_id, 2, tokens[:, 1:])
        state = letters @ (3 ** torch.arange(3, -1, -1))
        logits = said[0][0, state].log()  # (rows, 4, 2)
        return torch.nn.functional.pad(logits, (0, 2, 1, 0), value=-torch.inf)

    start = torch.full((4_000, 1), world.vocab.start_id)
    rule = Masks(world.vocab.mask_id, 4, 1.0, temperature=1.0)
    reader = blocks.Rereading(say, world.vocab.mask_id, world.length)
    how = {"size": 4, "generator": torch.Generator().manual_seed(0)}
    texts = blocks.write(reader, start, 4, rule, **how)
    seen = (texts[:, None] == world.texts).all(-1).double().sum(0)
    expected = 4_000 * law.log_probs.exp()
    chi_squared = float(((seen - expected) ** 2 / expected).sum())
    assert chi_squared < 44.3, "of 15 degrees of freedom, exceeded once in ten thousand"


def test_groups_are_filled_as_if_their_places_knew_nothing_of_each_other():
    law = speed.fixed(speed.truth(GRID, 4), [(0, 1, 2, 3)])
    apart = [GRID.sum([j for j in range(4) if j != i]) for i in range(4)]
    expected = torch.einsum("a,b,c,d->abcd", *apart).flatten().log()
    assert (law.log_probs - expected).abs().max() < 1e-12 and law.passes == 1
    one_by_one = speed.fixed(speed.truth(GRID, 4), [(2,), (0,), (3,), (1,)])
    assert one_by_one.lost(PROBS) == pytest.approx(0, abs=1e-12)


def test_all_schedules_are_there_once():
    found = speed.schedules(6, 2)
    assert len(found) == len({tuple(each) for each in found}) == 90
    assert speed.schedules(2, 1) == [[(0,), (1,)], [(1,), (0,)]]


def test_the_best_mixture_loses_no_more_than_the_best_of_them_nor_than_all_alike():
    laws = [speed.fixed(speed.truth(GRID, 4), groups) for groups in speed.schedules(4, 2)]
    even = speed.Law(torch.stack([law.log_probs for law in laws]).exp().mean(0).log(), 2)
    mixture = speed.mixed(laws, GRID)
    assert float(mixture.log_probs.exp().sum()) == pytest.approx(1)
    assert mixture.passes == pytest.approx(2)
    assert mixture.lost(GRID) < min(even.lost(GRID), *(law.lost(GRID) for law in laws)) - 1e-4


def test_laws_that_each_write_one_text_mix_by_how_likely_it_is():
    """Known by hand: two that write a text each mix to the language at odds of 3 to 1, and a
    third that fits nowhere is not drawn."""
    probs = torch.tensor([0.75, 0.25, 0.0])
    laws = [
        speed.Law(row.log(), passes)
        for row, passes in zip(torch.eye(3).double(), (1, 2, 9), strict=True)
    ]
    mixture = speed.mixed(laws, probs)
    assert mixture.lost(probs) == pytest.approx(0, abs=1e-6)
    assert mixture.passes == pytest.approx(0.75 * 1 + 0.25 * 2)
    with pytest.raises(ValueError, match="at least one law"):
        speed.mixed([], probs)


def test_texts_that_the_language_lacks_are_counted():
    """Two letters that are always the same: drawn at once they differ every other time."""
    tied = torch.eye(2, dtype=torch.float64) / 2
    at_once = speed.write(speed.truth(tied, 2), size=2)
    assert at_once.wrong(tied) == pytest.approx(0.5)
    assert at_once.lost(tied) == pytest.approx(torch.tensor(2.0).log().item())
    assert speed.write(speed.truth(tied, 2)).wrong(tied) == 0


def test_of_the_rarest_texts_a_language_writes_what_is_said_and_others_what_they_write():
    """By hand, with two texts that are as likely on either side of the line; and a language itself,
    whose probabilities are not round."""
    probs = torch.tensor([0.5, 0.25, 0.1, 0.1, 0.05, 0.0]).double()
    law = speed.Law(torch.tensor([0.1, 0.1, 0.2, 0.4, 0.1, 0.1]).double().log(), 1.0)
    for rare, expected in ((0.0, 0.1), (0.05, 0.2), (0.15, 0.2 + 0.3), (0.25, 0.8), (1.0, 1.0)):
        assert law.wrong(probs, rare) == pytest.approx(expected), rare
    for rare in (0.0, 0.01, 0.3):
        assert speed.Law(PROBS.log(), 4.0).wrong(PROBS, rare) == pytest.approx(rare)
    worse = speed.write(speed.truth(GRID, 4), size=4)
    assert worse.wrong(PROBS, 0.01) > 0.02


def test_a_model_of_blocks_is_asked_as_it_would_be_when_it_writes():
    """Each text's probability from `asked`, against reading its blocks one by one."""
    law = speed.write(speed.asked(MODEL, WORLD, 2), size=2)
    for number in (0, 17, 80):
        text, expected = WORLD.texts[number : number + 1], 0.0
        for start in (1, 3):
            reader = blocks.Reader(MODEL)
            reader.keep(text[:, :start])
            said = reader.look(torch.full((1, 2), MASK))[..., :3].log_softmax(-1)
            expected += said.gather(-1, text[:, start : start + 2, None]).sum()
        assert float(law.log_probs[number]) == pytest.approx(float(expected), abs=1e-9)
    assert law.passes == pytest.approx(2) and float(law.log_probs.exp().sum()) == pytest.approx(1)


def test_tokens_read_count_the_reading_of_finished_blocks():
    law = speed.write(speed.truth(GRID, 2), size=2)
    assert speed.price(law, 4, 2) == pytest.approx(2 * 2 + 2)
    assert speed.price(speed.write(speed.truth(GRID, 4)), 4, 4) == pytest.approx(4 * 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: speed.truth(GRID, 3), "size is 3; choose one that divides the 4 places"),
        (lambda: speed.write([], which="surest"), "which is 'surest'; choose one of 'likeliest'"),
        (lambda: speed.fixed(speed.truth(GRID, 4), [(0, 1)]), "name each of the places 0 to 3"),
    ],
)
def test_what_cannot_be_written(call, message):
    with pytest.raises(ValueError, match=message):
        call()
