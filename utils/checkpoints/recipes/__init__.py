"""How each checkpoint of the book was made: a file for each world, a record for each recipe."""

from utils.checkpoints.recipes import kjv, pets, sentences, totals, verdicts

RECIPES = (
    sentences.RECIPES | kjv.RECIPES | verdicts.RECIPES | totals.RECIPES | pets.RECIPES
)  # {name: Recipe}, parents before their children
