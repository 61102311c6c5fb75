import torch

from utils.checkpoints.recipes.chains import RECIPES
from utils.checkpoints.store import load_checkpoint
from utils.experiments import scarce
from utils.measure import likelihood
from utils.worlds import Chains


def test_both_have_learned_the_language_and_not_its_letters_alone():
    world = Chains()
    probs = world.grid(world.log_prob(world.texts).exp())
    alone = [probs.sum([j for j in range(6) if j != i]) for i in range(6)]
    letters = torch.stack([alone[i][world.texts[:, i + 1]] for i in range(6)]).log().sum(0)
    chance = likelihood.kl_of(world, letters)
    for name in RECIPES:
        model, _ = load_checkpoint(name)
        assert likelihood.kl_of(world, scarce.joint(world, model)) < chance / 4, name
