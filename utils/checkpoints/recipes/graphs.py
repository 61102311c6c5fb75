"""Models that find the way on `Graphs`: from the centre, from the goal, at once, in any order."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.experiments import stars
from utils.generation import diffusion
from utils.models.multi_token import MultiToken
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import loss_without, multi_token_loss
from utils.worlds.graphs import Graphs


def shape(world, causal=True):
    return TransformerConfig(
        len(world.vocab), d_model=64, n_layers=3, max_len=world.length, causal=causal
    )


def shape_of_several(world):
    """A trunk of two layers and three heads of one, so that a word passes three as in `shape`; each
    has a narrower feed-forward part, so that all together they are no larger."""
    return TransformerConfig(
        len(world.vocab), d_model=64, n_layers=5, d_ff=80, max_len=world.length
    )


def batches(world, seed, keep=None):
    return world_batches(world, batch_size=128, seed=100_000 * seed + 1, keep=keep)


def held_out(world, rows):
    """Whether a star is in the tenth on which models of few stars are measured, in whatever order
    its edges are listed and whichever of its ends is the goal: (n,) bool."""
    lots = torch.randint(10**9, (len(world.vocab),), generator=torch.Generator().manual_seed(0))
    return lots[rows[:, 1 : 1 + world.edges]].sum(1) % 10 == 0


def trained_on(world, rows):
    return rows[~held_out(world, rows)]


def next_nodes(model, rows, world):
    return loss_without(model, rows, world.question.expand(len(rows), -1))


def without_a_teacher(model, rows, world):
    return stars.blind_loss(model, rows, world)


def hidden_nodes(model, rows, world):
    return diffusion.loss(model, rows, world.vocab.mask_id, frozen=world.question)


def several_nodes(model, rows, world):
    given = world.question.expand(len(rows), -1)
    return multi_token_loss(MultiToken(model, world.steps), rows, given)


def next_node_of_first_head(model, rows, world):
    """Of the same model, only what writes is trained: the trunk and the first head."""
    return loss_without(
        MultiToken(model, world.steps).first(), rows, world.question.expand(len(rows), -1)
    )


def by_first_head(model, world, rows):
    return stars.from_the_left(MultiToken(model, world.steps).first(), world, rows)


def unseen(world):
    """Stars to measure on, from a seed that no training reaches."""
    return world.sample(1000, seed=10_000_019)


def unseen_stars(world):
    """As many that are held out."""
    rows = world.sample(20_000, seed=10_000_019)
    return rows[held_out(world, rows)][:1000]


def found_by(way, model, world, rows_of=unseen):
    """The share of stars on which the first step is right, the second, and the whole way."""
    right = way(model, world, rows_of(world)).double()
    found = {"first_step": right[:, 0], "second_step": right[:, 1], "whole_way": right.prod(1)}
    return {key: float(value.mean()) for key, value in found.items()}


def first_step(way, model, world):
    return found_by(way, model, world)["first_step"]


def found_in_orders(model, world, rows_of=unseen):
    """The same of a denoiser, by the surest node first and in other orders, and on how many stars
    it is surer of the node beside the goal than of that beside the centre."""
    found = found_by(BY_CONFIDENCE, model, world, rows_of)
    for order, passes in {"one pass": 1, "random": 2, "left-to-right": 2}.items():
        how = {"order": order if passes > 1 else "confidence", "passes": passes}
        how["generator"] = torch.Generator().manual_seed(0)
        shares = found_by(partial(stars.filled_in, **how), model, world, rows_of)
        found |= {f"{key}, {order}": share for key, share in shares.items()}
    beside_goal = stars.begins_beside_goal(model, world, rows_of(world)).double()
    return found | {"begins_beside_goal": float(beside_goal.mean())}


FORWARD = Recipe(
    about="A causal model that writes the way from the centre to the goal.",
    data="Graphs(3, 3), 2000 batches of 128 stars",
    world=Graphs,
    config=shape,
    batches=batches,
    loss=next_nodes,
    steps=2000,
    lr=2e-3,
    results=partial(found_by, stars.from_the_left),
    progress=partial(first_step, stars.from_the_left),
    progress_at=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    seeds=(0, 1, 2),
    weights_of=(),
)
BLIND = replace(
    FORWARD,
    about="The same model, trained without a teacher: all nodes of the way at once.",
    loss=without_a_teacher,
    results=partial(found_by, stars.all_at_once),
    progress=partial(first_step, stars.all_at_once),
)
LONG = {
    "about": "The same, trained three times as long.",
    "data": "Graphs(3, 3), 6000 batches of 128 stars",
    "steps": 6000,
    "seeds": (0, 1, 2),
}
SEVERAL = replace(
    FORWARD,
    about="A causal model that predicts three nodes at once, and writes with its first head.",
    config=shape_of_several,
    loss=several_nodes,
    results=partial(found_by, by_first_head),
    progress=partial(first_step, by_first_head),
)
BY_CONFIDENCE = partial(stars.filled_in, passes=2)
DIFFUSION = replace(
    FORWARD,
    about="A masked diffusion model of the nodes on the way, the goal in view.",
    world=partial(Graphs, form="goal last"),
    config=partial(shape, causal=False),
    loss=hidden_nodes,
    results=found_in_orders,
    progress=partial(first_step, BY_CONFIDENCE),
    weights_of=(0,),
)


def with_arms(recipe, arms, seeds=(0, 1, 2)):
    """The same model on stars with so many arms, measured at the end alone."""
    return replace(
        recipe,
        data=f"Graphs({arms}, 3), 2000 batches of 128 stars",
        world=partial(recipe.world, arms),
        progress=None,
        progress_at=(),
        seeds=seeds,
        weights_of=(),
    )


def with_two_arms(recipe, seeds=(0,)):
    """Of two arms there are 5,040 stars, and all would come up in training: a tenth is held out."""
    recipe = with_arms(recipe, 2, seeds)
    return replace(
        recipe,
        data=f"{recipe.data} or a few less, a tenth of all stars held out",
        batches=partial(batches, keep=trained_on),
        results=partial(recipe.results, rows_of=unseen_stars),
    )


BACKWARD = replace(
    FORWARD,
    about="The same model, which writes the way from the goal to the centre.",
    world=partial(Graphs, form="backward"),
)


ON_FOUR_ARMS = {
    "graphs-forward-four": with_arms(FORWARD, 4),
    "graphs-backward-four": with_arms(BACKWARD, 4, seeds=(0,)),
    "graphs-blind-four": with_arms(BLIND, 4, seeds=(0,)),
    "graphs-several-four": with_arms(SEVERAL, 4, seeds=(0,)),
    "graphs-diffusion-four": with_arms(DIFFUSION, 4, seeds=(0,)),
}
# There is more to learn in them: the same models on twice as many stars.
TWICE = {"data": "Graphs(4, 3), 4000 batches of 128 stars", "steps": 4000, "seeds": (0,)}
RECIPES = {
    "graphs-forward": FORWARD,
    "graphs-long": replace(FORWARD, **LONG),
    "graphs-backward": BACKWARD,
    "graphs-blind": BLIND,
    "graphs-blind-long": replace(BLIND, **LONG),
    "graphs-several": SEVERAL,
    "graphs-several-long": replace(SEVERAL, **LONG),
    "graphs-first-head-long": replace(
        replace(SEVERAL, **LONG),
        about="The same trunk and first head, trained as long on the next node alone.",
        loss=next_node_of_first_head,
        seeds=(0, 1, 2),
    ),
    "graphs-diffusion": DIFFUSION,
    "graphs-diffusion-two": with_two_arms(DIFFUSION),
    "graphs-diffusion-five": with_arms(DIFFUSION, 5, seeds=(0,)),
    "graphs-backward-two": with_two_arms(BACKWARD),
    "graphs-blind-two": with_two_arms(BLIND),
    "graphs-several-two": with_two_arms(SEVERAL),
    "graphs-forward-two": with_two_arms(FORWARD, seeds=(0, 1, 2)),
    "graphs-forward-five": with_arms(FORWARD, 5, seeds=(0,)),
    "graphs-backward-five": with_arms(BACKWARD, 5, seeds=(0,)),
    "graphs-blind-five": with_arms(BLIND, 5, seeds=(0,)),
    "graphs-several-five": with_arms(SEVERAL, 5, seeds=(0,)),
    **ON_FOUR_ARMS,
    **{f"{name}-long": replace(recipe, **TWICE) for name, recipe in ON_FOUR_ARMS.items()},
}
