"""The set-up behind `make lab` and `make test`: what it says when something is missing or fails.

A real installation takes a minute and the network, so here `pip` is a script that prints what pip
printed in each of these situations. The suite itself runs in an environment made for real.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.places import ROOT
from tools import environment, lab

FILES = ("requirements.txt", "requirements-nodeps.txt", "constraints.txt", "pyproject.toml")

# Stands in for a virtual environment's Python: behaves as one, but its pip does what PIP says.
FAKE = """#!/bin/sh
if [ "$1 $2" = "-m pip" ]; then
    echo "$@" >> "{clone}/pip-was-asked"
    {pip}
else
    exec "{python}" "$@"
fi
"""


@pytest.fixture
def clone(tmp_path):
    """A clone in a folder whose name has a space and other letters than English."""
    clone = tmp_path / "mon église"
    (clone / "tools").mkdir(parents=True)
    for name in (*FILES, "Makefile", "tools/environment.py"):
        shutil.copy(ROOT / name, clone / name)
    return clone


def set_up(clone, pip, *arguments, **more):
    """Run the clone's `environment.py`, with `pip` replaced by this bit of shell script."""
    script = FAKE.format(clone=clone, pip=pip, python=sys.executable)
    (clone / "fake.py").write_text(
        "import os, sys, runpy\n"
        f"sys.path.insert(0, {str(clone / 'tools')!r})\n"
        "import environment, signal\n"
        # a background job ignores interrupts, and hands that on; a reader's shell does not
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "real = environment.run\n"
        "def run(command, log, progress):\n"
        "    if command[1:3] == ['-m', 'venv']:\n"
        "        os.makedirs(os.path.join(command[3], 'bin'))\n"
        f"        open(os.path.join(command[3], 'bin', 'python'), 'w').write({script!r})\n"
        "        os.chmod(os.path.join(command[3], 'bin', 'python'), 0o755)\n"
        "    else:\n"
        "        real(command, log, progress)\n"
        "environment.run = run\n"
        "sys.exit(environment.main(sys.argv[1:]))\n"
    )
    return subprocess.run(
        [sys.executable, clone / "fake.py", *arguments], capture_output=True, text=True, **more
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
    start = time.perf_counter()
    second = set_up(clone, "exit 0", "-c", "print('runs')")
    assert second.stdout == "runs\n" and len(asked(clone)) == 2
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("name", FILES[:3])
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


def test_sets_up_again_after_being_killed(clone):
    died = set_up(clone, "kill -9 $PPID")
    assert died.returncode == -signal.SIGKILL
    done = set_up(clone, "exit 0")
    assert "Setting up" in done.stdout and done.returncode == 0


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
    failed = set_up(clone, f'cat "{clone}/printed"; exit 1')
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


def test_other_projects_settings_do_not_reach_the_book(tmp_path):
    given = {"PYTHONPATH": "/elsewhere", "PIP_USER": "1", "JUPYTER_PATH": "/old", "LANG": "C"}
    found = environment.variables(str(tmp_path), given)
    assert "PYTHONPATH" not in found and "JUPYTER_PATH" not in found
    assert found["PIP_USER"] == "0" and found["LANG"] == "C"
    assert found["JUPYTER_DATA_DIR"].startswith(str(tmp_path / ".cache"))
    assert found["PATH"].split(os.pathsep)[0] == str(tmp_path / ".venv" / "bin")


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
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < lab.free_port("127.0.0.1", port) < port + 100


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
