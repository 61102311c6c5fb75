import pytest

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
