"""Programs end quietly where nobody reads on, and with one line where nothing can be written."""

import os
import re
import subprocess
import sys

import pytest

from tests.places import ROOT
from utils.text.printing import UNREAD

PROGRAM = """
import sys
from utils.text.printing import run_program

def main(lines, result):
    for number in range(lines):
        try:
            print("line", number)
        except OSError as error:  # as of a card: the others go on
            print(error, file=sys.stderr)
    return result

run_program(main, {lines}, {result!r})
"""
ALL_THAT_IS_PRINTED, MORE_THAN_A_BUFFER = 3, 20_000
# What other programs of ours start, and talk to; and what runs before the library is installed.
NOT_FOR_READERS = {"study.py", "environment.py"}


def ran(stdout, lines=ALL_THAT_IS_PRINTED, result=None, stderr=subprocess.PIPE, flags=()):
    program = PROGRAM.format(lines=lines, result=result)
    command = [sys.executable, *flags, "-c", program]
    return subprocess.run(command, stdout=stdout, stderr=stderr, text=True, cwd=ROOT)


@pytest.fixture
def unread():
    """The end of a pipe that nobody reads, as `| true` leaves it."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("flags", [(), ("-u",)])
@pytest.mark.parametrize("lines", [ALL_THAT_IS_PRINTED, MORE_THAN_A_BUFFER])
def test_ends_quietly_where_nobody_reads_on(unread, lines, flags):
    ended = ran(unread, lines, flags=flags)
    assert (ended.returncode, ended.stderr) == (UNREAD, "")


def test_ends_where_nobody_reads_what_is_said_of_errors_either(unread):
    assert ran(unread, MORE_THAN_A_BUFFER, "so it went wrong", stderr=unread).returncode == UNREAD
    assert ran(subprocess.DEVNULL, result="so it went wrong", stderr=unread).returncode != 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("lines", [ALL_THAT_IS_PRINTED, MORE_THAN_A_BUFFER])
def test_a_full_disk_is_said_once(lines):
    with open("/dev/full", "w") as full:
        ended = ran(full, lines)
    said = "What is printed cannot be written: No space left on device.\n"
    assert (ended.returncode, ended.stderr) == (1, said)


@pytest.mark.parametrize(
    "result, code, said", [(None, 0, ""), (0, 0, ""), (3, 3, ""), ("no", 1, "no\n")]
)
def test_else_it_ends_with_what_main_returns(result, code, said):
    ended = ran(subprocess.PIPE, result=result)
    assert (ended.returncode, ended.stderr) == (code, said)
    assert ended.stdout == "line 0\nline 1\nline 2\n"


@pytest.mark.slow
def test_the_list_of_checkpoints_to_nobody(unread):
    command = [sys.executable, "-m", "utils.checkpoints", "list"]
    ended = subprocess.run(command, stdout=unread, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (UNREAD, "")


def test_every_program_of_the_book_is_run_so():
    begun = {}
    for folder in ("utils", "tools", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            _, found, how = path.read_text("utf-8").partition('\nif __name__ == "__main__":\n')
            if found and path.name not in NOT_FOR_READERS and path.parent.name != "inside":
                begun[str(path.relative_to(ROOT))] = how
    assert len(begun) >= 8
    assert [path for path, how in begun.items() if not re.match(r"    run_program\(", how)] == []
