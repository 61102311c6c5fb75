from functools import partial

import pytest
import torch

from utils.experiments import scarce
from utils.experiments.scarce import Arm
from utils.generation import diffusion
from utils.measure import enumeration, likelihood
from utils.models.transformer import Transformer
from utils.worlds import Chains

WORLD = Chains("abc", 3)
MODELS = {
    kind: Transformer(scarce.shape(WORLD, kind), seed=1).eval()
    for kind in ("causal", "permuted", "diffusion")
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_gives_all_texts_together_a_probability_of_one(kind):
    """Up to what the untrained give to tokens that are no letters."""
    total = float(scarce.joint(WORLD, MODELS[kind]).exp().sum())
    assert 0 < total <= 1 + 1e-6


def test_the_fast_table_is_the_table():
    mask_id = WORLD.vocab.mask_id
    say = partial(diffusion.log_probs, MODELS["diffusion"], mask_id=mask_id)
    with torch.no_grad():
        slow = enumeration.table(say, WORLD.texts, range(1, 4), mask_id)
        fast = enumeration.full_table(WORLD, say)
    assert torch.allclose(slow.log_probs, fast.log_probs, atol=1e-6)
    assert torch.allclose(slow.peaks, fast.peaks, atol=1e-6)


def test_distances_are_those_of_likelihood_and_the_bound_is_the_largest():
    denoiser, mask_id = MODELS["diffusion"], WORLD.vocab.mask_id
    look = scarce.measure(WORLD, denoiser, 0, torch.arange(3))
    assert look.kl == pytest.approx(likelihood.kl(WORLD, denoiser, mask_id), abs=1e-5)
    left = likelihood.kl(WORLD, denoiser, mask_id, order="left-to-right")
    assert look.left == pytest.approx(left, abs=1e-5)
    assert 0 < look.kl <= look.bound
    causal = scarce.measure(WORLD, MODELS["causal"], 0, torch.arange(3))
    assert causal.kl == pytest.approx(likelihood.kl(WORLD, MODELS["causal"]), abs=1e-5)


def test_the_truth_is_no_way_from_the_truth():
    truth = WORLD.log_prob(WORLD.texts)
    assert likelihood.kl_of(WORLD, truth) == 0
    table = enumeration.by_bayes(WORLD.grid(truth.exp()))
    assert float(scarce.errors(WORLD, table).abs().max()) < 1e-12


def test_errors_by_set_add_up_to_the_bound():
    """The bound is the mean over orders, so over the sets an order passes, of their errors."""
    table = scarce.answers(WORLD, MODELS["diffusion"])
    off, total = scarce.errors(WORLD, table), 0.0
    for count in (1, 2, 3):
        states = [s for s in range(8) if s.bit_count() == count]
        total += sum(float(off[s].sum()) for s in states) / count / len(states)
    assert total == pytest.approx(likelihood.kl_of(WORLD, enumeration.elbo(table)))


def test_texts_in_order_can_be_read_back():
    orders = torch.tensor([[2, 0, 1]])
    rows = scarce.in_order(torch.tensor([[9, 5, 6, 7]]), orders, 20)
    assert rows.tolist() == [[9, 22, 7, 20, 5, 21, 6]]


def test_numbers_finds_each_text():
    assert torch.equal(scarce.numbers(WORLD, WORLD.texts), torch.arange(27))


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_minimised_is_the_surprise(kind):
    """An untrained model of three letters and two more tokens is about as surprised as chance."""
    torch.manual_seed(0)
    stack = scarce.Stack([MODELS[kind]])
    rows = WORLD.sample(64, seed=0)[None]
    how = {"vocab": len(WORLD.vocab), "mask_id": WORLD.vocab.mask_id, "given": 1}
    loss = scarce.losses(stack, rows, [Arm(kind)], **how)
    assert 1.0 < loss.item() < 4


def test_a_few_steps_bring_models_nearer_and_texts_kept_out_are_not_learned_from():
    found = scarce.learn(WORLD, 40, [Arm("causal"), Arm("causal", hidden=0.5)], (0, 1), steps=40)
    assert len(found) == 4
    for looks, best in found.values():
        assert looks[-1].kl < looks[0].kl
        assert scarce.joint(WORLD, best).shape == (27,)
    assert scarce.kept_out_texts(40) == 8


def test_averaging_is_never_worse_than_the_mean_of_those_averaged():
    pair = [Transformer(scarce.shape(WORLD, "causal"), seed=seed).eval() for seed in (1, 2)]
    alone = [likelihood.kl(WORLD, model) for model in pair]
    assert scarce.averaged(WORLD, pair, torch.arange(3)).kl <= sum(alone) / 2
