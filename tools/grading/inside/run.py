"""The examiner: takes a rebuilt notebook on standard input, hands back what happened.

    python -I run.py < plans > results        one JSON object a line, each way

Runs inside the sandbox, in a process of its own that knows the tests, never runs a student's code,
and cannot be looked into by one that does. A plan is {"cells": [{"name", "kind": "given" |
"student" | "test", "source"}], "stubs": [source], "cell_seconds", "seconds"}; with "watch": false,
code that is known runs without looking for manipulation. A result is {"cells": [{"outputs",
"error", "dropped", "verdict", "seconds"}], "findings": [[cell index, phrase]]}. The verdict of a
test is "passed", "failed", or "doubtful": it looks passed, but not to be trusted.
"""

import contextlib
import ctypes
import json
import os
import re
import resource
import secrets
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import audit
import magics
import wire

PR_SET_DUMPABLE = 4
START_SECONDS = 120  # for importing torch, on a busy machine
RESTARTS = 3  # after cells that kill the whole session


def main():
    limits = json.loads(os.environ.get("GRADING_LIMITS", "{}"))
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    hide_memory()
    examiner = Examiner(contained=os.environ.get("GRADING_CONTAINED") == "yes")
    results = sys.stdout
    for line in sys.stdin:
        result = examiner.examine(json.loads(line))
        if examiner.contained:  # a sandbox is for one notebook
            examiner.close()
            result["cpu"] = round(used(), 2)
        print(json.dumps(result), file=results, flush=True)


def used():
    """Seconds of processor time of this process and of all it has started, now that they ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def hide_memory():
    """Processes of the same user can then neither read this one's memory nor its open files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


class Examiner:
    def __init__(self, *, contained):
        """contained: whether all other processes that we see are ours, so that we may end them."""
        self.contained = contained
        self.control, theirs = socket.socketpair()
        self.nursery = os.fork()
        if self.nursery == 0:
            become_nursery(theirs, keep_errors=not contained)
        theirs.close()

    def close(self):
        self.control.close()  # at which the nursery ends, and the times of all are summed up
        os.waitpid(self.nursery, 0)

    def examine(self, plan):
        plan = self.plan = in_python(plan)
        self.until = time.monotonic() + plan["seconds"]
        self.findings = []
        self.audit()
        self.snapshot = self.prepare()
        results = [None] * len(plan["cells"])
        skipped = set()
        while None in results and len(skipped) <= RESTARTS:
            session = self.start()
            fatal = self.go_through(session, results, skipped)
            self.end(session)
            if fatal is None:
                break
            skipped.add(fatal)
        for index, result in enumerate(results):
            results[index] = result or self.not_run(plan["cells"][index])
        return {"cells": results, "findings": self.findings}

    def audit(self):
        """Read what the student wrote, before any of it runs; of tests, what cannot run here."""
        imported = set()
        for cell in self.plan["cells"]:
            imported |= audit.imported_names(cell["source"])
        for index, cell in enumerate(self.plan["cells"]):
            phrases = cell["not run"] if cell["kind"] != "given" else []
            if cell["kind"] == "student":
                phrases = [*phrases, *audit.audit(cell["source"], imported)]
            for phrase in phrases:
                self.find(index, phrase)

    def find(self, index, phrase):
        if [index, phrase] not in self.findings and len(self.findings) < 50:
            self.findings.append([index, phrase])

    def prepare(self):
        """Have the nursery import what the teacher's cells import; what Python is then like."""
        modules = set()
        for cell in self.plan["cells"]:
            if cell["kind"] != "student":
                modules |= modules_of(cell["source"])
            if "optim" in cell["source"]:
                modules.add("torch._dynamo")  # loads when an optimiser is made: once, not each time
        wire.send(self.control, {"do": "prepare", "modules": sorted(modules)})
        return wire.receive(self.control, time.monotonic() + START_SECONDS)["snapshot"]

    def start(self):
        ours, theirs = socket.socketpair()
        wire.send(self.control, {"do": "start"})
        socket.send_fds(self.control, [b"."], [theirs.fileno()])
        theirs.close()
        self.process = wire.receive(self.control, time.monotonic() + 10)["process"]
        return ours

    def end(self, session):
        session.close()
        for end_it in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                end_it(self.process, signal.SIGKILL)
        self.sweep(None, alive=False)

    def go_through(self, session, results, skipped):
        """Run the cells in order, filling `results`. Returns the cell that ended the session."""
        for index, cell in enumerate(self.plan["cells"]):
            if index in skipped:
                continue
            if time.monotonic() > self.until:
                return None
            start = time.monotonic()
            if cell["kind"] == "test":
                if results[index] is None:
                    results[index] = self.ask(session, index, cell)
            else:
                result, why = self.run(session, index, cell)
                if result is None:
                    results[index] = {**failed("SessionEnded", why), "verdict": None}
                    return index
                results[index] = results[index] or result
            if results[index] is not None:
                results[index].setdefault("seconds", round(time.monotonic() - start, 3))
            self.sweep(index)
        return None

    def run(self, session, index, cell):
        """(what the cell showed, None), or (None, why the session is over)."""
        nonce, seconds = secrets.token_hex(16), self.plan["cell_seconds"]
        student = cell["kind"] == "student"
        try:
            wire.send(session, {"do": "run", "student": student, **self.order(cell, nonce)})
            reply = wire.receive(session, time.monotonic() + seconds + 5)
        except wire.TooLate:
            return None, f"this cell could not be stopped after {seconds:g} seconds"
        except wire.Closed:
            return None, "this cell ended the process it ran in"
        except wire.Garbled:
            self.find(index, "sent something to the examiner that is not a result")
            return None, "this cell wrote where only the examiner's own code writes"
        if reply.get("nonce") != nonce:
            self.find(index, "sent a result that is not its own")
            return None, "this cell wrote where only the examiner's own code writes"
        return {**shown(reply), "verdict": None}, None

    def order(self, cell, nonce):
        return {
            "source": cell["source"],
            "name": cell["name"],
            "nonce": nonce,
            "seconds": self.plan["cell_seconds"],
            "watch": self.plan.get("watch", True),
        }

    def ask(self, session, index, cell):
        """The verdict of a test cell, asked with what the student wrote and then without it."""
        report, end = self.in_a_fork(session, index, cell, "test")
        if report is None:
            return failed("TestEnded", f"the test did not reach its end: {end}")
        result = {**shown(report), "verdict": "failed"}
        watch = self.plan.get("watch", True)
        doubts = self.doubts(report) if watch else []
        if report.get("passed") is True and result["error"] is None:
            control = watch and self.in_a_fork(session, index, cell, "control")[0]
            if watch and (control is None or control.get("passed") is not False):
                doubts.append("passes even when all that the student wrote is taken away")
            result["verdict"] = "doubtful" if doubts else "passed"
        elif result["error"] is None:
            result["error"] = failed("TestEnded", "the test was left before its end")["error"]
        for doubt in doubts:
            self.find(index, doubt)
        return result

    def in_a_fork(self, session, index, cell, kind):
        """(what the fork reported, or None; how it ended)."""
        nonce, seconds = secrets.token_hex(16), self.plan["cell_seconds"]
        order = {"do": kind, **self.order(cell, nonce), "hidden": hidden_lines(cell["source"])}
        if kind == "control":
            order["stubs"] = self.plan["stubs"]
        report, until = None, time.monotonic() + seconds + 10
        try:
            wire.send(session, order)
            while True:
                message = wire.receive(session, until)
                if message.get("nonce") != nonce or (report and "ended" not in message):
                    self.find(index, "sent a result that is not its own")
                    return None, "a forged result came in its place"
                if "ended" in message:
                    return report, str(message["ended"])[:80]
                report = message
        except wire.Garbled:
            self.find(index, "sent something to the examiner that is not a result")
        except (wire.TooLate, wire.Closed):
            pass
        return None, "the process it ran in was ended"

    def doubts(self, report):
        """What is wrong with the Python in which a test ran."""
        found = []
        good = state_digest(self.snapshot, report.get("nonce", ""))
        if report.get("before") != good or report.get("after") != good:
            found.append(f"changes what tests rely on{names(report, 'changed')}")
        if report.get("wrong") != []:
            found.append(f"makes mistakes go unnoticed{names(report, 'wrong')}")
        return found

    def sweep(self, index, *, alive=True):
        """End the processes that a cell has left behind."""
        if not self.contained:
            return
        ours = {1, os.getpid(), self.nursery} | ({self.process} if alive else set())
        left = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        left = [number for number in left if number not in ours and running(number)]
        for number in left:
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        if left and index is not None:
            self.find(index, "left processes running behind it")

    def not_run(self, cell):
        if cell["kind"] == "test":
            return failed("NotRun", "the time for this notebook was over, or its session had ended")
        return {"outputs": [], "error": None, "verdict": None, "seconds": 0}


def become_nursery(control, *, keep_errors):
    """In a fork: nothing of the plan is in memory yet, and nothing of ours stays open."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1) if keep_errors else (0, 1, 2):
        os.dup2(nothing, number)
    keep = control.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 1024)
    try:
        import session

        session.nursery(control)
    except wire.Closed:
        session.reap(0)  # the examiner has ended them
    finally:
        os._exit(0)


def running(number):
    """Whether a process is there and not a zombie."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def in_python(plan):
    """The plan with each source as Python, and in each cell phrases about what is "not run"."""
    cells = []
    for cell in plan["cells"]:
        source, phrases = magics.plain(cell["source"])
        cells.append({**cell, "source": source, "not run": phrases})
    return {**plan, "cells": cells, "stubs": [magics.plain(one)[0] for one in plan["stubs"]]}


def state_digest(snapshot, nonce):
    import state

    return state.digest(snapshot, nonce)


def modules_of(source):
    """Names of the modules that source imports, `from a import b` as both a and a.b."""
    import ast

    found = set()
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def hidden_lines(source):
    """Numbers of the lines, counted from 1, that stand between the marks of hidden tests."""
    found, inside = [], False
    for number, line in enumerate(source.splitlines(), start=1):
        inside = inside or "BEGIN HIDDEN TESTS" in line
        if inside:
            found.append(number)
        inside = inside and "END HIDDEN TESTS" not in line
    return found


def failed(kind, message):
    error = {"ename": kind, "evalue": message, "traceback": [f"{kind}: {message}"]}
    return {"outputs": [], "error": error, "verdict": "failed"}


def names(report, key):
    """Names that a report gives, as far as they look like names."""
    given = report.get(key)
    given = [one for one in given if isinstance(one, str)] if isinstance(given, list) else []
    given = [one[:60] for one in given if re.fullmatch(r"[\w .=<>!]+", one)][:6]
    return f": {', '.join(given)}" if given else ""


def shown(reply):
    """What a cell showed, its error, and how much it printed beyond what is kept."""
    dropped = reply.get("dropped")
    dropped = dropped if isinstance(dropped, int) else 0
    return {"outputs": outputs(reply), "error": error(reply), "dropped": dropped}


def outputs(reply):
    """The outputs of a report as far as they have the form that cells.py gives them."""
    found = []
    for one in reply.get("outputs") or []:
        if not isinstance(one, dict) or len(found) == 10:
            continue
        if one.get("output_type") == "stream" and isinstance(one.get("text"), str):
            text = one["text"][:12_000]
            found.append({"output_type": "stream", "name": "stdout", "text": text})
        elif one.get("output_type") == "display_data" and isinstance(one.get("data"), dict):
            data = {
                kind: one["data"][kind][:400_000]
                for kind in ("text/plain", "image/png")
                if isinstance(one["data"].get(kind), str)
            }
            found.append({"output_type": "display_data", "data": data, "metadata": {}})
    return found


def error(reply):
    given = reply.get("error")
    if given is None:
        return None
    if not isinstance(given, dict):
        given = {}
    trace = given.get("traceback")
    trace = [str(line)[:2000] for line in trace[:8]] if isinstance(trace, list) else []
    return {
        "ename": str(given.get("ename"))[:100],
        "evalue": str(given.get("evalue"))[:2000],
        "traceback": trace,
    }


if __name__ == "__main__":
    main()
