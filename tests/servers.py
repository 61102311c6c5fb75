"""Servers that tests start, and have to wait for."""

import time
import urllib.request

STARTS_WITHIN = 60  # seconds, on a busy machine


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
