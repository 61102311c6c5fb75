"""What students handed in, read without trusting any of it. Nothing is unpacked, nothing written.

    submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb      as nbgrader collects it
    submitted/STUDENT/ASSIGNMENT.zip   or inside that folder, under any name
    submitted/STUDENT.zip              may hold several assignments

Of a zip only the notebook is read, after its list of contents has been looked at: a path that
leads out of it, a link, or sizes that no homework has, and it is refused as a whole.
"""

import dataclasses
import difflib
import hashlib
import os
import re
import stat
import zipfile
from pathlib import PurePosixPath

MAX_NOTEBOOK = 10_000_000  # bytes
MAX_ZIP = 20_000_000
MAX_UNPACKED = 100_000_000
MAX_FILES = 500
MAX_RATIO = 100  # of what a file would become to what it takes, from a megabyte on
STUDENT = re.compile(r"[A-Za-z0-9_][\w.@+-]{0,99}", re.ASCII)


class Refused(Exception):
    """Why it is not read, as the end of a sentence that begins with "This submission"."""


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
    folder = course.root / "submitted"
    found, odd = set(), []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        name = entry.name.removesuffix(".zip") if entry.is_file() else entry.name
        if entry.name.startswith(".") or (entry.is_file() and not entry.name.endswith(".zip")):
            continue
        found.add(name) if STUDENT.fullmatch(name) else odd.append(entry.name)
    return sorted(found), odd


def read(course, student, assignment):
    """A Submission, or None if that student has handed in nothing here. Raises Refused."""
    above = course.root / "submitted" / student
    folder, whole = above / assignment, course.root / "submitted" / f"{student}.zip"
    notes = []
    for place in (above, folder):
        if place.is_symlink():
            raise Refused(f"has a link in place of the folder {place.name!r}")
    choices = [path for path in (above / f"{assignment}.zip", whole) if exists(path)]
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    notebooks = [path for path in inside if path.suffix == ".ipynb"]
    named = [path for path in notebooks if path.stem == assignment]
    zips = [path for path in inside if path.suffix == ".zip"]
    if named or len(notebooks) == 1:
        chosen = (named or notebooks)[0]
        if not named:
            notes.append(f"The notebook is called {chosen.name!r}, not {assignment}.ipynb.")
        data = regular(chosen, MAX_NOTEBOOK)
    elif len(notebooks) > 1:
        raise Refused(f"has {len(notebooks)} notebooks, none of them called {assignment}.ipynb")
    elif len(zips) == 1 or choices:
        chosen = zips[0] if len(zips) == 1 else choices[0]
        regular(chosen, MAX_ZIP, read=False)
        data, said = from_zip(chosen, assignment, needed=chosen != whole)
        if data is None:
            return None
        notes += said
    elif folder.is_dir():
        raise Refused("has no notebook in its folder")
    else:
        return None
    others = [path for path in (*(named or notebooks), *zips, *choices) if path != chosen]
    doubts, many = [], f"There is more than one; graded is {chosen.relative_to(course.root)}."
    if any(differs(path, assignment, data, path == above / f"{assignment}.zip") for path in others):
        doubts.append(f"{many} They differ: delete or rename the one that is not to count.")
    elif others:
        notes.append(many)
    when = line(folder / "timestamp.txt", r"[\d :.T+A-Za-z-]+")
    secret = line(folder / "submission_secret.txt", r"[0-9a-zA-Z+/=_-]+")
    return Submission(student, assignment, data, when, secret, tuple(notes), tuple(doubts))


def differs(path, assignment, data, needed):
    """Whether a file beside the one that is graded holds another version of that notebook."""
    try:
        if path.suffix == ".zip":
            regular(path, MAX_ZIP, read=False)
            other, _ = from_zip(path, assignment, needed=needed)
        else:
            other = regular(path, MAX_NOTEBOOK)
    except Refused:
        return True
    return other not in (None, data)


def strays(course):
    """[(path in `submitted`, the assignment it may be meant for or None, a sentence)] of what no
    assignment claims: notebooks and zips in a place, or under a name, where none is looked for.
    """
    names, found = course.names(), []
    top = course.root / "submitted"
    for path in sorted(top.iterdir()) if top.is_dir() else []:
        if path.suffix == ".ipynb":
            found.append((path, path.stem, "lies in no student's folder"))
        elif path.is_dir() and not path.is_symlink() and STUDENT.fullmatch(path.name):
            for inner in sorted(path.iterdir()):
                name = inner.stem if inner.suffix in (".zip", ".ipynb") else inner.name
                if inner.suffix == ".ipynb":
                    found.append((inner, name, "lies in no assignment's folder"))
                elif name not in names and (inner.suffix == ".zip" or holds_work(inner)):
                    found.append((inner, name, "is called as no assignment is"))
        elif path.suffix == ".zip" and STUDENT.fullmatch(path.stem):
            inside = notebooks_in(path)
            if inside and not set(inside) & set(names):
                found.append((path, inside[0], f"holds no assignment, but {inside[0]}.ipynb"))
    return [stray(path.relative_to(top), name, why, names) for path, name, why in found]


def stray(path, name, why, names):
    known = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.strip().lower(), known, n=1)
    meant = known[near[0]] if near else None
    hint = f"Is it {meant}? " if meant else ""
    return path, meant, f"submitted/{path} {why}. {hint}Put it where the guide says, or remove it."


def holds_work(folder):
    if folder.is_symlink() or not folder.is_dir() or folder.name.startswith("."):
        return False
    return any(path.suffix in (".ipynb", ".zip") for path in folder.iterdir())


def notebooks_in(path):
    """The names of the notebooks that a zip holds; none if it cannot be read."""
    try:
        regular(path, MAX_ZIP, read=False)
        with zipfile.ZipFile(path) as archive:
            paths = [PurePosixPath(one) for one in archive.namelist()[:MAX_FILES]]
    except (Refused, zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        return []
    return [one.stem for one in paths if one.suffix == ".ipynb" and one.parts[0] != "__MACOSX"]


def exists(path):
    return os.path.lexists(path)


def regular(path, most, *, read=True):
    """The bytes of an ordinary file of bounded size; links and devices are refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        raise Refused(f"has {path.name!r}, which is a link or cannot be opened") from None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise Refused(f"has {path.name!r}, which is not an ordinary file")
        if about.st_size > most:
            raise Refused(
                f"is too large: {path.name!r} has {about.st_size / 1e6:.0f} MB, "
                f"{most / 1e6:.0f} MB are the limit"
            )
        return file.read(most) if read else b""


def from_zip(path, assignment, *, needed):
    """(the notebook's bytes, notes), or (None, []) if a zip of several has none of that name."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            check(entries)
            found = [
                entry
                for entry in entries
                if entry.filename.endswith(".ipynb")
                and not any(part.startswith((".", "__MACOSX")) for part in parts(entry))
            ]
            named = [entry for entry in found if parts(entry)[-1] == f"{assignment}.ipynb"]
            named = named or (found if needed and len(found) == 1 else [])
            if not named:
                if needed:
                    raise Refused(f"is a zip without a notebook called {assignment}.ipynb")
                return None, []
            named.sort(key=lambda entry: (len(parts(entry)), entry.filename))
            notes = []
            if len(named) > 1:
                notes.append(
                    f"The zip holds {len(named)} notebooks of that name; "
                    f"graded is {named[0].filename!r}."
                )
            with archive.open(named[0]) as file:
                data = file.read(MAX_NOTEBOOK + 1)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise Refused(f"is a zip that cannot be read ({str(error)[:80]})") from None
    except RuntimeError:
        raise Refused("is a zip with a password") from None
    if len(data) > MAX_NOTEBOOK:
        raise Refused("unpacks to far more than it says, as a zip bomb does")
    return data, notes


def check(entries):
    """Refuse a zip by its list of contents."""
    if len(entries) > MAX_FILES:
        raise Refused(f"is a zip of {len(entries):,} files; {MAX_FILES} are the limit")
    total = 0
    for entry in entries:
        name = entry.filename
        if name.startswith("/") or ".." in parts(entry) or "\\" in name or ":" in name[:2]:
            raise Refused(f"is a zip with the path {name[:80]!r}, which leads out of it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Refused(f"is a zip with a link, {name[:80]!r}")
        total += entry.file_size
        ratio = entry.file_size / max(1, entry.compress_size)
        if total > MAX_UNPACKED or (entry.file_size > 1_000_000 and ratio > MAX_RATIO):
            raise Refused(
                f"is a zip bomb: {name[:80]!r} would unpack to {entry.file_size / 1e6:.0f} MB"
            )


def parts(entry):
    return PurePosixPath(entry.filename).parts or ("",)


def line(path, pattern):
    """The one line of a small file, or None if it is not there or has another form."""
    try:
        text = regular(path, 1000).decode("ascii").strip()
    except (Refused, UnicodeDecodeError):
        return None
    return text if re.fullmatch(pattern, text) else None
