"""A place for code that nobody has read: bubblewrap, limits, and a watchman outside.

What there is inside is in bubblewrap.py. The kernel limits each process; the watchman limits all of
them together, and the time.

Where the kernel allows namespaces within namespaces, a sandbox that has done its work is kept for
the next: in it each student's work has a place of its own (inside/nest.py). What goes wrong in one
that was kept is tried again in a fresh one.
"""

import concurrent.futures
import contextlib
import dataclasses
import socket
import subprocess
import time

import psutil

from .bubblewrap import MEGABYTE, Limits, NoSandbox, command_line, nests, unavailable, variables
from .inside import wire


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a run ended. result: what the examiner handed back, or None; why: a phrase if None.
    seconds: how long it ran, by the clock of the machine that it ran on."""

    result: dict | None
    why: str = ""
    seconds: float = 0


class Kept:
    """A sandbox in which a nursery waits for plans. again: whether what ends in it by itself is to
    be tried in a fresh one, since it has been used before."""

    def __init__(self, limits, course, modules, unsafe):
        command = command_line(limits, course, modules, nested=not unsafe and nests())
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                command[-3:] if unsafe else command,
                env=variables(limits, False, modules) if unsafe else None,
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.control, self.again = wire.Channel(ours), False

    def end(self):
        self.again = False
        self.control.close()
        finish(self.process)


_running, _waiting = set(), {}  # of Kept; and by what they are for
_keeper = concurrent.futures.ThreadPoolExecutor(1)  # sandboxes end with the thread that began them


def run(plan, limits=None, *, course=None, modules=(), unsafe=False):
    """Examine one rebuilt notebook (a plan, see inside/run.py) in a sandbox. Returns Ended.

    course: a folder that must not be visible even if a part of the view contains it. modules: what
    is imported once for both sides. unsafe: run without any isolation. Raises NoSandbox when there
    is none and `unsafe` is not set. A sandbox may be kept: `stop` ends all.
    """
    limits = limits or Limits()
    plan = {"cell_seconds": limits.cell_seconds, "seconds": limits.seconds, **plan}
    if not unsafe and (reason := unavailable()):
        raise NoSandbox(reason)
    kind = (limits, course, tuple(modules), unsafe)
    start, ended = time.perf_counter(), None
    while ended is None:
        one = take(kind)
        try:
            ended = watched(one, plan, limits)
        finally:
            _running.discard(one)
        if ended and ended.result and not unsafe and nests():
            one.again = True
            _waiting.setdefault(kind, []).append(one)
        else:
            one.end()
    return dataclasses.replace(ended, seconds=time.perf_counter() - start)


def take(kind):
    """A Kept of that kind, which is running now; those that wait for work of other kinds end."""
    for other in set(_waiting) - {kind}:
        for one in _waiting.pop(other, ()):
            one.end()
    try:
        found = _waiting.get(kind, []).pop()
    except IndexError:
        found = _keeper.submit(Kept, *kind).result()
    _running.add(found)
    return found


def stop():
    """End every sandbox: nothing is left to do, or the teacher has interrupted the grading."""
    while _waiting:
        for one in _waiting.popitem()[1]:
            one.end()
    for one in list(_running):
        one.end()


def watched(one, plan, limits):
    """Have a plan examined in a sandbox, and end that when it uses too much of anything. Returns
    Ended, or None where a sandbox that has been used before ended by itself."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asked, one.control, plan, limits.output)
        try:
            why = guard(one.process, limits, answer)
        except BaseException:
            one.end()
            raise
        if why:
            one.end()
            return Ended(None, why)
        try:
            return Ended(answer.result())
        except wire.Garbled as error:
            return Ended(None, f"what it handed back is no result: {error}")
        except (wire.Closed, OSError):
            if one.again:
                return None
            return Ended(None, "the examiner was ended before it could hand back anything")


def asked(control, plan, most=wire.MAX_BYTES):
    """What a nursery's examiner says to a plan, in at most so many bytes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        control.send({"do": "examine"})
        wire.hand_over(control, theirs, seconds=600)
        channel = wire.Channel(ours, most)
        channel.send(plan)
        return channel.receive()


def guard(process, limits, answer):
    """Wait for the answer. Returns a phrase if the process had to be ended, else ''. To look takes
    time, too, the more the more processes there are: at most a twentieth of it all, but at once
    when the machine's memory becomes less."""
    end = time.monotonic() + limits.seconds + 90  # the examiner keeps the limit; this is the rest
    rests, free = 0, psutil.virtual_memory().available
    while not concurrent.futures.wait([answer], 0.1).done:
        start = time.monotonic()
        if start > end:
            return f"it was not done after {limits.seconds:g} seconds"
        if start < rests and psutil.virtual_memory().available > free - limits.memory / 4:
            continue
        if memory(process.pid, limits.memory) > limits.memory:
            return f"it used more than {limits.memory // MEGABYTE} MB of memory"
        rests = time.monotonic() + 20 * min(0.3, time.monotonic() - start)
        free = psutil.virtual_memory().available
    return ""


def memory(pid, most):
    """Bytes that a process and all below it use; near `most`, pages they share count only once."""
    processes = family(pid)
    total = summed(processes, lambda one: one.memory_info().rss)
    return total if total < most else summed(processes, lambda one: one.memory_full_info().pss)


def summed(processes, used):
    """Of what each of these uses; nothing of those that have ended."""
    total = 0
    for one in processes:
        with contextlib.suppress(psutil.Error, OSError):
            total += used(one)
    return total


def family(pid):
    """A process and all below it; nothing if it has ended."""
    with contextlib.suppress(psutil.Error):
        return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return []


def finish(process):
    """End the process and, with it, all that it started."""
    below = family(process.pid)[1:] if process.poll() is None else []
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
    for one in below:
        with contextlib.suppress(psutil.Error):
            one.kill()
