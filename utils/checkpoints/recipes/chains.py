"""Two models of `Chains`, made as those of `Tangle` are: a causal one and a denoiser."""

from dataclasses import replace

from utils.checkpoints.recipes import tangle
from utils.worlds.chains import Chains

KINDS = {"ar": "A causal model", "diffusion": "A denoiser"}
RECIPES = {
    f"chains-{name}": replace(
        tangle.RECIPES[f"tangle-{name}"],
        about=f"{kind} of texts that were written from left to right by a rule.",
        data=tangle.RECIPES[f"tangle-{name}"].data.replace("Tangle", "Chains"),
        world=Chains,
        seeds=(0,),
    )
    for name, kind in KINDS.items()
}
