"""The command that starts a sandbox, what is to be seen in one, and whether there can be one.

Inside there is Python with its packages, `utils` and the checkpoints, all read-only; one small
folder in memory to write to; no network, no other process, no other user's file, none of the
course. The code runs as an unprivileged user even when root started it.
"""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

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
    try:
        ran = probed("print('inside')")
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


@functools.cache
def nests():
    """Whether a sandbox can have places of their own in it, and so be kept."""
    code = f"import sys; sys.path.append({str(INSIDE)!r}); import nest; nest.enter(4096)"
    with contextlib.suppress(subprocess.TimeoutExpired):
        return probed(f"{code}; print('inside')", nested=True).stdout.strip() == "inside"
    return False


def probed(code, **more):
    """How a few words of Python end in a sandbox."""
    command = [*command_line(Limits(), None, **more)[:-3], sys.executable, "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def command_line(limits, course, modules=(), nested=False):
    """The command that starts a nursery in a sandbox. Its last three words are the nursery. nested:
    whether each work goes to a place of its own, in which no further one can be made."""
    inner = [
        *("bwrap", "--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        *(() if nested else ("--disable-userns",)),
        *("--unshare-pid", "--as-pid-1", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--hostname", "sandbox", "--die-with-parent", "--new-session"),
        *("--size", str(limits.disk), "--tmpfs", "/tmp"),
        *view(course),
        *("--size", str(limits.disk), "--tmpfs", "/dev/shm"),
        *("--dir", "/tmp/work", "--chdir", "/tmp/work"),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        "--clearenv",
    ]
    for name, value in variables(limits, True, modules, nested).items():
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
    above = sorted({folder for path in seen for folder in Path(path).parents} - {Path("/")})
    # In /tmp, where all can be written, a folder could be moved away with what is shown in it, and
    # another be put there, from which the examiner would import: so it is a place of its own.
    own = [str(folder) for folder in above if folder.parent == Path("/tmp")]
    for folder in map(str, above):  # made by bwrap itself they would be closed to others
        shown += ["--tmpfs" if folder in own else "--dir", folder]
    for path in seen:
        shown += ["--ro-bind", path, path]
    for folder in own:
        shown += ["--remount-ro", folder]
    shown += ["--proc", "/proc", "--dev", "/dev"]
    for private in {str(ROOT / "assignments"), str(ROOT / ".git"), str(course or ROOT / ".git")}:
        if any(Path(private).is_relative_to(path) for path in seen) and os.path.isdir(private):
            shown += ["--tmpfs", private]
    return shown


def variables(limits, contained, modules, nested=False):
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
        "GRADING_NESTED": "yes" if nested else "no",
        "GRADING_MODULES": " ".join(modules),
        "GRADING_LIMITS": json.dumps(limits.of_a_process() if contained else {}),
    }
