"""Figures, drawn without a screen, whose settings no other test feels."""

import matplotlib
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def _matplotlib_as_it_was():
    with matplotlib.rc_context():
        matplotlib.use("agg")
        yield
    plt.close("all")
