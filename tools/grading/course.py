"""Where a course keeps its things, and what an assignment looks like to nbgrader.

A course is a folder as nbgrader lays it out: source, release, submitted, autograded, feedback,
nbgrader_config.py, and gradebook.db unless another gradebook is named.
"""

import contextlib
import copy
import dataclasses
import functools
import hashlib
import json
import logging
import os
import re
import tempfile
import warnings
from pathlib import Path

import nbformat
import sqlalchemy
import sqlalchemy.exc
from alembic.script import ScriptDirectory
from nbgrader import api, dbutil
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    SaveCells,
)
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from utils.text.files import write_whole

from .inside import magics, reading

ROOT = Path(__file__).resolve().parent.parent.parent

# nbgrader 0.9.6 was written before SQLAlchemy 2.1, which warns of an order that it got right.
warnings.filterwarnings("ignore", category=sqlalchemy.exc.SAWarning, module="nbgrader")

# For each new gradebook nbgrader would start a command, which a % in the path of its files ends.
api.get_alembic_version = functools.cache(ScriptDirectory(dbutil.ALEMBIC_DIR).get_current_head)


class GradingError(Exception):
    """What the teacher should know, in a sentence or two."""


@dataclasses.dataclass(frozen=True)
class Course:
    """root: its folder. config: what nbgrader_config.py says. url: of the gradebook."""

    root: Path
    config: Config
    url: str

    def folder(self, step, student=".", assignment="."):
        """Such as submitted/alice/01_markov_chains."""
        return self.root / step / student / assignment

    def notebook(self, step, assignment, student="."):
        """The path of an assignment's notebook there."""
        return self.folder(step, student, assignment) / f"{assignment}.ipynb"

    def names(self, only=None):
        """Its assignments, or the one named. Raises GradingError when there is none such."""
        found = sorted(
            path.parent.name
            for path in self.root.glob("source/*/*.ipynb")
            if path.stem == path.parent.name
        )
        for name in found:
            check_path(name)
        if only and only not in found:
            known = ", ".join(found) or "none"
            raise GradingError(f"There is no assignment {only!r}. There are: {known}.")
        if not found:
            raise GradingError(
                f"There is no assignment in {self.root / 'source'}; one is a notebook "
                "source/NAME/NAME.ipynb."
            )
        return [only] if only else found

    def cell_names(self, assignment):
        """The names of an assignment's cells; none of one whose source cannot be read."""
        try:
            text = self.notebook("source", assignment).read_text(encoding="utf-8")
            cells = json.loads(text)["cells"]
            known = [one["metadata"].get("nbgrader") or {} for one in cells]
            return {one["grade_id"] for one in known if one}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return set()

    def directory(self, assignment, student="*"):
        """nbgrader's own view of the course."""
        return CourseDirectory(
            config=self.config,
            root=str(self.root),
            db_url=self.url,
            assignment_id=assignment,
            student_id=student,
        )

    @contextlib.contextmanager
    def gradebook(self):
        course = self.config.CourseDirectory.get("course_id") or "default_course"
        book = Gradebook(self.url, course)
        try:
            yield book
        finally:
            book.close()


def open_course(root=None, url=None):
    """The course in a folder, by default the book's own. url: of the gradebook, else its own file.

    Raises GradingError when the folder is not a course or the gradebook cannot be reached.
    """
    root = Path(root or ROOT / "assignments").resolve()
    if not (root / "source").is_dir():
        raise GradingError(f"{root} is not a course: it has no folder `source`.")
    check_path(root)
    config = Config()
    if (root / "nbgrader_config.py").exists():
        try:
            config = PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()
        except Exception as error:  # it is Python
            said = f"{type(error).__name__}: {error}"
            raise GradingError(f"{root / 'nbgrader_config.py'} does not run: {said}.") from error
    own = sqlalchemy.URL.create("sqlite", database=str(root / "gradebook.db"))  # quotes the path
    url = url or config.CourseDirectory.get("db_url") or own.render_as_string()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    course = Course(root, config, url)
    try:
        with course.gradebook():
            pass
    except Exception as error:  # SQLAlchemy and each driver have their own
        said = str(error).strip().splitlines()[0]
        raise GradingError(
            f"The gradebook {shown(url)} cannot be opened: {said}. GRADEBOOK takes an SQLAlchemy "
            "URL such as postgresql://user:password@host/database or sqlite:////path/to/file.db; "
            "drivers for these two are installed."
        ) from None
    return course


def check_path(path):
    """Raise GradingError for a path that nbgrader cannot take: it would pass over what lies there,
    or hand out what it should not."""
    if re.search(r"\[.*\]", str(path)):
        why = "has brackets, which nbgrader takes for a pattern"
    elif re.search("[\ud800-\udfff]", str(path)):
        why = "is not UTF-8"
    else:
        return
    raise GradingError(f"The path {str(path)!r} {why}: move or rename it.")


class OneFolder:
    """For a converter of nbgrader's: it converts what is in one folder. Else it would look for that
    by its path as a pattern, and a question mark in it fits the folder beside it, too.

    And it is asked what it makes before that is written. Else it would remove what it made the last
    time and write the new under its final name: whoever interrupts it is left with half or none.
    """

    elsewhere = None  # the folder to which it writes for now

    def __init__(self, course, assignment, student="."):
        directory = course.directory(assignment, student)
        super().__init__(coursedir=directory, config=course.config, force=True)
        self.log = logging.getLogger(__name__)
        self.log.setLevel(logging.ERROR)

    @property
    def _output_directory(self):
        return self.elsewhere or super()._output_directory

    def files(self):
        """{path in the folder: bytes} of what it makes. Raises GradingError where it cannot."""
        try:
            with tempfile.TemporaryDirectory() as self.elsewhere:
                self.start()
                made = self.destination()
                self.elsewhere = None
                paths = [path for path in sorted(made.rglob("*")) if path.is_file()]
                return {path.relative_to(made): path.read_bytes() for path in paths}
        except (Exception, SystemExit) as error:
            student, assignment = self.coursedir.student_id, self.coursedir.assignment_id
            whose = "the students'" if student == "." else f"{student}'s"
            raise GradingError(f"nbgrader cannot make {whose} {assignment}: {error}") from error

    def store(self, files):
        """Write them, each in one step, in place of what is in the folder. Returns the folder."""
        folder = self.destination()
        for path, data in files.items():
            write(folder / path, data)
        for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before it
            if path.is_dir() and not path.is_symlink():
                with contextlib.suppress(OSError):  # it is not empty
                    path.rmdir()
            elif path.relative_to(folder) not in files:
                path.unlink()
        self.set_permissions(self.coursedir.assignment_id, self.coursedir.student_id)
        return folder

    def destination(self):
        return Path(self._format_dest(self.coursedir.assignment_id, self.coursedir.student_id))

    def init_notebooks(self):
        folder = self._format_source(self.coursedir.assignment_id, self.coursedir.student_id)
        names = sorted(path.name for path in Path(folder).glob("*.ipynb"))
        self.assignments = {folder: [os.path.join(folder, name) for name in names]}
        self.notebooks = []


def shown(url):
    """A URL without its password."""
    scheme, sign, rest = url.partition("://")
    return scheme + sign + rest.rpartition("@")[2]


@dataclasses.dataclass(frozen=True)
class Template:
    """An assignment as it is graded.

    notebook: solutions taken out, all tests in. released: the text of each marked cell as students
    got it. names: what students are to define, as the solutions do. modules: what the teacher's
    cells import, and what that takes long to load. others: the names of the cells of each other
    assignment of the course. digest: changes when anything of it does.
    """

    name: str
    notebook: nbformat.NotebookNode
    released: dict
    names: tuple
    modules: tuple
    others: dict
    digest: str

    @property
    def without(self):
        """Names that an answer should do without, as the source's metadata have them: {"grading":
        {"without": […]}}. What uses one is told the teacher."""
        return list(self.notebook.metadata.get("grading", {}).get("without", []))


def marks(cell):
    """What nbgrader knows of a cell, a dict; empty for a cell without marks."""
    return cell.metadata.get("nbgrader") or {}


def solutions(course, name):
    """{name of a cell: the instructor's solution in it}, of those with code."""
    cells = nbformat.read(course.notebook("source", name), as_version=4).cells
    code = [one for one in cells if one.cell_type == "code" and marks(one).get("solution")]
    return {marks(one)["grade_id"]: one.source for one in code}


@functools.lru_cache(32)
def _prepared(text, config):
    settings = Config(json.loads(config))
    notebook = nbformat.reads(text, as_version=4)
    names, modules = set(), set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            source = magics.plain(cell.source)[0]
            if marks(cell).get("solution"):
                names |= reading.defines(source)
            else:
                modules |= reading.imports(source)
                modules |= {"torch._dynamo"} if "optim" in source else set()  # an optimiser's
    for step in (LockCells, ClearSolutions, ClearOutput, CheckCellMetadata, ComputeChecksums):
        notebook, _ = step(config=settings).preprocess(notebook, {})
    released, _ = ClearHiddenTests(config=settings).preprocess(copy.deepcopy(notebook), {})
    return notebook, released, tuple(sorted(names)), tuple(sorted(modules))


def template(course, name):
    """Read an assignment's source. Raises GradingError when it is not a valid one."""
    text = course.notebook("source", name).read_text(encoding="utf-8")
    sections = ("ClearSolutions", "ClearHiddenTests", "LockCells")
    settings = {key: dict(course.config[key]) for key in sections if key in course.config}
    settings = json.dumps(settings, sort_keys=True, default=str)
    try:
        notebook, released, names, modules = _prepared(text, settings)
    except Exception as error:
        said = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise GradingError(f"The source of {name} is not a valid assignment: {said[0]}") from error
    return Template(
        name=name,
        notebook=copy.deepcopy(notebook),
        released={marks(cell)["grade_id"]: cell.source for cell in released.cells if marks(cell)},
        names=names,
        modules=modules,
        others={other: course.cell_names(other) for other in course.names() if other != name},
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def register(course, template):
    """Tell the gradebook the assignment's cells and points; nothing changes if it knows them."""
    with course.gradebook() as book:
        book.update_or_create_assignment(template.name)
    notebook = copy.deepcopy(template.notebook)
    about = {"notebook": template.name, "assignment": template.name, "db_url": course.url}
    try:
        SaveCells(config=course.config).preprocess(notebook, {"nbgrader": about})
    except RuntimeError as error:
        raise GradingError(f"{template.name}: {error}.") from None


def few(names):
    """The first three of some names, and how many more there are."""
    shown = ", ".join(names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def write(path, text):
    """Write a file in one step: it is never there by half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
