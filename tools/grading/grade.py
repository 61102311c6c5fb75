"""`make grade`: every submission that is new or has changed, several at a time.

For each: read it, rebuild the notebook, run that in a sandbox, store the scores in the gradebook,
the notebook with its outputs in `autograded`, and last a card in `reports`, that says what was
graded and what there is to report. A submission whose card is right is not graded again, so a run
that was interrupted goes on where it stopped, and a second run changes nothing.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import sys
import time

import nbformat
from nbgrader.api import MissingEntry

from utils.checkpoints.cluster import MOST, ClusterError, JobError

from . import cluster, collect, outcome, rebuild, report, sandbox, scores, strays, submissions
from .cards import UNFINISHED, VERSION, Card, read_card, write_card
from .course import register, template, write
from .progress import Progress
from .roster import enter, roster
from .zips import Refused


def grade(
    course,
    only=None,
    *,
    force=False,
    again=(),
    trust=(),
    workers=None,
    limits=None,
    unsafe=False,
    scheduler=None,
):
    """Grade what `submitted` holds. Returns the number of submissions that could not be graded.

    only: one assignment. force: grade again what has not changed; again: that of these students.
    trust: students whose flagged work counts, because the teacher has looked at it. unsafe: run
    without a sandbox. scheduler: the address of Dask's, whose workers run the work in sandboxes of
    theirs. Raises sandbox.NoSandbox where there is none, ClusterError where nobody can work.
    """
    if unsafe and scheduler:
        raise sandbox.NoSandbox("UNSAFE_NO_SANDBOX and CLUSTER: workers run nothing unsafe.")
    if not unsafe and not scheduler and (reason := sandbox.unavailable()):
        raise sandbox.NoSandbox(reason)
    found = {name: collect.collect(course, name) for name in course.names(only)}
    failures, unclaimed = 0, strays.strays(course)
    unclaimed += [(None, name, sentence) for name, one in found.items() for sentence in one.said]
    workers = workers or (MOST if scheduler else os.cpu_count() or 2)
    with contextlib.ExitStack() as stack:
        stack.callback(sandbox.stop)
        place = stack.enter_context(cluster.Sandboxes(scheduler)) if scheduler else sandbox
        for name in course.names(only):
            work = template(course, name)
            job = Job(course, work, limits or sandbox.Limits(), unsafe, found[name], place)
            job.strays = [sentence for _, meant, sentence in unclaimed if meant in (None, name)]
            again = set(job.students if force else again)
            failures += job.run(again=again, trust=set(trust), workers=workers)
    for _, _, sentence in unclaimed:
        print(f"  NEEDS YOU  {report.printable(sentence)}")
    return failures


class Job:
    """The grading of one assignment."""

    def __init__(self, course, template, limits, unsafe, found=None, place=sandbox):
        """found: what was downloaded, a collect.Found. place: where work runs, here or away."""
        self.found = found or collect.Found()
        self.course, self.template, self.limits, self.unsafe = course, template, limits, unsafe
        self.place = place
        self.refused, self.failed, self.cards = {}, {}, {}
        self.strays, self.graded, self.unfinished, self.times = [], 0, [], {}
        self.roster = roster(course)
        self.students, self.odd = submissions.students(course)

    def run(self, *, again, trust, workers):
        register(self.course, self.template)
        waiting, unchanged = self.look(again, trust)
        if not waiting and not unchanged and not self.refused and not self.strays:
            print(f"{self.template.name}: nothing handed in yet.")
            return 0
        with self.course.gradebook() as book:  # in alphabetical order; of refused work, no points
            enter(self.course, book, {*(one.student for one, _ in waiting), *self.refused})
        start = time.perf_counter()
        pool = concurrent.futures.ThreadPoolExecutor(workers)
        try:
            running = {pool.submit(self.examine, one): (one, card) for one, card in waiting}
            with Progress(self.template.name, len(waiting), "graded") as progress:
                for done in as_completed(running, progress):
                    one, before = running[done]
                    try:
                        self.finish(one, *done.result(), before, one.student in trust)
                    except Refused as reason:
                        self.refused[one.student] = str(reason)
                    except ClusterError:  # nobody can work any more
                        raise
                    except JobError as error:
                        self.failed[one.student] = str(error)
                    except Exception as error:  # ours, or the database's; the others go on
                        self.failed[one.student] = f"{type(error).__name__}: {error}"
                    progress.step()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self.place.stop()
            done = {*self.cards, *self.refused, *self.failed}
            self.unfinished = sorted({one.student for one, _ in waiting} - done)
            report.write_report(self)
            raise
        pool.shutdown()
        scores.penalise_all(self.course, self.template.name, self.times)
        written = report.write_report(self)
        report.say(self, unchanged, time.perf_counter() - start, *written)
        return len(self.failed)

    def look(self, again, trust):
        """([(submission to grade, card of the last time or None)], how many are as they were)."""
        waiting, unchanged = [], 0
        for name in self.odd:
            self.refused[name] = (
                "is in `submitted` under a name that no student can have: rename it, with letters "
                "from a to z, digits and . _ - only"
            )
        for student in self.students:
            try:
                one = submissions.read(self.course, student, self.template.name)
            except Refused as reason:
                self.refused[student] = str(reason)
                continue
            if one is None:
                continue
            self.times[student] = one.when
            card = read_card(self.course, student, self.template.name)
            decide = student in trust and card is not None and card.waits
            if student not in again and not decide and self.is_current(one, card):
                self.cards[student] = card
                unchanged += 1
            else:
                waiting.append((one, card))
        for variable, named in (("STUDENT", again), ("TRUST", trust)):
            if unknown := ", ".join(sorted(named - set(self.students))):
                print(f"{variable} names {unknown}, who has handed in nothing.", file=sys.stderr)
        return waiting, unchanged

    def is_current(self, one, card):
        now = (one.digest, self.template.digest, VERSION, list(one.doubts))
        if card is None or (card.digest, card.template, card.version, card.doubts) != now:
            return False
        if card.notes[: len(one.notes)] != list(one.notes):
            return False
        with self.course.gradebook() as book:
            try:
                book.find_submission(one.assignment, one.student)
            except MissingEntry:
                return False
        return self.course.notebook("autograded", one.assignment, one.student).exists()

    def examine(self, one):
        """Run one submission; in a thread. Touches nothing but the sandbox, and parses no Python:
        that, in two threads at a time, some versions of Python cannot."""
        rebuilt = rebuild.rebuild(self.template, rebuild.handed(one.data))
        ended = self.place.run(
            rebuilt.plan(self.template),
            self.limits,
            course=self.course.root,
            modules=self.template.modules,
            unsafe=self.unsafe,
        )
        return rebuilt, ended

    def finish(self, one, rebuilt, ended, before, trusted):
        """Store what came out, in the order: gradebook, notebook, card.

        The card before stays until then, as one of no version: whatever interrupts this, the work
        is graded again, and what the teacher has decided about it is still known.
        """
        same = before is not None and before.digest == one.digest
        earlier = scores.answers(self.course, one.student, one.assignment) if before else {}
        doubts = list(one.doubts)
        accepted = trusted or (same and before.accepted and before.doubts == doubts)
        decisions, result = [*doubts, *rebuilt.doubts], ended.result
        if result is None:
            decisions.append(f"The run had to be stopped: {ended.why}. No test counts.")
            result = outcome.nothing(rebuilt)
        decisions += outcome.failures_of_ours(rebuilt, result)
        if ended.result:
            rebuilt.notes += outcome.oddities(rebuilt, result)
        if self.unsafe:
            rebuilt.notes.append("It was run without a sandbox.")
        card = Card(
            student=one.student,
            assignment=one.assignment,
            digest=one.digest,
            template=self.template.digest,
            notes=[*one.notes, *dict.fromkeys(rebuilt.notes)],
            looks=[*rebuilt.looks, *outcome.sentences(rebuilt, result["findings"])],
            decisions=decisions,
            doubts=doubts,
            accepted=accepted,
            stopped=ended.why,
            seconds=round(ended.seconds, 1),
            times=outcome.times(rebuilt, result),
        )
        withheld = outcome.fill_in(rebuilt, result, withhold=card.open)
        report.put_on_top(rebuilt, card)
        folder = self.course.folder("autograded", one.student, one.assignment)
        now = scores.written(rebuilt.notebook)
        kept = {name for name, text in now.items() if earlier.get(name) == text}
        kept |= set(self.template.released) if same else set()
        if before is not None:
            write_card(self.course, dataclasses.replace(before, version=UNFINISHED))
        scores.save(self.course, one, rebuilt, withheld, kept)
        write(folder / f"{one.assignment}.ipynb", nbformat.writes(rebuilt.notebook) + "\n")
        for name, text in (("timestamp.txt", one.when), ("submission_secret.txt", one.secret)):
            if text:
                write(folder / name, text)
        write_card(self.course, card)
        self.cards[one.student] = card
        self.graded += 1


def as_completed(running, progress):
    """Each of these futures when it is done; meanwhile progress is told."""
    waiting = set(running)
    while waiting:
        done, waiting = concurrent.futures.wait(
            waiting, progress.wait(), concurrent.futures.FIRST_COMPLETED
        )
        progress.tell()
        yield from done
