import pytest
import torch

from tests.small_models import Known
from utils.experiments import filling_order
from utils.worlds import Sentences

PIECES = [" the", " LORD", "LORD", ",", " com", "eth", " came", " A", " at", "ing", " .", " un"]


def test_a_function_word_is_one_of_a_closed_list_or_a_mark():
    function, content, begins = filling_order.kinds(PIECES)
    found = {name: {p for p, k in zip(PIECES, kind, strict=True) if k} for name, kind in (
        ("function", function), ("content", content), ("inside", ~begins)
    )}  # fmt: skip
    assert found["function"] == {" the", ",", " A", " at", " ."}
    assert found["content"] == {" LORD", " com", " came"}  # no pieces of two letters
    assert found["inside"] == {"LORD", "eth", "ing"}


def test_a_piece_that_goes_on_is_no_word():
    """ " com" and "eth" are one word; " the" before "LORD" is the beginning of one."""
    tokens = torch.tensor([[0, 1, 4, 5, 3], [0, 2, 8, 6, 4]])
    function, content = filling_order.words(tokens, PIECES)
    assert function.tolist() == [
        [True, False, False, False, True],
        [False, False, True, False, False],
    ]
    assert content.tolist() == [
        [False, True, False, False, False],
        [False, False, False, True, True],
    ]


def test_every_word_of_the_grammar_is_of_one_kind():
    names = Sentences().vocab.tokens[2:-1]
    function, content, _ = filling_order.kinds([f" {name}" for name in names])
    assert bool((function ^ content).all())
    kind = dict(zip(names, function.tolist(), strict=True))
    assert all(kind[word] for word in "the a each some who because , . in near it is".split())
    assert not any(kind[word] for word in "girl sees quietly never hungry book today".split())


def test_the_surest_place_is_filled_first():
    model = Known()
    blank = torch.tensor([[3, 3, 3], [0, 3, 3]])
    when, texts = filling_order.when_filled(model, blank, 3)
    assert when.sort(1).values.tolist() == [[1, 2, 3], [0, 1, 2]]
    peaks = model(blank).amax(-1)[0]
    assert int(when[0].tolist().index(1)) == int(peaks.argmax())
    assert not (texts == 3).any() and int(texts[1, 0]) == 0


def test_drawn_by_the_truth_texts_are_as_frequent_as_they_should_be():
    model = Known()
    blank = torch.full((20_000, 3), 3)
    dice = torch.Generator().manual_seed(0)
    for order in filling_order.ORDERS:
        _, drawn = filling_order.when_filled(
            model, blank, 3, order=order, draw=True, generator=dice
        )
        shares = (drawn @ torch.tensor([9, 3, 1])).bincount(minlength=27) / len(drawn)
        assert (shares - model.probs).abs().sum() / 2 < 0.02


def test_pairs_are_counted_once_and_only_where_something_was_filled():
    when = torch.tensor([[0, 1, 4, 2, 3], [1, 2, 3, 4, 5]])
    function = torch.tensor([[True, True, False, False, True], [False] * 5])
    content = torch.tensor([[False, False, True, True, False], [True] * 5])
    n, first = filling_order.pairs(when, function, content)
    # 1 before 4 and 2; 3 before 4, not before 2; what was given does not count
    assert n.tolist() == [4, 0] and first.tolist() == [3, 0]
    rarity = torch.tensor([[1.0, 1, 1, 5, 5], [1.0] * 5])
    n, first = filling_order.pairs(when, function, content, rarity, within=1.0)
    assert n.tolist() == [2, 0] and first.tolist() == [1, 0]


def test_in_a_random_order_neither_kind_comes_first():
    """A perfect writer of 2,000 texts; the kinds are drawn by lot, so that no order can favour
    one, and then made the first token of the vocabulary against the others."""
    model, dice = Known(), torch.Generator().manual_seed(0)
    when, texts = filling_order.when_filled(
        model, torch.full((5_000, 3), 3), 3, order="random", draw=True, generator=dice
    )
    n, first = filling_order.pairs(when, texts == 0, texts == 1)
    assert float(first.sum() / n.sum()) == pytest.approx(0.5, abs=0.03)


def test_there_are_two_orders():
    with pytest.raises(ValueError, match="order is 'backwards'; choose one of 'confidence'"):
        filling_order.when_filled(Known(), torch.full((1, 3), 3), 3, order="backwards")
