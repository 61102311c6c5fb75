import pytest
import torch

from utils.measure.rates import Spread, print_rates, rate, spread

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


def test_a_table_shows_the_spread_and_n(capsys):
    print_rates({"ours": {"right": spread([SOME, MOST]), "passes": 9.0}}, digits=0)
    assert capsys.readouterr().out == (
        "               right  passes\nours  50% (25 to 75)     9.0\nn = 8\n"
    )


def test_where_n_differs_it_stands_behind_each(capsys):
    print_rates({"three": spread([SOME, MOST]), "one": rate(SOME)})
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("of 8") and second.endswith("of 4")
