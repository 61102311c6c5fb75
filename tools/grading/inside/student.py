"""The process of a student's code. It runs all cells of the notebook in order, in one namespace.

The examiner asks it to leave a copy of itself behind wherever a test stands: a fork, which waits.
When all cells have run, the tests are asked of these copies, each of a fresh fork of its copy, so
that what a question hangs, exhausts or kills is only itself. The tests themselves are elsewhere.
"""

import contextlib
import os
import sys
import types

import calls
import cells
import wire


def live(control):
    """Do what the examiner says on this channel until it closes.

    {"do": "run", "source", "name", "seconds"}: run a cell, and answer with what it showed.
    {"do": "stay"}: leave a copy behind, which is told {"do": "open"} on a channel of its own and
    then answers questions (calls.py) on another. These channels come as file descriptors.
    """
    os.setpgid(0, 0)
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    namespace, sources = vars(main), {}
    while True:
        message = control.receive()
        if message["do"] == "run":
            name = f"<{message['name']}>"
            sources[name] = message["source"]
            seconds = message["seconds"]
            control.send(cells.run(message["source"], namespace, name, seconds=seconds))
        else:
            wire.beget(control, lambda channel: stay(channel, namespace, sources))


def stay(control, namespace, sources):
    while True:
        control.receive()
        wire.beget(control, lambda channel: answer(channel, namespace, sources))


def answer(channel, namespace, sources):
    printed = cells.Printed()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        peer = calls.Answerer(channel, namespace, printed, lambda error: lines(error, sources))
        while True:
            peer.serve(channel.receive())


def lines(error, sources):
    """The lines of the student's cells on the way to an error."""
    way = cells.steps(error, sources)
    return [f"{name[1:-1]}, line {number}: {text.strip()}" for name, number, text in way][-3:]
