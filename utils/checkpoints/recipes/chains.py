"""Models of `Chains`: a causal one and a denoiser, made as those of `Tangle` are, and models that
write it in blocks, of which only what they reach is kept."""

from dataclasses import replace
from functools import partial

from utils.checkpoints.recipe import Recipe
from utils.checkpoints.recipes import tangle
from utils.experiments import speed
from utils.generation import blocks
from utils.models.transformer import TransformerConfig
from utils.worlds.chains import Chains

KINDS = {"ar": "A causal model", "diffusion": "A denoiser"}
SIZES = (1, 2, 3, 6)  # tokens in a block
SURE = 0.9  # the threshold that is measured


def twice(world):
    """With room for a text and, behind it, its blocks once more."""
    return TransformerConfig(len(world.vocab), d_model=32, n_layers=2, max_len=2 * world.length - 1)


def in_blocks(model, rows, world, *, size):
    return blocks.loss(model, rows, world.vocab.mask_id, size=size)


def by_tokens_a_pass(model, world, *, size):
    """KL from the language in nats a text and the sequence error, for each number of tokens that a
    pass fills, at the places with the likeliest letters or at random ones; the former by a
    threshold, too, with its passes."""
    said, probs = speed.asked(model, world, size), world.log_prob(world.texts).exp()
    found = {}
    for k in (k for k in SIZES if k <= size):
        for which in ("likeliest", "random"):
            law = speed.write(said, size=k, which=which)
            found[f"kl_nats_{k}_a_pass_{which}"] = law.lost(probs)
            found[f"wrong_{k}_a_pass_{which}"] = law.wrong(probs, speed.RARE)
    sure = speed.write(said, threshold=SURE)
    return found | {"kl_nats_threshold": sure.lost(probs), "passes_threshold": sure.passes}


RECIPES = {
    f"chains-{name}": replace(
        tangle.RECIPES[f"tangle-{name}"],
        about=f"{kind} of texts that were written from left to right by a rule.",
        data=tangle.RECIPES[f"tangle-{name}"].data.replace("Tangle", "Chains"),
        world=Chains,
        seeds=(0,),
    )
    for name, kind in KINDS.items()
} | {
    f"chains-blocks-{size}": Recipe(
        about=f"A model that writes blocks of {size}, each finished one read from left to right.",
        data="Chains, 800 batches of 64 texts",
        world=Chains,
        config=twice,
        batches=tangle.batches,
        loss=partial(in_blocks, size=size),
        steps=800,
        lr=4e-3,
        results=partial(by_tokens_a_pass, size=size),
        seeds=(0, 1, 2),
        weights_of=(),
    )
    for size in SIZES
}
