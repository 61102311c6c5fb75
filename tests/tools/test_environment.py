"""The set-up behind `make lab` and `make test`: what it says when something is missing or fails.

A real installation takes a minute and the network, so here `pip` is a script that prints what pip
printed in each of these situations. The suite itself runs in an environment made for real.
"""

import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jupyter_client import KernelManager

from tests.disks import filling_up, killed_at, locked
from tests.places import ROOT
from tools import environment, lab
from tools.grading.__main__ import number_of_workers

FILES = (*environment.PINS, "pyproject.toml")

ODD = """mon église? #1 % ; & 'a' "b\""""  # a folder may be called this

# Stands in for a virtual environment's Python: behaves as one, but its pip does what PIP says.
FAKE = """#!/bin/sh
clone=$(cd "$(dirname "$0")/../.." && pwd)
if [ "$1 $2 $3" = "-m pip config" ]; then
    cat "$clone/pip-settings" 2>/dev/null; exit 0
elif [ "$1 $2" = "-m pip" ]; then
    echo "$@" >> "$clone/pip-was-asked"
    env | grep ^PIP_ > "$clone/pip-variables"
    {pip}
elif [ "$1 $2 $3" = "-I -c {imported}" ]; then
    {imports}
else
    exec "{python}" "$@"
fi
"""


@pytest.fixture
def clone(tmp_path):
    """A clone in a folder whose name has what addresses, shells and programs take for their own."""
    clone = tmp_path / ODD
    (clone / "tools").mkdir(parents=True)
    for name in (*FILES, "Makefile", "tools/environment.py"):
        shutil.copy(ROOT / name, clone / name)
    return clone


def set_up(clone, pip, *arguments, imports="exit 0", **more):
    """Run the clone's `environment.py`, with bits of shell script for pip and for the imports."""
    script = FAKE.format(
        pip=pip, imports=imports, imported=environment.IMPORTED, python=sys.executable
    )
    (clone / "fake.py").write_text(
        "import os, sys, runpy\n"
        f"sys.path.insert(0, {str(clone / 'tools')!r})\n"
        "import environment, signal\n"
        # a background job ignores interrupts, and hands that on; a reader's shell does not
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "real = environment.run\n"
        "def run(command, log, environ):\n"
        "    if command[1:3] == ['-m', 'venv']:\n"
        "        os.makedirs(os.path.join(command[3], 'bin'))\n"
        f"        open(os.path.join(command[3], 'bin', 'python'), 'w').write({script!r})\n"
        "        os.chmod(os.path.join(command[3], 'bin', 'python'), 0o755)\n"
        "    else:\n"
        "        real(command, log, environ)\n"
        "environment.run = run\n"
        "sys.exit(environment.main(sys.argv[1:]))\n"
    )
    return subprocess.run(
        [sys.executable, "-E", clone / "fake.py", *arguments],
        capture_output=True,
        text=True,
        **more,
    )


def asked(clone):
    log = clone / "pip-was-asked"
    return log.read_text().splitlines() if log.exists() else []


def test_sets_up_once_then_starts_at_once(clone):
    first = set_up(clone, "exit 0", "-c", "print('runs')")
    assert first.returncode == 0, first.stderr
    assert "2 to 5 minutes" in first.stdout and first.stdout.endswith("runs\n")
    assert [line.split()[-2:] for line in asked(clone)] == [
        ["-r", "requirements.txt"],
        ["-r", "requirements-nodeps.txt"],
    ]
    seconds = []
    for _ in range(3):  # the quickest: the machine may be busy
        start = time.perf_counter()
        again = set_up(clone, "exit 0", "-c", "print('runs')")
        assert again.stdout == "runs\n" and len(asked(clone)) == 2
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1


@pytest.mark.parametrize("name", environment.PINS)
def test_sets_up_again_when_packages_change(clone, name):
    set_up(clone, "exit 0")
    with open(clone / name, "a") as file:
        file.write("\nsix==1.17.0\n")
    assert "Setting up" in set_up(clone, "exit 0").stdout


def test_does_not_set_up_again_when_the_linter_changes(clone):
    set_up(clone, "exit 0")
    with open(clone / "pyproject.toml", "a") as file:
        file.write("\n[tool.other]\nx = 1\n")
    assert set_up(clone, "exit 0").stdout == ""


def test_sets_up_again_when_the_clone_moved(clone):
    set_up(clone, "exit 0")
    moved = clone.rename(clone.with_name("elsewhere"))
    assert "Setting up" in set_up(moved, "exit 0").stdout


def test_sets_up_again_when_the_python_below_is_gone(clone):
    set_up(clone, "exit 0")
    (clone / ".venv" / "bin" / "python").unlink()
    assert "Setting up" in set_up(clone, "exit 0").stdout


def test_ends_without_a_word_where_nobody_reads_what_it_says(clone):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-E", clone / "tools" / "environment.py", "-c", "1"]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (-signal.SIGPIPE, "")


def test_sets_up_again_after_being_killed(clone):
    died = set_up(clone, "kill -9 $PPID")
    assert died.returncode == -signal.SIGKILL
    done = set_up(clone, "exit 0")
    assert "Setting up" in done.stdout and done.returncode == 0


def test_killed_while_the_old_is_removed_it_is_not_taken_for_complete(clone):
    """Not even where the requirements become again what they were, as by changing a branch."""
    set_up(clone, "exit 0")
    assert environment.is_ready(str(clone))
    killed_at("rmtree", lambda: environment.make(str(clone)), of=shutil)
    assert not environment.is_ready(str(clone))


def test_killed_while_kernels_are_taught_their_file_is_the_old_one(clone):
    set_up(clone, "exit 0")
    path = clone / ".venv" / "etc" / "ipython" / "ipython_kernel_config.py"
    path.write_text("old")
    killed_at("replace", lambda: environment.teach_kernels(str(clone)))
    assert path.read_text() == "old"
    environment.teach_kernels(str(clone))
    assert path.read_text() == environment.KERNEL


def test_an_interrupt_says_so_in_one_line(clone):
    stopped = set_up(clone, "kill -INT $PPID; sleep 5")
    assert stopped.returncode == 130
    assert stopped.stderr.strip() == "Stopped. The same command starts over, from pip's cache."
    assert "Setting up" in set_up(clone, "exit 0").stdout


RETRY = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'"
NO_VERSION = "ERROR: Could not find a version that satisfies the requirement"
FAILURES = {
    "no network": (
        f"Collecting torch==2.13.0\n{RETRY}\n{NO_VERSION} torch==2.13.0 (from versions: none)\n"
        "ERROR: No matching distribution found for torch==2.13.0",
        ["no connection", "torch==2.13.0"],
    ),
    "a stalled download": (
        "Collecting scipy==1.17.1\n  Downloading scipy.whl (35 MB)\n"
        "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool: Read timed out.",
        ["no connection", "scipy==1.17.1"],
    ),
    "a full disk": (
        "Collecting torch==2.13.0\nERROR: Could not install packages due to an OSError: "
        "[Errno 28] No space left on device",
        ["disk is full", "torch==2.13.0"],
    ),
    "no build for this Python": (
        f"Collecting async-timeout\nCollecting torch==2.13.0\n{NO_VERSION} torch==2.13.0 (from "
        "versions: 2.14.0)\nERROR: No matching distribution found for torch==2.13.0",
        ["there is no torch==2.13.0 for Python 3.", "make PYTHON="],
    ),
    "something else": (
        "Collecting six\nERROR: Invalid requirement: 'six==='",
        ["six", "Invalid requirement"],
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_one_clear_line(clone, failure):
    printed, expected = FAILURES[failure]
    (clone / "printed").write_text(printed + "\n")
    failed = set_up(clone, 'cat "$clone/printed"; exit 1')
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert all(words in line for words in [*expected, ".cache/setup.log"]), line
    assert printed in (clone / ".cache" / "setup.log").read_text()
    assert set_up(clone, "exit 0").returncode == 0  # and the next try is a new one


def test_a_python_without_venv_says_what_to_install(capsys):
    line = environment.reason(
        ["The virtual environment was not created … ensurepip is not available"], 1
    )
    assert "python3-venv" in line


def test_a_killed_pip_suggests_memory():
    assert "memory" in environment.reason(["Collecting torch==2.13.0\n"], -9)


def old_pythons():
    """Pythons on this machine that are too old for the book."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/local/bin", "/opt/homebrew/bin"]
    places = [Path(folder) for folder in folders]
    places += sorted(
        Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/*/bin")
    )
    for folder in places:
        for minor in (6, 7, 8, 9, 10):
            python = folder / f"python3.{minor}"
            if "shims" not in python.parts and os.access(python, os.X_OK):
                yield python


def test_an_old_python_says_what_to_do():
    line = environment.too_old((3, 9, 18), "/usr/bin/python3")
    assert "needs Python 3.11 or newer; found 3.9.18 (/usr/bin/python3)" in line
    assert "make PYTHON=" in line
    assert environment.too_old((3, 11, 0), "") is None and environment.too_old((4, 0), "") is None


@pytest.mark.parametrize("python", list(old_pythons()) or [None])
def test_an_old_python_can_read_the_script(python, clone):
    if python is None:
        pytest.skip("no Python older than 3.11 on this machine")
    ran = subprocess.run(
        ["make", "-C", clone, f"PYTHON={python}", "lab"], capture_output=True, text=True
    )
    (line,) = [line for line in ran.stderr.splitlines() if not line.startswith("make")]
    assert ran.returncode != 0 and f"({python})" in line and "3.11 or newer" in line


def test_make_without_any_python_says_so(clone):
    ran = subprocess.run(
        ["make", "-C", clone, "PYTHON=no-such-python", "test"], capture_output=True, text=True
    )
    (line,) = [line for line in ran.stderr.splitlines() if not line.startswith("make")]
    assert ran.returncode != 0 and "3.11 or newer" in line and '"no-such-python"' in line


def test_ready_is_what_can_be_imported(clone):
    """Said, and noted, after an import of what was installed: pip may have put it elsewhere."""
    broken = "echo \"ModuleNotFoundError: No module named 'torch'\"; exit 1"
    failed = set_up(clone, "exit 0", imports=broken)
    assert failed.returncode == 1 and "is ready" not in failed.stdout
    (line,) = failed.stderr.splitlines()
    assert "what was installed cannot be imported (ModuleNotFoundError: No module" in line
    assert not (clone / ".venv" / "complete").exists()
    assert "is ready" in set_up(clone, "exit 0").stdout


@pytest.mark.parametrize("name", ["part 1: the book", "a{b}", "{", "the}book", "a$book", "$_"])
def test_a_path_that_python_cannot_take_is_named_before_anything_is_done(clone, name):
    moved = clone.rename(clone.with_name(name))
    failed = set_up(moved, "exit 0")
    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1 and name in line and "rename" in line
    assert not (moved / ".venv").exists()


def test_a_price_in_the_path_is_no_variable(clone):
    assert set_up(clone.rename(clone.with_name("for $ 1, $5")), "exit 0").returncode == 0


def test_an_environment_behind_a_link_is_left_as_it_is(clone, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "complete").write_text("of another clone")
    (clone / ".venv").symlink_to(other)
    with pytest.raises(environment.SetupError, match="is a link"):
        environment.make(str(clone))
    assert (other / "complete").read_text() == "of another clone"


def test_a_path_that_is_not_utf8_is_named_before_anything_is_done(clone):
    moved = clone.rename(clone.with_name(os.fsdecode(b"Universit\xe4t")))
    failed = set_up(moved, "exit 0")
    (line,) = failed.stderr.splitlines()
    assert failed.returncode == 1 and r"Universit\udce4t" in line and "rename" in line
    assert not (moved / ".venv").exists()


def test_commands_start_whatever_the_folder_is_called(clone):
    """As nbgrader starts alembic. pip puts the path of Python between quotes, as it is."""
    python = clone / ".venv" / "bin" / "python"
    command = clone / "seven"
    command.write_text(f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\nprint(7)\n")
    command.chmod(0o755)
    assert set_up(clone, 'cp -p "$clone/seven" "$clone/.venv/bin/"').returncode == 0
    ran = subprocess.run([python.with_name("seven")], capture_output=True, text=True)
    assert ran.stdout == "7\n", ran.stderr


# What is set on the machine for other projects.

ELSEWHERE = {
    **{"PYTHONPATH": "/elsewhere", "PYTHONSAFEPATH": "1", "PYTHONHOME": "/elsewhere"},
    **{"PYTHONOPTIMIZE": "2", "PYTHONSTARTUP": "/elsewhere.py", "PYTHONWARNINGS": "error"},
    **{"PIP_PREFIX": "/elsewhere", "PIP_TARGET": "/elsewhere", "PIP_DRY_RUN": "1"},
    **{"PIP_REQUIRE_HASHES": "1", "PIP_CONFIG_FILE": "/elsewhere"},
    **{"JUPYTER_PATH": "/elsewhere", "JUPYTER_TOKEN_FILE": "/elsewhere", "JUPYTER_NO_CONFIG": "1"},
    **{"JUPYTERLAB_DIR": "/elsewhere", "MPLBACKEND": "Qt5Agg", "MATPLOTLIBRC": "/elsewhere"},
    **{"TORCH_LOGS": "all", "PYTORCH_JIT": "0"},
    **{"PYTEST_ADDOPTS": "--collect-only", "PYTEST_PLUGINS": "none", "TQDM_MININTERVAL": "no"},
}


@pytest.mark.parametrize(
    "threads, kept", [("2", True), ("4, 2", True), ("all", False), ("", False)]
)
def test_a_number_of_threads_that_is_none_does_not_speak_in_notebooks(tmp_path, threads, kept):
    found = environment.variables(str(tmp_path), {"OMP_NUM_THREADS": threads})
    assert ("OMP_NUM_THREADS" in found) == kept


def test_other_projects_settings_do_not_reach_the_book(tmp_path):
    given = {**ELSEWHERE, "PIP_USER": "1", "LANG": "C", "OMP_NUM_THREADS": "1"}
    found = environment.variables(str(tmp_path), given)
    assert not set(ELSEWHERE) & set(found)
    assert found["PYTHONIOENCODING"] == ":backslashreplace"
    assert found["PIP_USER"] == "0" and found["LANG"] == "C" and found["OMP_NUM_THREADS"] == "1"
    assert found["JUPYTER_DATA_DIR"].startswith(str(tmp_path / ".cache"))
    assert found["PATH"].split(os.pathsep)[0] == str(tmp_path / ".venv" / "bin")


def test_where_packages_come_from_and_the_readers_token_are_kept(tmp_path):
    given = {"PIP_INDEX_URL": "https://mirror", "PIP_CERT": "/ca", "JUPYTER_TOKEN": "mine"}
    assert given.items() <= environment.variables(str(tmp_path), given).items()


@pytest.mark.parametrize("given", [{}, {"HOME": ""}, {"HOME": "/no/such/folder"}])
def test_there_is_a_home_to_write_to(tmp_path, given):
    home = environment.variables(str(tmp_path), given)["HOME"]
    assert os.access(home, os.W_OK)


def test_a_name_that_is_not_utf8_can_be_printed(clone):
    ran = set_up(clone, "exit 0", "-c", r"print('M\udcfcller', '月', input())", input="é")
    assert ran.returncode == 0 and ran.stdout.endswith("M\\udcfcller 月 é\n"), ran.stderr


def test_the_machines_settings_do_not_stop_the_set_up(clone):
    ran = set_up(clone, "exit 0", "-c", "print('runs')", env={**os.environ, **ELSEWHERE})
    assert ran.returncode == 0 and ran.stdout.endswith("runs\n"), ran.stderr
    again = set_up(clone, "exit 0", "-c", "print('runs')", env={**os.environ, **ELSEWHERE})
    assert again.stdout == "runs\n"


def test_of_pips_files_only_the_sources_hold(clone):
    (clone / "pip-settings").write_text(
        ":env:.index-url='https://env'\nglobal.extra-index-url='https://one\\nhttps://two'\n"
        "global.index-url='https://file'\ninstall.target='/elsewhere'\ninstall.proxy='a=b'\n"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    assert set_up(clone, "exit 0", env=kept | {"PIP_INDEX_URL": "https://env"}).returncode == 0
    told = (clone / "pip-variables").read_text()
    assert "PIP_INDEX_URL=https://env\n" in told and "PIP_PROXY=a=b\n" in told
    assert "PIP_EXTRA_INDEX_URL=https://one\n" in told  # its second line is no variable's
    assert "/elsewhere" not in told and f"PIP_CONFIG_FILE={os.devnull}\n" in told


def test_pip_says_what_its_files_say(tmp_path):
    """With the real pip, whose form of saying it we read."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://it's/100%\n[install]\ntarget = /elsewhere\n")
    found = environment.pip_variables(str(tmp_path), {"PIP_CONFIG_FILE": str(file)})
    assert found["PIP_INDEX_URL"] == "https://it's/100%" and "PIP_TARGET" not in found
    file.write_text("no section\n")
    with pytest.raises(environment.SetupError, match="pip cannot read its configuration"):
        environment.pip_variables(str(tmp_path), {"PIP_CONFIG_FILE": str(file)})


# What kernels say of themselves, whatever starts them.


def test_kernels_learn_not_to_name_pythons_version(clone):
    path = clone / ".venv" / "etc" / "ipython" / "ipython_kernel_config.py"
    assert set_up(clone, "exit 0").returncode == 0 and path.read_text() == environment.KERNEL
    for broken in (path.unlink, lambda: path.write_text("old")):  # the environment is ready by now
        broken()
        assert set_up(clone, "exit 0").returncode == 0 and path.read_text() == environment.KERNEL
    written = path.stat().st_mtime_ns
    assert set_up(clone, "exit 0").returncode == 0 and path.stat().st_mtime_ns == written


def test_a_kernel_of_the_environment_names_no_version(tmp_path):
    """Not even where nothing of the book has started it, as VS Code would."""
    foreign = {name: v for name, v in os.environ.items() if not name.startswith(("IPY", "JUPY"))}
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=foreign | {"HOME": str(tmp_path)}, cwd=tmp_path)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        told = client.kernel_info(reply=True, timeout=60)["content"]["language_info"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert told["name"] == "python" and "version" not in told


# What a reader gives to make.

GIVEN = """my notes/x? #1 % ; & 'a' "b" $HOME $(NAME) $$ `id` *.ipynb"""


@pytest.mark.parametrize(
    ("target", "given", "words"),
    [
        ("lab", {"HOST": "::1", "PORT": "-5"}, ["tools/lab.py", "--host", "::1", "--port", "-5"]),
        ("lab", {}, ["tools/lab.py"]),
        ("refresh", {"NOTEBOOK": GIVEN}, ["tools/refresh.py", GIVEN]),
        ("refresh", {}, ["tools/refresh.py"]),
        ("bench", {}, ["benchmarks/run.py", "--opponents"]),
        ("remake", {}, ["-m", "utils.checkpoints", "remake", "--all"]),
        ("remake", {"NAME": "a b"}, ["-m", "utils.checkpoints", "remake", "a", "b"]),
        ("grade", {"COURSE": GIVEN, "GRADEBOOK": GIVEN}, ["-m", "tools.grading", "grade"]),
    ],
)
def test_make_hands_on_what_it_is_given(clone, target, given, words):
    ran = make_with_a_printing_python(clone, target, *(f"{n}={v}" for n, v in given.items()))
    assert ran["arguments"] == ["-E", "tools/environment.py", *words]
    assert {name: ran["variables"].get(name) for name in given} == given


def test_make_takes_a_notebook_with_a_space_for_one(clone):
    ran = make_with_a_printing_python(clone, "test-portable", f"NOTEBOOK={GIVEN}")
    assert GIVEN in ran["arguments"]


def test_names_that_shells_export_are_not_meant_for_us(clone):
    environ = {**os.environ, "HOST": "laptop", "NAME": "laptop"}
    for target in ("lab", "remake"):
        assert "laptop" not in make_with_a_printing_python(clone, target, env=environ)["arguments"]


def make_with_a_printing_python(clone, *arguments, **more):
    """What a Python that only tells what it was given is given by make."""
    python, telling = clone / "a python", clone / "telling.py"
    telling.write_text(
        "import json, os, sys\n"
        "print(json.dumps({'arguments': sys.argv[1:], 'variables': dict(os.environ)}))\n"
    )
    # A script of the shell's, since the first line of a script cannot name a Python with a space.
    words = " ".join(shlex.quote(str(word)) for word in (sys.executable, telling))
    python.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    python.chmod(0o755)
    command = ["make", "--silent", "-C", clone, f"PYTHON={python}", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, **more)
    return json.loads(ran.stdout.splitlines()[-1])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_progress_stays_on_one_line():
    progress = environment.Progress(Terminal())
    progress.see("Collecting torch==2.13.0 (from -r requirements.txt (line 5))\n")
    progress.show()
    progress.see(
        "  Downloading https://host/torch-2.13.0-cp311-cp311-linux_x86_64.whl (200.1 MB)\n"
    )
    progress.show()
    progress.see("Installing collected packages: a, b, c\n")
    progress.show()
    progress.clear()
    written = progress.stream.getvalue()
    assert "collecting torch==2.13.0\r" in written and "installing 3 packages" in written
    assert "downloading torch-2.13.0 (200.1 MB)\r" in written
    assert "\n" not in written and written.endswith("\r\x1b[K")


# Where `make lab` listens.


def test_the_next_free_port_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < lab.free_port("127.0.0.1", port) < port + 100


def test_addresses_of_both_kinds():
    token = "a b&c"
    assert lab.address("0.0.0.0", 1, "lab", token) == "http://127.0.0.1:1/lab?token=a%20b%26c"
    assert lab.address("::1", 1, "lab", "t") == "http://[::1]:1/lab?token=t"
    assert lab.address("::", 1, "lab", "t") == "http://[::1]:1/lab?token=t"
    assert lab.free_port("127.0.0.1", 20000) and lab.free_port("localhost", 20000)


def test_the_newer_kind_of_address_has_free_ports():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
            port = taken.getsockname()[1]
            assert port < lab.free_port("::1", port) < port + 100
    except OSError:
        pytest.skip("no IPv6 on this machine")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_what_is_no_address_of_this_machine_is_said_to_be_none(host):
    with pytest.raises(SystemExit, match=f"HOST={host} is no address that this machine can"):
        lab.free_port(host, 20000)


@pytest.mark.parametrize("port", ["-5", "0", "65536", "many", "8_0", "²", "9" * 20, "9" * 5000])
def test_what_is_no_port_is_said_to_be_none(port):
    said = f"^PORT={port[:39]}.* is no port: give a number from 1 to 65535"
    with pytest.raises(SystemExit, match=said):
        lab.port_number(port)
    assert lab.port_number("8888") == 8888


@pytest.mark.parametrize("text", ["0", "-1", "257", "2.0", "1e2", "²", " 2", "two", "9" * 5000])
def test_what_is_no_number_of_workers_is_said_to_be_none(text):
    said = (
        f"^WORKERS={text[:39]}.* is no number of workers: give one from 1 to 256, such as WORKERS=4"
    )
    with pytest.raises(SystemExit, match=said) as raised:
        number_of_workers(text)
    assert len(str(raised.value)) < 150
    assert number_of_workers("4") == 4 and number_of_workers("256") == 256
    assert number_of_workers("") is number_of_workers(None) is None


def test_make_says_in_one_line_what_is_no_number():
    command = [sys.executable, "-m", "tools.grading", "grade"]
    environ = {**os.environ, "WORKERS": "abc"}
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert ran.returncode == 1 and ran.stdout == ""
    assert ran.stderr.startswith("WORKERS=abc is no number") and ran.stderr.count("\n") == 1


def test_no_number_is_read_from_the_environment_unchecked():
    """Neither by name nor through `say`, which is what tools/grading calls it."""
    unchecked = re.compile(r"\b(int|float)\((say\(|\w*environ\b|os\.(environ|getenv))")
    assert unchecked.search("int(say('WORKERS') or 0)")
    for folder in ("tools", "utils", "benchmarks", "book"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not unchecked.search(path.read_text("utf-8")), path


@pytest.mark.parametrize("ready", [False, True])
def test_a_folder_that_cannot_be_written_to_is_one_line(open_folder, monkeypatch, capsys, ready):
    """Before there is an environment and after, when programs want a place for their own."""
    monkeypatch.chdir(open_folder)
    monkeypatch.setattr(environment, "ROOT", str(open_folder))
    if ready:
        monkeypatch.setattr(environment, "prepare", lambda root: None)
    with locked(open_folder):
        assert environment.main(["-c", "1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("The book cannot write to its folder: ") and ".cache" in line


@pytest.mark.parametrize("what", ["a full disk", "a locked folder"])
def test_settings_that_cannot_be_written_are_one_line(open_folder, monkeypatch, what):
    for name in ("CONFIG", "DATA"):
        folder = open_folder / name
        folder.mkdir()
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(folder))
    monkeypatch.setattr(sys, "argv", ["lab.py", "--root", str(open_folder), "--host", "127.0.0.1"])
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("it went on"))
    failing = filling_up(10) if what == "a full disk" else locked(open_folder / "CONFIG")
    with failing, pytest.raises(SystemExit, match=r"^JupyterLab's settings cannot be written: "):
        lab.main()


def test_a_chapter_that_cannot_be_read_keeps_nobody_from_the_others(tmp_path, capsys):
    """It may be in the middle of a merge."""
    (tmp_path / "chapters").mkdir()
    for name, text in (("a", "<<<<<<< HEAD"), ("b", ""), ("c", "[]"), ("d", '{"nbformat": 4}')):
        (tmp_path / "chapters" / f"{name}.ipynb").write_text(text)
    (tmp_path / "chapters" / os.fsdecode(b"\xe9.ipynb")).write_bytes(b"\xff")
    environ = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA")}
    lab.prepare(tmp_path, environ)
    told = capsys.readouterr().out
    assert "'a.ipynb' cannot be read (" in told and r"'\udce9.ipynb' cannot be read (" in told
    assert (tmp_path / "CONFIG" / "labconfig" / "page_config.json").exists()


@pytest.mark.parametrize("environ", [{}, {"JUPYTER_TOKEN": ""}])
def test_without_a_token_there_is_a_new_one(environ):
    token = lab.access_token(environ)
    assert len(token) == 32 and environ == {"JUPYTER_TOKEN": token}
    assert lab.access_token({"JUPYTER_TOKEN": "mine"}) == "mine"


def test_a_container_is_recognised():
    assert lab.in_container({"container": "podman"})


@pytest.mark.parametrize(
    "environ, expected",
    [
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": ":10", "SSH_CONNECTION": "1 2 3 4"}, False),
        ({}, sys.platform == "darwin"),
    ],
)
def test_a_browser_opens_where_the_reader_sits(environ, expected):
    assert lab.has_display(environ) is expected
