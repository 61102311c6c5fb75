import itertools

import pytest
import torch

from tests.small_models import Known, lively
from utils.generation import trajectories
from utils.generation.trajectories import Asked, Written
from utils.measure import enumeration
from utils.models.transformer import TransformerConfig

MASK = Known.mask
MODEL = Known(doubt=0.3)
NOT_MUCH = torch.tensor([[2, 0, 1]])


def table(texts):
    def say(rows):
        return MODEL(rows).index_fill(-1, torch.tensor(MASK), -torch.inf)

    return enumeration.table(say, texts, range(3), MASK)


def orders_of(text):
    """The text with each of its six orders."""
    orders = torch.tensor(list(itertools.permutations(range(3))))
    return Written(text.expand(len(orders), -1), orders)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("eagerness", [0.0, 0.7, 3.0])
def test_the_probabilities_of_all_ways_to_write_a_text_add_up_to_its_own(eagerness):
    for text in MODEL.texts[::5]:
        ways = orders_of(text[None])
        asked = trajectories.by_steps(ways, MASK)
        said = trajectories.stand_in(MODEL, ways.texts, asked, MASK, eagerness=eagerness)
        if eagerness == 0:
            said = said - torch.tensor(6.0).log()  # every order is as likely
        exact = enumeration.in_sure_order(table(text[None]), eagerness)
        assert float(said.logsumexp(0)) == pytest.approx(float(exact), abs=1e-6)


def test_from_left_to_right_one_way_is_all_there_is():
    left = Written(NOT_MUCH, torch.tensor([[0, 1, 2]]))
    asked = trajectories.by_steps(left, MASK)
    said = trajectories.stand_in(MODEL, NOT_MUCH, asked, MASK, eagerness=None)
    assert float(said) == pytest.approx(
        float(enumeration.along(table(NOT_MUCH), range(3))), abs=1e-6
    )


@pytest.mark.parametrize("eagerness", [0.0, 2.0])
def test_what_is_written_is_as_frequent_as_it_is_likely(eagerness):
    n = 4000
    rows = torch.full((n, 3), MASK)
    written = trajectories.write(MODEL, rows, MASK, eagerness=eagerness, generator=dice())
    assert torch.equal(written.order.sort(1).values, torch.arange(3).expand(n, -1))
    exact = enumeration.in_sure_order(table(MODEL.texts), eagerness).exp()
    assert float(exact.sum()) == pytest.approx(1)
    number = (written.texts * torch.tensor([9, 3, 1])).sum(1)
    seen = torch.bincount(number, minlength=27) / n
    error = (exact * (1 - exact) / n).sqrt().clamp(min=2e-4)
    assert ((seen - exact).abs() < 4.5 * error).all()


def test_left_to_right_is_an_order():
    written = trajectories.write(MODEL, torch.full((5, 3), MASK), MASK, eagerness=None)
    assert torch.equal(written.order, torch.arange(3).expand(5, -1))


def test_who_is_eager_begins_with_the_surest():
    rows = torch.full((400, 3), MASK)
    surest = MODEL(rows[:1])[0, :, :MASK].amax(-1).argmax()
    written = trajectories.write(MODEL, rows, MASK, eagerness=60.0, generator=dice())
    assert (written.order[:, 0] == surest).double().mean() > 0.95


def mean_of(how, n=6000):
    """The mean of n stand-ins for one text, and its standard error."""
    many = NOT_MUCH.expand(n, -1)
    written = Written(many, torch.tensor([[1, 0, 2]]).expand(n, -1))
    said = trajectories.stand_in(MODEL, many, how(written), MASK)
    return float(said.mean()), float(said.std() / n**0.5), said


@pytest.mark.parametrize("k", [1, 2, 4])
def test_random_masks_are_the_elbo_on_average(k):
    mean, error, _ = mean_of(lambda w: trajectories.by_masks(w, MASK, k, generator=dice()))
    assert mean == pytest.approx(float(enumeration.elbo(table(NOT_MUCH))), abs=4 * error)


def test_masks_in_pairs_are_the_elbo_on_average_and_scatter_less():
    mean, error, pairs = mean_of(lambda w: trajectories.by_pairs(w, MASK, generator=dice()))
    assert mean == pytest.approx(float(enumeration.elbo(table(NOT_MUCH))), abs=4 * error)
    single = mean_of(lambda w: trajectories.by_masks(w, MASK, 1, generator=dice()))[2]
    assert pairs.std() < single.std()


def test_a_pair_hides_every_token_twice():
    written = Written(NOT_MUCH.expand(50, -1), torch.tensor([[1, 0, 2]]).expand(50, -1))
    asked = trajectories.by_pairs(written, MASK, generator=dice())
    assert ((asked.states == MASK).sum(1) == 2).all() and asked.passes == 3
    assert asked.weights.sum((1, 2)) == pytest.approx(3.0)


def test_some_of_the_steps_are_all_of_them_on_average():
    mean, error, _ = mean_of(lambda w: trajectories.by_steps(w, MASK, only=1, generator=dice()))
    whole = mean_of(lambda w: trajectories.by_steps(w, MASK))[0]
    assert mean == pytest.approx(whole, abs=4 * error)


def test_in_one_pass_no_token_knows_of_the_others():
    said = mean_of(lambda w: trajectories.by_one_pass(w, MASK), n=2)[2]
    assert float(said[0]) == pytest.approx(float(table(NOT_MUCH).log_probs[0, -1].sum()), abs=1e-6)


def test_what_was_given_is_never_hidden():
    given = torch.tensor([[2, MASK, MASK]]).expand(30, -1)
    written = trajectories.write(MODEL, given, MASK, generator=dice())
    for asked in (
        trajectories.by_steps(written, MASK),
        trajectories.by_one_pass(written, MASK),
        trajectories.by_masks(written, MASK, 2, generator=dice()),
        trajectories.by_pairs(written, MASK, generator=dice()),
    ):
        assert (asked.states[:, :, 0] == 2).all() and (asked.weights[:, :, 0] == 0).all()


def test_two_bounds_are_the_elbo_for_what_is_praised_and_more_for_the_rest():
    many = NOT_MUCH.expand(200, -1)
    written = Written(many, torch.tensor([[1, 0, 2]]).expand(200, -1))
    asked = trajectories.by_masks(written, MASK, 3, generator=dice())
    below = trajectories.stand_in(MODEL, many, asked, MASK)
    praised = torch.arange(200) % 2 == 0
    found = trajectories.two_bounds(MODEL, many, asked, MASK, praised)
    assert torch.allclose(found[praised], below[praised])
    asked = trajectories.by_masks(written, MASK, 60, generator=dice())
    none = torch.zeros(200, dtype=torch.bool)
    high = trajectories.two_bounds(MODEL, many, asked, MASK, none, power=1.0, share=1.0)
    assert float(high.mean()) > float(enumeration.elbo(table(NOT_MUCH))) + 0.01


def test_gradients_are_finite_where_tokens_are_given():
    config = TransformerConfig(4, d_model=16, n_layers=1, n_heads=2, max_len=3, causal=False)
    model = lively(config).requires_grad_(True)
    texts = torch.tensor([[0, 1, 2], [2, 2, 0]])
    written = Written(texts, torch.tensor([[2, 1], [1, 2]]))
    asked = trajectories.by_masks(written, MASK, 1, generator=dice())
    none = torch.zeros(2, dtype=torch.bool)
    for said in (
        trajectories.two_bounds(model, texts, asked, MASK, none),
        trajectories.stand_in(
            model, texts, trajectories.by_steps(written, MASK), MASK, eagerness=2.0
        ),
    ):
        parts = torch.autograd.grad(said.sum(), list(model.parameters()))
        assert all(part.isfinite().all() for part in parts) and any(p.abs().sum() for p in parts)


def test_the_same_question_can_be_asked_of_two_models():
    written = Written(NOT_MUCH, torch.tensor([[1, 0, 2]]))
    asked = trajectories.by_masks(written, MASK, 1, generator=dice())
    first, again = (trajectories.stand_in(MODEL, NOT_MUCH, asked, MASK) for _ in range(2))
    assert isinstance(asked, Asked) and torch.equal(first, again)


@pytest.mark.parametrize("rows", [[[0, 1, 2]], [[MASK, 1, 2], [MASK, MASK, 2]]])
def test_rows_with_unequally_many_blanks_are_refused(rows):
    with pytest.raises(ValueError, match="equally many masks"):
        trajectories.write(MODEL, torch.tensor(rows), MASK)
