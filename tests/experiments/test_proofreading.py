import math

import pytest
import torch

from tests.small_models import lively, tokens
from utils.experiments import proofreading
from utils.experiments.proofreading import Proof, Reading, plant, proof
from utils.generation import diffusion, revision
from utils.generation.sampling import score
from utils.measure.passes import Counted
from utils.models.transformer import TransformerConfig

MASK = 9
SHAPE = {"vocab_size": 10, "d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 8}
DENOISER = lively(TransformerConfig(**SHAPE, causal=False))
CAUSAL = lively(TransformerConfig(**SHAPE), seed=1)
TEXTS = tokens(6, 8, 9)


# -- mistakes ------------------------------------------------------------------------------------


def test_each_text_gets_one_foreign_token_and_never_in_the_first_place():
    texts = tokens(500, 8, 9)
    broken, place = plant(texts, seed=3)
    changed = broken != texts
    assert (changed.sum(1) == 1).all() and torch.equal(changed.double().argmax(1), place)
    assert set(place.tolist()) == set(range(1, 8))
    assert torch.equal(plant(texts, seed=3)[0], broken)
    assert not torch.equal(plant(texts, seed=4)[0], broken)


def test_where_all_is_alike_nothing_is_foreign():
    with pytest.raises(ValueError, match="none can be foreign"):
        plant(torch.zeros(3, 4, dtype=torch.int64), seed=0)


# -- readers -------------------------------------------------------------------------------------


def test_leave_one_out_doubts_what_revise_hides_and_writes_what_it_writes():
    found = proofreading.leave_one_out(proofreading.hide_each(DENOISER, TEXTS, MASK))
    after = revision.revise(DENOISER, TEXTS, MASK, range(1, 8), rounds=1)
    assert torch.equal(TEXTS.scatter(1, found.place[:, None], found.token[:, None]), after)


def test_by_gain_it_doubts_where_another_token_is_likeliest_by_most():
    found = proofreading.leave_one_out(proofreading.hide_each(DENOISER, TEXTS, MASK), by="gain")
    for text, place, token, doubt in zip(TEXTS, found.place, found.token, found.doubt, strict=True):
        gains = []
        for at in range(1, 8):
            hidden = text.clone()
            hidden[at] = MASK
            said = diffusion.log_probs(DENOISER, hidden[None], MASK)[0, at]
            others = said.clone()
            others[text[at]] = -torch.inf
            gains.append((float(others.max() - said[text[at]]), at, int(said.argmax())))
        assert max(gains)[1:] == (int(place), int(token))
        assert max(gains)[0] == pytest.approx(float(doubt), abs=1e-5)


def test_drawn_tokens_come_as_often_as_the_model_says():
    dice = torch.Generator().manual_seed(0)
    each = proofreading.hide_each(DENOISER, TEXTS[:1].repeat(4000, 1), MASK, generator=dice)
    read = proofreading.leave_one_out(each, drawn=True)
    present = TEXTS[0, read.place[0]]
    share = (read.token == present).double().mean()
    assert share == pytest.approx(float((-read.doubt[0]).exp()), abs=0.03)


def test_with_all_behind_hidden_what_stands_behind_is_not_read():
    last = TEXTS.clone()
    last[:, -1] = (last[:, -1] + 1) % 9
    one, other = (
        proofreading.hide_each(DENOISER, each, MASK, behind=False).present for each in (TEXTS, last)
    )
    assert torch.equal(one[:, :-1], other[:, :-1]) and not torch.equal(one, other)
    assert not torch.allclose(one, proofreading.hide_each(DENOISER, TEXTS, MASK).present)


def test_bayes_with_all_places_and_candidates_finds_the_best_single_change():
    found = proofreading.by_bayes(CAUSAL, TEXTS, places=7, candidates=9)
    for text, place, token, doubt in zip(TEXTS, found.place, found.token, found.doubt, strict=True):
        best = max(
            (float(score(CAUSAL, changed(text, at, word)).sum()), at, word)
            for at in range(1, 8)
            for word in range(10)
            if word != text[at]
        )
        assert best[1:] == (int(place), int(token))
        before = float(score(CAUSAL, text[None]).sum())
        assert best[0] - before == pytest.approx(float(doubt), abs=1e-4)


def changed(text, at, word):
    text = text.clone()
    text[at] = word
    return text[None]


def test_what_a_reading_costs_is_what_it_says():
    for model, read in (
        (DENOISER, lambda m: proofreading.leave_one_out(proofreading.hide_each(m, TEXTS, MASK))),
        (DENOISER, lambda m: proofreading.by_signal(m, TEXTS, MASK, revision.glance)),
        (CAUSAL, lambda m: proofreading.by_bayes(m, TEXTS, places=3, candidates=2)),
        (CAUSAL, lambda m: proofreading.at_first_sight(m, TEXTS)),
    ):
        counted = Counted(model)
        assert read(counted).passes * len(TEXTS) == counted.passes


def test_at_first_sight_is_bayes_without_a_second_look():
    first = proofreading.at_first_sight(CAUSAL, TEXTS)
    one = proofreading.by_bayes(CAUSAL, TEXTS, places=1, candidates=1)
    assert torch.equal(first.place, one.place) and torch.equal(first.token, one.token)


@pytest.mark.parametrize("options", [{"places": 8}, {"places": 0}, {"candidates": 0}])
def test_places_and_candidates_that_are_not_there(options):
    with pytest.raises(ValueError, match=r"is [08]"):
        proofreading.by_bayes(CAUSAL, TEXTS, **({"places": 2, "candidates": 2} | options))


# -- harm and repair -----------------------------------------------------------------------------


def some_proof():
    """Ten texts: the foreign token is found in the first six, put right in the first four."""
    ten = torch.arange(10)
    right = torch.tensor([5.5, 4.5, 3.5, 2.5, 1.5, 0.5, 0.4, 0.3, -math.inf, -math.inf])
    return Proof(ten < 6, ten < 4, 10.0 - ten, right, 7)


def test_harm_and_repair_by_hand():
    p = some_proof()  # doubts of 10, 9, 8, 7 where it would mend, then 6 and 5 where it only finds
    assert p.repaired(0.0).sum() == 4  # all of them are above the doubt of any right text, 5.5
    assert p.threshold(0.2) == 3.5 and (p.right > p.threshold(0.2)).sum() == 2
    assert p.harm(0.5) == 0.0 and p.harm(0.6) == pytest.approx(0.1) and p.harm(0.7) == 1.0
    assert p.threshold(1.0) == -math.inf


def test_more_harm_never_means_less_repair():
    p = some_proof()
    repaired = [int(p.repaired(k / 10).sum()) for k in range(11)]
    assert repaired == sorted(repaired)


def test_a_proof_counts_what_is_found_put_right_and_left_alone():
    right = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    place = torch.tensor([1, 2, 1])
    of_right = Reading(
        torch.tensor([1, 1, 1]),
        torch.tensor([0, 5, 0]),  # it would leave the second as it is
        torch.tensor([3.0, 2.0, 1.0]),
        5,
    )
    of_broken = Reading(torch.tensor([1, 2, 2]), torch.tensor([2, 0, 8]), torch.ones(3), 5)
    found = proof(of_broken, of_right, right, place)
    assert found.found.tolist() == [True, True, False]
    assert found.mended.tolist() == [True, False, False]
    assert found.right.tolist() == [3.0, -math.inf, 1.0] and found.passes == 5


def test_an_interval_holds_the_value_and_narrows_with_more_texts():
    p = some_proof()
    many = p.some(torch.arange(10).repeat(40))

    def share(p):
        return float(p.mended.double().mean())

    few, more = (proofreading.bootstrap(share, [each], seed=0) for each in (p, many))
    assert few[0] < more[0] < 0.4 < more[1] < few[1]
    same = proofreading.bootstrap(lambda a, b: share(a) - share(b), [p, p], seed=0)
    assert same == (0.0, 0.0)  # the same texts are drawn for both
