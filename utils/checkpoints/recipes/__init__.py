"""How each checkpoint of the book was made: a file for each world, a record for each recipe."""

from utils.checkpoints.recipes import (
    bare_words,
    chains,
    couplets,
    cups,
    graphs,
    groups,
    kjv,
    pairs,
    pets,
    sentences,
    squares,
    tangle,
    topics,
    totals,
    verdicts,
)

RECIPES = (
    sentences.RECIPES
    | kjv.RECIPES
    | verdicts.RECIPES
    | totals.RECIPES
    | pets.RECIPES
    | squares.RECIPES
    | tangle.RECIPES
    | chains.RECIPES
    | bare_words.RECIPES
    | couplets.RECIPES
    | graphs.RECIPES
    | pairs.RECIPES
    | groups.RECIPES
    | topics.RECIPES
    | cups.RECIPES
)  # {name: Recipe}, parents before their children
