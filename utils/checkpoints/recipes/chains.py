"""Two models of `Chains`, made as those of `Tangle` are: a causal one and a denoiser."""

from dataclasses import replace

from utils.checkpoints.recipes import tangle
from utils.worlds.chains import Chains

RECIPES = {
    name.replace("tangle", "chains"): replace(
        recipe,
        about=f"{kind} of texts that were written from left to right by a rule.",
        data=recipe.data.replace("Tangle", "Chains"),
        world=Chains,
        seeds=(0,),
    )
    for (name, recipe), kind in zip(
        tangle.RECIPES.items(), ("A causal model", "A denoiser"), strict=True
    )
}
