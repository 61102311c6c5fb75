"""Models that have learned pairs by heart: causal ones that read left to right, in any order, or
the middle last, and denoisers. All are alike in size and in how many tokens they had to predict."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.experiments import directions
from utils.generation import diffusion
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import answer_loss, loss_without, next_token_loss
from utils.training.rearranged import in_any_order, middle_last
from utils.worlds.pairs import Pairs


def small(world, *, causal):
    return TransformerConfig(
        len(world.vocab) + world.length,  # room for the tokens that announce a place or a gap
        d_model=48,
        n_layers=2,
        max_len=2 * world.length,
        causal=causal,
    )


def batches(world, seed):
    return world_batches(world, batch_size=50, seed=1000 * seed + 1)


def next_tokens(model, rows, world):
    return next_token_loss(model, rows)


def any_order(model, rows, world):
    return answer_loss(model, in_any_order(rows, len(world.vocab)))


def middle(model, rows, world):
    """Half of the rows as they are, half with the middle last; the marks are no targets."""
    gap, half = len(world.vocab), len(rows) // 2
    cut = middle_last(rows[half:], gap)
    plain = next_token_loss(model, rows[:half])
    return (plain + loss_without(model, cut, cut >= gap)) / 2


def hidden(model, rows, world, *, first=1):
    """Blanks fall on all places from `first` on."""
    frozen = torch.arange(world.length) < first
    return diffusion.loss(model, rows, world.vocab.mask_id, frozen=frozen)


def second_name(model, rows, world):
    return hidden(model, rows, world, first=world.size + 2)


def whole_name(model, rows, world):
    """One of the two names is hidden, all of it (whole-entity masking)."""
    size, mask_id = world.size, world.vocab.mask_id
    start = torch.where(torch.rand(len(rows), 1) < 0.5, 1, size + 2)
    places = torch.arange(world.length)
    gone = (places >= start) & (places < start + size)
    said = diffusion.log_probs(model, rows.masked_fill(gone, mask_id), mask_id, gone)
    return -said.gather(-1, rows[gone][:, None]).mean()


def results(model, world, *, read):
    """Share of the pairs that it gets right, of those that were told one way only."""
    found = directions.asked(read, model, world)
    return {
        name.replace(" ", "_"): float(right[world.n_both :].double().mean())
        for name, right in found.items()
    }


CAUSAL = Recipe(
    about="A causal model that has read a hundred pairs from left to right.",
    data="Pairs(), 1000 batches of 50 texts: 450,000 tokens to predict",
    world=Pairs,
    config=partial(small, causal=True),
    batches=batches,
    loss=next_tokens,
    steps=1000,
    lr=3e-3,
    results=partial(results, read=directions.left_to_right),
    seeds=(0, 1, 2),
)
DENOISER = replace(
    CAUSAL,
    about="A denoiser. Of nine tokens it predicts five on average, so it sees more texts.",
    data="Pairs(), 1800 batches of 50 texts: 450,000 tokens to predict",
    config=partial(small, causal=False),
    loss=hidden,
    steps=1800,
    results=partial(results, read=directions.fills),
)
MIDDLE = replace(
    CAUSAL,
    about="A causal model; in half of the texts a stretch was cut out and told at the end.",
    loss=middle,
    results=partial(results, read=directions.middle_last),
)
HALF = partial(Pairs, both=0.5)
SHORT = replace(
    DENOISER,
    about="A denoiser of names of two syllables, half of the pairs read in both orders.",
    data="Pairs(size=2, both=0.5), 3000 batches of 50 texts: 450,000 tokens to predict",
    world=partial(Pairs, size=2, both=0.5),
    steps=3000,
)
RECIPES = {
    "pairs-ar": CAUSAL,
    "pairs-any-order": replace(
        CAUSAL,
        about="A causal model that has read the tokens in random order, each behind its place.",
        loss=any_order,
        results=partial(results, read=directions.any_order),
    ),
    "pairs-middle": MIDDLE,
    "pairs-middle-long": replace(
        MIDDLE,
        about="The same, trained four times as long.",
        data="Pairs(), 4000 batches of 50 texts: 1,800,000 tokens to predict",
        steps=4000,
    ),
    "pairs-diffusion": DENOISER,
    "pairs-second": replace(
        DENOISER,
        about="A denoiser whose blanks fell on the second name alone: 2.5 of its four tokens.",
        data="Pairs(), 3600 batches of 50 texts: 450,000 tokens to predict",
        loss=second_name,
        steps=3600,
    ),
    "pairs-half-ar": replace(
        CAUSAL,
        about="A causal model that has read half of the pairs in both orders.",
        data="Pairs(both=0.5), 2000 batches of 50 texts: 900,000 tokens to predict",
        world=HALF,
        steps=2000,
    ),
    "pairs-half-diffusion": replace(
        DENOISER,
        about="A denoiser that has read half of the pairs in both orders.",
        data="Pairs(both=0.5), 3600 batches of 50 texts: 900,000 tokens to predict",
        world=HALF,
        steps=3600,
    ),
    "pairs-half-short": SHORT,
    "pairs-half-short-ar": replace(
        CAUSAL,
        about="A causal model of names of two syllables, half of the pairs read in both orders.",
        data="Pairs(size=2, both=0.5), 1800 batches of 50 texts: 450,000 tokens to predict",
        world=partial(Pairs, size=2, both=0.5),
        steps=1800,
    ),
    "pairs-half-single": replace(
        SHORT,
        about="A denoiser of names of one syllable, half of the pairs read in both orders.",
        data="Pairs(60, 1, both=0.5), 4500 batches of 50 texts: 450,000 tokens to predict",
        world=partial(Pairs, 60, 1, both=0.5),
        steps=4500,
        weights_of=(0,),
    ),
    "pairs-half-single-ar": replace(
        CAUSAL,
        about="A causal model of names of one syllable, half of the pairs read in both orders.",
        data="Pairs(60, 1, both=0.5), 3000 batches of 50 texts: 450,000 tokens to predict",
        world=partial(Pairs, 60, 1, both=0.5),
        steps=3000,
        weights_of=(0,),
    ),
    "pairs-half-whole": replace(
        DENOISER,
        about="A denoiser of four syllables that had one whole name to predict in each text.",
        data="Pairs(both=0.5), 2250 batches of 50 texts: 450,000 tokens to predict",
        world=HALF,
        loss=whole_name,
        results=partial(results, read=directions.fills_at_once),
        steps=2250,
    ),
}
