import torch

from tests.verdicts import WORLD, other_verdicts, small
from utils.experiments.derailment import answer, judge_answers
from utils.worlds.judging import judge


def same(found, judged):
    return all(
        torch.equal(a, b) for a, b in zip(vars(found).values(), vars(judged).values(), strict=True)
    )


def test_each_model_is_judged_by_its_own_answers():
    models, rows = [small(0), small(1)], WORLD.sample(5, seed=3)
    forced = other_verdicts(rows)
    for words in (None, forced):
        found = judge_answers(models, WORLD, rows, words)
        assert len(found) == 2
        for model, each in zip(models, found, strict=True):
            assert same(each, judge(WORLD, answer(model, WORLD, rows, words)))


def test_the_models_share_one_source_of_chance():
    models, rows = [small(), small()], WORLD.sample(8, seed=3)
    how = {"temperature": 2.0, "generator": torch.Generator().manual_seed(1)}
    found = judge_answers(models, WORLD, rows, **how)
    dice = torch.Generator().manual_seed(1)
    for each in found:
        out = answer(models[0], WORLD, rows, temperature=2.0, generator=dice)
        assert same(each, judge(WORLD, out))
