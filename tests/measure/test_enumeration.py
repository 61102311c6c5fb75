import itertools
import math

import pytest
import torch

from tests.small_models import Known
from utils.generation import diffusion
from utils.measure import enumeration


def listed(model):
    return enumeration.table(model, model.texts, range(3), 3)


@pytest.mark.parametrize("doubt", [0.0, 0.3])
def test_the_table_is_what_the_model_says(doubt):
    model = Known(doubt=doubt)
    table = listed(model)
    assert table.n == 3 and table.log_probs.shape == table.peaks.shape == (27, 8, 3)
    for text, row, peaks in zip(model.texts, table.log_probs, table.peaks, strict=True):
        for state in range(8):
            hidden = [i for i in range(3) if state >> i & 1]
            given = text.clone()
            given[hidden] = 3
            said = model(given[None])[0]
            for i in range(3):
                own, peak = (said[i, text[i]], said[i].max()) if i in hidden else (0, -torch.inf)
                assert float(row[state, i]) == pytest.approx(float(own))
                assert float(peaks[state, i]) == pytest.approx(float(peak))


@pytest.mark.parametrize("doubt", [0.0, 0.3])
def test_the_bound_is_the_mean_over_orders(doubt):
    model = Known(doubt=doubt)
    table = listed(model)
    along = enumeration.along_orders(table)
    assert along.shape == (27, 6)
    assert torch.allclose(enumeration.elbo(table), along.mean(1))
    expected = [model.bound(text) for text in model.texts[:5]]
    assert enumeration.elbo(table)[:5].tolist() == pytest.approx(expected)
    marginal, passes = enumeration.write_probs(table, "random")
    assert torch.allclose(marginal, along.logsumexp(1) - math.log(6)) and (passes == 3).all()
    assert (marginal >= along.mean(1) - 1e-12).all()
    if not doubt:
        assert torch.allclose(marginal, model.probs.log())


@pytest.mark.parametrize("doubt", [0.0, 0.3])
@pytest.mark.parametrize(
    ("order", "size", "threshold"),
    [
        *itertools.product(["random", "confidence", "left-to-right"], [1, 2, 3], [None]),
        ("confidence", 1, 0.6),
    ],
)
def test_a_sampler_writes_as_often_as_computed(order, size, threshold, doubt):
    """`diffusion.sample`, 20000 times, against the exact probabilities."""
    model = Known(doubt=doubt)
    log_probs, passes = enumeration.write_probs(
        listed(model), order, size=size, threshold=threshold
    )
    assert float(log_probs.exp().sum()) == pytest.approx(1)  # these are all the texts there are
    model.read.clear()
    drawn = diffusion.sample(
        model,
        torch.full((20_000, 3), 3),
        3,
        steps=-(-3 // size) if threshold is None else None,
        order=order,
        threshold=threshold,
        temperature=1.0,
        generator=torch.Generator().manual_seed(0),
    )
    counts = (drawn @ torch.tensor([9, 3, 1])).bincount(minlength=27) / len(drawn)
    assert (counts - log_probs.exp()).abs().sum() / 2 < 0.017
    expected = float((log_probs.exp() * passes).sum())
    assert sum(model.read) / 20_000 == pytest.approx(expected, abs=0.03)


def test_too_many_positions_to_list():
    with pytest.raises(ValueError, match="free names 13 positions"):
        enumeration.table(Known(), torch.zeros(1, 13, dtype=torch.int64), range(13), 3)


@pytest.mark.parametrize(
    ("free", "message"),
    [
        ([1, 1], r"free is \[1, 1\]; name each position once"),
        ([0, -1], r"free is \[0, -1\]; name at least one of 0 to 2"),
        ([3], r"free is \[3\]; name at least one of 0 to 2"),
        ([], r"free is \[\]; name at least one of 0 to 2"),
        ([0.5], r"free is 0.5; name at least one of 0 to 2"),
        (3, r"free is \[3\]; name at least one of 0 to 2"),
        (torch.tensor([True, False, True]), "free is True; name at least one of 0 to 2"),
    ],
)
def test_positions_that_cannot_be_hidden(free, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        enumeration.table(Known(), torch.zeros(1, 3, dtype=torch.int64), free, 3)


@pytest.mark.parametrize("order", [[], [0, 1], [0, 1, 1], [0, 1, 3], [-1, 0, 1], 2, "x", None])
def test_what_is_no_order_of_all_is_refused(order):
    with pytest.raises(ValueError, match=r"^order is .*; name each of 0 to 2 once$"):
        enumeration.along(listed(Known()), order)
    with pytest.raises(ValueError, match=r"^order is .*; choose one of 'confidence', 'random', 'l"):
        enumeration.write_probs(listed(Known()), order)


def test_an_order_may_be_a_tensor():
    table = listed(Known())
    expected = enumeration.along(table, [2, 0, 1])
    assert torch.equal(enumeration.along(table, torch.tensor([2, 0, 1])), expected)
    assert torch.equal(enumeration.along(table, iter((2, 0, 1))), expected)


@pytest.mark.parametrize("doubt", [0.0, 0.3])
def test_over_all_orders_in_fewer_steps(doubt):
    table = listed(Known(doubt=doubt))
    slowly = enumeration.along_orders(table).logsumexp(1) - math.log(6)
    assert torch.allclose(enumeration.in_random_order(table), slowly)


def test_each_state_is_asked_for_once():
    """27 texts have 8 states each, and most are shared: 4 tokens in each of three places."""
    model = Known()
    listed(model)
    assert model.read == [4**3]


def test_adding_up_gives_the_true_answers():
    """Whoever has the probability of each text has, by Bayes' rule, every blank in every state."""
    model = Known()
    asked, added = listed(model), enumeration.by_bayes(model.probs.view(3, 3, 3))
    assert torch.allclose(asked.log_probs, added.log_probs)
    assert torch.allclose(asked.peaks, added.peaks)


def test_by_blanks_counts_each_number_alike():
    table = listed(Known(doubt=0.3))
    means = enumeration.by_blanks(table)
    assert means.shape == (27, 3) and torch.allclose(means.sum(1), enumeration.elbo(table))
    assert torch.allclose(means[:, 2], table.log_probs[:, 7].mean(1))  # all three hidden
    alone = torch.stack([table.log_probs[:, 1 << i, i] for i in range(3)], 1)
    assert torch.allclose(means[:, 0], alone.mean(1))


@pytest.mark.parametrize("eagerness", [0.0, 1.3])
def test_who_tends_to_begin_with_the_surest_sums_over_all_orders(eagerness):
    table = listed(Known(doubt=0.3))
    found = enumeration.in_sure_order(table, eagerness)
    if not eagerness:
        assert torch.allclose(found, enumeration.in_random_order(table))
    for text in range(0, 27, 4):
        total = 0.0
        for order in itertools.permutations(range(3)):
            state, way = 7, 1.0
            for i in order:
                left = [j for j in range(3) if state >> j & 1]
                odds = [math.exp(eagerness * table.peaks[text, state, j]) for j in left]
                way *= odds[left.index(i)] / sum(odds)
                way *= math.exp(table.log_probs[text, state, i])
                state -= 1 << i
            total += way
        assert float(found[text]) == pytest.approx(math.log(total))


def test_who_never_doubts_writes_the_truth_in_whatever_order():
    model = Known()
    found = enumeration.in_sure_order(listed(model), 4.0)
    assert torch.allclose(found, model.probs.log())


def test_an_eagerness_below_zero_is_refused():
    with pytest.raises(ValueError, match="eagerness"):
        enumeration.in_sure_order(listed(Known()), -1.0)
