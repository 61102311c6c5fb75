"""Files and zips of which nobody knows who made them: read within bounds, and never unpacked."""

import contextlib
import os
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


class Refused(Exception):
    """Why it is not read, as the end of a sentence that begins with "This submission"."""


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
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise Refused(f"has {path.name!r}, which is not an ordinary file")
    with os.fdopen(descriptor, "rb") as file:
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
