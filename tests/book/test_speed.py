"""A page comes up fast on a phone: see tests/speed.py, which also prints what each page takes."""

import time

import pytest

from tests.sites import PAGES
from tests.speed import served, visit, work

# What is aimed at are 200 milliseconds; how long a task takes also depends on what else a machine
# is doing, so that twice as much is let pass, and the best of a few visits counts.
TASK, PAINT, SHIFT, VISITS = 400, 1, 0.05, 4
REFERENCE = 0.1  # seconds of `_count` where these goals were set


def _count() -> float:
    """Seconds of the processor for counting: a slower machine may take as much longer for pages."""
    begun, total = time.process_time(), 0
    for number in range(2_000_000):
        total += number * number % 7
    return time.process_time() - begun


@pytest.fixture(scope="module")
def slower() -> float:
    """How many times slower this machine is than that one; never less than 1."""
    return max(1.0, min(_count() for _ in range(3)) / REFERENCE)


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_a_page_comes_up_fast_and_stays_where_it_is(browser, html, slower, name):
    with served(html) as address:
        for _ in range(VISITS):
            seen = visit(browser, f"{address}{name}.html")
            assert seen.shift < SHIFT
            if seen.task < TASK * slower and seen.paint < PAINT * slower:
                return
    raise AssertionError(seen)


def _event(name: str, ts: float, **rest) -> dict:
    return {"name": name, "pid": 1, "tid": 1, "ts": ts, **rest}


def test_what_chromium_leaves_out_of_a_trace_does_not_matter():
    start = _event("navigationStart", 100, args={"data": {"documentLoaderURL": "http://page"}})
    trace = [
        _event("RunTask", 50, ph="X", dur=9000, tdur=9000),  # before the page was asked for
        start,
        _event("RunTask", 200, ph="X", dur=3000, tdur=2000),
        _event("RunTask", 4000, ph="X", dur=5000),  # its processor time left out
        _event("RunTask", 9000, ph="B"),  # begun when the tracing stopped
        {**_event("RunTask", 300, ph="X", dur=9000, tdur=9000), "tid": 2},  # another thread's
    ]
    assert work(trace, paint=0.001) == (5.0, 2.0)
    assert work(trace, paint=1) == (5.0, 7.0)
