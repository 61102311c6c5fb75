"""After the tests: how long each chapter took."""

import itertools
from collections import defaultdict


def pytest_terminal_summary(terminalreporter):
    """How long each notebook took, its kernel's start included."""
    seconds = defaultdict(float)
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        file = getattr(report, "nodeid", "").partition("::")[0]
        if file.endswith(".ipynb"):
            seconds[file] += report.duration
    if seconds:
        terminalreporter.section("seconds per notebook")
    for file, total in seconds.items():
        terminalreporter.write_line(f"{total:6.1f}  {file}")
