import torch

from utils.checkpoints.recipes.chains import KINDS, SIZES
from utils.checkpoints.store import at_seed, load_checkpoint, read_card
from utils.experiments import scarce, speed
from utils.measure import likelihood
from utils.worlds import Chains


def test_both_have_learned_the_language_and_not_its_letters_alone():
    world = Chains()
    probs = world.grid(world.log_prob(world.texts).exp())
    alone = [probs.sum([j for j in range(6) if j != i]) for i in range(6)]
    letters = torch.stack([alone[i][world.texts[:, i + 1]] for i in range(6)]).log().sum(0)
    chance = likelihood.kl_of(world, letters)
    for name in KINDS:
        model, _ = load_checkpoint(f"chains-{name}")
        assert likelihood.kl_of(world, scarce.joint(world, model)) < chance / 4, name


def test_models_of_blocks_have_learned_it_and_lose_by_what_they_fill_at_once():
    """One token a pass: near the language, the nearer the smaller the block. Several: what was
    lost is the sampler's, more than a model's whole error."""
    for seed in range(3):
        cards = [read_card(at_seed(f"chains-blocks-{size}", seed)) for size in SIZES]
        alone = [card.results["kl_nats_1_a_pass_likeliest"] for card in cards]
        assert alone == sorted(alone) and alone[0] < 0.02 and alone[-1] < 0.6, seed
        for size, card, kl in zip(SIZES[1:], cards[1:], alone[1:], strict=True):
            at_once = card.results[f"kl_nats_{size}_a_pass_likeliest"]
            assert at_once > kl + 0.4 and card.weights_sha256 is None
        wrong = [
            card.results[f"wrong_{size}_a_pass_likeliest"]
            for size, card in zip(SIZES, cards, strict=True)
        ]
        assert speed.RARE < wrong[0] < 0.02 < min(wrong[1:]), "texts that are hardly ever written"
