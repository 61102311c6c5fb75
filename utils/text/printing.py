"""What a program prints may be read in part, as by `| head`: it then ends, without a word."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

UNREAD = 141  # the exit code, as of a program that the system ends so (128 + SIGPIPE)


def run_program(main: Callable[..., Any], *arguments: Any) -> NoReturn:
    """Run the `main` of a program and exit with what it returns: a code, or a line that says what
    went wrong. Where nobody reads any more what it prints, it ends with the code 141; where that
    cannot be written, as to a full disk, with one line.

    Both are an OSError in Python, and would be reported as one of a card or a submission, once for
    each, and once more at exit. The system's own way, a signal, would end whatever writes to
    another pipe or to a socket, too (Python's documentation, "Note on SIGPIPE").
    """
    streams = sys.stdout, sys.stderr = [
        stream and Printed(stream) for stream in (sys.stdout, sys.stderr)
    ]
    try:
        sys.exit(main(*arguments))
    finally:
        lost = [stream.lost() for stream in streams if stream]
        if any(lost):
            sys.exit(next(filter(None, lost)))


class Printed:
    """A stream to which it is an exit, and no error, that it cannot be written to."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        try:
            return self.stream.write(text)
        except OSError as error:
            raise SystemExit(_said(error)) from None

    def flush(self):
        try:
            self.stream.flush()
        except OSError as error:
            raise SystemExit(_said(error)) from None

    def lost(self):
        """None if what is left can be written, else what to exit with. It then goes nowhere, or
        Python would try once more at exit."""
        try:
            self.stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
            return _said(error)


def _said(error):
    if isinstance(error, BrokenPipeError):
        return UNREAD
    return f"What is printed cannot be written: {error.strerror}."
