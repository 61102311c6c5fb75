"""python -m tools.grading COMMAND, for the Makefile's targets: release, grade, formgrader,
feedback, export, statistics, similarity.

Each takes ASSIGNMENT from the environment (else all), COURSE (else `assignments`) and GRADEBOOK (an
SQLAlchemy URL, else COURSE/gradebook.db). grade also takes STUDENT and TRUST, each one or several
student,student, FORCE=1, WORKERS=2 and CLUSTER=tcp://host:port; formgrader HOST and PORT; feedback
UNMARKED=1; export FORMAT=canvas or moodle; statistics NAMES=1.
"""

import os
import sys

from nbgrader.api import InvalidEntry
from sqlalchemy.exc import SQLAlchemyError

from tools import lab
from utils.checkpoints.cluster import ClusterError
from utils.text.printing import run_program

from . import bubblewrap
from .course import GradingError, few, open_course
from .export import export
from .feedback import feedback, not_in_zip
from .formgrader import formgrader
from .grade import grade
from .release import release
from .report import printable
from .similarity import similarity
from .statistics import statistics

COMMANDS = "release grade formgrader feedback export statistics similarity".split()
MOST_WORKERS = 256  # each is a program with memory of its own


def main(command):
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show ü is shown \xfc
        stream.reconfigure(errors="backslashreplace")
    say = os.environ.get
    only = say("ASSIGNMENT") or None
    course = open_course(say("COURSE") or None, say("GRADEBOOK") or None)
    if command == "release":
        for name in course.names(only):
            for path in release(course, name):
                print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)", flush=True)
    elif command == "grade":
        unsafe = say("UNSAFE_NO_SANDBOX", "")
        if unsafe and unsafe != bubblewrap.CONSENT:
            raise GradingError(
                f"UNSAFE_NO_SANDBOX is {unsafe!r}; to run students' code with your rights, say "
                f"UNSAFE_NO_SANDBOX={bubblewrap.CONSENT}."
            )
        failures = grade(
            course,
            only,
            force=yes("FORCE"),
            again=students("STUDENT"),
            trust=students("TRUST"),
            workers=number_of_workers(say("WORKERS")),
            unsafe=unsafe == bubblewrap.CONSENT,
            scheduler=say("CLUSTER") or None,
        )
        return int(failures > 0)
    elif command == "feedback":
        made, held_back = feedback(course, only, unmarked=yes("UNMARKED"))
        print(f"{len(made)} pages in {course.root / 'feedback'}")
        for path in sorted((course.root / "grades_moodle").glob("*-feedback.zip")):
            print(f"{path}, for Moodle")
        for (name,), who in together(not_in_zip(course, made)):
            print(f"  in no zip, not from a folder of Moodle's: {who}, {name}")
        for (name, why), who in together(held_back):
            print(printable(f"  none yet for {who}, {name}: {why}"))
    elif command == "formgrader":
        formgrader(course, say("HOST") or "127.0.0.1", lab.port_number(say("PORT") or "8888"))
    elif command == "export":
        done = export(course, only, say("FORMAT") or None)
        print(*done.paths, sep="\n")
        for (name, status, why), who in together(done.open):
            print(printable(f"  {status}: {who}, {name}: {why}"))
        for name, absent in done.missing.items():
            print(f"  not handed in: {name}, by {counted(absent)}")
        for sentence in done.nobodys:
            print(printable(f"  given to nobody: {sentence}"))
        for sentence in done.left_out:
            print(f"  left out: {sentence}")
        for student, name, sentence in done.looks:
            print(printable(f"  to look at before you import: {student}, {name}: {sentence}"))
        for sentence in done.said:
            print(f"  {sentence}")
    elif command == "statistics":
        print(*statistics(course, only, with_names=yes("NAMES")), sep="\n")
    elif command == "similarity":
        paths, pairs = similarity(course, only)
        print(*paths, sep="\n")
        print(f"  to look at: {', '.join(f'{name}, pairs: {n}' for name, n in pairs.items())}")
    else:
        raise GradingError(f"{command!r} is none of {', '.join(COMMANDS)}.")
    return 0


def together(lines):
    """[(what is said, of whom)] of lines (student, *what is said); those of whom the same is said
    are said it together."""
    found = {}
    for student, *said in lines:
        found.setdefault(tuple(said), []).append(student)
    return [(said, counted(who)) for said, who in found.items()]


def counted(students):
    """Who they are, and of more than three how many."""
    names = few(sorted(students))
    return f"{len(students)} students ({names})" if len(students) > 3 else names


def number_of_workers(text):
    """How many are graded at a time; None, where nothing is said, for one a processor."""
    wanted = f"no number of workers: give one from 1 to {MOST_WORKERS}, such as WORKERS=4"
    return lab.number("WORKERS", text, MOST_WORKERS, wanted) if text else None


def students(name):
    """The students that a variable names."""
    return os.environ.get(name, "").replace(",", " ").split()


def yes(name):
    """Whether a variable is set. Raises GradingError if it says neither yes nor no."""
    word = os.environ.get(name, "")
    if word.lower() in ("1", "yes", "true", "on"):
        return True
    if word.lower() in ("", "0", "no", "false", "off"):
        return False
    shown = word if len(word) <= 40 else f"{word[:39]}…"
    raise GradingError(f"{name}={shown} is neither yes nor no: give {name}=1, or leave it out.")


def ended(command=""):
    """How the command ends: an exit code, or a line that says what went wrong."""
    try:
        return main(command)
    except (GradingError, bubblewrap.NoSandbox) as error:
        return str(error)
    except ClusterError as error:
        return f"{error} What is graded is kept; the same command goes on from there."
    except KeyboardInterrupt:
        return "\nStopped. The same command goes on where this one was."
    except (OSError, SQLAlchemyError, InvalidEntry) as error:  # of a disk, or of a database
        said = str(error).strip().splitlines()[0]
        return f"Stopped: {said}. When that is mended, the same command goes on where this one was."


if __name__ == "__main__":
    run_program(ended, *sys.argv[1:2])
