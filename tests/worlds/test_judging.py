import pytest

from tests.verdicts import RIGHT, WORLD, texts
from utils.worlds import Verdicts
from utils.worlds.judging import Judged, judge, undo


@pytest.mark.parametrize(
    "text, verdict_right, sum_right, contradicts, finished, tokens",
    [
        (RIGHT, 1, 1, 0, 1, 9),
        ("is 2 + 9 = 12 ? no , because 2 + 9 = 11 .", 1, 1, 0, 1, 9),
        ("is 2 + 9 = 11 ? no , because 2 + 9 = 11 .", 0, 1, 1, 1, 9),
        ("is 2 + 9 = 11 ? no , because 2 + 9 = 12 .", 0, 0, 0, 1, 9),  # defends it by a wrong sum
        ("is 2 + 9 = 12 ? yes , because 2 + 9 = 12 .", 0, 0, 0, 1, 9),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = 12 .", 1, 0, 1, 1, 9),
        ("is 2 + 9 = 11 ? no <undo> yes , because 2 + 9 = 11 .", 1, 1, 0, 1, 11),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = 12 <undo> 11 .", 1, 1, 0, 1, 11),
        ("is 2 + 9 = 11 ? no , <undo> <undo> yes , because 2 + 9 = 11 .", 1, 1, 0, 1, 13),
        ("is 2 + 9 = 11 ? no , because 2 + 9 = 11 , yes .", 1, 1, 0, 1, 11),
        ("is 2 + 9 = 12 ? because 2 + 9 = 11 , no .", 1, 1, 0, 1, 9),
        ("is 2 + 9 = 11 ? no .", 0, 0, 0, 0, 2),
        ("is 2 + 9 = 11 ? because 2 + 9 = 11 .", 0, 1, 0, 0, 7),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = 11", 1, 1, 0, 0, 8),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = yes .", 1, 0, 0, 0, 9),
        ("is 2 + 9 = 11 ? no . yes , because 2 + 9 = 11 .", 0, 0, 0, 0, 2),
    ],
)
def test_judging_texts(text, verdict_right, sum_right, contradicts, finished, tokens):
    judged = judge(WORLD, WORLD.vocab.encode(text)[None])
    found = [getattr(judged, name).item() for name in Judged.__dataclass_fields__]
    assert found == [verdict_right, sum_right, contradicts, finished, tokens]


def test_judging_reads_each_row_by_itself():
    rows = texts(RIGHT, "is 2 + 9 = 11 ? no , because 2 + 9 = 11 .", RIGHT)
    assert judge(WORLD, rows).verdict_right.tolist() == [True, False, True]


def test_right_answers_of_either_order_are_judged_right():
    for world in (WORLD, Verdicts(verdict="last")):
        judged = judge(world, world.sample(200, seed=0))
        assert bool((judged.verdict_right & judged.sum_right & judged.finished).all())
        assert not judged.contradicts.any() and judged.tokens.unique().tolist() == [9]


def test_undo_takes_back_one_token_each():
    assert undo([1, 2, 0, 3, 4, 0, 0, 5], 0) == [1, 5]
    assert undo([0, 0, 7], 0) == [7]
