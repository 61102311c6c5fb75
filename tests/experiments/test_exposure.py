import pytest
import torch

from tests.small_models import lively
from utils.checkpoints.store import load_checkpoint
from utils.experiments import exposure
from utils.models.transformer import TransformerConfig
from utils.worlds import Sentences
from utils.worlds.slips import read

WORLD = Sentences()


def tiny(**changes):
    shape = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": WORLD.length} | changes
    return lively(TransformerConfig(len(WORLD.vocab), **shape), seed=3)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def test_what_is_kept_stays_and_the_rest_is_the_models():
    model, texts = tiny(), WORLD.sample(20, seed=0)
    kept = torch.arange(20) % 5 + 1
    rows = exposure.go_on(model, WORLD, texts, kept, temperature=0.0)
    for text, row, k in zip(texts, rows, kept, strict=True):
        assert torch.equal(text[:k], row[:k])
        with torch.no_grad():
            greedy = model(row[None, :-1])[0].argmax(-1)
        stop = (row == WORLD.vocab.id(".")).nonzero()
        end = int(stop[0]) + 1 if len(stop) else len(row)
        assert torch.equal(greedy[k - 1 : end - 1], row[k:end])


def test_a_hazard_is_the_probability_of_all_that_cannot_stand_there():
    model, texts = tiny(), WORLD.sample(5, seed=0)
    found = exposure.hazards(model, WORLD, texts, temperature=2.0)
    possible = WORLD.next_probs(texts) > 0
    for i, text in enumerate(texts):
        for t in range(1, len(text)):
            if text[t] == WORLD.vocab.pad_id:
                assert found[i, t].isnan()
                continue
            probs = (model(text[None, :t])[0, -1].double() / 2).softmax(-1)
            assert float(found[i, t]) == pytest.approx(
                float(probs[~possible[i, t - 1]].sum()), abs=1e-5
            )


def test_first_slips_come_where_they_are_probable_and_after_right_words():
    model = tiny()
    own = exposure.write(model, WORLD, 200, generator=dice())
    texts, at = exposure.first_slips(model, WORLD, own, 500, generator=dice(1))
    slip = read(WORLD, texts).slip
    before = torch.arange(WORLD.length) < at[:, None]
    assert bool((at >= 1).all()) and not bool((slip & before).any())


def test_a_split_text_differs_at_the_place_and_says_what_it_says():
    model = tiny()
    own = exposure.write(model, WORLD, 200, generator=dice())
    texts, at = exposure.first_slips(model, WORLD, own, 100, generator=dice(1))
    found = exposure.split(model, WORLD, texts, at, generator=dice(2))
    rows = torch.arange(len(texts))
    before = torch.arange(WORLD.length) < at[:, None]
    for name, split in found.items():
        assert torch.equal(split[before], texts[before])
        assert bool((read(WORLD, split).slip[rows, at] == name.endswith("slip")).all()), name


def test_slips_are_counted_from_the_word_after_the_place_on():
    model, texts = tiny(), WORLD.sample(30, seed=2)
    at = torch.arange(30) % 4 + 1
    found = exposure.after(model, WORLD, texts, at)
    hazard = exposure.hazards(model, WORLD, texts)
    for row, place in enumerate(at.tolist()):
        rest = hazard[row, place + 1 :]
        assert torch.equal(found[row, : len(rest)].nan_to_num(-1), rest.nan_to_num(-1))
        assert found[row, len(rest) :].isnan().all()


def test_a_slip_is_forgotten_after_a_few_words():
    """Right after a slip the next is many times as likely; six words on it is not."""
    model, dice = load_checkpoint("sentences-ar")[0], torch.Generator().manual_seed(0)
    begun, at = exposure.first_slips(model, WORLD, WORLD.sample(300, seed=7), 300, generator=dice)
    split = exposure.split(model, WORLD, begun, at, generator=dice)
    slip, right = (
        exposure.after(model, WORLD, split[name], at) for name in ("its own slip", "a right word")
    )
    assert slip[:, :2].nanmean() > 5 * right[:, :2].nanmean()
    assert slip[:, 6:].nanmean() < 3 * right[:, 6:].nanmean()


def test_a_temperature_below_zero_is_refused():
    with pytest.raises(ValueError, match="temperature"):
        exposure.write(tiny(), WORLD, 2, temperature=-1.0)
