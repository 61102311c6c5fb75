"""What a learning platform gives out, taken as it is: from `downloaded` into `submitted`.

    downloaded/ASSIGNMENT/     the platform's zip, or the folder that it becomes
    students.csv               the roster: id, name, email; or first_name, last_name for name;
                               or the gradebook as Canvas exports it

Moodle puts each student's files into a folder, Canvas puts names in front of files, Gradescope has
numbers and a list of whose they are. Each file is given to the one student on the roster whose id,
email or name its path spells; where none or several fit, nothing is guessed and you are told.
"""

import csv
import dataclasses
import datetime
import io
import os
import re
import time
import unicodedata
from pathlib import Path, PurePosixPath

from . import submissions
from .course import GradingError, write

PATTERNS = (  # of a part of a path: where in it a student is named. The course's own come first.
    r"(?P<student>.+?)_\d+_assignsubmission_(file|onlinetext)_?",  # Moodle
    r"(?P<student>[^_]+)(_LATE)?_\d+_\d+_.+",  # Canvas
    r"(?P<student>submission_\d+)",  # Gradescope, whose submission_metadata.yml says who it is
    r"(?P<student>.+)",  # a folder or a file that is called as a student is
)
DEPTH = 3  # of zips in zips
LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe"})


FIELDS = ("id", "name", "email", "first_name", "last_name")


@dataclasses.dataclass(frozen=True)
class Student:
    """canvas: {column: text} of the columns by which Canvas knows a student."""

    id: str
    name: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    canvas: dict = dataclasses.field(default_factory=dict)

    @property
    def about(self):
        """What the gradebook is told. A name in one piece stays that: nobody can say from the
        letters where it parts."""
        last = self.last_name if self.first_name else self.name
        return {"first_name": self.first_name, "last_name": last, "email": self.email}

    def spellings(self):
        """What, without spaces and signs, may stand for this student."""
        words = [squeezed(one) for one in self.name.split()]
        turned = [words, words[::-1], [*words[-1:], *words[:-1]], [*words[1:], *words[:1]]]
        turned += [[squeezed(self.last_name), squeezed(self.first_name)]]
        found = {"".join(one) for one in turned} | {squeezed(self.id), squeezed(self.email)}
        return found | {squeezed(self.email.partition("@")[0])} - {""}


def plain(text):
    """Words of letters and digits, small and without accents: Müller is muller."""
    text = unicodedata.normalize("NFKD", text.casefold().translate(LETTERS))
    return re.sub(r"[^a-z0-9]+", " ", "".join(c for c in text if not unicodedata.combining(c)))


def squeezed(text):
    return plain(text).replace(" ", "")


def table(path):
    """The rows of a small table, dicts, with commas or semicolons between its columns. Raises
    GradingError if it is none, or not UTF-8: names would be damaged, and fit nobody."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GradingError(
            f"{path} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}; save "
            "it as UTF-8 (in a spreadsheet: “CSV UTF-8”)."
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first = text.partition("\n")[0]
    between = ";" if first.count(";") > first.count(",") else ","
    try:
        return list(csv.DictReader(io.StringIO(text), delimiter=between))
    except csv.Error as error:
        raise GradingError(f"{path} cannot be read as a table: {error}.") from None


CANVAS = ("ID", "SIS User ID", "SIS Login ID", "Section")  # columns of its gradebook


def roster(course):
    """[Student] of students.csv, [] if there is none. Raises GradingError if it is none."""
    path = course.root / "students.csv"
    if not path.exists():
        return []
    rows = table(path)
    if rows and "id" not in rows[0] and {"Student", "Section"} <= set(rows[0]):
        rows = of_canvas(rows)
    if not rows or "id" not in rows[0]:
        raise GradingError(f"{path} needs a first line with `id`, and better `id,name,email`.")
    found = []
    for row in rows:
        one = {key: " ".join((row.get(key) or "").split()) for key in FIELDS}
        one["name"] = one["name"] or f"{one['first_name']} {one['last_name']}".strip()
        if not submissions.STUDENT.fullmatch(one["id"]):
            raise GradingError(
                f"{path} has the id {one['id']!r}; an id is of letters a to z, digits and . _ - + @"
            )
        found.append(Student(**one, canvas={key: row[key] or "" for key in CANVAS if key in row}))
    ids = [one.id for one in found]
    if len(set(ids)) != len(ids):
        raise GradingError(f"{path} has an id more than once.")
    return found


def of_canvas(rows):
    """The students of a gradebook as Canvas exports it, known by what they sign in with."""
    found = []
    for row in rows:
        last, _, first = (row["Student"] or "").partition(",")
        number = row.get("SIS Login ID") or row.get("SIS User ID") or row.get("ID")
        if number and last.strip() != "Points Possible" and row["Student"] != "Student, Test":
            found.append({**row, "id": number, "first_name": first, "last_name": last})
    return found


def enter(course, book, students=()):
    """Put the roster, and others by their ids, into the gradebook. Raises GradingError where the
    roster has another id for somebody who is graded: they would be in it twice."""
    listed = roster(course)
    if changed := [f"{new}, who was {old}" for old, new in renamed(book, listed)]:
        many = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise GradingError(
            f"{course.root / 'students.csv'} has other ids for students who are graded already: "
            f"{'; '.join(changed[:3])}{many}. Leave `id` as "
            "it was, and add the other columns, such as Canvas's, to your own list."
        )
    for one in listed:
        book.update_or_create_student(one.id, **one.about)
    for student in sorted(students):
        if submissions.STUDENT.fullmatch(student):
            book.update_or_create_student(student)


def renamed(book, listed):
    """[(id in the gradebook, id on the roster)] of those with work by an id that is no more on the
    roster, while somebody with the same address or name is, and has no work."""
    if not listed:
        return []
    working = {one.id: one for one in book.students if one.submissions}
    gone = [one for one in working.values() if one.id not in {each.id for each in listed}]
    return [
        (old.id, new.id)
        for old in gone
        for new in listed
        if new.id not in working and same_person(old, new)
    ]


def same_person(old, new):
    """old: a student of nbgrader's gradebook; new: one of the roster."""
    before, now = {old.email, old.id} - {None, ""}, {new.email, new.id} - {""}
    if {one.casefold() for one in before} & {one.casefold() for one in now}:
        return True
    names = [f"{one.first_name or ''} {one.last_name or ''}" for one in (old, new)]
    names = [sorted(plain(one).split()) for one in (names[0], names[1].strip() or new.name)]
    return bool(names[0]) and names[0] == names[1] and not (old.email and new.email)


@dataclasses.dataclass
class File:
    """path: where it lies below `downloaded`. data: its bytes, or None if it is no notebook. when:
    the time that the platform has kept for it, if `kept`, else that of the file."""

    path: PurePosixPath
    data: bytes | None
    when: datetime.datetime
    kept: bool = False


@dataclasses.dataclass
class Found:
    """What was downloaded of an assignment. chosen: {student: the File that counts}. without:
    {student: what there is of theirs, and no notebook}. said: sentences about what could not be
    given to anybody, or was chosen among several."""

    chosen: dict = dataclasses.field(default_factory=dict)
    without: dict = dataclasses.field(default_factory=dict)
    said: list = dataclasses.field(default_factory=list)


def collect(course, name):
    """Fill `submitted` from what was downloaded of an assignment. Returns Found."""
    found = look(course, name)
    for student, one in found.chosen.items():
        put(course.folder("submitted", student, name), name, one.data, one.when)
    return found


def look(course, name):
    """Found, without writing anything. Raises GradingError where there is no roster."""
    folder, found = course.root / "downloaded" / name, Found()
    if not folder.is_dir():
        return found
    students = roster(course)
    if not students:
        raise GradingError(
            f"{folder} is there, and no list of students to give its files to: put students.csv, "
            "with the columns id, name, email, into the course's folder."
        )
    files, unread, listed = [], [], {}
    patterns = [*own_patterns(course), *PATTERNS]
    for one in found_in(folder, found.said, lambda path: whose(path, students, patterns, {})):
        if one.path.name == "submission_metadata.yml":
            listed |= gradescope(one.data)
        else:
            (unread if one.data is None else files).append(one)
    theirs, others = {}, {}
    for one in files:
        fit = whose(one.path, students, patterns, listed)
        if len(fit) == 1:
            theirs.setdefault(fit[0].id, []).append(one)
        else:
            who = f"fits {', '.join(one.id for one in fit)}" if fit else "fits nobody on the roster"
            where = f"downloaded/{name}/{one.path}"
            found.said.append(f"{where} {who}. Rename it after one, or remove it.")
    nobodys = []
    for one in unread:
        fit = whose(one.path, students, patterns, listed)
        if not fit:
            nobodys.append(str(one.path))
        elif len(fit) == 1 and fit[0].id not in theirs:
            others.setdefault(fit[0].id, []).append(one.path)
    if nobodys:
        names = ", ".join(map(repr, nobodys[:3]))
        names += f" and {len(nobodys) - 3} more" if len(nobodys) > 3 else ""
        found.said.append(f"In downloaded/{name}, no notebook and nobody's on the roster: {names}.")
    for student, paths in sorted(others.items()):
        found.without[student] = submissions.listed(paths)
        there = f"no notebook in downloaded/{name}, but {found.without[student]}"
        found.said.append(f"{student} has {there}; ask for one.")
    spelled = {one.id: one.spellings() for one in students}
    for student, choices in sorted(theirs.items()):
        choices = once(choices)
        named = [one for one in choices if called(one.path, name, spelled[student])] or choices
        found.chosen[student] = named[-1]
        if len(choices) > 1:
            last = named[-1] is choices[-1]
            what = "the last" if last else f"the last that is called {name}"
            found.said.append(
                f"{student} has handed in {len(choices)} notebooks; {what} is {named[-1].path}."
            )
    return found


def own_patterns(course):
    """Those of the course's configuration. Raises GradingError for what names no student."""
    found = course.config.Collect.get("patterns", [])
    for one in found:
        try:
            if "student" in re.compile(one).groupindex:
                continue
            why = "it has no group `(?P<student>…)`"
        except (re.error, TypeError) as error:
            why = str(error)
        raise GradingError(f"c.Collect.patterns in nbgrader_config.py has {one!r}: {why}.")
    return found


def called(path, name, spellings):
    """Whether a file is called as the assignment is, or, put there by hand, as its student is."""
    if squeezed(name) in squeezed(path.name):
        return True
    return len(path.parts) == 1 and squeezed(path.stem) in spellings


def once(choices):
    """The notebooks of a student in the order of their times, and of equal ones that follow each
    other the first: a second zip of the platform holds again what the first one held."""
    found = []
    for one in sorted(choices, key=lambda one: (one.when, str(one.path))):
        if not found or found[-1].data != one.data:
            found.append(one)
    return found


def put(folder, name, data, when):
    path = folder / f"{name}.ipynb"
    stamp = f"{when:%Y-%m-%d %H:%M:%S} UTC\n"
    for file, content in ((path, data), (folder / "timestamp.txt", stamp.encode())):
        if not file.exists() or file.read_bytes() != content:
            write(file, content)


def whose(path, students, patterns, listed):
    """The students whom the path spells, looked for part by part, the outermost first."""
    for part in path.parts:
        stem = part.removesuffix(PurePosixPath(part).suffix) if part == path.name else part
        for pattern in patterns:
            match = re.fullmatch(pattern, stem, re.I) or re.fullmatch(pattern, part, re.I)
            if not match:
                continue
            named = listed.get(match["student"], [match["student"]])
            wanted = {squeezed(one) for one in named}
            fit = [one for one in students if wanted & one.spellings()]
            if fit:
                return fit
    return []


def found_in(folder, said, named):
    """The Files below a folder and in its zips: notebooks, lists of names, and what is neither.
    named: whom a path spells. Whatever reading one of them raises is `said` of that one."""

    def cannot(path, error):  # it is of a disk, of somebody's rights, or a mistake of ours
        inner = PurePosixPath(path).relative_to(folder)
        why = f"{type(error).__name__}: {str(error)[:200]}"
        said.append(f"downloaded/{folder.name}/{inner} cannot be read ({why}).")

    walk = os.walk(folder, onerror=lambda error: cannot(error.filename or folder, error))
    for file in sorted(Path(above, name) for above, _, names in walk for name in names):
        inner = PurePosixPath(file.relative_to(folder).as_posix())
        if any(one.startswith(".") or one in submissions.NO_WORK for one in inner.parts):
            continue
        try:
            if file.is_file():
                yield from in_file(
                    file, inner, said, platforms=not inner.parent.parts and not named(inner)
                )
        except submissions.Refused as reason:
            said.append(f"downloaded/{folder.name}/{inner} {reason}.")
        except Exception as error:
            cannot(file, error)


def in_file(file, inner, said, *, platforms):
    """The same of one file, which lies at inner."""
    when = datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC)
    if not relevant(inner):
        yield File(inner, None, when)
        return
    if inner.suffix.lower() == ".zip":
        data = file
        submissions.regular(file, submissions.MAX_ARCHIVE, read=False)
    else:
        data = submissions.regular(file, submissions.MAX_NOTEBOOK)
    yield from unpacked(File(inner, data, when), said, platforms=platforms, room=Room())


@dataclasses.dataclass
class Room:
    """How many bytes may still be unpacked of one student's zip and the zips in it."""

    left: int = submissions.MAX_UNPACKED


def unpacked(one, said, *, platforms=False, room, depth=DEPTH):
    """The same as `found_in`, of one File, whose data may also be the place of a zip.

    platforms: whether it is the platform's own zip. What is refused in that is `said`, and does not
    stop the rest; and its times are true, while students can write any into theirs."""
    if one.path.suffix.lower() != ".zip":
        submissions.small_enough(one.path.name, len(one.data), submissions.MAX_NOTEBOOK)
        yield one
        return
    source = io.BytesIO(one.data) if isinstance(one.data, bytes) else one.data
    with submissions.opened(source) as archive:
        files = submissions.files_of(archive.infolist())
        if not platforms:
            submissions.check(archive.infolist(), files)
        for entry, inner in files.items():
            inner = inner if platforms else one.path.with_suffix("") / inner
            if not relevant(inner) or not depth:
                yield File(inner, None, one.when)
                continue
            try:
                most = submissions.MAX_UNPACKED if platforms else room.left
                content = submissions.content(archive, entry, most)
                when, kept = one.when, one.kept
                if platforms:
                    local = time.mktime((*entry.date_time, 0, 0, -1))
                    when, kept = datetime.datetime.fromtimestamp(local, datetime.UTC), True
                else:
                    room.left -= len(content)
                within = File(inner, content, when, kept)
                mine = Room() if platforms else room
                yield from unpacked(within, said, room=mine, depth=depth - 1)
            except submissions.Refused as reason:
                if not platforms:
                    raise
                said.append(f"In what was downloaded, {inner} {reason}.")


def relevant(path):
    return path.suffix.lower() in (".ipynb", ".zip") or path.name == "submission_metadata.yml"


def gradescope(data):
    """{submission_123: [names, emails, ids]} of Gradescope's list: of its YAML only these lines."""
    found, now = {}, None
    for line in data.decode("utf-8", "replace").splitlines():
        if head := re.fullmatch(r"(submission_\d+):\s*", line):
            now = found.setdefault(head[1], [])
        elif now is not None and (
            said := re.fullmatch(r"\s+(?:- )?:(?:name|email|sid):\s*[\"']?(.*?)[\"']?\s*", line)
        ):
            now.append(said[1])
    return found
