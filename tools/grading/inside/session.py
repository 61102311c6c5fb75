"""The processes in which code of the notebook runs.

The *nursery* imports what tests need, takes a snapshot of it, and never runs a student's code. From
it each *session* is forked, which runs a notebook's cells in order in one namespace. Every test
cell runs in a fork of the session, so that what it hangs, kills or exhausts is only itself, and a
second time in another fork from which all that the student wrote has been taken away: a test that
passes even so has been tampered with.

What a session says is checked by the examiner (run.py), another process, which knows the tests and
hands each over only when its turn has come, with a random number that has to come back.
"""

import builtins
import contextlib
import importlib
import os
import signal
import socket
import sys
import time

import cells
import state
import wire

GRACE = 3  # seconds between the time limit, which code can ignore, and the kill, which it cannot


def nursery(control):
    """Answer {"do": "prepare", "modules": […]} and {"do": "start"} on this socket until it closes.

    A session's own socket comes with "start" as a file descriptor; its process number goes back.
    """
    watched = {}
    while True:
        message = wire.receive(control)
        reap()
        if message["do"] == "prepare":
            wanted = set(message["modules"])
            wanted |= {f"{name}.testing" for name in wanted & {"numpy", "torch"}} | {"inspect"}
            missing = [name for name in sorted(wanted) if not can_import(name)]
            watched = state.watched_modules(message["modules"])
            state.answers_wrongly("once, so that all it loads is loaded")
            wire.send(control, {"snapshot": state.snapshot(watched), "missing": missing})
            continue
        _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        child = os.fork()
        if child == 0:
            control.close()
            with contextlib.suppress(wire.Closed):
                serve(socket.socket(fileno=descriptors[0]), watched)
            os._exit(0)
        os.close(descriptors[0])
        wire.send(control, {"process": child})


def reap(how=os.WNOHANG):
    """Take leave of the sessions that have ended; how=0: of all, waiting for them."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, how)[0]:
            pass


def can_import(name):
    try:
        importlib.import_module(name)
    except Exception:
        return False
    return True


def serve(examiner, watched):
    """Run the cells that the examiner sends, in one namespace, until it closes the socket."""
    os.setpgid(0, 0)
    good = now = state.snapshot(watched)  # as it was, and as the last cell left it
    namespace = {"__name__": "__main__", "__builtins__": builtins, "__doc__": None}
    sys.modules["__main__"].__dict__.clear()
    sys.modules["__main__"].__dict__.update(namespace)
    written = set()  # names that the student has set
    while True:
        message = wire.receive(examiner)
        source, name, seconds = message["source"], f"<{message['name']}>", message["seconds"]
        if message["do"] == "run":
            seen = dict(namespace)
            outcome = cells.run(source, namespace, name, seconds=seconds)
            now = None
            if message["student"]:
                written |= {
                    key
                    for key, value in namespace.items()
                    if key not in seen or seen[key] is not value
                }
            wire.send(examiner, {**outcome, "nonce": message["nonce"]})
            continue
        if now is None and message["watch"]:
            now = state.of_the_same(good, state.snapshot(watched))
        child = os.fork()
        if child == 0:
            try:
                os.setpgid(0, 0)
                if message["do"] == "control":
                    for key in written:
                        namespace.pop(key, None)
                    for stub in message["stubs"]:
                        cells.run(stub, namespace, "<stub>", seconds=5)
                report = judged(message, namespace, name, good, now, watched)
                wire.send(examiner, report)
            finally:
                os._exit(0)
        end = wait(child, seconds + GRACE)
        wire.send(examiner, {"ended": end, "nonce": message["nonce"]})


def judged(message, namespace, name, good, now, watched):
    """Run a test cell, and look at the state of Python before and after unless told not to."""
    watch = message["watch"] and message["do"] != "control"  # of that, only whether it passes
    nonce, marker = message["nonce"], f"_ended_{message['nonce']}"
    if torch := sys.modules.get("torch"):  # a setting of the student's is not to reach the test
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    wrong = state.answers_wrongly(nonce + "before") if watch else []
    outcome = cells.run(
        message["source"],
        namespace,
        name,
        seconds=message["seconds"],
        last=marker,
        hidden=message["hidden"],
    )
    ended = namespace.pop(marker, None) is True
    passed = outcome["error"] is None and ended
    if not watch:
        return {**outcome, "nonce": nonce, "passed": passed}
    wrong += state.answers_wrongly(nonce + "after")
    last = state.of_the_same(good, state.snapshot(watched))
    return {
        **outcome,
        "nonce": nonce,
        "passed": passed,
        "before": state.digest(now, nonce),
        "after": state.digest(last, nonce),
        "changed": sorted({*state.changes(good, now), *state.changes(good, last)})[:6],
        "wrong": sorted(set(wrong))[:6],
    }


def wait(child, seconds):
    """How the child ended: "by itself", "by signal 9", "it was stopped after 63 s"."""
    end = time.monotonic() + seconds
    pause = 0.001
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return f"by signal {-code}" if code < 0 else f"with exit code {code}"
        time.sleep(pause)
        pause = min(0.05, pause * 1.5)
    for end_it in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            end_it(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return f"it was stopped after {seconds:g} seconds"
