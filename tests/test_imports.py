"""The rooms of the library: who may import whom, that nobody stands idle, and that each is tested.

Each check takes a tree and returns its complaints, with file and line. `test_the_library` wants
none from the book; the tests below it show each check a small library with the fault it is there to
find.
"""

import ast
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.places import ROOT

# From top to bottom: a room imports itself and those above it.
ROOMS = "text worlds models training generation measure experiments checkpoints page".split()
MAY_IMPORT = {room: {*ROOMS[: i + 1]} for i, room in enumerate(ROOMS)} | {"page": {"text", "page"}}
USERS = ("chapters", "assignments/source", "tools", "book/_ext", "benchmarks")


@dataclass(frozen=True)
class Import:
    """A module of the library that a file imports, and where it says so."""

    file: Path
    line: int
    module: str


def modules(root):
    """{dotted name: path} of the library; a package has its folder's name."""
    found = {}
    for path in sorted((root / "utils").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


def sources(path):
    """The code of a module, or of each code cell of a notebook, without IPython's own commands."""
    if path.suffix == ".py":
        return [path.read_text("utf-8")]
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return ["".join(f"{line}\n" for line in c.splitlines() if line[:1] not in "%!") for c in code]


def imports(path, known):
    """What a file imports of the library, wherever in it."""
    found = []
    for source in sources(path):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                # `from utils.text import trace` imports a module, `import Trace` its room alone
                full = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [name if name in known else node.module for name in full]
            else:
                continue
            names = dict.fromkeys(name for name in names if name in known)
            found += [Import(path, node.lineno, name) for name in names]
    return found


def room(name):
    return name.split(".")[1] if "." in name else ""


# -- what is checked -----------------------------------------------------------------------------


def points_down(root):
    """A room imports only itself and the rooms above it."""
    known = modules(root)
    for name, path in known.items():
        for each in imports(path, known):
            here, there = room(name), room(each.module)
            if here and there not in MAY_IMPORT.get(here, ROOMS):
                yield f"{where(root, each)}: utils/{here} may not import {each.module}"


def in_circles(root):
    """No module imports itself by way of others. (A room's __init__.py stands for its files.)"""
    known = modules(root)
    uses = {name: imports(path, known) for name, path in known.items()}
    done = set()

    def follow(name, way):
        done.add(name)
        for each in uses[name]:
            if each.module in way:
                circle = [*way[way.index(each.module) :], each.module]
                yield f"{where(root, each)}: imports go round: {' -> '.join(circle)}"
            elif each.module not in done:
                yield from follow(each.module, [*way, each.module])

    for name in known:
        if name not in done:
            yield from follow(name, [name])


def idle(root):
    """Each module has a caller outside its tests."""
    known = modules(root)
    users = [*known.values()]
    for folder in USERS:
        for ending in ("*.py", "*.ipynb"):
            users += sorted((root / folder).rglob(ending))
    used = {
        each.module
        for path in users
        if ".ipynb_checkpoints" not in path.parts
        for each in imports(path, known)
        if known[each.module] != path
    }
    for name, path in known.items():
        if path.stem not in ("__init__", "__main__") and name not in used:
            yield f"{path.relative_to(root)}:1: nothing but tests imports it"


def homeless(root):
    """Every file is in a room, and every room is one of the nine."""
    for path in sorted((root / "utils").rglob("*.py")):
        inside = path.relative_to(root / "utils").parts
        if len(inside) == 1 and path.name != "__init__.py":
            yield f"{path.relative_to(root)}:1: is in no room; they are {', '.join(ROOMS)}"
        elif len(inside) > 1 and inside[0] not in ROOMS:
            yield f"{path.relative_to(root)}:1: there is no room {inside[0]!r}"
        elif len(inside) > 1 and not (path.parent / "__init__.py").exists():
            yield f"{path.relative_to(root)}:1: its folder has no __init__.py"


def untested(root):
    """Every module has a file of tests of its name, in the same place of tests/."""
    for name, path in modules(root).items():
        if path.stem != "__init__":
            inside = path.relative_to(root / "utils").parent
            test = root / "tests" / inside / f"test_{path.stem.strip('_')}.py"
            if not test.exists():
                yield f"{path.relative_to(root)}:1: has no {test.relative_to(root)} ({name})"


def overlooked(root):
    """Imports of our own are written `from utils… import …`: checkpoints/provenance.py, which tells
    what a checkpoint was made by, reads no others."""
    for path in modules(root).values():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            plain = isinstance(node, ast.Import) and any(
                alias.name.partition(".")[0] == "utils" for alias in node.names
            )
            relative = isinstance(node, ast.ImportFrom) and node.level
            star = isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
            if plain or relative or star:
                yield f"{path.relative_to(root)}:{node.lineno}: write `from utils… import …`"


def where(root, each):
    return f"{each.file.relative_to(root)}:{each.line}"


CHECKS = [points_down, in_circles, idle, homeless, untested, overlooked]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_library(check):
    complaints = list(check(ROOT))
    assert not complaints, "\n".join(complaints)


def test_it_reads_the_whole_library():
    known = modules(ROOT)
    assert {room(name) for name in known if room(name)} == set(ROOMS) and len(known) > 40
    assert sum(len(imports(path, known)) for path in known.values()) > 100


# -- what the checks find ------------------------------------------------------------------------

GOOD = {
    "utils/__init__.py": "",
    "utils/text/__init__.py": '"""Words."""\n',
    "utils/text/vocab.py": "import json\n",
    "utils/models/__init__.py": "from utils.models.small import Small\n",
    "utils/models/small.py": "from utils.text.vocab import Vocab\n\nSmall = Vocab\n",
    "utils/page/__init__.py": "",
    "utils/page/player.py": "from utils.text import vocab\n",
    "utils/checkpoints/__init__.py": "",
    "utils/checkpoints/__main__.py": "def main():\n    from utils.models import Small\n",
    "tests/text/test_vocab.py": "",
    "tests/models/test_small.py": "",
    "tests/page/test_player.py": "from utils.page import player\n",
    "tests/checkpoints/test_main.py": "",
    "chapters/01.ipynb": json.dumps(
        {
            "cells": [
                {"cell_type": "markdown", "source": "from utils.text import nothing"},
                {
                    "cell_type": "code",
                    "source": "%time\nfrom utils.page import player",
                },
            ]
        }
    ),
}
BAD = {
    "a room below": (
        points_down,
        {"utils/text/vocab.py": "import json\n\nfrom utils.models.small import Small\n"},
        "utils/text/vocab.py:3: utils/text may not import utils.models.small",
    ),
    "a room below, by its name": (
        points_down,
        {"utils/text/vocab.py": "from utils.models import Small\n"},
        "utils/text/vocab.py:1: utils/text may not import utils.models",
    ),
    "inside a function": (
        points_down,
        {"utils/models/small.py": "def f():\n    from utils.page import player\n"},
        "utils/models/small.py:2: utils/models may not import utils.page.player",
    ),
    "a page that knows models": (
        points_down,
        {"utils/page/player.py": "import utils.models.small\n"},
        "utils/page/player.py:1: utils/page may not import utils.models.small",
    ),
    "checkpoints that know pages": (
        points_down,
        {"utils/checkpoints/__main__.py": "from utils.page import player\n"},
        "utils/checkpoints/__main__.py:1: utils/checkpoints may not import utils.page.player",
    ),
    "a circle": (
        in_circles,
        {
            "utils/text/vocab.py": "from utils.text.trace import T\n",
            "utils/text/trace.py": "from utils.text import vocab\n",
        },
        "utils/text/trace.py:1: imports go round: "
        "utils.text.vocab -> utils.text.trace -> utils.text.vocab",
    ),
    "a module for its tests alone": (
        idle,
        {"utils/text/idle.py": "", "tests/text/test_idle.py": "from utils.text import idle\n"},
        "utils/text/idle.py:1: nothing but tests imports it",
    ),
    "a module that only prose names": (
        idle,
        {"utils/text/nothing.py": ""},
        "utils/text/nothing.py:1: nothing but tests imports it",
    ),
    "a flat file": (homeless, {"utils/misc.py": ""}, "utils/misc.py:1: is in no room; they are"),
    "a tenth room": (
        homeless,
        {"utils/misc/a.py": ""},
        "utils/misc/a.py:1: there is no room",
    ),
    "a room without a door": (
        homeless,
        {"utils/text/more/a.py": ""},
        "utils/text/more/a.py:1: its folder has no __init__.py",
    ),
    "no test": (
        untested,
        {"utils/text/more.py": "", "tests/test_more.py": ""},
        "utils/text/more.py:1: has no tests/text/test_more.py",
    ),
    "no dots": (
        overlooked,
        {"utils/models/small.py": "x = 1\nfrom . import small\n"},
        "utils/models/small.py:2: write `from utils",
    ),
    "no plain import": (
        overlooked,
        {"utils/models/small.py": "import utils.text.vocab as v\n"},
        "utils/models/small.py:1: write `from utils",
    ),
    "no stars": (
        overlooked,
        {"utils/models/small.py": "from utils.text.vocab import *\n"},
        "utils/models/small.py:1: write `from utils",
    ),
}


def library(folder, files):
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return folder


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_good_library_passes(tmp_path, check):
    assert list(check(library(tmp_path, GOOD))) == []


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_is_found(tmp_path, fault):
    check, files, complaint = BAD[fault]
    (found,) = check(library(tmp_path, GOOD | files))
    assert found.startswith(complaint)


def test_every_check_is_shown_a_fault():
    assert {check for check, _, _ in BAD.values()} == set(CHECKS)
