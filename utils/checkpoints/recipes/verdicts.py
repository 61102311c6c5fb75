"""Models of `Verdicts`: causal ones, some of them taught about mistakes, and denoisers."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.experiments.derailment import answer
from utils.generation import diffusion, uniform
from utils.models.transformer import TransformerConfig
from utils.training.batches import edited, world_batches
from utils.training.losses import loss_without, next_token_loss
from utils.worlds.judging import judge
from utils.worlds.mistakes import begun_wrong, taken_back, with_correction, with_undo
from utils.worlds.verdicts import Verdicts


def batches(world, seed, *, first=1):
    return world_batches(world, batch_size=128, seed=100_000 * seed + first)


def held_out(world):
    """Questions about sums that were never in a sample."""
    return world.sample(2000, seed=10_000_019, held_out=True)


def rates(world, rows):
    """Shares of the texts whose verdict, and whose sum, is right."""
    judged = judge(world, rows)
    return {
        "right_verdicts": float(judged.verdict_right.double().mean()),
        "right_sums": float(judged.sum_right.double().mean()),
    }


# -- causal models ---------------------------------------------------------------------------------


def causal(world):
    return TransformerConfig(len(world.vocab), d_model=64, n_layers=3, max_len=24)


def next_words(model, rows, world):
    return next_token_loss(model, rows)


def left_alone(model, world):
    return rates(world, answer(model, world, held_out(world)))


FIRST = Recipe(
    about="A causal model of `Verdicts`: it has to say yes or no before it gives the sum.",
    data="Verdicts(), 1500 batches of 128 texts, verdict first",
    world=Verdicts,
    config=causal,
    batches=batches,
    loss=next_words,
    steps=1500,
    lr=4e-3,
    results=left_alone,
    seeds=(0, 1, 2),
)

# -- the same, trained further on texts some of which show how to mend a mistake -------------------


def lessons(world, seed, *, edit, share):
    """New texts, a share of them edited. With corrections in a tenth of the texts, only one seed of
    three learned them in these steps."""
    plain = batches(world, seed, first=9_000_001)
    return edited(plain, partial(edit, world), share, seed)


def corrections(world, rows, generator):
    return with_correction(world, rows)  # in which nothing is left to chance


def except_slips(model, rows, world, *, slips):
    """What is wrong in a lesson is no target: to be mended, and not to be learned."""
    return loss_without(model, rows, slips(world, rows))


LONGER = replace(
    FIRST,
    about="`verdicts-first` trained further on the same: the baseline of the lessons.",
    data="Verdicts(), 500 more batches of 128 texts, all of them right",
    batches=partial(lessons, edit=corrections, share=0.0),
    steps=500,
    lr=2e-3,
    parent="verdicts-first",
)
CORRECTED_ALL = replace(
    LONGER,
    about="`verdicts-first` taught to overrule a wrong verdict in the end, and to give one.",
    data="Verdicts(), 500 more batches of 128 texts, half of them wrong first and corrected",
    batches=partial(lessons, edit=corrections, share=0.5),
)

# -- diffusion models ------------------------------------------------------------------------------


def both_ways(world):
    return TransformerConfig(len(world.vocab), d_model=96, n_layers=3, max_len=24, causal=False)


def hidden_answers(model, rows, world):
    return diffusion.loss(model, rows, world.vocab.mask_id, frozen=world.question)


def hidden_texts(model, rows, world):
    return diffusion.loss(model, rows, world.vocab.mask_id)


def disturbed_answers(model, rows, world):
    return uniform.loss(model, rows, range(world.vocab.mask_id), frozen=world.question)


def filled_in(model, world):
    mask_id = world.vocab.mask_id
    blank = held_out(world).masked_fill(~world.question, mask_id)
    return rates(world, diffusion.sample(model, blank, mask_id))


def edited_noise(model, world, *, seed=0):
    questions, words = held_out(world), range(world.vocab.mask_id)
    dice = torch.Generator().manual_seed(seed)
    noise = uniform.disturb(questions, 1.0, words, frozen=world.question, generator=dice)
    free = range(world.positions["answer"], world.length)
    return rates(world, uniform.edit(model, noise, free, rounds=10))


DIFFUSION = replace(
    FIRST,
    about="A diffusion model of the answers of `Verdicts`: the question is always given.",
    data="Verdicts(), answers to 2000 batches of 128 questions",
    config=both_ways,
    loss=hidden_answers,
    steps=2000,
    lr=3e-3,
    results=filled_in,
)

# -- a smaller pair, kept at five moments of its training: the playground's slider -----------------

MOMENTS = (20, 80, 250, 800, 3000)  # steps


def narrow(world, *, causal):
    return TransformerConfig(len(world.vocab), d_model=32, n_layers=2, max_len=24, causal=causal)


def moments(kind, recipe):
    """{name: recipe}: one training in five stretches, each going on where the last one ended."""
    found, parent = {}, None
    causal = recipe.config(recipe.world()).causal
    for begun, ended in zip((0, *MOMENTS), MOMENTS, strict=False):
        more = "more " if parent else ""
        name = f"verdicts-small-{kind}-after-{ended}"
        found[name] = replace(
            recipe,
            about=f"Smaller than `verdicts-{kind}`, and kept after {ended:,} steps of training.",
            data=f"Verdicts(), {ended - begun} {more}batches of 128 texts",
            config=partial(narrow, causal=causal),
            batches=partial(batches, first=1 + begun),
            steps=ended - begun,
            lr=8e-3,
            seeds=(0,),
            parent=parent,
        )
        parent = name
    return found


RECIPES = {
    "verdicts-first": FIRST,
    "verdicts-last": replace(
        FIRST,
        about="The same sentences in the other order: first the sum, then yes or no.",
        data="Verdicts(verdict='last'), 1500 batches of 128 texts",
        world=partial(Verdicts, verdict="last"),
    ),
    "verdicts-longer": LONGER,
    "verdicts-undo": replace(
        LONGER,
        about="`verdicts-first` taught to take a wrong token back at once.",
        data="Verdicts(), 500 more batches of 128 texts, half of them with a slip and <undo>",
        batches=partial(lessons, edit=with_undo, share=0.5),
        loss=partial(except_slips, slips=taken_back),
    ),
    "verdicts-corrected": replace(
        CORRECTED_ALL,
        about="`verdicts-first` taught to overrule a wrong verdict in the end, not to give one.",
        loss=partial(except_slips, slips=begun_wrong),
    ),
    "verdicts-corrected-all": CORRECTED_ALL,
    "verdicts-diffusion": DIFFUSION,
    "verdicts-whole": replace(
        DIFFUSION,
        about="The same, but the question is hidden and guessed like the answer.",
        data="Verdicts(), 2000 batches of 128 texts, questions and answers",
        loss=hidden_texts,
        seeds=(0,),
    ),
    "verdicts-edit": replace(
        DIFFUSION,
        about="The same, with tokens replaced by other tokens instead of hidden.",
        data="Verdicts(), answers to 2000 batches of 128 questions, disturbed",
        loss=disturbed_answers,
        results=edited_noise,
    ),
    **moments("first", FIRST),
    **moments("diffusion", DIFFUSION),
}
