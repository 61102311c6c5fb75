"""Grading many variants of an assignment in the time of a few: what the sandbox runs, without it.

One nursery imports torch once, and forks an examiner and a student for each variant. Of the
teacher's cells only those run whose names are used further down, so not those that show something;
of the tests only those that can come to read a cell that differs from the solution, for the others
give what they gave there. That the whole way through a sandbox and nbgrader's gradebook gives the
same is tested for two variants of each assignment.
"""

import dataclasses
import json
import os
import socket
import subprocess
import sys

from tools.grading import bubblewrap, rebuild, sandbox
from tools.grading import course as courses
from tools.grading.inside import wire
from tools.grading.inside.reading import names

from . import instructor

SECONDS = 1800  # for all variants of an assignment, on a busy machine


def solved(template):
    """{grade_id: source} of the instructor's solution, written answers included."""
    return {
        courses.marks(cell)["grade_id"]: instructor.solution(
            template.name, courses.marks(cell)["grade_id"]
        )
        for cell in template.notebook.cells
        if courses.marks(cell).get("solution")
    }


def rebuilt(template, answers):
    """The notebook of a student who answers so; the rest is as released."""
    handed = [
        rebuild.Handed(cell.cell_type, name, None, answers.get(name, template.released[name]))
        for cell in template.notebook.cells
        if (name := courses.marks(cell).get("grade_id"))
    ]
    return rebuild.rebuild(template, handed)


@dataclasses.dataclass(frozen=True)
class Examined:
    """verdicts: of the tests that ran. errors: last line of each cell's error. findings: phrases
    that a teacher would have to decide about."""

    verdicts: dict
    errors: dict
    findings: list


def examine(template, variants):
    """Run the solution and each of `variants`, answers by grade_id. Returns a list of Examined."""
    solution = solved(template)
    plans = [rebuilt(template, solution).plan(template)]
    plans += [affected(rebuilt(template, one).plan(template), plans[0]) for one in variants]
    plans = [short(plan) for plan in plans]
    limits = {"cell_seconds": 120, "seconds": SECONDS, "brief": True}
    ours, theirs = socket.socketpair()
    with theirs:
        examiner = subprocess.Popen(
            [sys.executable, "-I", bubblewrap.INSIDE / "run.py"],
            stdin=theirs,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "MPLBACKEND": "agg",
                "GRADING_MODULES": " ".join(template.modules),
                "GRADING_LIMITS": json.dumps({"DATA": bubblewrap.Limits().memory}),
            },
        )
    with ours:
        nursery = wire.Channel(ours)
        results = [sandbox.asked(nursery, {**limits, **plan}) for plan in plans]
    examiner.wait(SECONDS)
    found = []
    for plan, result in zip(plans, results, strict=True):
        verdicts, errors = {}, {}
        for cell, got in zip(plan["cells"], result["cells"], strict=True):
            if cell["kind"] == "test":
                verdicts[cell["name"]] = got["verdict"]
            if got["error"]:
                errors[cell["name"]] = got["error"]["traceback"][-1][:300]
        found.append(Examined(verdicts, errors, [phrase for _, phrase in result["findings"]]))
    return found


def affected(plan, solution):
    """The plan without the tests that cannot notice in what it differs from the solution's: those
    above it, and those that use no name it binds, nor one that is bound with the help of those."""
    pairs = list(zip(plan["cells"], solution["cells"], strict=True))
    kept, above = [], []  # above: (names bound, names read, whether it differs)
    for cell, theirs in pairs:
        sets, loads = names(cell["source"])
        if cell["kind"] != "test":
            more_sets, more_loads = names(theirs["source"])
            differs = cell["source"] != theirs["source"]
            above.append((sets | more_sets, loads | more_loads, differs))
        elif not notices(loads, above):
            continue
        kept.append(cell)
    return {**plan, "cells": kept}


def notices(wanted, above):
    """Whether reading these names comes to a cell that differs."""
    known = set()
    while wanted:
        reached = [one for one in above if one[0] & wanted]
        if any(differs for _, _, differs in reached):
            return True
        known |= wanted
        wanted = set().union(*(loads for _, loads, _ in reached)) - known
    return False


def short(plan):
    """The plan without the teacher's cells that only show something."""
    kept, used = [], set()
    for cell in reversed(plan["cells"]):
        sets, loads = names(cell["source"])
        if cell["kind"] != "given" or sets & used:
            kept.append(cell)
            used = used - sets | loads if cell["kind"] == "given" else used | loads
    return {**plan, "cells": kept[::-1]}
