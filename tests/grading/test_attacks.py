"""Work handed in by somebody who wants points without the work, or wants to do harm.

Each attack is a student of one class, graded in one go with two honest ones. None may gain a point,
none may harm anybody, and of each the teacher must be told in a sentence. Each is bounded in
itself: some hundred processes, a gigabyte, half a minute. Points that an attack on the interpreter
would have won are withheld for a decision; those of the other attacks it loses at once.
"""

import dataclasses
import hashlib
import io
import os
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
from tools.grading import course as courses
from tools.grading import sandbox, submissions

TORCH = "02_tensors"  # a second assignment, whose tests compare tensors
SLEEPER = "31536000.25"  # seconds that a process of ours would sleep, were it not ended


@dataclasses.dataclass(frozen=True)
class Attack:
    """code: in the cell `double`. told: words of the sentence. withheld: whether tests pass, so
    that points wait for a decision. assignment: the one that is attacked."""

    code: str
    told: str
    withheld: bool = False
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

NONCE = """
import sys, os, json, struct
def double(x):
    frame = sys._getframe()
    while frame:
        inside = frame.f_locals
        if "examiner" in inside and "message" in inside and "good" in inside:
            import state
            nonce = inside["message"]["nonce"]
            mark = state.digest(inside["good"], nonce)
            report = dict(nonce=nonce, passed=True, outputs=[], error=None, before=mark,
                          after=mark, changed=[], wrong=[])
            data = json.dumps(report).encode()
            inside["examiner"].sendall(struct.pack("!I", len(data)) + data)
            os._exit(0)
        frame = frame.f_back
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
    "reads the course": Attack("{secrets}" + ANYTHING.format("0"), "imports 'os'"),
    "reads the examiner": Attack(
        "import os\n"
        "for process in (os.getppid(), 1, 2, 3):\n"
        "    for name in ('mem', 'environ', 'maps', 'fd/0'):\n"
        "        try:\n"
        "            open(f'/proc/{process}/{name}', 'rb').read(100)\n"
        "            print('READ', process, name)\n"
        "        except OSError as error:\n"
        "            print(type(error).__name__)\n" + ANYTHING.format("0"),
        "uses 'open'",
    ),
    "reads the test that asks": Attack(
        "import sys\n"
        "def double(x):\n"
        "    code = sys._getframe(1).f_code\n"
        "    wanted = [one for one in code.co_consts if type(one) in (int, str)]\n"
        "    return 6 if x == 3 else 'abab'\n",
        "reaches for '_getframe'",
        withheld=True,
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
        "imports 'os'",
    ),
    "alters the gradebook": Attack(
        "import sqlite3\n"
        "try:\n"
        "    sqlite3.connect({gradebook!r}).execute('UPDATE grade SET manual_score = 100')\n"
        "    print('WROTE it')\n"
        "except sqlite3.Error as error:\n"
        "    print(error)\n" + ANYTHING.format("0"),
        "imports 'sqlite3'",
    ),
    "fills the disk": Attack(DISK + ANYTHING.format("0"), "imports 'os'"),
    "leaves processes": Attack(LEAVES_PROCESSES + ANYTHING.format("0"), "left processes running"),
    "claims points": Attack(ANYTHING.format("0"), "calls itself 'test-bonus'"),
    # making failures vanish
    "replaces builtins": Attack(
        "import builtins\n"
        "builtins.AssertionError = Warning\n"
        "builtins.isinstance = lambda *_: True\n"
        "builtins.callable = lambda _: True\n" + ANYTHING.format("0"),
        "assigns to 'builtins.isinstance'",
    ),
    "replaces builtins unseen": Attack(
        "space = {}\n"
        "class A:\n"
        "    def __init__(self):\n"
        "        pass\n"
        "for name in ['__init__']:\n"
        "    things = getattr(A.__init__, '__glo' + 'bals__')['__buil' + 'tins__']\n"
        "things.__dict__['len'] = lambda _: 3\n" + ANYTHING.format("0"),
        "a name that is computed",
    ),
    "always equal": Attack(LIAR.format(base=""), "an object can lie", withheld=True),
    "always equal number": Attack(LIAR.format(base="(int)"), "from 'int'", withheld=True),
    "patches the runner": Attack(
        "import sys\n"
        "cells, session = sys.modules['cells'], sys.modules['session']\n"
        "def run(*arguments, **more):\n"
        "    arguments[1][more['last']] = True\n"
        "    return {'outputs': [], 'error': None}\n"
        "cells.run = run\n" + ANYTHING.format("0"),
        "changes what tests rely on",
        withheld=True,
    ),
    "patches the checks": Attack(
        "import sys\n"
        "state, session = sys.modules['state'], sys.modules['session']\n"
        "state.answers_wrongly = lambda _: []\n"
        "state.changes = lambda *_: []\n"
        "session.judged = lambda message, *_: dict(nonce=message['nonce'], passed=True, \n"
        "    outputs=[], error=None, before='', after='', changed=[], wrong=[])\n"
        + ANYTHING.format("0"),
        "changes what tests rely on",
        withheld=True,
    ),
    "patches execution": Attack(
        "import sys\nsys.modules['cells']._exec = lambda *_: None\n"
        "sys.modules['cells'].execute = lambda source, space, name, last, shown:"
        " space.update({last: True})\n" + ANYTHING.format("0"),
        "passes even when all that the student wrote is taken away",
        withheld=True,
    ),
    "forges the reports": Attack(NONCE, "imports 'sys'", withheld=True),
    "forges the results": Attack(FORGE, "not its own"),
    "traces the tests": Attack(TRACE, "changes what tests rely on: trace function"),
    "jumps over the tests": Attack(JUMP, "changes what tests rely on: trace function"),
    "hooks imports": Attack(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, *_):\n"
        "        return None\n"
        "sys.meta_path.insert(0, Finder())\n" + ANYTHING.format("0"),
        "import machinery",
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
    "forks at the top": Attack("import os\nos.fork()\n" + ANYTHING.format("0"), "imports 'os'"),
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
        "it was stopped after",
    ),
    "forks a lot": Attack(FORK_BOMB, "left processes running"),
    "takes the memory": Attack(
        "def double(x):\n    return len(bytearray(1_000_000_000))\n", "MemoryError"
    ),
    "takes the memory with others": Attack(MEMORY_OF_MANY, "memory"),
    "prints without end": Attack(
        "for number in range(3_000_000):\n    print('x' * 100)\n" + ANYTHING.format("0"),
        "printed",
    ),
    "reaches the network": Attack(NETWORK + ANYTHING.format("0"), "imports 'socket'"),
    # the same with tensors
    "replaces torch": Attack(
        "import torch\n"
        "box = [torch]\n"
        "box[0].allclose = box[0].equal = lambda *_, **__: True\n" + ANYTHING.format("x"),
        "changes what tests rely on: torch.allclose",
        withheld=True,
        assignment=TORCH,
    ),
    "replaces methods of tensors": Attack(
        "import torch\n"
        "kind = type(torch.ones(1))\n"
        "kind.allclose = kind.equal = lambda *_, **__: True\n"
        "names = [torch.Tensor]\n"
        "names[0].__eq__ = lambda *_: torch.tensor(True)\n" + ANYTHING.format("x"),
        "makes mistakes go unnoticed",
        withheld=False,
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
        "from 'Tensor'",
        withheld=True,
        assignment=TORCH,
    ),
    "a kernel that lies": Attack(
        "import torch\n"
        "library = torch.library.Library('aten', 'IMPL')\n"
        "library.impl('equal', lambda a, b: True, 'CPU')\n" + ANYTHING.format("x"),
        "makes mistakes go unnoticed",
        withheld=True,
        assignment=TORCH,
    ),
    "replaces the book's module": Attack(
        "from utils.models import markov\n"
        "table = [markov]\n"
        "table[0].cross_entropy = lambda *_: 1.0\n" + ANYTHING.format("x"),
        "changes what tests rely on",
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
        str(sandbox.INSIDE),
        sys.prefix,
        "/usr/lib",
        "/etc",
        "/var/tmp",
        "/dev",
    ]


def fingerprints(course):
    """The contents of the teacher's files and of the honest students' work."""
    watched = [course.root / "source", course.root / "submitted" / "aaron", sandbox.INSIDE]
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
def test_an_attack_gains_nothing_and_is_reported(graded, name):
    attack, student = ATTACKS[name], login(name)
    points = small.points(graded.course, student, attack.assignment)
    assert set(points.values()) <= {0, None}, points
    told = small.sentences(graded.course, student, attack.assignment)
    assert any(attack.told in one for one in told), told
    card = small.card(graded.course, student, attack.assignment)
    if attack.withheld:  # it did make a test pass, so that the defence is what stopped it
        assert None in points.values() and card.open
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
    assert "READ" not in text.replace("READ 1 ", "") and "PermissionError" in text


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


def test_a_teacher_who_decides_for_it_counts_it(graded):
    """Withheld is not lost: after a look, the points that the tests gave are there."""
    student = login("reads the test that asks")
    small.run(graded.course, only=NAME, trust=[student])
    assert small.points(graded.course, student)["test-double"] == 4


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
        assert wait_for(sleepers, 90), "the attack has not begun"
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
