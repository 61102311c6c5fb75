import pytest
import torch

from utils.checkpoints.recipes import pets
from utils.checkpoints.store import load_checkpoint
from utils.generation import diffusion
from utils.measure import enumeration
from utils.worlds import PETS, Sentences


def test_a_language_so_small_that_all_is_known_about_its_denoiser():
    model, card = load_checkpoint("pets-diffusion")
    world = Sentences(PETS)
    texts = world.sample(4000, seed=1).unique(dim=0)
    truth = world.log_prob(texts)
    assert float(truth.exp().sum()) == pytest.approx(1)  # these are all there are
    mask_id, free = world.vocab.mask_id, range(1, world.length)
    table = enumeration.table(
        lambda t: diffusion.log_probs(model, t, mask_id), texts, free, mask_id
    )
    excess = float((truth.exp() * (truth - enumeration.elbo(table))).sum())
    assert 0 < excess < 0.05
    assert excess == pytest.approx(card.results["bound_above_entropy_nats_per_text"], abs=0.002)


def test_what_is_measured_is_zero_for_the_truth_itself():
    """A causal model, and a denoiser, that know the language exactly have nothing above it."""
    world = pets.pets()

    def causal(rows):
        return world.next_probs(rows).log().clamp_min(-1e9)

    assert pets.surprise_above_entropy(causal, world) == {
        "surprise_above_entropy_nats_per_text": pytest.approx(0, abs=1e-9)
    }

    def denoiser(rows):
        return torch.stack([world.fill_probs(row) for row in rows]).log().clamp_min(-1e9)

    assert pets.bound_above_entropy(denoiser, world) == {
        "bound_above_entropy_nats_per_text": pytest.approx(0, abs=1e-6)
    }
