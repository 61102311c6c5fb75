"""What students handed in, read without trusting any of it. Nothing is unpacked, nothing written.

    submitted/STUDENT/ASSIGNMENT/ASSIGNMENT.ipynb      as nbgrader collects it
    submitted/STUDENT/ASSIGNMENT.zip   or inside that folder, under any name
    submitted/STUDENT.zip              may hold several assignments

Of a zip only the notebook is read, after its list of contents has been looked at: a path that
leads out of it, a link, or sizes that no homework has, and it is refused as a whole. What lies
there and is none of these, an archive of another kind or a PDF, is named and not read.
"""

import contextlib
import dataclasses
import difflib
import hashlib
import os
import re
import stat
import zipfile
from pathlib import PurePosixPath

MAX_NOTEBOOK = 10_000_000  # bytes, in a folder or a zip
MAX_UNPACKED = 100_000_000  # of what is somebody's work in a zip
MAX_ARCHIVE = 4_000_000_000  # of a zip with all that lies in it, most of which nobody reads
MAX_FILES = 500
MAX_RATIO = 100  # of what a file would become to what it takes, if larger than a notebook may be
NO_WORK = {"__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini"}  # what systems leave behind
NO_WORK |= {"venv", "env", "node_modules", "site-packages"}  # and what students do
GIVEN = {"README.md", "requirements.txt", "constraints.txt", "LICENSE"}  # in a zip of `release`
NBGRADERS = {"timestamp.txt", "submission_secret.txt"}
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
    names = ", ".join(repr(path.name) for path in paths[:3])
    return names + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


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


def strays(course):
    """[(path in `submitted`, the assignment it may be meant for or None, a sentence)] of what no
    assignment claims: what lies in a place, under a name or in a form where none is looked for.
    """
    names, found, top = course.names(), [], course.root / "submitted"
    for path in visible(top):
        with contextlib.suppress(Exception):  # of each that cannot be read `read` says so
            found += strays_at(path, names)
    return [stray(path.relative_to(top), name, why, names) for path, name, why in found]


def strays_at(path, names):
    """[(path, what it is called, why nobody reads it)] for one entry of `submitted`."""
    if not path.is_dir() and kind(path) != ".zip":
        why = "lies in no student's folder" if kind(path) == ".ipynb" else UNREAD
        return [(path, path.stem, why)]
    if path.is_symlink() or not STUDENT.fullmatch(path.name if path.is_dir() else path.stem):
        return []  # `read` and `students` say so
    if path.is_dir():
        inside = visible(path)
        unread = [(inner, inner.stem, why_unread(inner, names)) for inner in inside]
        unread = unread if inside else [(path, path.name, EMPTY)]
        return [one for one in unread if one[-1]]
    inside = files_in(path)
    inside = [one for one in inside if kind(one) == ".ipynb"] or inside
    if any(kind(one) == ".ipynb" and one.stem in names for one in inside):
        return []
    name = inside[0].stem if inside else ""
    return [(path, name, f"holds no assignment, but {listed(inside) or 'nothing'}")]


EMPTY = "is an empty folder"
UNREAD = "is not read: only folders, zips and notebooks are"


def why_unread(path, names):
    """Why nobody reads what lies in a student's folder; None if somebody does."""
    if path.is_dir():
        if path.name in names:
            return None
        return "is called as no assignment is" if visible(path) else EMPTY
    if kind(path) == ".ipynb":
        return "lies in no assignment's folder"
    if kind(path) == ".zip":
        return None if path.stem in names else "is called as no assignment is"
    return UNREAD


def stray(path, name, why, names):
    known = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.strip().lower(), known, n=1)
    meant = known[near[0]] if near else None
    hint = f"Is it {meant}? " if meant else ""
    return path, meant, f"submitted/{path} {why}. {hint}Put it where the guide says, or remove it."


def files_in(path):
    """The paths of the files that a zip holds, but for what systems leave there."""
    regular(path, MAX_ARCHIVE, read=False)
    with opened(path) as archive:
        return [*files_of(archive.infolist()).values()]


def files_of(entries):
    """{entry: path} of the files among the entries of a zip, but for what systems leave there. A
    backslash parts names, too: so do programs for Windows write them."""
    paths = {entry: entry.filename.replace("\\", "/") for entry in entries}
    files = {one: PurePosixPath(path) for one, path in paths.items() if not path.endswith("/")}
    return {
        entry: path
        for entry, path in files.items()
        if not any(part.startswith(".") or part in NO_WORK for part in path.parts)
    }


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
        small_enough(path.name, about.st_size, most)
        return file.read(most) if read else b""


def small_enough(name, size, most):
    if size > most:
        raise Refused(
            f"is too large: {name!r} has {size / 1e6:.0f} MB, {most / 1e6:.0f} MB are the limit"
        )


@contextlib.contextmanager
def opened(file):
    """A zip; whatever reading it raises is a Refused."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except Refused:
        raise
    except Exception as error:  # zipfile's own, and those of each way to pack: zlib's, lzma's …
        raise Refused(f"is a zip that cannot be read ({str(error)[:80]})") from None


def content(archive, entry, most):
    """The bytes of a file in a zip, whatever the zip says of them."""
    small_enough(PurePosixPath(entry.filename).name, entry.file_size, most)
    if entry.flag_bits & 1:
        raise Refused("is a zip with a password")
    with archive.open(entry) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Refused("unpacks to far more than it says, as a zip bomb does")
    return data


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
                f"graded is {named[0].filename!r}."
            )
        return content(archive, named[0], MAX_NOTEBOOK), notes


def check(entries, files):
    """Refuse a zip by its list of contents: of those that are somebody's work, how many and how
    large; of all, whether they stay in it."""
    if len(files) > MAX_FILES:
        raise Refused(f"is a zip of {len(files):,} files; {MAX_FILES} are the limit")
    total = 0
    for entry in entries:
        name = entry.filename
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name[:2]:
            raise Refused(f"is a zip with the path {name[:80]!r}, which leads out of it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Refused(f"is a zip with a link, {name[:80]!r}")
        if entry not in files:
            continue
        total += entry.file_size
        ratio = entry.file_size / max(1, entry.compress_size)
        if total > MAX_UNPACKED or (entry.file_size > MAX_NOTEBOOK and ratio > MAX_RATIO):
            most = MAX_UNPACKED if total > MAX_UNPACKED else MAX_NOTEBOOK
            raise Refused(
                f"is too large, as a zip bomb is: with {name[:80]!r} it would unpack to "
                f"{total / 1e6:.0f} MB, {most / 1e6:.0f} MB are the limit"
            )


def line(path, pattern):
    """The one line of a small file, or None if it is not there or has another form."""
    try:
        text = regular(path, 1000).decode("ascii").strip()
    except (Refused, UnicodeDecodeError):
        return None
    return text if re.fullmatch(pattern, text) else None
