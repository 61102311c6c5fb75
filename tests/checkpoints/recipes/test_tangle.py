import pytest
import torch

from utils.checkpoints.recipes import tangle
from utils.checkpoints.store import load_checkpoint
from utils.experiments import gaps
from utils.generation import diffusion
from utils.measure import enumeration
from utils.worlds import Tangle

KINDS = ("tangle-ar", "tangle-diffusion")
WORLD = Tangle()


def test_what_is_measured_is_zero_for_the_truth_itself():
    grid = WORLD.grid(WORLD.log_prob(WORLD.texts).exp())
    truth = enumeration.by_bayes(grid)

    class Denoiser:
        config = tangle.tiny(WORLD, causal=False)

        def __call__(self, rows):
            """The true answers, by adding up."""
            said = torch.full((*rows.shape, len(WORLD.vocab)), -torch.inf, dtype=torch.float64)
            fits = (WORLD.texts == rows[:, None]) | (rows[:, None] == WORLD.vocab.mask_id)
            joint = fits.all(-1) * grid.flatten()
            for letter in range(4):
                said[..., letter] = (joint @ (WORLD.texts == letter).double()).log()
            return said

    sample = slice(0, 4096, 500)
    say = Denoiser()
    listed = enumeration.table(
        lambda rows: diffusion.log_probs(say, rows, WORLD.vocab.mask_id),
        WORLD.texts[sample],
        range(1, 7),
        WORLD.vocab.mask_id,
    )
    assert torch.allclose(listed.log_probs, truth.log_probs[sample])


def test_both_kinds_are_alike_in_size_and_in_predictions():
    """A causal model predicts all six letters of a text, a denoiser 1 to 6, each as likely."""
    causal, denoiser = (tangle.RECIPES[f"tangle-{kind}"] for kind in ("ar", "diffusion"))
    assert causal.lr == denoiser.lr and causal.batches is denoiser.batches
    ours, theirs = (64 * 6 * causal.steps, 64 * 3.5 * denoiser.steps)
    assert ours == pytest.approx(theirs, rel=1e-3)
    sizes = {load_checkpoint(name)[1].parameters for name in KINDS}
    assert len(sizes) == 1
    torch.manual_seed(0)
    rows = WORLD.sample(20_000, seed=0)
    frozen = torch.arange(7) < 1
    hidden = diffusion.hide(rows, torch.rand(len(rows)), WORLD.vocab.mask_id, frozen=frozen)[1]
    assert float(hidden.sum(1).double().mean()) == pytest.approx(3.5, abs=0.05)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_causal_model_knows_every_blank_better_than_a_denoiser(seed):
    far = {}
    for name in KINDS:
        model, card = load_checkpoint(name, seed)
        far[name] = tangle.far(model, WORLD)["kl_nats_per_blank"]
        assert far[name] == pytest.approx(card.results["kl_nats_per_blank"], abs=1e-4)
    assert 0.0005 < far["tangle-ar"] < 0.6 * far["tangle-diffusion"]
    assert far["tangle-diffusion"] < 0.1  # and it has learned, too


def test_with_ten_places_predictions_are_as_many_too():
    kinds = {name: tangle.RECIPES[f"tangle-ten-{name}"] for name in ("ar", "diffusion")}
    assert {recipe.world().length for recipe in kinds.values()} == {11}
    ours, theirs = 10 * kinds["ar"].steps, 5.5 * kinds["diffusion"].steps
    assert ours == pytest.approx(theirs, rel=1e-3)


def test_what_the_cards_say_of_long_gaps_is_what_the_models_say():
    world = tangle.TEN()
    model, card = load_checkpoint("tangle-ten-ar", 1)
    said = gaps.letters(model, world)
    found = gaps.all_apart(gaps.by_weighing, said, world, most=8)
    assert max(size for _, size in found) == 8 and len(found) == 52
    mean = sum(found.values()) / len(found)
    assert mean == pytest.approx(card.results["kl_nats_per_gap"], abs=1e-4)

    model, card = load_checkpoint("tangle-ten-diffusion", 2)
    longest = [gaps.apart(world, gaps.denoiser(model, world, at, 8), at, 8) for at in (1, 2, 3)]
    assert sum(longest) / 3 == pytest.approx(card.results["kl_nats_8_missing"], abs=1e-4)


@pytest.mark.parametrize(
    "name,read", [("tangle-any-order-long", gaps.any_order), ("tangle-middle", gaps.middle_last)]
)
def test_what_the_cards_say_of_each_gap_is_what_the_models_say(name, read):
    model, card = load_checkpoint(name, 1)
    assert len(card.results) == 1 + 21
    for start, size in ((2, 3), (1, 6)):
        nats = gaps.apart(WORLD, read(model, WORLD, start, size), start, size)
        assert nats == pytest.approx(card.results[f"kl_nats_{size}_from_{start}"], abs=1e-4)
