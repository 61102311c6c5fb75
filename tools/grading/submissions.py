"""What students handed in, read without trusting any of it. Nothing is unpacked, nothing written.

    submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb      as nbgrader collects it
    submitted/STUDENT/ASSIGNMENT.zip   or inside that folder, under any name
    submitted/STUDENT.zip              may hold several assignments

Of a zip only the notebook is read, after its list of contents has been looked at: a path that
leads out of it, a link, or sizes that no homework has, and it is refused as a whole. What lies
there and is none of these, an archive of another kind or a PDF, is named and not read.
"""

import dataclasses
import hashlib
import re

from .course import few
from .zips import (
    MAX_ARCHIVE,
    MAX_NOTEBOOK,
    NO_WORK,
    Refused,
    check,
    content,
    files_of,
    opened,
    regular,
)

GIVEN = {"README.md", "requirements.txt", "constraints.txt", "LICENSE"}  # in a zip of `release`
NBGRADERS = {"timestamp.txt", "submission_secret.txt"}
STUDENT = re.compile(r"[A-Za-z0-9_][\w.@+-]{0,99}", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Submission:
    """data: the notebook's bytes. when, secret: what nbgrader's collection has put beside it, the
    time and what its exchange needs to give feedback back, or None. notes: sentences about what was
    unusual. doubts: about what only the teacher can settle.
    """

    student: str
    assignment: str
    data: bytes
    when: str | None = None
    secret: str | None = None
    notes: tuple = ()
    doubts: tuple = ()

    @property
    def digest(self):
        return hashlib.sha256(self.data).hexdigest()


def students(course):
    """Who has a folder or a zip in `submitted`; and names there that no student can have."""
    found, odd = set(), []
    for entry in visible(course.root / "submitted"):
        if entry.is_file() and kind(entry) != ".zip":
            continue
        name = entry.stem if entry.is_file() else entry.name
        found.add(name) if STUDENT.fullmatch(name) else odd.append(entry.name)
    return sorted(found), odd


def visible(folder):
    """What lies in a folder, but for what systems leave there. Nothing if it is no folder."""
    if not folder.is_dir():
        return []
    paths = sorted(folder.iterdir())
    return [one for one in paths if not one.name.startswith(".") and one.name not in NO_WORK]


def kind(path):
    """How its name ends; some systems write .ZIP."""
    return path.suffix.lower()


def zips_called(name, folder):
    return [path for path in visible(folder) if kind(path) == ".zip" and path.stem == name]


def read(course, student, assignment):
    """A Submission, or None if that student has handed in nothing here. Raises Refused, whatever
    it is that reading raises."""
    try:
        return _read(course, student, assignment)
    except Refused:
        raise
    except Exception as error:  # of a disk, of somebody's rights, or a mistake of ours
        raise Refused(f"cannot be read ({type(error).__name__}: {str(error)[:200]})") from error


def _read(course, student, assignment):
    top = course.root / "submitted"
    above, folder = top / student, top / student / assignment
    notes = []
    for place in (above, folder):
        if place.is_symlink():
            raise Refused(f"has a link in place of the folder {place.name!r}")
    choices = zips_called(assignment, above) + zips_called(student, top)
    inside = visible(folder)
    notebooks = [path for path in inside if kind(path) == ".ipynb"]
    named = [path for path in notebooks if path.stem == assignment]
    zips = [path for path in inside if kind(path) == ".zip"]
    if named or len(notebooks) == 1:
        chosen = (named or notebooks)[0]
        if not named:
            notes.append(f"The notebook is called {chosen.name!r}, not {assignment}.ipynb.")
        data = regular(chosen, MAX_NOTEBOOK)
    elif len(notebooks) > 1:
        raise Refused(f"has {len(notebooks)} notebooks, none of them called {assignment}.ipynb")
    elif len(zips) == 1 or choices:
        chosen = zips[0] if len(zips) == 1 else choices[0]
        data, said = from_zip(chosen, assignment, needed=chosen.parent != top)
        if data is None:
            return None
        notes += said
    elif folder.is_dir():
        there = f"but {listed(inside)}" if inside else "which is empty"
        raise Refused(f"has no notebook in its folder, {there}")
    else:
        return None
    others = [path for path in (*(named or notebooks), *zips, *choices) if path != chosen]
    doubts, many = [], f"There is more than one; graded is {chosen.relative_to(course.root)}."
    if any(differs(path, assignment, data, needed=path.parent == above) for path in others):
        doubts.append(f"{many} They differ: delete or rename the one that is not to count.")
    elif others:
        notes.append(many)
    notes += beside([path for path in inside if not path.is_dir()])
    when = line(folder / "timestamp.txt", r"[\d :.T+A-Za-z-]+")
    secret = line(folder / "submission_secret.txt", r"[0-9a-zA-Z+/=_-]+")
    return Submission(student, assignment, data, when, secret, tuple(notes), tuple(doubts))


def beside(files):
    """A note about files that are no notebook, no zip, and neither ours nor nbgrader's."""
    known = GIVEN | NBGRADERS
    unread = [one for one in files if kind(one) not in (".ipynb", ".zip") and one.name not in known]
    return [f"Nobody has read what lies beside it: {listed(unread)}."] if unread else []


def listed(paths):
    """The names of at most three."""
    return few([repr(path.name[:100]) for path in paths])


def differs(path, assignment, data, *, needed):
    """Whether a file beside the one that is graded holds another version of that notebook."""
    try:
        if kind(path) == ".zip":
            other, _ = from_zip(path, assignment, needed=needed)
        else:
            other = regular(path, MAX_NOTEBOOK)
    except Refused:
        return True
    return other not in (None, data)


def from_zip(path, assignment, *, needed):
    """(the notebook's bytes, notes), or (None, []) if a zip of several has none of that name."""
    regular(path, MAX_ARCHIVE, read=False)
    with opened(path) as archive:
        files = files_of(archive.infolist())
        check(archive.infolist(), files)
        found = [entry for entry, inner in files.items() if kind(inner) == ".ipynb"]
        named = [entry for entry in found if files[entry].stem == assignment]
        named = named or (found if needed and len(found) == 1 else [])
        if not named:
            if needed:
                there = f"but {listed([*files.values()])}" if files else "and empty"
                raise Refused(f"is a zip without a notebook called {assignment}.ipynb, {there}")
            return None, []
        named.sort(key=lambda entry: (len(files[entry].parts), entry.filename))
        chosen = files[named[0]]
        notes = beside([one for one in files.values() if one.parent == chosen.parent])
        if len(named) > 1:
            notes.append(
                f"The zip holds {len(named)} notebooks of that name; "
                f"graded is {named[0].filename[:200]!r}."
            )
        return content(archive, named[0], MAX_NOTEBOOK), notes


def line(path, pattern):
    """The one line of a small file, or None if it is not there or has another form."""
    try:
        text = regular(path, 1000).decode("ascii").strip()
    except (Refused, UnicodeDecodeError):
        return None
    return text if re.fullmatch(pattern, text) else None
