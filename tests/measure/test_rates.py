import numpy as np
import pytest
import torch

from utils.measure.intervals import bootstrap_mean, wilson
from utils.measure.rates import Across, Rate, Spread, across, print_rates, rate, spread

FLAGS = torch.tensor([True] * 9 + [False])


def printed(capsys, *arguments, **more):
    print_rates(*arguments, **more)
    return capsys.readouterr().out.splitlines()


def test_a_rate_says_how_many_of_how_many_and_how_sure():
    found = rate(FLAGS.reshape(2, 5))
    assert found == Rate(9, 10) and found.share == 0.9 and found.interval == wilson(9, 10)
    low, high = (100 * end for end in wilson(9, 10))
    assert found.text() == f"90.0% [{low:.1f}, {high:.1f}]" and found.text(0) == "90% [60, 98]"
    assert str(found) == f"{found.text()} of 10"


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (
            torch.zeros(0, dtype=torch.bool),
            ValueError,
            "flags is empty; a rate needs at least one try",
        ),
        (
            torch.ones(3),
            TypeError,
            "flags are torch.float32; give a tensor of bool, such as rows == right",
        ),
        (torch.tensor([1, 0]), TypeError, "flags are torch.int64"),
        ([True, False], TypeError, "flags are list; give a tensor of bool"),
        (np.array([True]), TypeError, "flags are ndarray; give a tensor of bool"),
    ],
)
def test_what_is_no_rate(flags, error, message):
    with pytest.raises(error, match=message):
        rate(flags)


def test_a_spread_is_the_mean_of_models_and_their_range():
    found = spread([FLAGS, ~FLAGS, torch.full((10,), 0.5)])
    assert found.share == pytest.approx(0.5) and found.interval == pytest.approx((0.1, 0.9))
    assert found.n == 30 and found.text() == "50.0% (10.0 to 90.0)"
    assert str(found) == "50.0% (10.0 to 90.0) of 30"
    for nothing in ([], [FLAGS, FLAGS[:0]]):
        with pytest.raises(ValueError, match="nothing to average; give at least one try"):
            spread(nothing)
    assert Spread((0.25, 0.75), 8).share == 0.5


def test_the_interval_of_several_models_spans_their_own():
    """Of 298 in 300 of three models together one might say 98 to 100%; of a model with 98 in 100
    one may not."""
    found = across([torch.ones(100, dtype=torch.bool), Rate(100, 100), Rate(98, 100)])
    assert found.share == pytest.approx(298 / 300) and found.n == 300
    assert found.interval == (wilson(98, 100)[0], 1.0)
    assert found.interval[0] < 0.95 < wilson(298, 300)[0]


def test_a_spread_of_counted_shares_has_its_models_intervals():
    flags = [torch.arange(100) < k for k in (100, 100, 98)]
    assert across(spread(flags)) == across(flags)
    for found in (Spread((0.123, 0.5), 20), Spread((0.5, 0.5), 3)):
        with pytest.raises(ValueError, match="give each model's flags"):
            across(found)


def test_numbers_of_texts_are_resampled_model_by_model():
    leads = [torch.tensor([1.0, 0.0, 0.0, -1.0] * 5), torch.tensor([1.0, 1.0, 0.0, 1.0] * 5)]
    found, own = across(leads), [bootstrap_mean(each.tolist(), seed=0) for each in leads]
    assert found.share == pytest.approx(0.375) and found.n == 40
    assert found.interval == (own[0][0], own[1][1])
    assert found == Across(tuple((float(e.mean()), o) for e, o in zip(leads, own, strict=True)), 40)
    with pytest.raises(ValueError, match="models is empty; give the tries of at least one"):
        across([])
    with pytest.raises(ValueError, match="at least two finite numbers"):
        across([torch.tensor([0.5])])


def test_a_table_has_a_row_for_each_way_and_n_below(capsys):
    lines = printed(
        capsys,
        {
            "left to right": {"verdict": FLAGS, "passes": 9.0, "note": "greedy"},
            "diffusion": {"verdict": Rate(1, 10), "passes": torch.tensor(4.25)},
        },
    )
    assert [line.split() for line in lines] == [
        ["verdict", "passes", "note"],
        ["left", "to", "right", "90.0%", "[59.6,", "98.2]", "9.0", "greedy"],
        ["diffusion", "10.0%", "[1.8,", "40.4]", "4.2"],
        ["n", "=", "10"],
    ]
    assert lines[0].index("verdict") + len("verdict") == lines[1].index("]") + 1  # right-aligned
    assert all(line == line.rstrip() for line in lines)


def test_where_n_differs_it_stands_behind_each_rate(capsys):
    lines = printed(capsys, {"one": FLAGS, "another": Rate(5, 2000)}, digits=2)
    assert [line.split() for line in lines] == [
        ["one", *Rate(9, 10).text(2).split(), "of", "10"],
        ["another", *Rate(5, 2000).text(2).split(), "of", "2000"],
    ]


def test_a_large_n_is_readable(capsys):
    assert printed(capsys, {"all": Rate(1234, 12_345)})[-1] == "n = 12,345"


HALF = torch.arange(10) < 5
TABLE = {"one": {"verdict": HALF, "sum": HALF, "passes": 3.0}}


def test_a_bare_column_shows_its_share_alone(capsys):
    print_rates(TABLE, bare=["sum"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["one", "50.0%", "[23.7,", "76.3]", "50.0%", "3.0"]
    assert lines[2] == "n = 10"


def test_a_bare_column_shows_no_n_either(capsys):
    print_rates({"one": {"verdict": HALF, "sum": HALF[:4]}}, bare=["sum"], digits=0)
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == "100%"


def test_without_bare_every_rate_has_its_interval(capsys):
    print_rates(TABLE)
    assert capsys.readouterr().out.count("[23.7, 76.3]") == 2


SOME, MOST = torch.tensor([True, False, False, False]), torch.tensor([True, True, True, False])


def test_a_spread_is_the_mean_of_the_models_and_their_range():
    found = spread([SOME, MOST])
    assert found == Spread((0.25, 0.75), 8)
    assert found.share == 0.5 and found.interval == (0.25, 0.75)
    assert str(found) == "50.0% (25.0 to 75.0) of 8"


def test_probabilities_count_as_they_are():
    assert spread(iter([torch.tensor([[0.25, 0.75]])])).shares == (0.5,)


@pytest.mark.parametrize("models", [[], [SOME, SOME[:0]]])
def test_a_spread_of_nothing_is_refused(models):
    with pytest.raises(ValueError, match="at least one try"):
        spread(models)


def test_what_is_not_finite_has_no_mean():
    with pytest.raises(
        ValueError, match="models has what is not finite; give flags or probabilities"
    ):
        spread([torch.tensor([0.5, torch.nan])])


@pytest.mark.parametrize("models", [[0.5], [[True]], "ab", [np.array([True])]])
def test_what_is_no_tensor_has_no_spread(models):
    with pytest.raises(TypeError, match=r"models has .*; give a tensor for each model"):
        spread(models)


@pytest.mark.parametrize("rows", [{}, [], [0.5], None, 3])
def test_what_are_no_rows_is_refused(rows):
    with pytest.raises(ValueError, match=r"rows is .*; give at least one, such as {'a name': "):
        print_rates(rows)


def test_a_table_shows_the_spread_and_n(capsys):
    print_rates({"ours": {"right": spread([SOME, MOST]), "passes": 9.0}}, digits=0)
    assert capsys.readouterr().out == (
        "               right  passes\nours  50% (25 to 75)     9.0\nn = 8\n"
    )


def test_where_n_differs_it_stands_behind_each(capsys):
    print_rates({"three": spread([SOME, MOST]), "one": rate(SOME)})
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("of 8") and second.endswith("of 4")
