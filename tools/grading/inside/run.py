"""The examiner: takes a rebuilt notebook, and hands back what happened.

    python -I run.py        with a socket for standard input, which asks for examiners (wire.py)

A plan is {"cells": [{"name", "kind": "given" | "student" | "test", "source"}], "names": [what
students are to define], "without": [what they are not to use], "cell_seconds", "seconds"}; a given
cell that a student has edited has the original as "ours"; "brief": only verdicts count. A result is
{"cells": [{"outputs", "error", "dropped", "verdict", "seconds"}], "findings": [[cell index,
phrase]]}. The verdict of a test is "passed" or "failed".

Student's code and tests never share a process. There is a *nursery*, which has imported what takes
long, and sees no plan and no student. For each plan it forks a process that goes to a place of its
own (nest.py), and there forks two: an *examiner*, which alone reads the plan, and a *student's
process* (student.py), which is told one cell after the other and runs them all. When all have run,
the examiner runs the tests, each in a fork of itself. There a name that a student has defined is
something that asks the student's process and gets a value (calls.py, `Trial`).

What students are shown must not tell them what is in the hidden tests. So all that a student's code
shows, and the tests as far as they are public, comes first, before it is asked anything hidden; of
what comes then there remains the verdict, and words that the teacher wrote. A test whose public
lines have passed waits, and goes on with the hidden ones if these stand behind; else it is run a
second time, with all its lines.
"""

import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import platform
import resource
import signal
import socket
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# The `utils` of this book, wherever an environment that several share says that it lies.
sys.path.append(os.path.abspath(os.path.join(sys.path[0], *[os.pardir] * 3)))

import calls
import cells
import magics
import nest
import reading
import student
import wire

PR_SET_DUMPABLE, KEYCTL_JOIN_SESSION_KEYRING = 4, 1
KEYCTL = {"x86_64": 250, "aarch64": 219}  # the number of this system call
RESTARTS = 3  # after cells that kill the whole session
MOST_MAGICS = 30  # of what is not run, that the teacher is told
MOST_WAITING = 24  # tests of which the hidden lines are still to come, each with two processes
ENDED = "the test did not reach its end: the process it asked was ended"


def main():
    for name in os.environ.get("GRADING_MODULES", "").split():
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    gc.freeze()  # so that no fork's collector writes to what all of them share
    control = wire.Channel(socket.socket(fileno=os.dup(0)))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    with contextlib.suppress(wire.Closed):
        while control.receive():
            wire.beget(control, place)


def place(outside):
    """Go where one student's work is examined, and keep to its limits."""
    limits = json.loads(os.environ.get("GRADING_LIMITS", "{}"))
    if os.environ.get("GRADING_NESTED") == "yes":
        nest.enter(limits["FSIZE"])
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    if sys.platform == "linux":
        # Processes of the same user can then neither read this one's memory nor its open files;
        # and the keys of the teacher's session are not theirs, nor a place to leave something.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        if keyctl := KEYCTL.get(platform.machine()):
            ctypes.CDLL(None).syscall(keyctl, KEYCTL_JOIN_SESSION_KEYRING, None)
    nurse(outside, os.environ.get("GRADING_CONTAINED") == "yes")


def nurse(outside, contained):
    """Fork an examiner for the plan that comes, and then what it asks for."""
    control, theirs = map(wire.Channel, socket.socketpair())
    if os.fork() == 0:
        try:
            control.close()
            outside.send(Examiner(theirs, contained).examine(outside.receive()))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    theirs.close()
    outside.close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what nobody waits for is not to take up room
    with contextlib.suppress(wire.Closed):
        while control.receive():
            wire.beget(control, lambda channel: alone(channel, contained))


def alone(channel, contained):
    """Become a student's process: nothing of ours stays open."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2) if contained else (0, 1):
        os.dup2(nothing, number)
    keep = channel.socket.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 1024)
    student.live(channel)


class Examiner:
    def __init__(self, nursery, contained):
        """contained: whether all other processes that we see are ours, so that we may end them."""
        self.nursery, self.contained = nursery, contained
        self.findings, self.copies, self.session, self.process = [], {}, None, None
        self.asked = None  # the process that has answered the last test
        self.waiting = {}  # by the number of a test: (channel to its fork, that, the process asked)

    def examine(self, plan):
        self.plan, self.until = plan, time.monotonic() + plan["seconds"]
        self.cells = [self.in_python(*one) for one in enumerate(plan["cells"])]
        self.needed = needed(self.cells)
        self.read(set(plan.get("without", ())))
        results, skipped = [None] * len(self.cells), set()
        try:
            while len(skipped) <= RESTARTS:
                self.start()
                fatal = self.run_all(results, skipped)
                if fatal is None:
                    break
                self.end()
                skipped.add(fatal)
            for hidden in (True,) if plan.get("brief") else (False, True):
                self.ask_all(results, hidden)
        finally:
            self.end()
        pairs = zip(results, self.cells, strict=True)
        cells = [one if decided(one, cell) else not_run(cell) for one, cell in pairs]
        return {"cells": cells, "findings": self.findings}

    def in_python(self, index, cell):
        """The cell with its source as Python; what there is to say about it is found."""
        source, phrases = magics.plain(cell["source"])
        for phrase in phrases if len(self.findings) < MOST_MAGICS else ():
            self.find(index, phrase)
        ours = magics.plain(cell.get("ours", cell["source"]))[0]
        asks = sorted(reading.names(ours)[1] & set(self.plan["names"]))
        given = cell["kind"] == "given" or "ours" in cell
        more = {"asks": asks, "given": given, "not run": phrases}
        return {**cell, "source": source, "ours": ours, **more}

    def read(self, without):
        """Find what those cells of the student's use on which a test comes to depend."""
        wanted = {name for cell in self.cells if cell["kind"] == "test" for name in cell["asks"]}
        waiting = [i for i, cell in enumerate(self.cells) if cell["kind"] == "student" and without]
        while found := [i for i in waiting if affects(self.cells[i]["source"], wanted)]:
            for index in found:
                waiting.remove(index)
                wanted |= reading.reads(self.cells[index]["source"])
                for phrase in reading.uses(self.cells[index]["source"], without):
                    self.find(index, phrase)

    def find(self, index, phrase):
        if [index, phrase] not in self.findings:
            self.findings.append([index, phrase])

    # The student's process.

    def start(self):
        ours, theirs = socket.socketpair()
        self.nursery.send({"do": "start"})
        self.process = wire.hand_over(self.nursery, theirs)
        self.session, self.copies = wire.Channel(ours), {}

    def end(self):
        """End all that is the student's, and the tests that ask it."""
        if self.process is None:
            return
        for index in list(self.waiting):
            self.drop(index)
        for channel, _ in self.copies.values():
            channel.close()
        self.session.close()
        for end_it in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                end_it(self.process, signal.SIGKILL)
        self.process, self.copies = None, {}
        self.sweep(None)

    def run_all(self, results, skipped):
        """Run the cells in order, filling `results`, and leave a copy of the student's process
        where it will be asked. Returns the number of a cell that has ended it, or None."""
        copy = None  # of the process as it is now
        for index, cell in enumerate(self.cells):
            if time.monotonic() > self.until:
                return None
            if index in skipped:
                continue
            start = time.monotonic()
            try:
                if cell["asks"] and (cell["kind"] == "test" or index in self.needed):
                    if copy is None:
                        ours, theirs = socket.socketpair()
                        self.session.send({"do": "stay"})
                        copy = wire.Channel(ours), wire.hand_over(self.session, theirs)
                    self.copies[index] = copy
                if cell["kind"] != "test":
                    copy, shown = None, self.run(cell)
                    results[index] = results[index] or {**shown, "verdict": None}
                    results[index].setdefault("seconds", round(time.monotonic() - start, 3))
            except wire.TooLate:
                why = f"this cell could not be stopped after {self.plan['cell_seconds']:g} seconds"
            except wire.Closed:
                why = "this cell ended the process it ran in"
            except (wire.Garbled, KeyError, TypeError, OSError):
                self.find(index, "sent something to the examiner that is not a result")
                why = "this cell wrote where only the examiner's own code writes"
            else:
                self.sweep(index)
                continue
            results[index] = {**failed("SessionEnded", why), "verdict": None}
            return index
        return None

    def run(self, cell):
        seconds, start = self.plan["cell_seconds"], time.monotonic()
        order = {"source": cell["source"], "name": cell["name"], "seconds": seconds}
        self.session.send({"do": "run", **order})
        found = shown(self.session.receive(start + seconds + 5))
        if found["error"] and found["error"]["ename"] in cells.OURS:  # says the student's process
            found["error"]["ename"] = "Error"
            if time.monotonic() - start >= seconds:
                found["error"] = cells.said("CellTimeout", f"stopped after {seconds:g} seconds")
        return found

    def sweep(self, index):
        """End the processes that a cell has left behind; index None: without a word. Returns
        whether there were any."""
        if not self.contained:
            return False
        ours = {1, os.getpid(), os.getppid(), self.process}
        ours |= {process for _, process in self.copies.values()}
        ours = ours.union(*(processes for _, *processes in self.waiting.values()))
        left = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        left = {number for number in left if number not in ours and running(number)}
        for number in left:
            with contextlib.suppress(OSError):
                os.kill(number, signal.SIGKILL)
        wait_for(left)
        if left - {self.asked} and index is not None:
            self.find(index, "left processes running behind it")
        return bool(left - {self.asked})

    # The tests.

    def ask_all(self, results, hidden):
        """Run the assignment's own cells as far as tests need them, and the tests: their public
        lines, or all; what came of these is known by then, and the others alone decide."""
        namespace = {"__name__": "__main__", "__doc__": None}
        for index, cell in enumerate(self.cells):
            if time.monotonic() > self.until:
                return
            if index in self.needed:
                with contextlib.closing(Trial(self, index, namespace)) as trial:
                    if trial.run(cell["ours"], hidden)["changed"]:
                        self.find(index, spoils(cell))
            elif cell["kind"] != "test":
                continue
            elif cell["not run"]:
                results[index] = failed("NotRun", "this test is no Python that can be run here")
            elif results[index] is None:
                start = time.monotonic()
                results[index] = self.judge(index, namespace, hidden)
                results[index]["seconds"] = round(time.monotonic() - start, 3)
                if not hidden and reading.hidden_lines(cell["source"]):
                    results[index]["verdict"] = None  # until these have been run, too
            elif reading.hidden_lines(cell["source"]):
                start, first = time.monotonic(), results[index]
                second = self.gone_on(index) or self.judge(index, namespace, True)
                error = second["error"] and (first["error"] or second["error"])
                seconds = first.get("seconds", 0) + time.monotonic() - start
                results[index] = {**first, "verdict": second["verdict"], "error": error}
                results[index]["seconds"] = round(seconds, 3)

    def judge(self, index, namespace, hidden):
        """The result of a test cell, run in a fork, with its hidden lines or without. In the second
        case the fork may be left waiting for these."""
        source, rest = self.cells[index]["source"], ""
        if not hidden:
            source, rest = reading.parted(source)
        rest = rest if len(self.waiting) < MOST_WAITING else ""
        back, forth = map(wire.Channel, socket.socketpair())
        child = os.fork()
        if child == 0:
            try:
                with contextlib.closing(Trial(self, index, dict(namespace))) as trial:
                    outcome = trial.run(source, hidden)
                    forth.send(outcome)
                    if rest and not outcome["error"] and forth.receive():
                        forth.send(trial.run(rest, True))
            finally:
                os._exit(0)
        forth.close()
        outcome = self.heard(back)
        self.waiting[index] = back, child, self.asked
        if not rest or outcome is None or outcome["error"]:
            self.drop(index)
        return self.result(index, outcome)

    def gone_on(self, index):
        """The result of the hidden lines of a test that waits; None if it does not."""
        if index not in self.waiting:
            return None
        back, _, self.asked = self.waiting[index]
        with contextlib.suppress(wire.Closed):
            back.send({"do": "go on"})
        outcome = self.heard(back)
        self.drop(index)
        if outcome is None:
            self.sweep(None)
            return None
        return self.result(index, outcome)

    def heard(self, back):
        """What the fork of a test says; None if it ends without a word, or has too much to say."""
        try:
            outcome = back.receive(time.monotonic() + self.plan["cell_seconds"] + 15)
        except (wire.Closed, wire.TooLate, wire.Garbled):
            return None
        self.asked = outcome["asked"]
        return outcome

    def drop(self, index):
        """End the fork of a test."""
        back, child, _ = self.waiting.pop(index)
        back.close()
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def result(self, index, outcome):
        if outcome is None:
            self.sweep(None)
            return failed("TestEnded", "the test did not reach its end")
        if outcome["changed"] and not outcome["error"]:
            self.find(index, spoils(self.cells[index]))
        if self.sweep(index) and index in self.waiting:
            self.drop(index)  # without these it could not go on as it has begun
        return {**shown(outcome), "verdict": "failed" if outcome["error"] else "passed"}

    def open(self, index):
        """(a channel to a fork of the copy that was left there, its process)."""
        if index not in self.copies:
            raise wire.Closed
        ours, theirs = socket.socketpair()
        copy = self.copies[index][0]
        copy.send({"do": "open"})
        return wire.Channel(ours), wire.hand_over(copy, theirs)


class Trial:
    """One of the teacher's cells, in which students' names ask a process of the student's, that is
    there until `close`."""

    def __init__(self, examiner, index, namespace):
        self.examiner, self.cell, self.namespace = examiner, examiner.cells[index], namespace
        self.index, self.peer, self.process = index, None, None

    def close(self):
        if self.process:
            self.channel.close()
            with contextlib.suppress(OSError):
                if self.examiner.contained or os.getpgid(self.process) == self.examiner.process:
                    os.kill(self.process, signal.SIGKILL)
                    wait_for([self.process])  # or it would be taken for one that was left behind

    def ask(self):
        """Put what the student has defined into the namespace."""
        if self.peer or not self.cell["asks"]:
            return
        self.channel, self.process = self.examiner.open(self.index)
        hear = functools.partial(print, end="")
        self.peer = calls.Asker(self.channel, dict(self.namespace), hear)
        self.namespace.update(with_parts=self.peer.with_parts, map=self.peer.map)
        for one in self.cell["asks"]:
            found, value = self.peer.name(one)
            if found:
                self.namespace[one] = value

    def run(self, source, hidden):
        """Run the cell, or a part of it that has its lines in their places."""
        outcome = cells.run(
            source,
            self.namespace,
            f"<{self.cell['name']}>",
            seconds=self.examiner.plan["cell_seconds"],
            before=self.ask,
            describe=functools.partial(self.described, hidden),
        )
        changed = self.peer is not None and self.peer.changed
        return {**outcome, "asked": self.process, "changed": changed}

    def described(self, hidden, error, source, name):
        """The error as a notebook stores it; of a test with its hidden lines there are the words
        that the teacher wrote, and no value."""
        if isinstance(error, wire.Closed | wire.TooLate):
            return cells.said("TestEnded", ENDED)
        if isinstance(error, wire.Garbled):
            return cells.said("TestEnded", f"what it got was no value ({error})")
        if not hidden:
            return cells.described(error, source, name)
        way = cells.steps(error, {name: self.cell["source"]})
        said = [reading.own_words(self.cell["source"], number) for _, number, _ in way]
        said = ([one for one in said if one] or ["A hidden test failed."])[-1]
        return {"ename": "HiddenTest", "evalue": said, "traceback": [said]}


def needed(plan):
    """Numbers of the assignment's own cells whose names a test reads, itself or through others."""
    found, wanted = set(), set()
    for index in reversed(range(len(plan))):
        sets, reads = reading.names(plan[index]["ours"])
        if plan[index]["kind"] == "test":
            wanted |= reads
        elif plan[index]["given"] and sets & wanted:
            found.add(index)
            wanted = wanted - sets | reads
    return found


def affects(source, wanted):
    """Whether a cell binds or changes one of these names."""
    return not wanted.isdisjoint(reading.names(source)[0] | reading.changes(source))


def running(number):
    """Whether a process is there and not a zombie."""
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(processes):
    """Wait until these have ended, at most five seconds."""
    soon = time.monotonic() + 5
    while any(map(running, processes)) and time.monotonic() < soon:
        time.sleep(0.001)


def decided(result, cell):
    """Whether a cell has run to its end: a test with all its lines, if those first run passed."""
    return result and (cell["kind"] != "test" or result["verdict"] or result["error"])


def not_run(cell):
    if cell["kind"] == "test":
        return failed("NotRun", "the time for this notebook was over, or its session had ended")
    return {"outputs": [], "error": None, "dropped": 0, "verdict": None, "seconds": 0}


def spoils(cell):
    """What there is to say of a cell in which arguments were changed in place."""
    asks = [f"`{one}`" for one in sorted(cell["asks"])]
    return f"calls {' or '.join(asks)}, which changes in place what it is given"


def failed(kind, message):
    error = cells.said(kind, message)
    return {"outputs": [], "error": error, "dropped": 0, "verdict": "failed"}


def shown(reply):
    """What a cell showed, its error, and how much it printed beyond what is kept: as far as it has
    the form that cells.py gives it. Of what it showed, outcome.py looks at the rest."""
    dropped = reply.get("dropped")
    dropped = min(dropped, 10**12) if isinstance(dropped, int) else 0
    outputs = [one for one in reply.get("outputs") or () if isinstance(one, dict)][:10]
    return {"outputs": outputs, "error": error(reply), "dropped": dropped}


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
