"""Servers that tests start, and have to wait for."""

import re
import subprocess
import time
import urllib.request
from contextlib import contextmanager

STARTS_WITHIN = 60  # seconds, on a busy machine


@contextmanager
def running(command, **how):
    """The address that a server prints, once it answers there; then it is ended."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **how)
    try:
        found = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)))
        wait_until_it_answers(found.group())
        assert process.poll() is None, "another server answers at its address"
        yield found.group()
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def wait_until_it_answers(address):
    end = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.25)
