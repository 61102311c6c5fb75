"""Grading on other machines: a scheduler and two workers, which are processes of this one."""

import contextlib
import threading
import time

import psutil
import pytest

from tests import clusters
from tests.grading import small_course as small
from tools.grading import __main__ as commands
from tools.grading import feedback, sandbox
from utils.checkpoints.cluster import ClusterError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A submission whose second worker ends is given up."""
    with clusters.cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1") as found:
        yield found


def seen(name):
    """An answer that gives its process a name, and takes a while."""
    call = f"import ctypes, time\nctypes.CDLL(None).prctl(15, b{name!r}, 0, 0, 0)\ntime.sleep(2)"
    return {**small.SOLUTION, "double": f"{call}\n{small.DOUBLE}"}


@contextlib.contextmanager
def killing(keeper, name, times):
    """Meanwhile, whenever a worker runs the process of that name, kill the worker. Yields the
    numbers of those killed."""
    killed, over = [], threading.Event()

    def watch():
        while len(killed) < times and not over.wait(0.02):
            with contextlib.suppress(psutil.Error):
                for one in psutil.Process(keeper.pid).children():
                    if any(below.name() == name for below in one.children(recursive=True)):
                        killed.append(one.pid)
                        one.kill()
                        one.wait(10)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield killed
    finally:
        over.set()
        watcher.join()


def class_of(folder, *students):
    opened = small.make(folder)
    for student, answers in students:
        small.submit(opened, student, answers)
    return opened


def outcome(opened):
    """All that grading has left: the gradebook, the notebooks, the report and the feedback."""
    feedback.feedback(opened, unmarked=True)
    patterns = ("autograded/*/*/*.ipynb", "reports/*.md", "feedback/*/*/*.html")
    paths = [path for pattern in patterns for path in opened.root.glob(pattern)]
    files = {path.relative_to(opened.root).as_posix(): path.read_bytes() for path in paths}
    return small.everything(opened), files


CLASS = (
    ("alice", small.SOLUTION),
    ("bob", {**small.SOLUTION, "double": "def double(x):\n    return x * 0.1 + 1 / 3"}),
    ("carl", {**small.SOLUTION, "shout": "def shout(words):\n    while True:\n        pass"}),
    ("unlucky", seen("unlucky")),
)


def test_one_worker_or_several_and_once_more_give_the_same(tmp_path, cluster):
    address, _ = cluster
    several = (
        *CLASS[:2],
        ("dora", {}),
        ("emil", {**small.SOLUTION, "double": "import os\nos._exit(0)"}),
    )
    ways = {"one": {"workers": 1}, "two": {"workers": 2}, "away": {"scheduler": address}}
    found = {}
    for name, way in ways.items():
        opened = class_of(tmp_path / name, *several)
        for time_of in ("first", "again"):
            assert small.run(opened, force=time_of == "again", **way) == 0
            found[name, time_of] = outcome(opened)
    first = found["one", "first"]
    assert len(first[1]) == 2 * len(several) + 1
    assert [key for key, other in found.items() if other != first] == []


def test_a_worker_is_killed_and_the_grades_are_those_of_one_machine(tmp_path, cluster, capsys):
    address, keeper = cluster
    here, away = class_of(tmp_path / "here", *CLASS), class_of(tmp_path / "away", *CLASS)
    assert small.run(here) == 0
    with killing(keeper, "unlucky", 1) as killed:
        assert small.run(away, scheduler=address) == 0
    assert len(killed) == 1 and outcome(away) == outcome(here)
    assert small.points(away, "unlucky") == small.POINTS and not small.card(away, "unlucky").notes
    assert 2 < small.card(away, "unlucky").seconds < 15  # of its run, not of its waiting
    # what kills each worker that runs it is reported, and costs nobody else anything
    small.submit(away, "mallory", seen("mallory"))
    small.submit(away, "zoe")
    capsys.readouterr()
    with killing(keeper, "mallory", 2) as killed:
        assert small.run(away, scheduler=address) == 1
    assert len(killed) == 2 and "1 graded in" in (printed := capsys.readouterr().out)
    assert "NEEDS YOU  mallory: Grading it failed: 2 workers ended while they ran it" in printed
    assert small.points(away, "zoe") == small.POINTS and small.card(away, "mallory") is None
    assert small.run(away, scheduler=address) == 0  # it was not to blame: the same command goes on
    assert "1 graded in" in capsys.readouterr().out
    assert small.points(away, "mallory") == small.POINTS


def test_a_scheduler_that_ends_loses_nothing_that_is_done(tmp_path, monkeypatch, capsys):
    opened = class_of(tmp_path, ("alice", small.SOLUTION), ("late", seen("late")))
    monkeypatch.setenv("COURSE", str(tmp_path))
    with contextlib.ExitStack() as stack:
        address, _ = stack.enter_context(clusters.cluster(1))
        monkeypatch.setenv("CLUSTER", address)

        def end_when_alice_is_done():
            end = time.monotonic() + 60
            while small.card(opened, "alice") is None and time.monotonic() < end:
                time.sleep(0.05)
            stack.close()

        ending = threading.Thread(target=end_when_alice_is_done)
        ending.start()
        said = commands.ended("grade")
        ending.join()
    assert f"The scheduler at {address} does not answer any more" in said
    assert said.endswith("What is graded is kept; the same command goes on from there.")
    assert small.points(opened, "alice") == small.POINTS and small.card(opened, "late") is None
    assert "not graded yet: late" in (tmp_path / "reports" / f"{small.NAME}.md").read_text("utf-8")


def test_nothing_runs_elsewhere_without_a_sandbox(tmp_path, monkeypatch):
    opened = class_of(tmp_path, ("alice", small.SOLUTION))
    monkeypatch.setattr(sandbox, "unavailable", lambda: "none here")  # which does not matter
    monkeypatch.setattr("utils.checkpoints.cluster.CONNECT", 1)
    with pytest.raises(sandbox.NoSandbox, match="workers run nothing unsafe"):
        small.run(opened, unsafe=True, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ClusterError, match="No Dask scheduler answers at"):
        small.run(opened, scheduler="tcp://127.0.0.1:1")
    assert small.card(opened, "alice") is None
