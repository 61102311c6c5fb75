"""How long a class takes: python -m tools.grading.measure 01_markov_chains --students 30

Makes a course in a temporary folder in which everybody has handed in the instructor's solution,
each with a line of their own, grades it as `make grade` does, and says how long that took; with
--cluster tcp://… on the workers of a Dask scheduler.
"""

import argparse
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
import psutil

from tools import lab
from utils.checkpoints.cluster import ClusterError
from utils.text.printing import run_program

from . import course as courses
from . import sandbox
from .__main__ import MOST_WORKERS
from .cards import read_card
from .grade import grade
from .scores import standing

SOURCE = courses.ROOT / "assignments"
MOST_STUDENTS = 1000


def main():
    parser = argparse.ArgumentParser(description="Measure the grading of a class.")
    parser.add_argument("assignment")
    parser.add_argument("--students", default="30")
    parser.add_argument("--workers", default=str(os.cpu_count()))
    parser.add_argument("--cluster", help="the address of a Dask scheduler")
    asked = parser.parse_args()
    for option, most in (("students", MOST_STUDENTS), ("workers", MOST_WORKERS)):
        wanted = f"no number of {option}: give one from 1 to {most}"
        number = lab.number(f"--{option}", getattr(asked, option), most, wanted)
        setattr(asked, option, number)
    if not (SOURCE / "source" / asked.assignment).is_dir():
        known = ", ".join(sorted(path.name for path in (SOURCE / "source").iterdir()))
        raise SystemExit(f"There is no assignment {asked.assignment!r}. There are: {known}.")
    try:
        measured(asked)
    except (courses.GradingError, sandbox.NoSandbox, ClusterError) as error:
        raise SystemExit(str(error)) from None


def measured(asked):
    with tempfile.TemporaryDirectory() as folder:
        course = fill(Path(folder), asked.assignment, asked.students)
        start, before = time.perf_counter(), used()
        failures = grade(course, asked.assignment, workers=asked.workers, scheduler=asked.cluster)
        wall, cpu = time.perf_counter() - start, used() - before
        cards = [read_card(course, name(one), asked.assignment) for one in range(asked.students)]
        seconds = sorted(card.seconds for card in cards if card)
        points = {standing(course, name(one), asked.assignment).points for one in range(len(cards))}
        most = sum(
            courses.marks(cell)["points"]
            for cell in courses.template(course, asked.assignment).notebook.cells
            if courses.marks(cell).get("grade") and not courses.marks(cell)["solution"]
        )
    if failures or any(card is None or card.waits for card in cards):
        raise SystemExit("not all of them were graded without a question; this measures nothing")
    if points != {most}:
        raise SystemExit(f"solutions got {sorted(points)} points of {most}; this measures nothing")
    where = f" at {asked.cluster}" if asked.cluster else ""
    print(
        f"{asked.assignment}: {asked.students} submissions, {asked.workers} at a time{where}: "
        f"{wall:.0f} s by the clock, half of them in a sandbox for less than "
        f"{seconds[len(seconds) // 2]:.1f} s; {cpu:.0f} s of processor time, other work included "
        f"({cpu / asked.students:.1f} s each); load {os.getloadavg()[0]:.1f}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}"
    )


def used():
    """Seconds of processor time of all that this machine has done since it started. Counted by what
    has ended it would be too few: what a sandbox did before it was ended is nobody's child's."""
    spent = psutil.cpu_times()
    return sum(getattr(spent, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq"))


def name(number):
    return f"student{number:02}"


def fill(folder, assignment, students):
    """A course of one assignment, with the solution handed in that often."""
    shutil.copytree(SOURCE / "source" / assignment, folder / "source" / assignment)
    shutil.copy(SOURCE / "nbgrader_config.py", folder)
    course = courses.open_course(folder)
    released = courses.template(course, assignment).released
    for number in range(students):
        notebook = nbformat.read(course.notebook("source", assignment), as_version=4)
        for cell in notebook.cells:
            mark = courses.marks(cell)
            if mark.get("solution"):
                lines = cell.source.split("\n")
                cell.source = "\n".join(line for line in lines if "### " not in line)
                if cell.cell_type == "code":
                    cell.source += f"\n# {name(number)}"
            elif mark:
                cell.source = released[mark["grade_id"]]
        to = course.notebook("submitted", assignment, name(number))
        courses.write(to, nbformat.writes(notebook))
    return course


if __name__ == "__main__":
    run_program(main)
