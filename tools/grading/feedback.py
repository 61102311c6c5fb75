"""`make feedback`: a page for each student, by nbgrader; and whose grades are not settled.

Where the work came from Moodle the pages go into a zip, too, that it gives out again: its importer
(mod/assign/feedback/file/importziplib.php, of Moodle 4.1 and newer) finds a student by the folder's
name, NAME_NUMBER_assignsubmission_file.
"""

import io
import re
import zipfile
from pathlib import Path

from nbgrader.api import MissingEntry
from nbgrader.converters import GenerateFeedback

from . import collect, pages, rebuild, submissions
from .cards import UNFINISHED, read_card
from .course import GradingError, OneFolder, template, write
from .progress import Progress
from .reasons import titles_of
from .roster import roster, squeezed
from .scores import standing
from .zips import Refused

MOODLES = re.compile(r".+?_\d+_assignsubmission_file(?=_|$)")  # a student's folder


class Page(OneFolder, GenerateFeedback):
    pass


def feedback(course, only=None, *, unmarked=False):
    """Make feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html. Returns ({(student, assignment): path},
    [(student, assignment, why)] of those that get no page yet; one of before is removed).

    unmarked: make pages, too, of work with answers that nobody has marked; they show 0 points.
    """
    made, held_back = {}, []
    for name in course.names(only):
        states = unsettled(course, name)
        graded = sorted((course.root / "autograded").glob("*"))
        ready = [folder.name for folder in graded if (folder / name).is_dir()]
        allowed = ("final", "not final") if unmarked else ("final",)
        ready = [one for one in ready if states.get(one, ("final",))[0] in allowed]
        with Progress(name, len(ready), "pages made") as progress:
            for student in ready:
                try:
                    made[student, name] = page(course, student, name)
                except GradingError as error:  # something in this work; the others get theirs
                    held_back.append((student, name, str(error)))
                progress.step()
        zip_for_moodle(course, name, {one: made[one, name] for one in ready if (one, name) in made})
        for student, (status, why) in states.items():
            if student not in ready:  # a page that is there is of work or points that were
                (course.folder("feedback", student, name) / f"{name}.html").unlink(missing_ok=True)
                held_back += [(student, name, why)] if status != "missing" else []
    return made, held_back


def zip_for_moodle(course, name, made):
    """Write grades_moodle/ASSIGNMENT-feedback.zip, in which each page lies in the folder that
    Moodle gave its student in the zip of submissions; none if nobody's came from Moodle."""
    path = course.root / "grades_moodle" / f"{name}-feedback.zip"
    folders, data = folders_of(course, name), io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, page in made.items():
            if student in folders:
                archive.write(page, f"{folders[student]}/{name}.html")
        empty = not archive.namelist()
    if empty:
        path.unlink(missing_ok=True)
    else:
        write(path, data.getvalue())


def not_in_zip(course, made):
    """[(student, assignment)] of the pages in `made` that are not in the zip for Moodle, although
    others of the assignment are."""
    found = []
    for name in dict.fromkeys(name for _, name in made):
        folders, students = folders_of(course, name), [one for one, each in made if each == name]
        if not folders.keys().isdisjoint(students):
            found += [(one, name) for one in students if one not in folders]
    return found


def folders_of(course, name):
    """{student: the folder that Moodle gave them in the zip of submissions}"""
    spelled = {one.id: one.spellings() for one in roster(course)}
    chosen = collect.look(course, name).chosen
    found = {one: folder_of(file.path, spelled[one]) for one, file in chosen.items()}
    return {one: folder for one, folder in found.items() if folder}


def folder_of(path, spellings):
    """The folder that Moodle gave a student; None if there is none, or if the student is named
    further out: then it lies in a zip of their own, and may bear another's number."""
    for part in path.parts:
        if found := MOODLES.match(part):
            return found[0].encode("utf-8", "ignore").decode()  # it goes by the number
        if squeezed(part) in spellings:
            return None
    return None


def page(course, student, name):
    """Let nbgrader make one page, that runs and loads nothing; formulas are shown as they were
    written. Its list of points has the titles that students read. Returns its path."""
    converter = Page(course, name, student)
    files = converter.files()
    path = Path(f"{name}.html")
    text = re.sub(r"<script\b.*?</script\s*>", "", files[path].decode(), flags=re.S | re.I)
    titles = titles_of(template(course, name).notebook)
    for cell in titles:
        for what in ("Test cell", "Written response", "Coding free-response"):
            link = f'<li><a href="#{cell}">'
            text = text.replace(f"{link}{what}<", f"{link}{pages.text(titles[cell] or cell)}<")
    files[path] = text.replace("<head>", f"<head>\n{pages.ALONE}", 1).encode()
    return converter.store(files) / path


def unsettled(course, name):
    """{student: (status, why)} of all whose grade for that assignment is not final. why: a sentence
    without its subject."""
    pattern, found = template(course, name), collect.look(course, name)
    with course.gradebook() as book:
        students = {one.id for one in book.students}
    students |= {*submissions.students(course)[0], *(one.id for one in roster(course))}
    states = [(one, of_submission(course, pattern, one, found)) for one in students]
    return {one: state for one, state in sorted(states) if state[0] != "final"}


def of_submission(course, pattern, student, found=None):
    """(status, why) of what lies in `submitted` or was graded. found: the collect.Found, for who
    has neither; None if nothing was downloaded."""
    name, found = pattern.name, found or collect.Found()
    card = read_card(course, student, name)
    try:
        one = submissions.read(course, student, name)
        if one is not None:
            rebuild.rebuild(pattern, rebuild.handed(one.data))
    except Refused as reason:
        return "unreadable", f"cannot be graded: it {reason}"
    if one is None and card is None:
        if path := found.unclear.get(student):
            return "unclear", f"may have handed in {path}, which fits others as well"
        if files := found.without.get(student):
            return "no notebook", f"has handed in {files}, no notebook"
        return "missing", "has handed in nothing"
    now = (one.digest, pattern.digest) if one else None
    unfinished = card is None or card.version == UNFINISHED
    if unfinished or now not in (None, (card.digest, card.template)):
        return "not graded", "is not graded yet"
    if card.open:
        return "undecided", "needs your decision"
    try:
        waiting = standing(course, student, name).waiting
    except MissingEntry:  # the gradebook is another one
        return "not graded", "is not graded yet"
    if waiting:
        return "not final", f"has answers to be marked by hand: {', '.join(waiting)}"
    return "final", ""
