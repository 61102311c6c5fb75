"""A Dask scheduler and its workers, for tests: processes of this machine."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager

from tests.places import ROOT

TOLD = r"(?:Scheduler at|Start Nanny at): *'?(\w+://[^\s']+)"


@contextmanager
def scheduler(**settings):
    """The address of one that has no worker yet. settings: of Dask's, as in its environment."""
    with started(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", **settings
    ) as (_, address):
        yield address


@contextmanager
def workers(address, number=1, *, book=ROOT, **environ):
    """So many, each with one thread, and each started anew when it ends. Yields the process that
    does that. book: the clone that they are of."""
    wanted = ("--nthreads", "1", "--nworkers", str(number), "--no-dashboard")
    with started("worker", address, *wanted, book=book, **environ) as (process, _):
        yield process


@contextmanager
def cluster(number=2, **settings):
    """(the address, the process that keeps the workers)."""
    with ExitStack() as stack:
        address = stack.enter_context(scheduler(**settings))
        yield address, stack.enter_context(workers(address, number))


@contextmanager
def started(kind, *arguments, book=ROOT, **environ):
    """A command of Dask's, and the address that it tells."""
    path = os.pathsep.join([str(book), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *arguments],
            cwd=book,
            env=os.environ | {"PYTHONPATH": path, "DASK_TEMPORARY_DIRECTORY": scratch} | environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            found = (re.search(TOLD, line) for line in process.stderr)
            address = next(filter(None, found))[1]
            reading = threading.Thread(target=process.stderr.read)  # else it fills, and all stops
            reading.start()
            yield process, address
        finally:
            process.terminate()
            process.wait(30)
            reading.join()
            process.stderr.close()
