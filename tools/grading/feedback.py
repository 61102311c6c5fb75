"""`make feedback`: a page for each student, by nbgrader; `make export`: the table of grades."""

import logging
import os

from nbgrader.converters import GenerateFeedback
from nbgrader.plugins import CsvExportPlugin

from .course import GradingError
from .grade import read_card


def feedback(course, only=None):
    """Make feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html. Returns ({(student, assignment): path},
    [(student, assignment) whose work waits for a decision and so gets none yet])."""
    made, waiting = {}, []
    for name in course.names(only):
        for folder in sorted((course.root / "autograded").glob(f"*/{name}")):
            student = folder.parent.name
            card = read_card(course, student, name)
            if card is None:
                continue  # grading was interrupted here
            if card.open:
                waiting.append((student, name))
                continue
            converter = GenerateFeedback(
                coursedir=course.directory(name, student), config=course.config, force=True
            )
            converter.log = logging.getLogger("feedback")
            converter.log.setLevel(logging.ERROR)
            try:
                converter.start()
            except (Exception, SystemExit) as error:
                raise GradingError(f"nbgrader cannot make {student}'s {name}: {error}") from error
            made[student, name] = course.folder("feedback", student, name) / f"{name}.html"
    return made, waiting


def export(course, only=None, to=None):
    """Write the table of grades as nbgrader makes it, CSV. Returns its path."""
    path = to or course.root / "grades.csv"
    if only:
        course.names(only)
    partial = path.with_name(path.name + ".part")
    plugin = CsvExportPlugin(to=str(partial), assignment=[only] if only else [])
    with course.gradebook() as book:
        plugin.export(book)
    os.replace(partial, path)
    return path
