"""Everything a function makes is made where its tokens are: a reader with a GPU says `.to("cuda")`.

Without one, `elsewhere.py` stands in for it; with one, the same is run on it.
"""

import pytest
import torch

from tests.elsewhere import ELSEWHERE, SecondDevice
from tests.small_models import lively, tokens
from utils.experiments import compounding, derailment, proofreading
from utils.generation import (
    blocks,
    diffusion,
    guided,
    refining,
    remasking,
    revision,
    rewriting,
    speculative,
    uniform,
)
from utils.generation.forcing import force
from utils.generation.ragged import continue_each
from utils.generation.sampling import generate, score
from utils.measure import enumeration
from utils.measure.likelihood import bits_per_character, bound_per_character, excess_nats
from utils.measure.probes import Doubt, slips
from utils.models.kv_cache import KVCache
from utils.models.transformer import TransformerConfig, attention_weights
from utils.training.fit import fit
from utils.training.losses import answer_loss, loss_without, next_token_loss
from utils.worlds import PETS, Sentences, Totals, Verdicts
from utils.worlds.automata import counted
from utils.worlds.judging import judge
from utils.worlds.mistakes import with_undo

SHAPE = {"d_model": 16, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "d_ff": 32, "max_len": 24}
MASK = 49
WORLD = Verdicts()


def causal():
    return lively(TransformerConfig(50, **SHAPE))


def denoiser():
    return lively(TransformerConfig(50, **SHAPE, causal=False))


def dice():
    return torch.Generator().manual_seed(3)


def digits(device):
    return Totals(4).sample(3, seed=0).to(device)


def masked(text):
    return text.where(torch.arange(12).to(text.device) % 3 > 0, MASK)


def trained(model, loss, text):
    return fit(model, [text], loss, steps=3, lr=1e-3, seed=0, progress=False).losses


# What is tried on the other device: a model, and what is done with it and a text (4, 12) there.
TRIED = {
    "forward": (causal, lambda m, t: m(t)),
    "attention": (causal, attention_weights),
    "greedy": (causal, lambda m, t: generate(m, t, 6)),
    "without a cache": (causal, lambda m, t: generate(m, t, 6, cache=False)),
    "sampled": (
        causal,
        lambda m, t: generate(m, t, 6, temperature=1.0, top_p=0.9, generator=dice()),
    ),
    "top k": (causal, lambda m, t: generate(m, t, 6, temperature=1.0, top_k=5, generator=dice())),
    "stopped": (causal, lambda m, t: generate(m, t, 6, stop=list(range(0, 50, 2)))),
    "own cache": (causal, lambda m, t: generate(m, t, 6, cache=KVCache.like(m, 4))),
    "cloned": (causal, lambda m, t: KVCache.like(m, 4).clone().keys[..., :0, :]),
    "traced": (causal, lambda m, t: generate(m, t[:1], 3, trace=[])),
    "scored": (causal, score),
    "forced": (causal, lambda m, t: force(m, t, [3, 4], 4, trace=None)),
    "forced, traced": (causal, lambda m, t: force(m, t[:1], [3, 4], 4, trace=[])),
    "ragged": (causal, lambda m, t: continue_each(m, [t[0], t[1, :7]], 4, (0,))[1]),
    "backtracked": (causal, lambda m, t: rewriting.backtrack(m, t, range(4, 12), rounds=2)),
    "gibbs": (
        causal,
        lambda m, t: rewriting.gibbs(
            m, t, [4, 7], sweeps=1, candidates=3, temperature=1.0, generator=dice()
        ),
    ),
    **{
        f"in blocks, {type(rule).__name__}": (
            causal,
            lambda m, t, rule=rule: blocks.write(
                blocks.Reader(m, 4), t, 6, rule, size=3, generator=dice()
            ),
        )
        for rule in (
            refining.Masks(MASK, 2, 0.3, edit=0.2, temperature=1.0),
            refining.Noise(range(50), 2, 0.3, edit=0.2, temperature=1.0),
            refining.Entropy(range(50), 3, self_condition=True),
        )
    },
    "block loss": (
        causal,
        lambda m, t: blocks.loss(m, t, MASK, size=4, given=4, generator=dice()),
    ),
    "block noise loss": (
        causal,
        lambda m, t: blocks.noise_loss(m, t, range(50), size=4, given=4, generator=dice()),
    ),
    "guessed by a model": (
        causal,
        lambda m, t: speculative.generate(
            m, t, 6, speculative.Small(m, 1.0), temperature=1.0, generator=dice()
        ),
    ),
    "looked up": (causal, lambda m, t: speculative.generate(m, t, 6, speculative.Lookup())),
    "particles": (
        causal,
        lambda m, t: (
            guided.particles(
                m, t, 5, guided.Mask(counted(50, 3, 2), 17, 12), n=3, resample=1, generator=dice()
            ).texts
        ),
    ),
    "answered": (causal, lambda m, t: judge(WORLD, derailment.answer(m, WORLD, rows(t))).tokens),
    "voted": (
        causal,
        lambda m, t: derailment.vote(m, WORLD, rows(t), 3, temperature=1.0, generator=dice()).rows,
    ),
    "best of": (
        causal,
        lambda m, t: (
            derailment.best_of(m, WORLD, rows(t), 3, temperature=1.0, generator=dice()).rows
        ),
    ),
    "predicted": (causal, lambda m, t: derailment.predicted(m, WORLD, rows(t), 1.0)["all right"]),
    "totals": (
        causal,
        lambda m, t: compounding.write_totals(
            m, Totals(4), digits(t.device)[:, 1::2], temperature=1.0, generator=dice()
        ),
    ),
    "hazards": (causal, lambda m, t: compounding.hazards(m, digits(t.device))),
    "undo lessons": (causal, lambda m, t: with_undo(WORLD, rows(t), dice())),
    "filled": (denoiser, lambda m, t: diffusion.sample(m, masked(t), MASK)),
    "filled in few passes": (
        denoiser,
        lambda m, t: diffusion.sample(
            m, masked(t), MASK, steps=2, order="random", temperature=1.0, generator=dice()
        ),
    ),
    "filled when sure": (
        denoiser,
        lambda m, t: diffusion.sample(m, masked(t), MASK, order="left-to-right", threshold=0.3),
    ),
    "filled, traced": (denoiser, lambda m, t: diffusion.sample(m, masked(t[:1]), MASK, trace=[])),
    "corrupted": (denoiser, lambda m, t: diffusion.corrupt(t, 0.5, MASK, generator=dice())[0]),
    "diffusion loss": (denoiser, lambda m, t: diffusion.loss(m, t, MASK, generator=dice())),
    "elbo": (denoiser, lambda m, t: diffusion.elbo(m, t, MASK, samples=2, generator=dice())),
    "confidences": (denoiser, lambda m, t: revision.confidences(m, t, MASK, [2, 3])),
    "revised": (denoiser, lambda m, t: revision.revise(m, t, MASK, [2, 3, 4], rounds=2)),
    "revised, traced": (
        denoiser,
        lambda m, t: revision.revise(m, t[:1], MASK, [2, 3], rounds=1, trace=[]),
    ),
    "revised by lot": (
        denoiser,
        lambda m, t: revision.revise(
            m, t, MASK, [2, 3, 4], rounds=2, threshold=0.9, temperature=1.0, generator=dice()
        ),
    ),
    "re-masked": (
        denoiser,
        lambda m, t: remasking.sample(m, masked(t), MASK, steps=3, most=0.5, generator=dice()),
    ),
    "planted": (denoiser, lambda m, t: proofreading.plant(t, seed=0)[0]),
    "hidden in turn": (
        denoiser,
        lambda m, t: (
            proofreading.leave_one_out(proofreading.hide_each(m, t, MASK, generator=dice())).token
        ),
    ),
    "read by a signal": (
        denoiser,
        lambda m, t: proofreading.by_signal(m, t, MASK, revision.glance).token,
    ),
    "read by Bayes": (
        causal,
        lambda m, t: proofreading.by_bayes(m, t, places=2, candidates=2).token,
    ),
    "read at first sight": (causal, lambda m, t: proofreading.at_first_sight(m, t).token),
    "doubted": (
        denoiser,
        lambda m, t: Doubt(m, t, t < 25, [2, 3], steps=2)(m, t, MASK, [2, 3]),
    ),
    "slips": (denoiser, lambda m, t: slips(m, t, MASK, [2, 3], generator=dice())[0]),
    "uniform loss": (denoiser, lambda m, t: uniform.loss(m, t, range(40), generator=dice())),
    "enumerated": (denoiser, lambda m, t: listed(m, t)),
    "surprise above the truth": (
        lambda: lively(TransformerConfig(len(PETS_WORLD.vocab), **SHAPE)),
        lambda m, t: torch.tensor(excess_nats(m, PETS_WORLD, pets(t))).to(t.device),
    ),
    "bits": (causal, lambda m, t: torch.tensor(bits_per_character(m, long(t), 99)).to(t.device)),
    "bound": (
        denoiser,
        lambda m, t: torch.tensor(bound_per_character(m, long(t), 99, MASK, samples=1)).to(
            t.device
        ),
    ),
    "exact": (causal, lambda m, t: PETS_WORLD.log_prob(pets(t))),
    "blanks": (causal, lambda m, t: PETS_WORLD.fill_probs(pets(t)[0])),
    "edited": (denoiser, lambda m, t: uniform.edit(m, t, [2, 3, 4], rounds=2, most=1)),
    "edited, traced": (denoiser, lambda m, t: uniform.edit(m, t[:1], [2, 3], rounds=1, trace=[])),
}
TRAINED = {
    "next token": (causal, next_token_loss),
    "without slips": (causal, lambda m, t: loss_without(m, t, t < 5)),
    "answers": (causal, lambda m, t: answer_loss(m, t[:, :11])),  # a start token, and pairs
    "diffusion": (denoiser, lambda m, t: diffusion.loss(m, t, MASK)),
    "uniform": (denoiser, lambda m, t: uniform.loss(m, t, range(40))),
}


PETS_WORLD = Sentences(PETS)


def pets(text):
    return PETS_WORLD.sample(4, seed=0).to(text.device)


def long(text):
    return text.repeat(1, 3).flatten()


def listed(model, text):
    def say(tokens):
        return diffusion.log_probs(model, tokens, MASK)

    return enumeration.elbo(enumeration.table(say, text, range(2, 5), MASK))


def rows(text):
    return WORLD.sample(4, seed=0).to(text.device)


def on_the_cpu(found):
    return found.detach().cpu()


@pytest.fixture(autouse=True)
def inference_without_its_mode(monkeypatch):
    """Tensors that wrap others cannot be made in inference mode; without gradients will do."""

    def enter(self):
        self.before = torch.is_grad_enabled()
        torch.set_grad_enabled(False)

    monkeypatch.setattr(torch.inference_mode, "__enter__", enter)
    leave = lambda self, *_: torch.set_grad_enabled(self.before)  # noqa: E731
    monkeypatch.setattr(torch.inference_mode, "__exit__", leave)


@pytest.mark.parametrize("name", TRIED)
def test_what_runs_here_runs_on_another_device_with_the_same_result(name):
    make, use = TRIED[name]
    text = tokens(4, 12, vocab_size=49)
    torch.manual_seed(0)
    here = use(make(), text)
    if torch.cuda.is_available():
        there = use(make().to("cuda"), text.to("cuda"))
    else:
        with SecondDevice():
            torch.manual_seed(0)
            model = make().to(ELSEWHERE)
            there = use(model, text.to(ELSEWHERE))
            assert there.device == ELSEWHERE, f"{name} ended on {there.device}"
            there = on_the_cpu(there)
    torch.testing.assert_close(there.cpu(), here.detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_a_training_moves_its_batches_to_the_model(name):
    make, loss = TRAINED[name]
    text = tokens(4, 12, vocab_size=49)
    here = trained(make().requires_grad_(True), loss, text)
    if torch.cuda.is_available():
        trained(make().requires_grad_(True).to("cuda"), loss, text)
    else:
        with SecondDevice():
            there = trained(make().to(ELSEWHERE).requires_grad_(True), loss, text)
        assert there == pytest.approx(here, abs=1e-4)


def test_the_stand_in_refuses_what_a_gpu_would_refuse():
    with SecondDevice():
        there = torch.ones(3).to(ELSEWHERE)
        with pytest.raises(RuntimeError, match="on the CPU"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="generator"):
            torch.rand(3, device=ELSEWHERE, generator=dice())
