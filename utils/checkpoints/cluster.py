"""Independent jobs on other machines: a scheduler of Dask's `distributed`, and its workers.

    with Cluster("tcp://10.0.0.1:8786") as cluster:
        cluster.call("utils.checkpoints.study:make", {"name": "sentences-ar", "seed": 7})

A job is the name of a function of this book and a dict; what comes back is a dict. Both travel as
JSON, so nothing that a job has read or run is unpickled here. The engine gives a job whose worker
has ended to another one, until the scheduler's `allowed-failures` is used up; it never has more
jobs than threads, so hardly one is suspected that was only waiting there. A worker must have the
same book as we (worker.py): it is asked before each job, and what differs is told once.

`distributed` is imported only when a cluster is asked for.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import re
import sys
import threading
import time

from utils.checkpoints.worker import SET_UP, fingerprint, why_unfit, work

ADDRESS = re.compile(r"(tcp|tls)://([^\s/:@]+|\[[0-9a-fA-F:.%]+\]):(\d{1,5})")
CONNECT = 10  # seconds for a scheduler to answer
COLLECT = 600  # for what is done to arrive here, and to be done again if its worker is gone
LOOK = 1  # seconds between two looks at which workers there are
MOST = 256  # jobs at a time, each of which waits in a thread of ours


class ClusterError(Exception):
    """There is nobody to work, or nobody who can; says what to do."""


class JobError(Exception):
    """One job has failed; the others go on."""


class Cluster:
    def __init__(self, address: str, *, needs: str | None = None, patience: float = 60):
        """needs: names a function that says on a worker why it cannot work, or None if it can.
        patience: seconds to wait for a worker, at first and whenever none is left. Raises
        ClusterError if nobody can work there."""
        self.address, self.needs, self.patience = check_address(address), needs, patience
        self.client = connect(address)
        self.unfit, self.threads, self.running = {}, {}, 0
        self.stopped, self.looked, self.seen = False, 0.0, time.monotonic()
        self.turn = threading.Condition()
        try:
            self.ask_the_scheduler()
            self.wait_for_workers()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stop()
        with contextlib.suppress(Exception):
            self.client.close(timeout=5)

    def stop(self):
        """Every call that waits ends at once, with an error."""
        with self.turn:
            self.stopped = True
            self.turn.notify_all()

    def __len__(self):
        """How many jobs can run at a time."""
        return sum(count for worker, count in self.threads.items() if worker not in self.unfit)

    def call(self, function: str, message: dict) -> dict:
        """Run `module:function`(message) on a worker that is free, and wait for what it returns.

        Raises JobError if it fails, or ends the workers that run it, and ClusterError if no worker
        is left. Any number of threads may call at a time.
        """
        with self.turn:
            while self.running >= len(self):
                self.look()
                self.turn.wait(LOOK)
            self.running += 1
        try:
            while True:
                answer = self.run(function, json.dumps(message).encode())
                if "unfit" not in answer:
                    break
                with self.turn:
                    self.exclude(answer["worker"], answer["unfit"])
        finally:
            with self.turn:
                self.running -= 1
                self.turn.notify_all()
        if "failed" in answer:
            raise JobError(answer["failed"])
        return answer["answer"]

    def run(self, function, message):
        """What `work` returns, wherever it did. While nobody is unfit, anyone may do it; else those
        who fit, and it goes out again if all of those are gone."""
        future, done, allowed = None, threading.Event(), []
        while not done.is_set():
            with self.turn:
                self.look()
                fit = [one for one in self.threads if one not in self.unfit]
                lost = future is None or (allowed and not set(allowed) & set(fit))
                if lost and (fit or not self.unfit):
                    allowed, done = fit if self.unfit else [], threading.Event()
                    future = self.client.submit(
                        *(work, function, message, fingerprint(), self.needs),
                        **({"workers": allowed, "allow_other_workers": False} if allowed else {}),
                        pure=False,
                    )
                    future.add_done_callback(functools.partial(tell, done))
            done.wait(LOOK)
        return self.outcome(future)

    def outcome(self, future):
        from distributed import KilledWorker

        try:
            return json.loads(future.result(timeout=COLLECT))
        except KilledWorker as error:
            raise JobError(
                f"{error.allowed_failures + 1} workers ended while they ran it, the last at "
                f"{error.last_worker.address}"
            ) from None
        except Exception as error:  # the scheduler is gone, or a worker without the book
            raise ClusterError(self.lost(error)) from None

    def look(self):
        """See which workers there are. Raises ClusterError if for too long there is none."""
        now = time.monotonic()
        if self.stopped:
            raise ClusterError("The work was stopped.")
        if now < self.looked + LOOK:
            return
        self.looked, reachable = now, True
        try:
            self.threads = dict(self.client.nthreads())
        except Exception:
            self.threads, reachable = {}, False
        if len(self):
            self.seen = now
        elif now > self.seen + self.patience:
            raise ClusterError(self.nobody() if reachable else self.lost())

    def nobody(self):
        if self.threads:
            return f"No worker of {self.address} can do the work: {'; '.join(self.reasons())}."
        return (
            f"The scheduler at {self.address} has had no worker for {self.patience:g} seconds. "
            f"Start one, in a clone of the book: .venv/bin/dask worker {self.address} --nthreads 1"
        )

    def reasons(self):
        return [f"{one} {why}" for one, why in self.unfit.items() if one in self.threads]

    def lost(self, error=None):
        said = f" ({type(error).__name__}: {str(error)[:200]})" if error else ""
        return f"The scheduler at {self.address} does not answer any more{said}."

    def ask_the_scheduler(self):
        try:
            self.client.run_on_scheduler(fingerprint)
        except Exception as error:
            raise ClusterError(
                f"The scheduler at {self.address} does not know the book "
                f"({type(error).__name__}: {str(error)[:200]}). Start it, as its workers, from the "
                "book's environment: .venv/bin/dask scheduler"
            ) from None

    def wait_for_workers(self):
        with self.turn:
            self.look()
            while not self.threads:
                time.sleep(LOOK)
                self.look()
        found = self.client.run(why_unfit, fingerprint(), self.needs, on_error="return")
        for worker, why in found.items():
            if isinstance(why, Exception):
                why = f"does not know the book ({type(why).__name__}: {str(why)[:200]}): {SET_UP}"
            if why:
                self.exclude(worker, why)
        if not len(self):
            raise ClusterError(self.nobody())

    def exclude(self, worker, why):
        if worker not in self.unfit:
            self.unfit[worker] = why
            print(f"The worker {worker} {why}. It gets no work.", file=sys.stderr, flush=True)


def tell(event, _future):
    event.set()


def check_address(address: str) -> str:
    found = ADDRESS.fullmatch(address)
    if not found or not 0 < int(found[3]) < 65536:
        raise ClusterError(
            f"{address!r} is no address of a Dask scheduler: give tcp://HOST:PORT or "
            "tls://HOST:PORT, as `dask scheduler` prints it, such as tcp://10.0.0.1:8786."
        )
    return address


def connect(address):
    """A client of the scheduler at this address."""
    try:
        import distributed
    except ImportError:
        raise ClusterError(
            "Work on several machines needs Dask's `distributed`: "
            ".venv/bin/python -m pip install -r requirements-cluster.txt"
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters, we say
    if address.startswith("tls:"):
        check_certificates(distributed.Security())
    try:
        return distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except Exception as error:  # of a network, of TLS, or of another version
        cause = error.__cause__ or error
        raise ClusterError(
            f"No Dask scheduler answers at {address} ({type(cause).__name__}: {str(cause)[:200]}). "
            "Is it started, and can this machine reach it?"
        ) from None


def check_certificates(security):
    """Raise ClusterError if Dask's settings name none for us, or name what cannot be read."""
    try:
        if security.get_connection_args("client").get("ssl_context"):
            return
        said = ""
    except Exception as error:  # of a disk, or of TLS
        said = f" ({type(error).__name__}: {error})"
    raise ClusterError(
        f"A tls:// address needs certificates{said}. Dask reads where they are from its "
        "configuration, or from DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__TLS__CLIENT__CERT and "
        "…__TLS__CLIENT__KEY, and the same for SCHEDULER and WORKER."
    )
