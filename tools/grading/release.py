"""`make release`: the students' versions, by nbgrader, and a zip of each with what it needs."""

import io
import re
import zipfile
from pathlib import Path

import nbformat
from nbgrader.converters import GenerateAssignment

from .course import ROOT, GradingError, OneFolder, marks, template, write

README = """# {name}

What is here: the assignment, `{name}.ipynb`; the book's Python modules, `utils`; the packages they
need, `requirements.txt`{weights}.

With Python 3.11 or newer, in this folder:

    python3 -m venv .venv
    .venv/bin/pip install -r requirements.txt
    .venv/bin/jupyter lab {file}

(on Windows `.venv\\Scripts\\` in place of `.venv/bin/`). If you have the book installed, you can
instead put the notebook into its folder and open it there.

Write your answers into the cells that say so. The cells with tests tell you how far you are; your
teacher's copy has more of them. You may add cells of your own. Do not change, move or delete the
others: they are replaced by the originals.

Your code is graded in a process of its own, apart from the tests, which see only what your
functions return. There is no network, and there are Python's own modules, NumPy, PyTorch,
Matplotlib and the book's `utils`; shell commands (`!ls`) and other packages are not run.

Before you hand in, choose *Restart Kernel and Run All Cells*. It stops at the first test that
fails; you may hand in all the same. Hand in the notebook, under the name it has.
"""


class Release(OneFolder, GenerateAssignment):
    pass


def release(course, only=None):
    """Make release/NAME/NAME.ipynb and release/NAME.zip. Returns the paths of the zips.

    Raises GradingError when an assignment is not valid, or when its released version would show a
    solution or a hidden test.
    """
    paths = []
    for name in course.names(only):
        template(course, name)  # says in a sentence what is wrong with the source
        converter = Release(course, name)
        files = converter.files()
        notebook = files[Path(f"{name}.ipynb")].decode()
        check(course, name, notebook)
        converter.store(files)
        path = course.root / "release" / f"{name}.zip"
        write(path, packed(name, notebook))
        paths.append(path)
    return paths


def check(course, name, released):
    """Refuse a released version that shows what it should not."""
    source = nbformat.read(course.notebook("source", name), as_version=4)
    public, secret = set(), []
    for cell in source.cells:
        inside = False
        for line in cell.source.splitlines():
            inside = inside or bool(re.search("BEGIN (SOLUTION|HIDDEN TESTS)", line))
            if inside or (marks(cell).get("solution") and cell.cell_type == "markdown"):
                secret.append((marks(cell).get("grade_id"), line.strip()))
            else:
                public.add(line.strip())
            inside = inside and not re.search("END (SOLUTION|HIDDEN TESTS)", line)
    notebook = nbformat.reads(released, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    shown = {line.strip() for line in text.splitlines()}
    for mark in ("BEGIN SOLUTION", "BEGIN HIDDEN TESTS"):
        if mark in text:
            raise GradingError(f"The released {name} still says {mark!r}.")
    for grade_id, line in secret:
        if len(line) > 30 and line in shown and line not in public:
            raise GradingError(f"The released {name} shows a secret line of {grade_id!r}: {line}")
    if any(cell.get("outputs") for cell in notebook.cells):
        raise GradingError(f"The released {name} has outputs.")


def used(path, notebook):
    """Whether a notebook names a checkpoint, or loads its recipe's by their seeds."""
    recipe = re.sub(r"-\d+$", "", path.stem)
    named = [name for name in (path.stem, recipe) if re.search(rf"\b{re.escape(name)}\b", notebook)]
    by_seed = re.search(r"load_seeds|load_checkpoint\([^)]*,", notebook)
    return path.stem in named or (recipe in named and by_seed is not None)


def packed(name, notebook):
    """The bytes of a zip: the same for the same content."""
    weights = [path for path in sorted((ROOT / "checkpoints").glob("*")) if used(path, notebook)]
    what = ";\nweights of small models, `checkpoints`" if weights else ""
    typed = f"{name}.ipynb" if re.fullmatch(r"[\w.-]+", name) else f'"{name}.ipynb"'
    files = {
        f"{name}.ipynb": notebook.encode(),
        "README.md": README.format(name=name, file=typed, weights=what).encode(),
        "requirements.txt": requirements().encode(),
        "constraints.txt": (ROOT / "constraints.txt").read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
    }
    for path in sorted((ROOT / "utils").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    for path in weights:
        files[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, data in files.items():
            entry = zipfile.ZipInfo(f"{name}/{inner}", date_time=(2026, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    return result.getvalue()


def requirements():
    """The part of the book's requirements that a student's notebook needs, versions pinned."""
    wanted, keep = [], False
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines():
        if line.startswith("# "):
            keep = line in ("# the language models", "# what a reader sees")
        if keep or line.startswith("-c"):
            wanted.append(line)
    return "\n".join(wanted).strip() + "\n"
