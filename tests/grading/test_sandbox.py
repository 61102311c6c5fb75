"""A sandbox is kept for the next work: it is as good as a fresh one, or is replaced by one."""

import concurrent.futures
import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tools.grading import bubblewrap, sandbox

LIMITS = sandbox.Limits(cell_seconds=2, seconds=20, memory=600 * sandbox.MEGABYTE)
TEST = {"name": "test", "kind": "test", "source": "assert double(3) == 6"}
DOUBLE = "def double(x):\n    return 2 * x"


@pytest.fixture(autouse=True)
def begun(monkeypatch):
    """The sandboxes that a test has begun; none is left behind it."""
    if reason := sandbox.unavailable():
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    found, kept = [], sandbox.Kept
    monkeypatch.setattr(sandbox, "Kept", lambda *kind: found.append(kept(*kind)) or found[-1])
    yield found
    sandbox.stop()
    assert [one for one in found if one.process.poll() is None] == []


@pytest.fixture
def nests():
    if not sandbox.nests():
        pytest.skip("this machine allows no namespaces within those of a sandbox")


def run(code=DOUBLE, tests=(TEST,), **more):
    student = {"name": "double", "kind": "student", "source": code}
    plan = {"cells": [student, *tests], "names": ["double"], "without": []}
    return sandbox.run(plan, more.pop("limits", LIMITS), **more)


def verdict(ended):
    return ended.result and ended.result["cells"][-1]["verdict"]


def verdicts(ended):
    """Of all tests."""
    return [one["verdict"] for one in ended.result["cells"] if one["verdict"]]


def test_one_sandbox_serves_a_class(nests, begun):
    """A mistake, a cell that ends its process and one that never ends change nothing for others."""
    assert verdict(run()) == "passed"
    assert verdict(run("def double(x):\n    return 3 * x")) == "failed"
    assert verdict(run("import os\nos._exit(0)")) == "failed"
    assert verdict(run("while True:\n    pass")) == "failed"
    assert verdict(run()) == "passed" and len(begun) == 1


def test_what_was_imported_for_one_is_there_for_the_next_and_nothing_else(nests, begun):
    code = (
        "import sys\nthere = 'colorsys' in sys.modules, 'wave' in sys.modules\nimport wave\n"
        "def double(x):\n    return 2 * x if there == (True, False) else 0"
    )
    assert [verdict(run(code, modules=["colorsys"])) for _ in range(2)] == ["passed"] * 2
    assert verdict(run(code)) == "failed" and len(begun) == 2  # a course of other needs
    assert begun[0].process.poll() is not None  # and the one that nobody needs any more is gone


def test_what_one_test_has_asked_the_next_one_does_not_find():
    code = "asked = []\ndef double(x):\n    asked.append(x)\n    return 2 * x * (len(asked) == 1)"
    assert verdicts(run(code, [TEST] * 3)) == ["passed"] * 3


def hiding(*lines):
    """A test of these lines; those that begin with # are hidden."""
    source = "\n".join(
        f"### BEGIN HIDDEN TESTS\n{one[1:]}\n### END HIDDEN TESTS" if one[0] == "#" else one
        for one in lines
    )
    return {**TEST, "source": source}


def test_a_test_goes_on_with_its_hidden_lines_where_its_public_ones_have_ended():
    """The public lines are not asked a second time: neither by the test, nor of the student's."""
    code = (
        "here = []\ndef double(x):\n    here.append(x)\n"
        "    with open('/tmp/all', 'a') as file:\n        file.write('x')\n"
        "    return len(here), len(open('/tmp/all').read())"
    )
    behind = hiding("seen = [double(1)]", "#assert seen == [(1, 1)] and double(1) == (2, 2)")
    assert verdicts(run(code, [behind])) == ["passed"]
    within = hiding("seen = []", "#seen = [0]", "seen += [double(1)]", "assert len(seen) < 2")
    assert verdicts(run(code, [within])) == ["failed"]
    indented = hiding("if True:", "    seen = double(1)[0]", "#    seen = 0", "assert seen")
    assert verdicts(run(code, [indented])) == ["failed"]


def test_what_a_test_has_left_running_costs_it_and_the_next_ones_nothing():
    code = (
        "import subprocess\nrunning = []\ndef double(x):\n"
        "    running.append(subprocess.Popen(['sleep', '60']))\n"
        "    return 2 * x if all(one.poll() is None for one in running) else 0"
    )
    test = hiding("assert double(3) == 6", "#assert double(4) == 8")
    ended = run(code, [test] * 3)
    assert verdicts(ended) == ["passed"] * 3
    assert {phrase for _, phrase in ended.result["findings"]} == {
        "left processes running behind it"
    }
    bomb = (
        "import os, time\ndef double(x):\n    while True:\n"
        "        if os.fork() == 0:\n            time.sleep(60)"
    )
    other = {"name": "other", "kind": "student", "source": "def other():\n    return 1"}
    asks = {**TEST, "source": "assert other() == 1"}
    plan = {
        "cells": [{**other, "source": bomb}, other, TEST, asks],
        "names": ["double", "other"],
        "without": [],
    }
    assert verdicts(sandbox.run(plan, LIMITS)) == ["failed", "passed"]


def test_cells_that_end_their_process_one_after_the_other_cost_no_verdict():
    ends = {"name": "ends", "kind": "student", "source": "import os\nos._exit(1)"}
    constant = {**TEST, "source": "assert True"}
    assert verdicts(run("import os\nos._exit(1)", [*[ends] * 6, TEST, constant])) == [
        "failed",
        "passed",
    ]


def test_a_kept_sandbox_that_is_gone_costs_nobody_anything(nests, begun):
    run()
    begun[0].process.kill()
    assert verdict(run()) == "passed" and len(begun) == 2
    run()
    for one in psutil.Process(begun[1].process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            one.kill()  # what waits in it, and not the sandbox around it
    assert verdict(run()) == "passed" and len(begun) == 3


def test_what_ends_by_itself_in_a_kept_sandbox_is_tried_once_in_a_fresh_one(nests, begun):
    run()
    everything = "import os\ndef double(x):\n    os.kill(-1, 9)"
    ended = run(everything)
    assert ended.result is None and "ended before it could hand back" in ended.why
    assert len(begun) == 2


def test_where_a_sandbox_can_have_no_places_in_it_each_work_has_one_of_its_own(begun, monkeypatch):
    monkeypatch.setattr(sandbox, "nests", lambda: False)
    looks = (
        "import os\ncan = os.system('unshare --user true 2>/dev/null') == 0\n"
        "left = os.path.exists('left')\nopen('left', 'w').close()\n"
        "def double(x):\n    return 2 * x if not (can or left) else 0"
    )
    assert [verdict(run(looks)) for _ in range(2)] == ["passed"] * 2 and len(begun) == 2
    assert all(one.process.poll() is not None for one in begun)


@pytest.mark.parametrize("nested", [True, False])
def test_what_is_shown_in_tmp_stays_where_it_is(begun, monkeypatch, nested):
    """A clone in /tmp: what an examiner has yet to import is not a student's to replace."""
    if nested and not sandbox.nests():
        pytest.skip("this machine allows no namespaces within those of a sandbox")
    monkeypatch.setattr(sandbox, "nests", lambda: nested)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        inside = Path(folder) / "book" / "inside"
        shutil.copytree(bubblewrap.INSIDE, inside)
        monkeypatch.setattr(bubblewrap, "INSIDE", inside)
        replaces = (
            f"import os\nplaces = [{folder!r}, {str(inside.parent)!r}, {str(inside)!r}]\n"
            "done = []\nfor place in places:\n"
            "    for way in (lambda: os.rename(place, '/tmp/elsewhere'),"
            " lambda: os.makedirs(place + '/gradients'), lambda: os.rmdir(place),"
            " lambda: os.symlink('/tmp', place + '/here'), lambda: os.chmod(place, 0o777)):\n"
            "        try:\n            way()\n            done.append(place)\n"
            "        except OSError:\n            pass\n"
            "open('/tmp/mine', 'w').close()\n"
            f"def double(x):\n    return done or os.listdir({str(inside)!r}) and 2 * x"
        )
        assert verdict(run(replaces)) == "passed"
        sandbox.stop()


def test_to_stop_ends_what_runs_and_what_waits(begun):
    endless = "import time\ntime.sleep(30)\n" + DOUBLE
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, endless)
        end = time.monotonic() + 10
        while not (begun and len(psutil.Process(begun[0].process.pid).children(True)) > 4):
            assert time.monotonic() < end
            time.sleep(0.05)
        below = psutil.Process(begun[0].process.pid).children(recursive=True)
        sandbox.stop()
        assert running.result(10).result is None and len(begun) == 1
    _, alive = psutil.wait_procs(below, timeout=5)
    assert alive == []
