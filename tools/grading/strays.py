"""What lies in `submitted` and is claimed by no assignment: in a place, under a name or in a form
where none is looked for."""

import contextlib
import difflib

from .submissions import STUDENT, kind, listed, visible
from .zips import files_in


def strays(course):
    """[(path in `submitted`, the assignment it may be meant for or None, a sentence)]."""
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
