"""What a result was made by: every function, class and constant of ours that its making reaches.

Code is read, not run. A function's source names what it uses; what it uses is looked up in its
module's imports and definitions, and read in turn. Each piece gets a fingerprint of its own, so
that a change can be told by name, however many calls away it is. Comments, docstrings and layout do
not count, and what is not reached does not either.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import inspect
import io
import tokenize
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent  # the package whose code is ours
PLAIN = (bool, int, float, complex, str, bytes, range)
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


def provenance(made_by: Any) -> dict[str, str]:
    """{name: fingerprint} of all that `made_by` consists of and reaches.

    made_by: a function, a class, a `functools.partial`, a dataclass, or lists, tuples and dicts of
    such, and plain values. Raises TypeError for what has no name to be told by, such as a lambda.
    """
    values, roots = {}, set()
    _describe("", made_by, values, roots)
    return values | {name: _fingerprint(*_item(name)) for name in _reached(roots)}


def changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """What differs, by name, in order."""
    names = sorted(before.keys() | now.keys())
    return [name for name in names if before.get(name) != now.get(name)]


# -- what a value consists of ----------------------------------------------------------------------


def _describe(name, value, values, roots):
    """Plain values into `values` under their names, functions and classes of ours into `roots`."""
    value = inspect.unwrap(value) if hasattr(value, "__wrapped__") else value  # of a `cache`
    if isinstance(value, FunctionType | type):
        ours = value.__module__.partition(".")[0] == ROOT.name
        if "<" in value.__qualname__ or (ours and not value.__qualname__.isidentifier()):
            raise TypeError(f"{name} is {value.__qualname__}; give a function that has a name")
        values[name] = f"{value.__module__}.{value.__qualname__}"
        if ours:
            roots.add(values[name])
    elif isinstance(value, functools.partial):
        _describe(name, value.func, values, roots)
        _describe(f"{name}()", [*value.args, value.keywords], values, roots)
    elif is_dataclass(value):
        for field in fields(value):
            _describe(f"{name}.{field.name}".lstrip("."), getattr(value, field.name), values, roots)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _describe(f"{name}.{key}".lstrip("."), inner, values, roots)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            _describe(f"{name}.{i}".lstrip("."), inner, values, roots)
    elif value is None or isinstance(value, PLAIN):
        values[name] = repr(value)
    else:
        raise TypeError(f"{name} is {value!r}; give plain values, or functions that have a name")


# -- what code reaches -----------------------------------------------------------------------------


def _reached(roots: Iterable[str]) -> list[str]:
    """The names of all pieces of ours that these use, directly or not; the roots among them."""
    seen, waiting = set(), list(roots)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += _uses(name)
    return sorted(seen)


@functools.cache
def _module(name: str) -> tuple[str, dict[str, ast.stmt], dict[str, str]]:
    """A module's source, its definitions {name: statement}, and its imports {name: full name}."""
    spec = importlib.util.find_spec(name)
    source = Path(spec.origin).read_text("utf-8")
    definitions, imports = {}, {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in (t for each in targets for t in ast.walk(each)):
                if isinstance(target, ast.Name):
                    definitions[target.id] = node
        else:
            imports |= _imports(node)
    return source, definitions, imports


def _imports(node: ast.stmt) -> dict[str, str]:
    """{local name: full name} of what a statement imports from our package."""
    found = {}
    for each in ast.walk(node):
        if isinstance(each, ast.ImportFrom) and (each.module or "").split(".")[0] == ROOT.name:
            found |= {a.asname or a.name: f"{each.module}.{a.name}" for a in each.names}
    return found


def _item(name: str) -> tuple[str, ast.stmt]:
    """The source of the module that a name stands in, and the statement that defines it."""
    module, _, own = name.rpartition(".")
    source, definitions, _ = _module(module)
    return source, definitions[own]


@functools.cache
def _uses(name: str) -> set[str]:
    """The full names of our pieces that one piece names."""
    module = name.rpartition(".")[0]
    _, node = _item(name)
    _, definitions, imports = _module(module)
    known = imports | _imports(node)
    found = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and each.id in definitions:
            found.add(f"{module}.{each.id}")
        elif isinstance(each, ast.Name) and each.id in known:
            found.add(known[each.id])
        elif isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name):
            if each.value.id in known:  # an attribute of an imported module, if it is one
                found.add(f"{known[each.value.id]}.{each.attr}")
    return {full for full in map(_defined, found) if full} - {name}


def _defined(name: str) -> str | None:
    """The name under which a piece is defined, through a package that only passes it on; None for
    a module itself, or for an attribute of something that is none."""
    module, _, own = name.rpartition(".")
    try:
        _, definitions, imports = _module(module)
    except (ModuleNotFoundError, AttributeError):
        return None
    if own in definitions:
        return name
    return _defined(imports[own]) if own in imports else None


# -- fingerprints ----------------------------------------------------------------------------------


@functools.cache
def _fingerprint(source: str, node: ast.stmt) -> str:
    """Of a piece of code: twelve digits that stay the same when only its comments, docstrings or
    layout change."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    lines = source.splitlines(keepends=True)[first - 1 : node.end_lineno]
    docstrings = {
        (each.body[0].lineno - first + 1, each.body[0].col_offset)
        for each in ast.walk(node)
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(each) is not None
    }
    words = [text for text, start in _words(lines) if start not in docstrings]
    kept = [
        w for w, after in zip(words, [*words[1:], ""], strict=True) if (w, after[:1]) not in SPARE
    ]
    return hashlib.sha256(" ".join(kept).encode()).hexdigest()[:12]


SPARE = {(",", bracket) for bracket in ")]}"}  # a comma that only the layout asks for


def _words(lines):
    """The tokens of some lines with their places; an f-string is one token, in every Python."""
    start, depth = None, 0
    for token in tokenize.generate_tokens(io.StringIO("".join(lines)).readline):
        kind = tokenize.tok_name[token.type]
        if kind in ("FSTRING_START", "TSTRING_START"):
            start, depth = start if depth else token.start, depth + 1
        elif kind in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if not depth:
                yield _between(lines, start, token.end), start
        elif not depth and token.type not in LAYOUT and token.string:
            yield token.string, token.start


def _between(lines, start, end):
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first - 1][left:right]
    return lines[first - 1][left:] + "".join(lines[first : last - 1]) + lines[last - 1][:right]
