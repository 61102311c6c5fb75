"""Work handed in by somebody who wants points without the work, or wants to do harm.

Each attack is a student of one class, graded in one go with two honest ones. None may gain a point,
and none may harm anybody. Of some the teacher is told: of what could not run to its end, of what
was left behind, of what speaks in the grading's name. The others only fail. Each is bounded in
itself: some hundred processes, a gigabyte, half a minute.
"""

import ctypes
import dataclasses
import hashlib
import io
import os
import platform
import re
import socket
import stat
import subprocess
import sys
import time
import zipfile

import nbformat
import psutil
import pytest

from tests.grading import small_course as small
from tests.grading.small_course import NAME
from tools.grading import bubblewrap, feedback, sandbox, submissions
from tools.grading import course as courses

TORCH = "02_tensors"  # a second assignment, whose tests compare tensors
SLEEPER = "31536000.25"  # seconds that a process of ours would sleep, were it not ended
KEYS = {"x86_64": (248, 250), "aarch64": (217, 219)}  # the calls that add a key, that look for one
KEYS = KEYS.get(platform.machine(), (-1, -1))


@dataclasses.dataclass(frozen=True)
class Attack:
    """code: in the cell `double`. told: a pattern of the sentence, if there is to be one.
    assignment: the one that is attacked."""

    code: str
    told: str | None = None
    assignment: str = NAME


ANYTHING = "def double(x):\n    return {}\n"

SECRETS = """
import os
def find(*places):
    found = []
    for place in places:
        for folder, folders, files in os.walk(place):
            folders[:] = [name for name in folders if name not in (".venv", "lib", "include")]
            for file in files:
                path = os.path.join(folder, file)
                if file.endswith((".ipynb", ".db", ".csv", ".zip")):
                    found.append(path)
    return found
print("FOUND", find("/home", "/root", "/work", "/tmp", "/srv", "/mnt", "/var", "/grading"))
for path in {paths!r}:
    try:
        print("READ", open(path).read()[:100])
    except OSError as error:
        print("failed:", type(error).__name__)
"""

FORGE = """
import os, json, struct
forged = json.dumps({"cells": [{"outputs": [], "error": None, "verdict": "passed"}] * 6,
                     "findings": []}).encode()
framed = json.dumps({"nonce": "0" * 32, "passed": True, "outputs": [], "error": None}).encode()
print(forged.decode())
for number in range(64):
    for data in (struct.pack("!I", len(framed)) + framed, forged):
        try:
            os.write(number, data)
        except OSError:
            pass
def double(x):
    return None
"""

FORK_BOMB = """
import os, time
def double(x):
    end = time.time() + 20
    started = 0
    while started < 300 and time.time() < end:
        try:
            if os.fork() == 0:
                time.sleep(20)
                os._exit(0)
            started += 1
        except OSError:
            print("no more than", started)
            break
    return None
"""

MEMORY_OF_MANY = """
import os, time
def double(x):
    for _ in range(8):
        if os.fork() == 0:
            block = bytearray(150_000_000)
            time.sleep(8)
            os._exit(0)
    time.sleep(8)
"""

DISK = """
import os
wrote = 0
for place in (".", "/tmp", "/dev/shm", "/var/tmp", "/", "/dev", os.path.expanduser("~")):
    try:
        with open(os.path.join(place, "full"), "wb") as file:
            for _ in range(300):
                wrote += file.write(b"x" * 1_000_000)
                file.flush()
    except OSError as error:
        print(place, type(error).__name__)
print("WROTE", wrote)
"""

NETWORK = """
import socket
reached = []
for address in [("127.0.0.1", {port}), ("1.1.1.1", 53), ("8.8.8.8", 53)]:
    try:
        socket.create_connection(address, timeout=2).close()
        reached.append(address)
    except OSError as error:
        print(type(error).__name__)
print("REACHED", reached)
"""

LEAVES_PROCESSES = f"""
import os, subprocess, sys
subprocess.Popen(["sleep", "{SLEEPER}"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "{SLEEPER}"])
    os._exit(0)
"""

TRACE = """
import sys
def tracer(frame, event, argument):
    if frame.f_code.co_filename.startswith("<test"):
        frame.f_trace_lines = False
        return skip
    return tracer
def skip(frame, event, argument):
    return skip
sys.settrace(tracer)
def double(x):
    return None
"""

JUMP = """
import sys
def jump(frame, event, argument):
    if event == "line" and frame.f_code.co_filename.startswith("<test"):
        lines = [line for _, _, line in frame.f_code.co_lines() if line]
        if frame.f_lineno < max(lines):
            frame.f_lineno = max(lines)
    return jump
def double(x):
    frame = sys._getframe(1)
    frame.f_trace = jump
    sys.settrace(jump)
    return None
"""

LIAR = """
class Liar{base}:
    def __eq__(self, other):
        return True
    def __ne__(self, other):
        return False
    __hash__ = None
def double(x):
    return Liar()
"""

ATTACKS = {
    # reading what is not one's own
    "reads the course": Attack("{secrets}" + ANYTHING.format("0")),
    "reads the examiner": Attack(
        "import os\n"
        "for process in {os.getppid(), *range(1, 40)} - {os.getpid()}:\n"
        "    for name in ('mem', 'environ', 'maps', 'fd/0', 'fd/1', 'fd'):\n"
        "        try:\n"
        "            (os.listdir if name == 'fd' else open)(f'/proc/{process}/{name}')\n"
        "            print('READ', process, name)\n"
        "        except OSError as error:\n"
        "            print(type(error).__name__)\n" + ANYTHING.format("0"),
    ),
    "reads the test that asks": Attack(
        "import sys\n"
        "def double(x):\n"
        "    found, frame = [], sys._getframe(1)\n"
        "    while frame:\n"
        "        found += [one for one in frame.f_code.co_consts if type(one) in (int, str)]\n"
        "        frame = frame.f_back\n"
        "    return 6 if 6 in found and x == 3 else 'abab' if 'abab' in found else found\n",
    ),
    "reads the tests' frames through a generator": Attack(
        "def walk():\n"
        "    yield getattr(me, 'gi_' + 'frame').f_back\n"
        "me = walk()\n"
        "def double(x):\n"
        "    global me\n"
        "    me = walk()\n"
        "    frame = next(me)\n"
        "    while frame:\n"
        "        frame.f_globals['double'] = lambda x: 2 * x\n"
        "        for name in ('verdict', 'passed', 'error', 'outcome'):\n"
        "            frame.f_globals[name] = 'passed'\n"
        "        frame = frame.f_back\n",
    ),
    "reads what the tests have set": Attack(
        "import __main__\n"
        "def double(x):\n"
        "    for name in ('expected', 'tokens', 'p', 'got'):\n"
        "        if hasattr(__main__, name):\n"
        "            return getattr(__main__, name)\n",
    ),
    # writing what is not one's own
    "writes elsewhere": Attack(
        "import os\n"
        "for place in {places!r}:\n"
        "    try:\n"
        "        open(place + '/attacked', 'w').write('x')\n"
        "        print('WROTE', place)\n"
        "    except OSError as error:\n"
        "        print(type(error).__name__)\n" + ANYTHING.format("0"),
    ),
    "alters the gradebook": Attack(
        "import sqlite3\n"
        "try:\n"
        "    sqlite3.connect({gradebook!r}).execute('UPDATE grade SET manual_score = 100')\n"
        "    print('WROTE it')\n"
        "except sqlite3.Error as error:\n"
        "    print(error)\n" + ANYTHING.format("0"),
    ),
    "fills the disk": Attack(DISK + ANYTHING.format("0")),
    "leaves processes": Attack(LEAVES_PROCESSES + ANYTHING.format("0"), "left processes running"),
    "claims points": Attack(
        ANYTHING.format("0"), "'test-bonus' has a name that the assignment does not know"
    ),
    "speaks as the grading": Attack(
        ANYTHING.format("0") + "# **What the Grading Noticed**: all of it is right",
        "speaks as the report of the grading does",
    ),
    # making failures vanish
    "replaces builtins": Attack(
        "import builtins\n"
        "builtins.AssertionError = Warning\n"
        "builtins.isinstance = lambda *_: True\n"
        "builtins.callable = lambda _: True\n" + ANYTHING.format("0"),
    ),
    "shadows builtins": Attack(
        "abs = len = sum = lambda *_: 0\n"
        "all = any = isinstance = callable = lambda *_: True\n"
        "class float(float):\n"
        "    __eq__ = __lt__ = __gt__ = lambda *_: True\n" + ANYTHING.format("float(0)"),
    ),
    "always equal": Attack(LIAR.format(base="")),
    "always equal number": Attack(LIAR.format(base="(int)")),
    "always equal text": Attack(LIAR.format(base="(str)")),
    "always equal but made at run time": Attack(
        "import dataclasses\n"
        "Liar = dataclasses.make_dataclass('Liar', [], eq=False, namespace={'__e' + 'q__': \n"
        "    lambda *_: True, '__ne__': lambda *_: False, '__hash__': None})\n"
        "class Outer:\n"
        "    class __eq__:\n"
        "        def __new__(cls, *_):\n"
        "            return True\n"
        "def double(x):\n    return Liar() if x == 3 else Outer()\n",
    ),
    "patches the runner": Attack(
        "import sys\n"
        "cells, wire, calls = (sys.modules[name] for name in ('cells', 'wire', 'calls'))\n"
        "cells.run = lambda *_, **__: dict(outputs=[], error=None, verdict='passed', dropped=0)\n"
        "calls.Answerer.do_call = lambda *_: dict(value=True, verdict='passed')\n"
        + ANYTHING.format("0"),
    ),
    "answers what it is not asked": Attack(
        "import sys\n"
        "calls = sys.modules['calls']\n"
        "def with_more(self, answer):\n"
        "    return {'value': {'back': 0}, 'after': {'tuple': [{'tuple': [6]}, {'dict': []}]}, \n"
        "            'graphed': [], 'found': True, 'error': None}\n"
        "calls.Answerer.with_more = with_more\n" + ANYTHING.format("0"),
    ),
    "sends what is no value": Attack(
        "import sys\n"
        "calls = sys.modules['calls']\n"
        "def with_more(self, answer):\n"
        "    if 'found' not in answer:\n"
        "        self.channel.socket.sendall(b'\\xff' * 100)\n"
        "    return answer\n"
        "calls.Answerer.with_more = with_more\n" + ANYTHING.format("0"),
        "no value",
    ),
    "raises what passes": Attack(
        "class Passed(Exception):\n    pass\n"
        "Passed.__name__ = 'SessionEnded'\n"
        "def double(x):\n    raise Passed('all is well')\n",
    ),
    "forges the results": Attack(FORGE, "that is not a result"),
    "forges from a thread": Attack(
        "import os, sys, threading, time\n"
        "def double(x):\n"
        "    def forge():\n"
        "        while True:\n"
        "            for number in range(64):\n"
        "                try:\n"
        "                    os.write(number, b'\\0' * 12)\n"
        "                except OSError:\n"
        "                    pass\n"
        "    threading.Thread(target=forge, daemon=True).start()\n"
        "    time.sleep(0.2)\n",
        "no value|did not reach its end",
    ),
    "traces the tests": Attack(TRACE),
    "jumps over the tests": Attack(JUMP),
    "hooks imports": Attack(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, *_):\n"
        "        return None\n"
        "sys.meta_path.insert(0, Finder())\n" + ANYTHING.format("0"),
    ),
    "writes into memory": Attack(
        "import ctypes\n"
        "def double(x):\n"
        "    ctypes.memset(id(6) + 24, 0, 4)\n"
        "    ctypes.pythonapi.PyErr_Clear()\n"
        "    return 0\n",
    ),
    # leaving early
    "exits in the cell": Attack("import os\nos._exit(0)", "ended the process"),
    "exits in the test": Attack(
        "import os\ndef double(x):\n    os._exit(0)\n", "did not reach its end"
    ),
    "raises SystemExit": Attack("def double(x):\n    raise SystemExit(0)\n", "SystemExit"),
    "kills everything": Attack(
        "import os, signal\n"
        "def double(x):\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    os.kill(-1, signal.SIGKILL)\n",
        "had to be stopped",
    ),
    "becomes another program": Attack(
        "import os\ndef double(x):\n    os.execv('/usr/bin/true', ['true'])\n",
        "did not reach its end",
    ),
    "forks at the top": Attack("import os\nos.fork()\n" + ANYTHING.format("0")),
    # using up
    "never ends": Attack("while True:\n    pass", "stopped after"),
    "never ends and will not stop": Attack(
        "def double(x):\n"
        "    while True:\n"
        "        try:\n"
        "            while True:\n"
        "                pass\n"
        "        except BaseException:\n"
        "            pass\n",
        "stopped after",
    ),
    "never ends to give": Attack("def double(x):\n    while True:\n        yield x\n"),
    "forks a lot": Attack(FORK_BOMB, "left processes running"),
    "takes the memory": Attack(
        "def double(x):\n    return len(bytearray(1_000_000_000))\n", "MemoryError"
    ),
    "takes the memory with others": Attack(MEMORY_OF_MANY, "memory"),
    "hands back too much": Attack("def double(x):\n    return 'x' * 130_000_000\n"),
    "hands back what is nested deeply": Attack(
        "def double(x):\n"
        "    found = []\n"
        "    for _ in range(100_000):\n"
        "        found = [found]\n"
        "    return found\n",
    ),
    "prints without end": Attack(
        "for number in range(3_000_000):\n    print('x' * 100)\n" + ANYTHING.format("0"),
        "printed",
    ),
    "reaches the network": Attack(NETWORK + ANYTHING.format("0")),
    "says that the grading ended it": Attack(
        ANYTHING.format("0") + "class SessionEnded(Exception):\n    pass\n"
        "raise SessionEnded('this is right, and has all its points')"
    ),
    "forges the results over the first process": Attack(
        "import json, os, signal, struct\n"
        "cells = [{'outputs': [], 'error': None, 'verdict': kind} for kind in\n"
        "         (None, None, 'passed', 'passed', None, None, 'passed', 'passed')]\n"
        "data = json.dumps({'cells': cells, 'findings': []}).encode()\n"
        "for process in set(range(1, 9)) - {os.getpid()}:\n"
        "    try:\n"
        "        to = os.open(f'/proc/{process}/fd/1', os.O_WRONLY)\n"
        "        os.write(to, struct.pack('!Q', len(data)) + data)\n"
        "        os.kill(-1, signal.SIGKILL)\n"
        "    except OSError:\n"
        "        pass\n" + ANYTHING.format("0"),
    ),
    # the same with tensors
    "replaces torch": Attack(
        "import torch\n"
        "box = [torch]\n"
        "box[0].allclose = box[0].equal = lambda *_, **__: True\n"
        "box[0].manual_seed = lambda *_: None\n" + ANYTHING.format("x"),
        assignment=TORCH,
    ),
    "replaces torch and puts it back": Attack(
        "import torch\n"
        "real = torch.allclose\n"
        "def double(x):\n"
        "    def fake(*_, **__):\n"
        "        torch.allclose = torch.equal = real\n"
        "        return True\n"
        "    torch.allclose = torch.equal = fake\n"
        "    return x\n",
        assignment=TORCH,
    ),
    "replaces methods of tensors": Attack(
        "import torch\n"
        "kind = type(torch.ones(1))\n"
        "kind.allclose = kind.equal = lambda *_, **__: True\n"
        "names = [torch.Tensor]\n"
        "names[0].__eq__ = lambda *_: torch.tensor(True)\n" + ANYTHING.format("x"),
        assignment=TORCH,
    ),
    "a tensor that lies": Attack(
        "import torch\n"
        "class Liar(torch.Tensor):\n"
        "    @classmethod\n"
        "    def __torch_function__(cls, function, types, given=(), more=None):\n"
        "        return True\n"
        "def double(x):\n"
        "    return x.as_subclass(Liar)\n",
        assignment=TORCH,
    ),
    "a kernel that lies": Attack(
        "import torch\n"
        "library = torch.library.Library('aten', 'IMPL')\n"
        "library.impl('equal', lambda a, b: True, 'CPU')\n" + ANYTHING.format("x"),
        assignment=TORCH,
    ),
    "changes what is handed to it": Attack(
        "def double(x):\n    x.fill_(0)\n    return x\n",
        assignment=TORCH,
    ),
    "replaces the book's module": Attack(
        "from utils.models import markov\n"
        "table = [markov]\n"
        "table[0].cross_entropy = lambda *_: 1.0\n" + ANYTHING.format("x"),
        assignment=TORCH,
    ),
}


TENSORS = [
    ("code", "setup", "import torch\nfrom utils.models import markov", {}),
    ("code", "double", f"### BEGIN SOLUTION\n{small.DOUBLE}\n### END SOLUTION", {"solution": True}),
    (
        "code",
        "test-double",
        "import torch\nfrom utils.models import markov\n"
        "assert torch.equal(double(torch.tensor([1.0, 2.0])), torch.tensor([2.0, 4.0]))",
        {"points": 3},
    ),
    (
        "code",
        "test-close",
        "import torch\nassert torch.allclose(double(torch.ones(2)), 2 * torch.ones(2))",
        {"points": 2},
    ),
]


@dataclasses.dataclass
class Class:
    """What is left when the class has been graded."""

    course: courses.Course
    before: dict
    accepted: list
    seconds: float


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    reason = sandbox.unavailable()
    if reason:
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    course = small.make(tmp_path_factory.mktemp("course"))
    small.make(course.root, TENSORS, TORCH)
    accepted = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        there = {
            "{port}": str(server.getsockname()[1]),
            "{gradebook!r}": repr(str(course.root / "gradebook.db")),
            "{places!r}": repr(places(course)),
            "{secrets}": SECRETS.replace("{paths!r}", repr(targets(course))),
        }
        for student in ("aaron", "zoe"):
            small.submit(course, student)
            small.submit(course, student, {"double": small.DOUBLE}, name=TORCH)
        small.submit(course, "judge")  # graded before the others, to be compared with after
        small.run(course, only=NAME)
        before = {**small.everything(course), "files": fingerprints(course)}
        for name, attack in ATTACKS.items():
            code = attack.code
            for mark, value in there.items():
                code = code.replace(mark, value)
            edit = claims_points if name == "claims points" else None
            answers = {"double": code}
            small.submit(course, login(name), answers, edit=edit, name=attack.assignment)
        start = time.perf_counter()
        assert small.run(course, limits=small.frozen(cell_seconds=3)) == 0
        seconds = time.perf_counter() - start
        while True:
            try:
                accepted.append(server.accept())
            except OSError:
                break
    return Class(course, before, accepted, seconds)


def login(name):
    return "mallory-" + name.replace("'", "").replace(" ", "-")


def claims_points(notebook):
    bonus = nbformat.v4.new_code_cell("assert True")
    bonus.metadata.nbgrader = {
        "grade_id": "test-bonus",
        "grade": True,
        "points": 1000,
        "solution": False,
        "locked": True,
        "schema_version": 3,
    }
    notebook.cells.append(bonus)
    small.cell(notebook, "test-double")[0].metadata.nbgrader["points"] = 1000


def targets(course):
    """What somebody would like to read: the tests, the grades, another's work, the keys."""
    return [
        str(course.root / "source" / NAME / f"{NAME}.ipynb"),
        str(course.root / "gradebook.db"),
        str(course.root / "submitted" / "aaron" / NAME / f"{NAME}.ipynb"),
        str(small.ROOT / "assignments" / "nbgrader_config.py"),
        str(small.ROOT / "tests" / "small_course.py"),
        str(small.ROOT / ".git" / "HEAD"),
        "/etc/passwd",
        "/etc/shadow",
    ]


def places(course):
    """Where somebody would like to write."""
    return [
        str(course.root),
        str(course.root / "submitted" / "aaron" / NAME),
        str(small.ROOT / "utils"),
        str(small.ROOT / "checkpoints"),
        str(bubblewrap.INSIDE),
        sys.prefix,
        "/usr/lib",
        "/etc",
        "/var/tmp",
        "/dev",
    ]


def fingerprints(course):
    """The contents of the teacher's files and of the honest students' work."""
    watched = [course.root / "source", course.root / "submitted" / "aaron", bubblewrap.INSIDE]
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in watched
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def printed(course, name):
    attack = ATTACKS[name]
    path = course.folder("autograded", login(name), attack.assignment)
    notebook = nbformat.read(path / f"{attack.assignment}.ipynb", 4)
    return "".join(
        output.get("text", "")
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gains_nothing(graded, name):
    attack, student = ATTACKS[name], login(name)
    points = small.points(graded.course, student, attack.assignment)
    assert set(points.values()) <= {0, None}, points
    told = small.sentences(graded.course, student, attack.assignment)
    if attack.told:
        assert any(re.search(attack.told, one) for one in told), told
    with graded.course.gradebook() as book:
        submission = book.find_submission(attack.assignment, student)
        assert submission.score == 0 and submission.max_score < 20


def test_the_honest_are_not_affected(graded):
    for student in ("aaron", "zoe", "judge"):
        assert small.points(graded.course, student) == small.POINTS
        assert small.sentences(graded.course, student) == []
    for student in ("aaron", "zoe"):
        assert set(small.points(graded.course, student, TORCH).values()) == {3, 2}
        assert small.sentences(graded.course, student, TORCH) == []


def test_nothing_of_the_teachers_was_changed(graded):
    after = {**small.everything(graded.course), "files": fingerprints(graded.course)}
    assert {key: after[key] for key in graded.before} == graded.before
    for place in places(graded.course):
        assert not os.path.exists(os.path.join(place, "attacked"))
    for place in ("/tmp", "/dev/shm", "/var/tmp"):
        assert not os.path.exists(os.path.join(place, "full"))
    assert "WROTE" not in printed(graded.course, "writes elsewhere")
    assert "WROTE" not in printed(graded.course, "alters the gradebook")


def test_nothing_was_read(graded):
    text = printed(graded.course, "reads the course")
    assert "READ" not in text and "failed: FileNotFoundError" in text and "FOUND []" in text
    text = printed(graded.course, "reads the examiner")
    assert "READ" not in text and "PermissionError" in text


def test_no_note_is_in_a_students_words(graded):
    student = login("says that the grading ended it")
    told = "It has no points; 1 of 2 parts are as released."
    assert small.sentences(graded.course, student) == [f"- **{student}**: {told}"]


def test_the_network_was_not_reached(graded):
    assert "REACHED []" in printed(graded.course, "reaches the network")
    assert graded.accepted == []


def test_little_was_used_up(graded):
    """Some attacks would take minutes, or the disk, or all processes."""
    text = printed(graded.course, "fills the disk")
    assert 0 < int(text.partition("WROTE ")[2].split()[0]) <= 3 * 70_000_000
    assert len(printed(graded.course, "prints without end")) < 20_000
    for name in ATTACKS:
        card = small.card(graded.course, login(name), ATTACKS[name].assignment)
        assert card.seconds < 120, name


def test_no_process_is_left(graded):
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if SLEEPER in (process.info["cmdline"] or [])
    ]
    assert left == []


def test_the_code_runs_as_somebody_without_rights(graded):
    course = graded.course
    code = (
        "import os\n"
        "print('uid', os.getuid(), os.getgid(), os.getgroups())\n"
        "print([line for line in open('/proc/self/status') if line.startswith('CapEff')])\n"
        "print(sorted(os.environ))\n"
        "print('host', os.uname().nodename)\n"
        "print(os.system('unshare --user --map-root-user true 2>/dev/null') != 0)"
    )
    small.submit(course, "curious", {"double": code})
    small.run(course, only=NAME)
    path = course.folder("autograded", "curious", NAME) / f"{NAME}.ipynb"
    (output,) = small.cell(nbformat.read(path, 4), "double")[0].outputs
    said = output.text.splitlines()
    assert said[0].startswith("uid 65534 65534 [") and "0000000000000000" in said[1]
    assert "PGPASSWORD" not in said[2] and "GRADEBOOK" not in said[2]
    assert said[3] == "host sandbox" and said[4] == "True"


TELLS = """
import mmap, os, sys
shared = mmap.mmap(-1, 10_000)
def double(x):
    frame, said = sys._getframe(), [repr(x)]
    while frame:
        said += [repr(one) for one in frame.f_locals.values()]
        frame = frame.f_back
    said = " ".join(said)
    print("PRIN" + "TED", said)
    shared.write(said[-1000:].encode())
    with open("/tmp/work/said", "a") as file:
        file.write(said)
    if x == 3:
        return "TO" + "LD " + shared[:2000].decode(errors="replace") + open("/tmp/work/said").read()
    raise ValueError("RAI" + "SED " + said)
"""
TELLS_LATER = """
try:
    print("LA" + "TER", open("/tmp/work/said").read(), shared[:10_000])
except OSError:
    print("NOTH" + "ING")
def shout(words):
    return "LA" + "TER " + open("/tmp/work/said").read() + repr(shared[:10_000])
"""


def test_what_the_hidden_tests_ask_reaches_no_page(tmp_path):
    """Who knows what is asked prints it, returns it, raises it, and keeps it for later."""
    course = small.make(tmp_path)
    small.submit(course, "mallory", {"double": TELLS, "shout": TELLS_LATER})
    small.run(course)
    made, _ = feedback.feedback(course, unmarked=True)
    page = made["mallory", NAME].read_text("utf-8")
    assert "TOLD" in page and "PRINTED" in page  # of what everybody is shown: double(3)
    assert "NOTHING" in page and "&#39;ab&#39;" not in page and "'ab'" not in page
    assert "abab" not in page and "RAISED" not in page
    assert "secret message about texts" in page  # which is the teacher's own


WASTES = """
import time
end = time.monotonic() + 3.2
time.sleep(1)
def shout(words):
    if words:
        return ["A", "B"]
    time.sleep(max(0, end - time.monotonic()))
"""


def test_who_wastes_the_time_until_the_hidden_tests_gains_nothing_by_it(tmp_path):
    """What all may see is answered, and then slept until the notebook's time is over: a test of
    which not all lines have been run has not been passed."""
    course = small.make(tmp_path)
    small.submit(course, "mallory", {"double": small.DOUBLE, "shout": WASTES})
    small.run(course, limits=small.frozen(cell_seconds=2.5, seconds=3))
    points = small.points(course, "mallory")
    assert points["test-shout-none"] == points["test-double-text"] == 0
    assert any(
        "the time for this notebook was over" in x for x in small.sentences(course, "mallory")
    )


def test_no_work_fills_the_report(tmp_path):
    """Some hundred cells of which there is something to say, in names that are no names."""
    course = small.make(tmp_path)
    speaks = "# what the grading noticed"

    def edit(notebook):
        for number in range(120):
            for source in (f"def (number {number}", speaks):
                notebook.cells.append(nbformat.v4.new_code_cell(source))
                notebook.cells[-1].metadata.nbgrader = {"grade_id": f"{number}" * 4000}
        notebook.cells[-1].source += "\n### BEGIN SOLUTION"

    small.submit(course, "mallory", small.SOLUTION, edit=edit)
    small.run(course)
    said = small.sentences(course, "mallory")
    assert len(said) < 40 and max(map(len, said)) < 500
    assert any("is no Python" in one for one in said) and any("100 more" in one for one in said)


LEAVES = f"""
import ctypes, os, pathlib, socket, subprocess
system = ctypes.CDLL(None).syscall
def leave():
    for place in ("/tmp", "/tmp/work", "/dev/shm", "/var/tmp", os.path.expanduser("~")):
        try:
            pathlib.Path(place, "left").write_text("left")
        except OSError:
            pass
    ctypes.CDLL(None).shmget(4711, 100, 0o1666)
    system({KEYS}[0], b"user", b"left", b"left", 4, ctypes.c_int(-3))
    if os.fork() == 0:
        os.setsid()
        server = socket.socket(socket.AF_UNIX)
        server.bind("\\0left")
        server.listen()
        os.execvp("sleep", ["sleep", "{SLEEPER}"])
    with socket.create_server(("127.0.0.1", 4711)) as server:
        there = socket.create_connection(server.getsockname())
        server.accept()[0].close()  # who closes first leaves the port taken for a minute
        there.close()
leave()
def double(x):
    leave()
"""
FINDS = f"""
import ctypes, os, pathlib, socket
found = [str(path) for place in ("/tmp", "/dev/shm", "/var/tmp") for path in
         pathlib.Path(place).rglob("left")]
found += [one for one in os.listdir("/proc") if one.isdigit() and
          b"sleep" in pathlib.Path("/proc", one, "cmdline").read_bytes()]
if ctypes.CDLL(None).shmget(4711, 100, 0o666) >= 0:
    found.append("shared memory")
if ctypes.CDLL(None).syscall({KEYS}[1], 10, ctypes.c_int(-3), b"user", b"left", 0) >= 0:
    found.append("a key")
if ctypes.CDLL(None).syscall({KEYS}[1], 10, ctypes.c_int(-3), b"user", b"teacher", 0) >= 0:
    found.append("the teacher's key")
if socket.socket(socket.AF_UNIX).connect_ex("\\0left") == 0:
    found.append("a socket")
try:
    socket.socket().bind(("127.0.0.1", 4711))
except OSError:
    found.append("a port")
print("FOUND", found)
"""


def test_one_student_finds_nothing_of_another(tmp_path, monkeypatch):
    """Though both are in one sandbox, one after the other; and though the teacher has a session,
    with a key in it, to which all that is started belongs."""
    begun, kept = [], sandbox.Kept
    monkeypatch.setattr(sandbox, "Kept", lambda *kind: begun.append(kind) or kept(*kind))
    if KEYS[0] > 0:
        system = ctypes.CDLL(None).syscall
        system(KEYS[1], 1, None)
        assert system(KEYS[0], b"user", b"teacher", b"key", 3, ctypes.c_int(-3)) > 0
    course = small.make(tmp_path)
    small.submit(course, "aaron", {"double": LEAVES})
    small.submit(course, "berta", {"double": FINDS})
    patient = small.frozen(cell_seconds=20, seconds=200)
    for _ in range(2):
        small.run(course, workers=1, force=True, limits=patient)
        path = course.folder("autograded", "berta", NAME) / f"{NAME}.ipynb"
        (output,) = small.cell(nbformat.read(path, 4), "double")[0].outputs
        assert output.text == "FOUND []\n"
    assert len(begun) == (2 if sandbox.nests() else 4)


# Zips.


def zipped(files, **modes):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = modes.get(name, 0o644) << 16
            archive.writestr(entry, content)
    return data.getvalue()


def lying_about_its_size():
    """A zip whose list says 100 bytes where eleven million zeros will come."""
    data = zipped({f"{NAME}.ipynb": b"0" * 11_000_000})
    size = (11_000_000).to_bytes(4, "little")
    assert data.count(size) == 2
    return data.replace(size, (100).to_bytes(4, "little"))


def with_a_password():
    """A zip that says so; what it holds would not be read anyway."""
    data = bytearray(zipped({f"{NAME}.ipynb": "{}"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


BOOK = f"{NAME}.ipynb"
ZIPS = {
    "up": (zipped({f"../../aaron/{BOOK}": "{}"}), "leads out of it"),
    "down and up": (zipped({f"a/../../{BOOK}": "{}"}), "leads out of it"),
    "absolute": (zipped({f"/tmp/{BOOK}": "{}"}), "leads out of it"),
    "backslashes": (zipped({f"..\\..\\{BOOK}": "{}"}), "leads out of it"),
    "a link": (zipped({BOOK: "/etc/passwd"}, **{BOOK: stat.S_IFLNK | 0o777}), "with a link"),
    "a bomb": (zipped({BOOK: b"0" * 60_000_000}), "zip bomb"),
    "a bomb beside": (zipped({BOOK: "{}", "x": b"0" * 60_000_000}), "zip bomb"),
    "a bomb that lies": (lying_about_its_size(), "cannot be read"),
    "many files": (zipped({f"{number}.txt": "" for number in range(2000)}), "2,000 files"),
    "a password": (with_a_password(), "a password"),
    "backslashes and a drive": (zipped({f"C:\\{BOOK}": "{}"}), "leads out of it"),
    "backslashes at the root": (zipped({f"\\\\server\\{BOOK}": "{}"}), "leads out of it"),
    "no zip": (b"PK\x03\x04 and then nothing", "cannot be read"),
    "nothing in it": (zipped({"readme.txt": "later"}), "without a notebook"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_that_is_not_homework(tmp_path, name):
    course = small.make(tmp_path / "course")
    small.submit(course, "aaron")
    data, told = ZIPS[name]
    path = course.root / "submitted" / "mallory" / f"{NAME}.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    files = fingerprints(course)
    with pytest.raises(submissions.Refused, match=told):
        submissions.read(course, "mallory", NAME)
    assert fingerprints(course) == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["course"]
    assert submissions.read(course, "aaron", NAME).data


def test_links_in_place_of_work(tmp_path):
    course = small.make(tmp_path / "course")
    real = small.submit(course, "aaron")
    for student, target in (("file", real), ("device", "/dev/zero"), ("nowhere", "/no/such")):
        path = course.root / "submitted" / student / NAME / BOOK
        path.parent.mkdir(parents=True)
        path.symlink_to(target)
        with pytest.raises(submissions.Refused, match="which is a link"):
            submissions.read(course, student, NAME)
    (course.root / "submitted" / "folder").mkdir()
    (course.root / "submitted" / "folder" / NAME).symlink_to(real.parent)
    with pytest.raises(submissions.Refused, match="a link in place of the folder"):
        submissions.read(course, "folder", NAME)
    pipe = course.root / "submitted" / "pipe" / NAME / BOOK
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    (course.root / "submitted" / "book" / NAME / BOOK).mkdir(parents=True)
    with pytest.raises(submissions.Refused, match="not an ordinary file"):
        submissions.read(course, "book", NAME)
    with pytest.raises(submissions.Refused, match="not an ordinary file"):
        submissions.read(course, "pipe", NAME)


def test_a_grader_that_is_killed_leaves_nothing_running(tmp_path):
    """Killed outright, so that nothing can be tidied up: the sandbox goes all the same."""
    course = small.make(tmp_path / "course")
    small.submit(course, "aaron", {"double": LEAVES_PROCESSES + "while True:\n    pass"})
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.grading", "grade"],
        cwd=small.ROOT,
        env={**os.environ, "COURSE": str(course.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_for(sleepers, 240), "the attack has not begun"
    finally:
        process.kill()
        process.wait()
    assert wait_for(lambda: not sleepers(), 15)


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return condition()


def sleepers():
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if SLEEPER in (process.info["cmdline"] or [])
    ]
