"""A place for code that nobody has read: bubblewrap, limits, and a watchman outside.

Inside there is Python with its packages, `utils` and the checkpoints, all read-only; one small
folder in memory to write to; no network, no other process, no other user's file, none of the
course. The code runs as an unprivileged user even when root started it. The kernel limits each
process; the watchman limits all of them together, and the time.
"""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
INSIDE = Path(__file__).resolve().parent / "inside"
MEGABYTE = 2**20
NOBODY = 65534
CONSENT = "yes-i-trust-every-submission"  # what UNSAFE_NO_SANDBOX must say


class NoSandbox(Exception):
    """There is no isolation here; says what to do."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one submission may use. Seconds, bytes, numbers of processes and threads."""

    cell_seconds: float = 60
    seconds: float = 300
    memory: int = 3072 * MEGABYTE  # of all its processes together
    processes: int = 96
    disk: int = 64 * MEGABYTE
    output: int = 24 * MEGABYTE  # of the results that come back

    def of_a_process(self):
        """The limits that the kernel keeps, by the names of the `resource` module."""
        return {
            "DATA": self.memory,
            "NPROC": self.processes,
            "FSIZE": self.disk,
            "NOFILE": 256,
            "CORE": 0,
            "CPU": int(self.seconds) + 60,
        }


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended. result: what the examiner handed back, or None; why: a phrase if None."""

    result: dict | None
    why: str = ""


def run(plan, limits=None, *, course=None, modules=(), unsafe=False):
    """Examine one rebuilt notebook (a plan, see inside/run.py) in a fresh sandbox.

    course: a folder that must not be visible even if a part of the view contains it. modules: what
    is imported once for both sides. unsafe: run without any isolation. Raises NoSandbox when there
    is none and `unsafe` is not set.
    """
    limits = limits or Limits()
    plan = {"cell_seconds": limits.cell_seconds, "seconds": limits.seconds, **plan}
    if unsafe:
        command = [sys.executable, "-I", str(INSIDE / "run.py")]
        return watched(command, variables(limits, False, modules), plan, limits)
    reason = unavailable()
    if reason:
        raise NoSandbox(reason)
    return watched(command_line(limits, course, modules), None, plan, limits)


@functools.cache
def unavailable():
    """Why there is no sandbox on this machine and what to do about it; None if there is one."""
    advice = (
        "Student code would run with your rights, so nothing is graded. {} To grade without any "
        f"isolation, work you would run yourself, set UNSAFE_NO_SANDBOX={CONSENT}."
    )
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed. " + advice.format(
            "On Debian or Ubuntu: `apt install bubblewrap`."
        )
    version = subprocess.run(["bwrap", "--help"], capture_output=True, text=True)
    if "--disable-userns" not in version.stdout + version.stderr:
        return "bubblewrap is older than 0.8. " + advice.format("Install 0.8 or newer.")
    probe = [*command_line(Limits(), None)[:-3], sys.executable, "-I", "-c", "print('inside')"]
    try:
        ran = subprocess.run(probe, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "bubblewrap did not start within a minute. " + advice.format("Try again.")
    if ran.stdout.strip() == "inside":
        return None
    said = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
    return f"bubblewrap cannot start here ({said}). " + advice.format(
        "It needs user namespaces (in a container: `--privileged`, or a security profile that "
        "allows them; on Ubuntu: an AppArmor profile for bwrap), and the clone must be readable by "
        "other users when root grades."
    )


def command_line(limits, course, modules=()):
    """The command that starts the examiner in a sandbox. Its last three words are the examiner."""
    inner = [
        *("bwrap", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        "--disable-userns",
        *("--unshare-pid", "--as-pid-1", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--hostname", "sandbox", "--die-with-parent", "--new-session"),
        *("--size", str(limits.disk), "--tmpfs", "/tmp"),
        *view(course),
        *("--size", str(limits.disk), "--tmpfs", "/dev/shm"),
        *("--dir", "/tmp/work", "--chdir", "/tmp/work"),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        "--clearenv",
    ]
    for name, value in variables(limits, True, modules).items():
        inner += ["--setenv", name, value]
    inner += ["--", sys.executable, "-I", str(INSIDE / "run.py")]
    if os.getuid() != 0:
        return inner
    # Root in a user namespace is still root to the kernel, whom no limit on processes holds. So a
    # first sandbox, made with root's rights, shows only what may be seen; in it we become nobody,
    # and nobody makes the second.
    return [
        *("bwrap", "--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid"),
        *("--perms", "1777", "--size", str(MEGABYTE), "--tmpfs", "/tmp"),
        *view(course),
        *("--dev-bind", "/proc", "/proc"),  # the whole of it, else no second one can be made
        *("--clearenv", "--setenv", "PATH", "/usr/bin:/bin"),
        *("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--"),
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        "--no-new-privs",
        "--",
        *inner,
    ]


def view(course):
    """What can be seen, all read-only, as arguments of bwrap."""
    shown = []
    for folder in ("/bin", "/lib", "/lib64", "/lib32"):
        if os.path.islink(folder):
            shown += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            shown += ["--ro-bind", folder, folder]
    seen = ["/usr/bin", "/usr/lib", "/usr/lib64", "/usr/lib32", "/etc/ld.so.cache"]
    seen += ["/etc/alternatives", "/usr/share/zoneinfo"]
    seen += [sys.base_prefix, sys.prefix] if sys.base_prefix != "/usr" else [sys.prefix]
    seen += [str(ROOT / "utils"), str(ROOT / "checkpoints"), str(INSIDE)]
    seen = [path for path in seen if os.path.exists(path)]
    for folder in sorted({str(above) for path in seen for above in Path(path).parents} - {"/"}):
        shown += ["--dir", folder]  # bwrap's own would be closed to others
    for path in seen:
        shown += ["--ro-bind", path, path]
    shown += ["--proc", "/proc", "--dev", "/dev"]
    for private in {str(ROOT / "assignments"), str(ROOT / ".git"), str(course or ROOT / ".git")}:
        if any(Path(private).is_relative_to(path) for path in seen) and os.path.isdir(private):
            shown += ["--tmpfs", private]
    return shown


def variables(limits, contained, modules):
    """All the environment variables that there are inside."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "USER": "student",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": "/tmp",
        "GRADING_CONTAINED": "yes" if contained else "no",
        "GRADING_MODULES": " ".join(modules),
        "GRADING_LIMITS": json.dumps(limits.of_a_process() if contained else {}),
    }


_running = set()


def stop():
    """End every run that is under way: the teacher has interrupted the grading."""
    for process in list(_running):
        finish(process)


def watched(command, environ, plan, limits):
    """Run the command, hand it the plan, and end it when it uses too much of anything."""
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    answer, complaint, full = bytearray(), bytearray(), threading.Event()

    def hand_over():
        with contextlib.suppress(OSError):
            process.stdin.write(framed(plan))
            process.stdin.close()

    def collect(stream, into, most):
        while part := stream.read1(1 << 16):
            if len(into) + len(part) > most:
                full.set()
                break
            into += part

    _running.add(process)
    threads = [
        threading.Thread(target=hand_over, daemon=True),
        threading.Thread(target=collect, args=(process.stdout, answer, limits.output), daemon=True),
        threading.Thread(target=collect, args=(process.stderr, complaint, MEGABYTE), daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        why = guard(process, limits, full)
    finally:
        finish(process)
        _running.discard(process)
    for thread in threads:
        thread.join(5)
    process.stdout.close()
    process.stderr.close()
    if why:
        return Ended(None, why)
    try:
        (result,) = unframed(answer)
    except (ValueError, RecursionError):
        return Ended(None, "the examiner was ended before it could hand back anything")
    if not well_formed(result, plan):
        return Ended(None, "what came back is not a result")
    return Ended(result)


def framed(message):
    data = json.dumps(message).encode()
    return struct.pack("!Q", len(data)) + data


def unframed(data):
    """The messages in bytes. Raises ValueError if they are none."""
    found, at = [], 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("half a length")
        end = at + 8 + struct.unpack_from("!Q", data, at)[0]
        found.append(json.loads(data[at + 8 : end]))
        at = end
    return found


def guard(process, limits, full):
    """Wait for the process. Returns a phrase if it had to be ended, else ''."""
    end = time.monotonic() + limits.seconds + 90  # the examiner keeps the limit; this is the rest
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
            return ""
        if full.is_set():
            return f"it handed back more than {limits.output // MEGABYTE} MB"
        if time.monotonic() > end:
            return f"it was not done after {limits.seconds:g} seconds"
        if memory(process.pid, limits.memory) > limits.memory:
            return f"it used more than {limits.memory // MEGABYTE} MB of memory"


def memory(pid, most):
    """Bytes that a process and all below it use; near `most`, pages they share count only once."""
    try:
        below = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for one in below:
        with contextlib.suppress(psutil.Error, OSError):
            total += one.memory_info().rss
    if total < most:
        return total
    total = 0
    for one in below:
        with contextlib.suppress(psutil.Error, OSError):
            total += one.memory_full_info().pss
    return total


def finish(process):
    """End the process and, with it, all that it started."""
    below = []
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
    for one in below:
        with contextlib.suppress(psutil.Error):
            one.kill()


def well_formed(result, plan):
    """Whether a result has the form that inside/run.py documents. It comes from outside trust."""
    if not isinstance(result, dict) or not isinstance(result.get("cells"), list):
        return False
    if not isinstance(result.get("cpu", 0), int | float):
        return False
    if len(result["cells"]) != len(plan["cells"]) or not isinstance(result.get("findings"), list):
        return False
    for cell, result_cell in zip(plan["cells"], result["cells"], strict=True):
        if not isinstance(result_cell, dict) or not isinstance(result_cell.get("outputs"), list):
            return False
        verdicts = ("passed", "failed") if cell["kind"] == "test" else (None,)
        if result_cell.get("verdict") not in verdicts:
            return False
    return all(
        isinstance(one, list)
        and len(one) == 2
        and isinstance(one[0], int)
        and 0 <= one[0] < len(plan["cells"])
        and isinstance(one[1], str)
        for one in result["findings"]
    )
