"""What a learning platform gives out, taken as it is: from `downloaded` into `submitted`.

    downloaded/ASSIGNMENT/     the platform's zip, or the folder that it becomes
    students.csv               the roster: id, name, email; or first_name, last_name for name;
                               or the gradebook as Canvas exports it

Moodle puts each student's files into a folder, Canvas puts names in front of files, Gradescope has
numbers and a list of whose they are. Each file is given to the one student on the roster whose id,
email or name its path spells; where none or several fit, nothing is guessed and you are told.
"""

import contextlib
import dataclasses
import datetime
import io
import os
import re
import time
from pathlib import Path, PurePosixPath

from . import submissions, zips
from .course import GradingError, few, write
from .roster import roster, squeezed

PATTERNS = (  # of a part of a path: where in it a student is named. The course's own come first.
    r"(?P<student>.+?)_\d+_assignsubmission_(file|onlinetext)_?",  # Moodle
    r"(?P<student>[^_]+)(_LATE)?_(?P<number>\d+)_\d+_.+",  # Canvas, whose number is its `ID`
    r"(?P<student>submission_\d+)",  # Gradescope, whose submission_metadata.yml says who it is
    r"(?P<student>.+)",  # a folder or a file that is called as a student is
)
DEPTH = 3  # of zips in zips
TIME = "%Y-%m-%d %H:%M:%S%z"


@dataclasses.dataclass
class File:
    """path: where it lies below `downloaded`. data: its bytes, or None if it is no notebook. when:
    the time that the platform has kept for it, if `kept`, else that of the file. archive: the
    platform's zip that it lies in, if it does."""

    path: PurePosixPath
    data: bytes | None
    when: datetime.datetime
    kept: bool = False
    archive: PurePosixPath | None = None


@dataclasses.dataclass
class Found:
    """What was downloaded of an assignment. chosen: {student: the File that counts}. without:
    {student: what there is of theirs, and no notebook}. unclear: {student: where something lies
    that fits them and others}. nobodys: sentences about what was given to nobody. said: these, and
    others about what was chosen among several or is no notebook."""

    chosen: dict = dataclasses.field(default_factory=dict)
    without: dict = dataclasses.field(default_factory=dict)
    unclear: dict = dataclasses.field(default_factory=dict)
    nobodys: list = dataclasses.field(default_factory=list)
    said: list = dataclasses.field(default_factory=list)


def collect(course, name):
    """Fill `submitted` from what was downloaded of an assignment. Returns Found."""
    found = look(course, name)
    for student, one in found.chosen.items():
        path = course.notebook("submitted", name, student)
        stamp = f"{one.when:%Y-%m-%d %H:%M:%S} UTC\n".encode()
        for file, data in ((path, one.data), (path.with_name("timestamp.txt"), stamp)):
            if not file.exists() or file.read_bytes() != data:
                write(file, data)
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
    files, listed, times = [], {}, {}
    patterns = [*own_patterns(course), *PATTERNS]
    for one in found_in(folder, found.said, lambda path: whose(path, students, patterns, {})):
        if one.path.name != "submission_metadata.yml":
            files.append(one)
        elif not within_a_submission(one.path, students, patterns):
            names, when = gradescope(one.data)
            listed |= names
            times |= when
    theirs, others, nobodys, unclear = {}, {}, [], set()
    for one in sorted(files, key=lambda one: one.data is None):  # what is no notebook last
        one.when = next((times[part] for part in one.path.parts if part in times), one.when)
        fit = whose(one.path, students, patterns, listed)
        if len(fit) == 1:
            (others if one.data is None else theirs).setdefault(fit[0].id, []).append(one)
        elif one.data is None and not fit:
            nobodys.append(str(one.path))
        elif one.data is not None or place(one) not in unclear:
            unclear.add(place(one))
            found.nobodys.append(to_be_named(name, one, fit))
            found.unclear.update((each.id, one.path) for each in fit)
    found.said += found.nobodys
    if nobodys:
        names = few([*map(repr, nobodys)])
        found.said.append(f"In downloaded/{name}, no notebook and nobody's on the roster: {names}.")
    for student in sorted(set(others) - set(theirs)):
        found.without[student] = submissions.listed([one.path for one in others[student]])
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


def place(one):
    """The folder of a File, or the file that lies in none: one sentence does for all in it."""
    return one.archive, one.path.parent if one.path.parent.name else one.path


def to_be_named(name, one, fit):
    """A sentence about a File that fits nobody, or several students, and what to do with it."""
    who = f"fits {few([each.id for each in fit])}" if fit else "fits nobody on the roster"
    todo = "put the student's id in place of the name, or remove it"
    if one.archive:
        todo = f"unpack {one.archive} and take the zip away; then {todo}"
    return f"downloaded/{name}/{one.path} {who}: {todo}."


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
                number = match.groupdict().get("number")
                known = [one for one in fit if number and one.canvas.get("ID") == number]
                return known or fit
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
        if any(one.startswith(".") or one in zips.NO_WORK for one in inner.parts):
            continue
        try:
            if file.is_file():
                platforms = not inner.parent.parts and not named(inner)
                yield from in_file(file, inner, said, platforms=platforms)
        except zips.Refused as reason:
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
        zips.regular(file, zips.MAX_ARCHIVE, read=False)
    else:
        data = zips.regular(file, zips.MAX_NOTEBOOK)
    for one in unpacked(File(inner, data, when), said, platforms=platforms, room=Room()):
        one.archive = inner if platforms and one.path != inner else None
        yield one


@dataclasses.dataclass
class Room:
    """How many bytes may still be unpacked of one student's zip and the zips in it."""

    left: int = zips.MAX_UNPACKED


def unpacked(one, said, *, platforms=False, room, depth=DEPTH):
    """The same as `found_in`, of one File, whose data may also be the place of a zip.

    platforms: whether it is the platform's own zip. What is refused in that is `said`, and does not
    stop the rest; and its times are true, while students can write any into theirs."""
    if one.path.suffix.lower() != ".zip":
        zips.small_enough(one.path.name, len(one.data), zips.MAX_NOTEBOOK)
        yield one
        return
    source = io.BytesIO(one.data) if isinstance(one.data, bytes) else one.data
    with zips.opened(source) as archive:
        files = zips.files_of(archive.infolist())
        if not platforms:
            zips.check(archive.infolist(), files)
        for entry, inner in files.items():
            inner = inner if platforms else one.path.with_suffix("") / inner
            if not relevant(inner) or not depth:
                yield File(inner, None, one.when)
                continue
            try:
                most = zips.MAX_UNPACKED if platforms else room.left
                content = zips.content(archive, entry, most)
                within, mine = File(inner, content, one.when, one.kept), room
                if platforms:
                    local = time.mktime((*entry.date_time, 0, 0, -1))
                    within.when = datetime.datetime.fromtimestamp(local, datetime.UTC)
                    within.kept, mine = True, Room()
                else:
                    room.left -= len(content)
                yield from unpacked(within, said, room=mine, depth=depth - 1)
            except zips.Refused as reason:
                if not platforms:
                    raise
                said.append(f"In what was downloaded, {inner} {reason}.")


def relevant(path):
    return path.suffix.lower() in (".ipynb", ".zip") or path.name == "submission_metadata.yml"


def within_a_submission(path, students, patterns):
    """Whether a student has put it there, who could say anything in it."""
    of_gradescope = any(re.fullmatch(r"submission_\d+", part) for part in path.parts)
    return of_gradescope or bool(whose(path, students, patterns, {}))


def gradescope(data):
    """Of Gradescope's list, of whose YAML only these lines are read: {submission_123: [names,
    emails, ids]} and {submission_123: when it was handed in}."""
    found, times, now = {}, {}, None
    for line in data.decode("utf-8", "replace").splitlines():
        if head := re.fullmatch(r"(submission_\d+):\s*", line):
            now = head[1]
            found[now] = []
        elif now is None:
            continue
        elif said := re.fullmatch(r"\s+(?:- )?:(?:name|email|sid):\s*[\"']?(.*?)[\"']?\s*", line):
            found[now].append(said[1])
        elif said := re.match(r"  :created_at:\s*[\"']?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)", line):
            zone = re.search(r"([+-]\d\d):?(\d\d)[\"']?\s*$", line[said.end() :])
            zone = "".join(zone.groups()) if zone else "+0000"
            with contextlib.suppress(ValueError):  # no such day: then the file's own time
                when = datetime.datetime.strptime(said[1].replace("T", " ") + zone, TIME)
                times[now] = when.astimezone(datetime.UTC)
    return found, times
