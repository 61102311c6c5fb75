"""Whatever takes a model takes it in any precision: 64 bits, 16 of either kind, and where doubles
are the default. It does what it does in float32 but for rounding, or says what would do.
"""

from dataclasses import replace

import pytest
import torch

from tests import test_arguments, test_devices
from tests.small_models import lively, tokens
from utils.experiments import states
from utils.generation import blocks, canvas, guided, refining, revision, speculative, trajectories
from utils.generation.diffusion import sample
from utils.generation.sampling import generate
from utils.generation.stale import Stale
from utils.measure import likelihood, patching, probes
from utils.models import markov
from utils.models.absolute import AbsoluteTransformer
from utils.models.feedback import Feedback
from utils.models.looped import looped
from utils.models.multi_token import MultiToken
from utils.models.recurrent import Recurrent
from utils.models.smollm import eight_bits
from utils.models.transformer import Transformer, TransformerConfig
from utils.training.fit import fit
from utils.training.losses import multi_token_loss, next_token_loss
from utils.training.stack import Stack, fit_stack
from utils.worlds import Topics
from utils.worlds.automata import counted

DTYPES = [torch.float64, torch.float16, torch.bfloat16]
# What may differ, as a share of the largest number: a unit in the last place, and some layers.
CLOSE = {torch.float64: 1e-5, torch.float16: 2e-2, torch.bfloat16: 1e-1}
DOUBLES = "doubles as the default"
MASK, KINDS = test_devices.MASK, torch.tensor([0, 1, 0, 1])
SHAPE = TransformerConfig(50, 32, 2, 4, max_len=24)
BOTH_WAYS = replace(SHAPE, causal=False)
CHAIN = markov.fit(torch.tensor([0, 1, 2, 1, 0, 2]), 2, 50)


def gentle(config=SHAPE):
    """A model whose logits are not so lively that 16 bits tell nothing of them."""
    return Transformer(config).requires_grad_(False).eval()


def two_models():
    return Stack([gentle(), Transformer(SHAPE, seed=1)]).eval()


# Models of every kind, and what each says of a text (4, 12).
SAYING = {
    "causal": (gentle, lambda m, t: m(t)),
    "both ways": (lambda: gentle(BOTH_WAYS), lambda m, t: m(t)),
    "numbered places": (lambda: AbsoluteTransformer(BOTH_WAYS), lambda m, t: m(t)),
    "looped": (lambda: looped(gentle(), 3), lambda m, t: m(t)),
    "several tokens at once": (lambda: MultiToken(gentle(), 2), lambda m, t: m(t)),
    "the first of them": (lambda: MultiToken(gentle(), 2), lambda m, t: m.first()(t)),
    "feedback": (lambda: Feedback(gentle()), lambda m, t: m(t)),
    "recurrent": (lambda: Recurrent(50, 16, 16, seed=0), lambda m, t: m(t)),
    "recurrent, changed": (
        lambda: Recurrent(50, 16, 16, seed=0),
        lambda m, t: m.changed(t, slice(2, 4), lambda layer, x: x / 2),
    ),
    "a stack": (two_models, lambda m, t: m(t.view(2, 2, 12)).flatten(0, 1)),
    "one of a stack": (two_models, lambda m, t: m.model(1)(t)),
    "eight bits": (lambda: eight_bits(gentle()), lambda m, t: m(t)),
    "with a stale cache": (
        lambda: gentle(BOTH_WAYS),
        lambda m, t: (stale := Stale(m)).read(t)[:, 3:6] + stale.look(t, 3, 6),
    ),
}


def ways_to(m, t, ask):
    """A stand-in for the log-probability of texts that were written in a random order."""
    dice = test_devices.dice()
    order = torch.rand(len(t), 4, generator=dice, dtype=torch.float32).argsort(1) * 3
    return ask(m, trajectories.Written(t, order), dice)


def doubt_of(m, t):
    return probes.Doubt(m, t, t < 25, [2, 3], steps=2)


def read_by_a_line(states):
    return torch.tensor(probes.Linear(states, KINDS).accuracy(states, KINDS))


# What is not among the things tried on another device.
USES = {
    "revised by doubt": lambda m, t: revision.revise(
        m, t, MASK, [2, 3], rounds=2, signal=doubt_of(m, t)
    ),
    "exactly": lambda m, t: likelihood.exact(m, t[:, :5], MASK),
    "exactly, left to right": lambda m, t: likelihood.exact(
        m, t[:, :5], MASK, order="left-to-right"
    ),
    "read by a line": lambda m, t: torch.tensor(
        probes.Linear(patching.states(m, t, 1, 2), KINDS).accuracy(
            patching.states(m, t, 1, 2), KINDS
        )
    ),
    "on a canvas": lambda m, t: canvas.write(
        m, t, [1, 2, 3], range(40), passes=4, keep=1, generator=test_devices.dice()
    ),
    "by steps": lambda m, t: ways_to(
        m,
        t,
        lambda m, told, dice: trajectories.stand_in(
            m, told.texts, trajectories.by_steps(told, MASK), MASK, eagerness=1.0
        ),
    ),
    "by pairs": lambda m, t: ways_to(
        m,
        t,
        lambda m, told, dice: trajectories.stand_in(
            m, told.texts, trajectories.by_pairs(told, MASK, generator=dice), MASK
        ),
    ),
    "two bounds": lambda m, t: ways_to(
        m,
        t,
        lambda m, told, dice: trajectories.two_bounds(
            m, told.texts, trajectories.by_masks(told, MASK, 3, generator=dice), MASK, KINDS > 0
        ),
    ),
    "read again": lambda m, t: blocks.write(
        blocks.Rereading(m, MASK, 16), t[:, :6], 6, refining.Masks(MASK, 2), size=3
    ),
    "guided": lambda m, t: sample(guided.Guided(m, m, 1.5), test_devices.masked(t), MASK),
    "fitting": lambda m, t: sample(
        guided.Fitting(m, counted(50, 3, 2), MASK), test_devices.masked(t), MASK
    ),
}
TRIED = test_devices.TRIED | {name: (test_devices.denoiser, use) for name, use in USES.items()}
TRIED |= {
    "guessed by counting": (
        test_devices.causal,
        lambda m, t: speculative.generate(
            m, t % 3, 6, speculative.Counts(CHAIN, 1.0), temperature=1.0
        ),
    ),
    "steered": (
        test_devices.causal,
        lambda m, t: guided.steer(m, t, 5, guided.Mask(counted(50, 3, 2), 17, 12)),
    ),
    "looped, written": (
        lambda: looped(test_devices.causal(), 3),
        lambda m, t: generate(m, t, 4, cache=False),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", SAYING)
def test_a_model_of_any_kind_says_what_it_says_in_float32(kind, dtype):
    make, say = SAYING[kind]
    with torch.no_grad():
        expected, said = say(make(), tokens(4, 12)), say(make().to(dtype), tokens(4, 12))
    assert said.dtype == torch.promote_types(dtype, torch.float32)
    assert (said - expected).abs().max() < CLOSE[dtype] * expected.abs().max()


@pytest.mark.parametrize("dtype", [*DTYPES, DOUBLES])
@pytest.mark.parametrize("name", TRIED)
def test_what_is_done_with_a_model_is_done_in_any_precision(name, dtype):
    """Texts are texts, of the same shape; in 64 bits the numbers are those of 32."""
    make, use = TRIED[name]
    text = tokens(4, 12, vocab_size=49)
    torch.manual_seed(0)
    expected = use(make(), text)
    model = make() if dtype is DOUBLES else make().to(dtype)
    torch.manual_seed(0)
    if dtype is DOUBLES:  # and the model was kept in 32
        torch.set_default_dtype(torch.float64)
    try:
        found = use(model, text)
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.shape == expected.shape and found.isfinite().all()
    if not found.is_floating_point():
        assert found.dtype == expected.dtype
    elif dtype is torch.float64 or (dtype is DOUBLES and name != "doubted"):  # drawn in doubles
        torch.testing.assert_close(found.double(), expected.double(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [*DTYPES, DOUBLES])
def test_every_function_that_takes_a_number_takes_a_model_in_any_precision(dtype):
    """`test_arguments` calls all of them with its models; a cache of another precision is refused
    in a line."""
    models = [m for m in vars(test_arguments).values() if isinstance(m, torch.nn.Module)]
    kept = [{name: weight.clone() for name, weight in m.state_dict().items()} for m in models]
    assert len(models) > 5
    try:
        if dtype is DOUBLES:
            torch.set_default_dtype(torch.float64)
        else:
            for model in models:
                model.to(dtype)
        for key, argument in test_arguments.ARGUMENTS.items():
            try:
                argument.call(argument.good[0])
            except ValueError as error:
                assert key == "KVCache.crop length" and "make one with KVCache.like" in str(error)
    finally:
        torch.set_default_dtype(torch.float32)
        for model, weights in zip(models, kept, strict=True):
            model.float().load_state_dict(weights)
            model.rotary.copy_(type(model)(model.config).rotary)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", states.KINDS)
@pytest.mark.parametrize(
    "make",
    [
        lively,
        lambda config: Feedback(lively(config)),
        lambda config: Recurrent(config.vocab_size, 8, 8, seed=0),
    ],
)
def test_what_a_state_says_is_exchanged_in_any_precision(make, kind, dtype):
    world = Topics(5)
    config = TransformerConfig(len(world.vocab), 8, 2, 2, max_len=8)
    rows = world.sample(20, seed=0)

    def moved(model):
        along = states.bases(model, world, rows, kind)
        return states.after_swap(model, world, rows, rows.flip(0), along, 2, 2).moved

    with torch.no_grad():
        expected, found = moved(make(config)), moved(make(config).to(dtype))
    assert found.shape == expected.shape and found.isfinite().all()
    if dtype is torch.float64:
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", ["feedback", "recurrent", "several tokens at once"])
def test_a_model_of_any_kind_learns(kind, dtype):
    model = SAYING[kind][0]().requires_grad_(True).to(dtype)
    loss = next_token_loss
    if kind == "several tokens at once":
        loss = lambda m, t: multi_token_loss(m, t, t < 0)  # noqa: E731
    how = {"steps": 10, "lr": 1e-2, "seed": 0, "progress": False}
    history = fit(model, [tokens(4, 10)], loss, **how)
    assert history.losses[-1] < history.losses[0] - 0.1


def stacked_losses(stack, lr=1e-2):
    found, text = [], tokens(4, 10)[None].repeat(2, 1, 1)

    def loss(stack, rows):
        logits = stack(rows[..., :-1]).flatten(0, 2)
        wrong = torch.nn.functional.cross_entropy(logits, rows[..., 1:].flatten(), reduction="none")
        found.append(wrong.view(2, -1).mean(1))
        return found[-1]

    fit_stack(stack, lambda: text, loss, steps=10, lr=lr, decay=[0.0, 0.1])
    return found


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_stack_learns(dtype):
    losses = stacked_losses(two_models().requires_grad_(True).to(dtype))
    assert (losses[-1] < losses[0] - 0.1).all()


def test_a_stack_whose_loss_is_no_number_says_so():
    stack = two_models().requires_grad_(True)
    with torch.no_grad():
        stack.weights[0][1] = torch.nan
    with pytest.raises(ValueError, match="the loss became nan at step 1; lower the learning rate"):
        stacked_losses(stack)
    with pytest.raises(ValueError, match=r"at step 1; float16 .* train model\.float\(\)"):
        stacked_losses(stack.to(torch.float16))


@pytest.mark.parametrize(
    "dtype, advice",
    [
        (torch.float32, "lower the learning rate, lr=0.001"),
        (
            torch.float16,
            r"float16 takes the squares of small gradients for 0; train model\.float\(\)",
        ),
    ],
)
def test_a_loss_that_is_no_number_is_laid_to_the_precision_where_that_is_why(dtype, advice):
    model = Transformer(SHAPE).to(dtype)
    with torch.no_grad():
        model.scale[0] = torch.nan
    with pytest.raises(ValueError, match=f"the loss became nan at step 1; {advice}"):
        fit(model, [tokens(2, 6, 50)], next_token_loss, steps=1, lr=1e-3, seed=0, progress=False)


def test_a_doubt_that_was_learned_in_one_precision_reads_another():
    text, model = tokens(4, 12, 49), gentle(BOTH_WAYS)
    doubt = doubt_of(model, text)
    expected = doubt(model, text, MASK, [2, 3])
    found = doubt(gentle(BOTH_WAYS).double(), text, MASK, [2, 3])
    assert (found - expected).abs().max() < 1e-4
