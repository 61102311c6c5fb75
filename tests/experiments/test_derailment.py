import math

import pytest
import torch

from tests.verdicts import RIGHT, WORLD, other_verdicts, small
from utils.checkpoints.store import load_checkpoint
from utils.experiments import derailment
from utils.experiments.derailment import answer, best_of, judge_answers, predicted, vote
from utils.measure.intervals import wilson
from utils.worlds.judging import judge

# -- prediction ----------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.5, 2.5])
def test_predicted_and_sampled_rates_agree(temperature):
    model, _ = load_checkpoint("verdicts-first")
    rows = WORLD.sample(1500, seed=7)
    expected = predicted(model, WORLD, rows, temperature)
    dice = torch.Generator().manual_seed(1)
    out = answer(model, WORLD, rows, temperature=temperature, generator=dice)[:, :16]
    flipped = rows.clone()
    flipped[:, 7:8] = other_verdicts(rows)
    sampled = {
        "other verdict": out[:, 7] == flipped[:, 7],
        "all right": (out == rows).all(1),
        "right but for the verdict": (out == flipped).all(1),
    }
    assert expected.keys() == sampled.keys()
    for name, happened in sampled.items():
        low, high = wilson(int(happened.sum()), len(happened), confidence=0.999)
        assert low <= float(expected[name].mean()) <= high, name


def test_prediction_needs_a_temperature():
    with pytest.raises(ValueError, match="temperature is 0"):
        predicted(small(), WORLD, WORLD.sample(2, seed=0), 0)


# -- remedies ------------------------------------------------------------------------------------


class Coin:
    """Stands in for a model: right in everything, except that the verdict is wrong with `p`."""

    def __init__(self, p):
        self.p, self.config = p, small().config  # all that a model has to have

    def __call__(self, tokens, cache=None):
        read = tokens if cache is None else self.read(tokens, cache)
        logits = torch.full((*read.shape, len(WORLD.vocab)), -40.0)
        right = WORLD.write(read[:, 1], read[:, 3], read[:, 5])
        for t in range(min(read.shape[1], 15)):
            logits[torch.arange(len(read)), t, right[:, t + 1]] = 0.0
        if read.shape[1] > 6:
            verdict, both = right[:, 7], WORLD.vocab.id("yes") + WORLD.vocab.id("no")
            logits[torch.arange(len(read)), 6, verdict] = math.log(1 - self.p)
            logits[torch.arange(len(read)), 6, both - verdict] = math.log(self.p)
        return logits[:, -tokens.shape[1] :]

    def read(self, tokens, cache):
        before = getattr(cache, "tokens", tokens[:, :0])
        cache.tokens = torch.cat([before, tokens], 1)
        cache.length = cache.tokens.shape[1]
        return cache.tokens


def wrong_rate(remedied):
    return float((~judge(WORLD, remedied.rows).verdict_right).double().mean())


@pytest.mark.parametrize("k", [1, 3, 5])
def test_voting_errs_as_often_as_the_binomial_says(k):
    p, n = 0.3, 1500
    dice = torch.Generator().manual_seed(0)
    voted = vote(Coin(p), WORLD, WORLD.sample(n, seed=0), k, temperature=1.0, generator=dice)
    expected = sum(math.comb(k, j) * p**j * (1 - p) ** (k - j) for j in range(k // 2 + 1, k + 1))
    low, high = wilson(round(wrong_rate(voted) * n), n, confidence=0.999)
    assert low <= expected <= high
    assert voted.tokens == voted.passes == 9 * k


def test_the_likeliest_of_k_errs_only_when_all_do():
    p, n, k = 0.3, 1500, 3
    dice = torch.Generator().manual_seed(0)
    best = best_of(Coin(p), WORLD, WORLD.sample(n, seed=0), k, temperature=1.0, generator=dice)
    low, high = wilson(round(wrong_rate(best) * n), n, confidence=0.999)
    assert low <= p**k <= high
    assert (best.tokens, best.passes) == (9 * k, 10 * k)


@pytest.mark.parametrize("remedy", [vote, best_of])
def test_no_choice_among_forced_texts_repairs_them(remedy):
    rows = WORLD.sample(50, seed=0)
    wrong = other_verdicts(rows)
    dice = torch.Generator().manual_seed(0)
    how = {"forced": wrong, "temperature": 1.0, "generator": dice}
    assert wrong_rate(remedy(Coin(0.1), WORLD, rows, 5, **how)) == 1


def test_starting_over_repairs_a_forced_text_and_is_paid_for():
    rows = WORLD.sample(50, seed=0)
    wrong = other_verdicts(rows)
    mended = derailment.start_over(Coin(0.01), WORLD, rows, at_least=-2.0, forced=wrong)
    assert wrong_rate(mended) == 0 and (mended.tokens, mended.passes) == (18, 19)
    left = derailment.start_over(Coin(0.01), WORLD, rows, at_least=-2.0)
    assert wrong_rate(left) == 0 and (left.tokens, left.passes) == (9, 10)


def test_votes_need_a_voter():
    with pytest.raises(ValueError, match="k is 0"):
        vote(Coin(0.1), WORLD, WORLD.sample(2, seed=0), 0, temperature=1.0)


def test_the_filling_behind_a_text_is_not_scored():
    model, text = small(), WORLD.vocab.encode(RIGHT)[None]
    longer = torch.cat([text, text[:, -1:].expand(1, 4)], 1)
    short, long = (derailment.likelihoods(model, each, 7) for each in (text, longer))
    assert torch.allclose(short, long, atol=1e-5)
    assert short.item() == pytest.approx(
        model(text)[0, 6:-1].log_softmax(-1).gather(1, text[0, 7:, None]).sum().item(), abs=1e-5
    )


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
