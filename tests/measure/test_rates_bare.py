"""Columns that are shown without interval, where a line would get too long."""

import torch

from utils.measure.rates import print_rates

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
