"""Every chapter is complete, compared in full, and readable (that it runs is nbval's to find out).

Each check takes a notebook and returns its complaints. `test_chapter` wants none from any chapter;
the tests below it show each check a notebook with the fault it is there to find.
"""

import ast
import itertools
import json
import re
from html import unescape
from statistics import median

import nbformat
import pytest
import yaml
from nbformat.v4 import new_notebook, new_output
from pybtex.database import parse_file

from tests.notebooks import book, code, html, stream, text
from tests.places import CHAPTERS, ROOT
from tools.refresh import WIDGET_VIEW, normalise

MOST_LINES = 20
MEDIAN_LINES = 9  # half of the cells have no more: one thought each
MOST_BYTES = 1_000_000  # a reader downloads them, and every execution adds them to the history
PHONE_LINE = 38  # letters that a phone shows in a line of what a knob turns
IGNORE = "nbval-ignore-output"
# nbval's ways out, as tags; as comments they are written NBVAL_SKIP and so on.
SKIPS = {"nbval-skip", "nbval-raises-exception", "raises-exception"}
MACHINE = re.compile(
    r"/home/|/root/|/tmp/|/Users/|/private/var/|site-packages|\.venv|[A-Z]:\\\\?Users"
)
# Roles and directives that JupyterLab or the site cannot show; a link or an admonition can.
MARKUP = re.compile(
    r"\{(cite(:\w+)?|term|doc|numref|glossary|bibliography|margin|(solution|exercise)-(start|end))\}"
)

LEADS = r"^(What each side has to concede\.|What this chapter cannot show\.)"
POOLED = re.compile(r"\brate\(\s*torch\.(cat|stack)\(")
ONE_OF_MANY = re.compile(
    r"(?<![\w.,])1 (?:arm|bit|candidate|character|edge|layer|letter|mask|mistake|model|move|node"
    r"|pair|pass|question|round|sample|seed|sentence|step|text|token|word)e?s\b(?! \d)"
)
PAPER = re.compile(
    r"https?://(?:doi\.org|arxiv\.org|aclanthology\.org|openreview\.net|jmlr\.org)/[^\s)>]+"
)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def exits(cell):
    """The nbval tags of a cell, given as tags or as comments."""
    comments = re.findall(
        r"^\s*#+\s*((?:NBVAL|PYTEST_VALIDATE)_\w+)\s*$", cell.source, re.MULTILINE
    )
    tags = {word.lower().replace("_", "-") for word in comments}
    tags |= {IGNORE} if "pytest-validate-ignore-output" in tags else set()
    return tags | set(cell.metadata.get("tags", []))


def asserts(cell):
    """Whether a cell asserts something that could be false."""
    nodes = ast.walk(ast.parse(cell.source))
    return any(isinstance(n, ast.Assert) and not isinstance(n.test, ast.Constant) for n in nodes)


def texts(value):
    """Every string in a cell's outputs except pictures."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not key.startswith(("image/png", "image/jpeg")):
                yield from texts(item)


def not_executed(notebook):
    """Cells are numbered 1, 2, 3 as a single run from top to bottom leaves them."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run it from top to bottom (make refresh)"


def without_outputs(notebook):
    if not any(cell.outputs for cell in code_cells(notebook)):
        yield "no cell has an output (make refresh)"


def failed(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {cell.execution_count} stores an error: {output.ename}"


def skipped(notebook):
    for cell in code_cells(notebook):
        for tag in sorted(exits(cell) & SKIPS):
            yield f"cell {cell.execution_count} is tagged {tag}: every cell runs, and succeeds"


def unchecked(notebook):
    """A cell whose output is not compared is followed by one that asserts what matters."""
    cells = code_cells(notebook)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if IGNORE in exits(cell) and (following is None or not asserts(following)):
            yield f"cell {cell.execution_count} opts out and the next cell asserts nothing about it"


def lines_of(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def long_cells(notebook):
    for cell in code_cells(notebook):
        lines = lines_of(cell)
        if lines > MOST_LINES:
            yield f"cell {cell.execution_count} has {lines} lines; at most {MOST_LINES}"
        if lines == 0:
            yield "a code cell is empty"


def dense_cells(notebook):
    """Of all cells, folded or not, and of those that are not."""
    cells = code_cells(notebook)
    unfolded = [c for c in cells if not {"hide-input", "hide-cell"} & exits(c)]
    for name, some in {"all": cells, "unfolded": unfolded}.items():
        middle = median(map(lines_of, some)) if some else 0
        if middle > MEDIAN_LINES:
            yield f"the median of {name} code cells is {middle} lines; at most {MEDIAN_LINES}"


def pooled(notebook):
    """The tries of several models are not counted as one model's."""
    for cell in code_cells(notebook):
        if POOLED.search(cell.source):
            yield f"cell {cell.execution_count} pools models; use across(…) or spread(…) of each"


def too_large(notebook):
    size = len(nbformat.writes(notebook).encode())
    if size > MOST_BYTES:
        yield f"{size / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.1f} MB"


def machine_paths(notebook):
    for cell in code_cells(notebook):
        for shown in texts(cell.outputs):
            found = MACHINE.search(shown)
            if found:
                near = shown[max(0, found.start() - 20) : found.end() + 40]
                yield f"cell {cell.execution_count} shows a path of this machine: {near!r}"


def on_stderr(notebook):
    """Only a progress bar may write to stderr, and only where output is not compared."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                if IGNORE not in exits(cell) or "Warning" in output.text:
                    yield f"cell {cell.execution_count} writes to stderr: {output.text[:80]!r}"


def not_normal(notebook):
    """What `make refresh` removes is not there: widget models, timestamps, half-drawn bars."""
    if any(WIDGET_VIEW in o.get("data", {}) for c in code_cells(notebook) for o in c.outputs):
        yield "stores a widget's model, which no page can show (make refresh)"
    before = json.dumps(notebook, sort_keys=True)
    if json.dumps(normalise(nbformat.from_dict(json.loads(before))), sort_keys=True) != before:
        yield "is not as make refresh leaves it"


def without_text(notebook):
    """Text before and after every code cell; a check may directly follow what it checks."""
    cells = notebook.cells
    if not cells[0].source.lstrip().startswith(("# ", "(")) or cells[-1].cell_type == "code":
        yield "starts with its title and ends with text"
    for before, cell in itertools.pairwise(cells):
        if before.cell_type == cell.cell_type == "code":
            if not (IGNORE in exits(before) and asserts(cell)):
                yield f"no text between cells {before.execution_count} and {cell.execution_count}"


def unshowable(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for found in MARKUP.finditer(cell.source):
                yield f"{found.group()} does not show in JupyterLab as on the site; use a link"


def hidden_leads(notebook):
    """What every chapter ends with is found at a glance: its lead is bold."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for lead in re.findall(LEADS, cell.source, re.MULTILINE):
                yield f"{lead!r} opens a paragraph as text; write **{lead}**"


def wrapped_bars(notebook):
    """A bar of a knob goes on in the next line where a phone has no room for it."""
    for cell in code_cells(notebook):
        pages = [output.get("data", {}).get("text/html", "") for output in cell.outputs]
        turned = re.findall(r'<pre class="ott-pre">(.*?)</pre>', "".join(pages), re.DOTALL)
        lines = unescape("\n".join(turned)).splitlines()
        longest = max((len(line) for line in lines if "█" in line), default=0)
        if longest > PHONE_LINE:
            place = f"cell {cell.execution_count}"
            yield f"{place} turns a bar of {longest} letters; at most {PHONE_LINE}"


def one_of_many(notebook):
    """What is counted has a singular, or stands before its number."""
    for cell in code_cells(notebook):
        for found in ONE_OF_MANY.findall(unescape("\n".join(texts(cell.outputs)))):
            yield f"cell {cell.execution_count} shows {found!r}; write its noun first"


def uncited(notebook):
    """Every paper a chapter links to is in the bibliography."""
    bibliography = (ROOT / "book" / "references.bib").read_text()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for link in PAPER.findall(cell.source):
                if f"{{{link.removeprefix('https://doi.org/')}}}" not in bibliography:
                    yield f"{link} is not a doi or url of any entry in book/references.bib"


def test_every_source_in_the_bibliography_is_cited():
    """In a chapter or another page, by its link."""
    listed = parse_file(ROOT / "book" / "references.bib").entries
    pages = [path for path in (ROOT / "book").glob("*.md") if path.name != "bibliography.md"]
    text = "".join(path.read_text("utf-8") for path in [*CHAPTERS, *pages])
    sources = {
        key: entry.fields.get("doi") or entry.fields.get("url", "") for key, entry in listed.items()
    }
    assert [key for key, link in sources.items() if not link or link not in text] == []


CHECKS = [
    not_executed,
    without_outputs,
    failed,
    skipped,
    unchecked,
    long_cells,
    dense_cells,
    pooled,
    too_large,
    machine_paths,
    on_stderr,
    not_normal,
    without_text,
    unshowable,
    hidden_leads,
    wrapped_bars,
    one_of_many,
    uncited,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter(path, check):
    notebook = nbformat.read(path, as_version=4)
    assert list(check(notebook)) == []


def test_there_are_chapters():
    assert CHAPTERS[0].name == "00_start_here.ipynb" and len(CHAPTERS) > 1


def test_every_chapter_is_in_the_table_of_contents():
    def files(entry):
        if isinstance(entry, list):
            return {file for item in entry for file in files(item)}
        if isinstance(entry, dict):
            return {file for key, item in entry.items() for file in files(item)} | (
                {entry["file"]} if "file" in entry else set()
            )
        return set()

    listed = files(yaml.safe_load((ROOT / "book" / "_toc.yml").read_text()))
    assert {f"chapters/{path.stem}" for path in CHAPTERS} == {
        file.removesuffix(".ipynb") for file in listed if file.startswith("chapters/")
    }


# What the checks find.


TEN = "\n".join(["x = 1"] * 10)
GOOD = book(
    code("x = 1\nprint(x)", stream("1\n")),
    text(),
    code("train()", stream("100%\n", "stderr"), tags=[IGNORE], count=2),
    code("assert x < 2", count=3),
)
BAD = {
    "never run": (not_executed, book(code("x = 1", count=None))),
    "run twice": (not_executed, book(code("x = 1", count=2))),
    "run out of order": (not_executed, book(code("x", count=2), text(), code("y", count=1))),
    "outputs cleared": (without_outputs, book(code("print(1)"))),
    "an error": (
        failed,
        book(code("1/0", new_output("error", ename="ZeroDivisionError", evalue="", traceback=[]))),
    ),
    "a skipped cell": (skipped, book(code("x", tags=["nbval-skip"]))),
    "skipped by comment": (skipped, book(code("# NBVAL_SKIP\nx"))),
    "allowed to fail": (skipped, book(code("x", tags=["raises-exception"]))),
    "failing by comment": (skipped, book(code("#NBVAL_RAISES_EXCEPTION\nx"))),
    "opts out last": (unchecked, book(code("x", tags=[IGNORE]))),
    "opts out by comment": (unchecked, book(code("# NBVAL_IGNORE_OUTPUT\nx"), text(), code("y"))),
    "opts out in old words": (unchecked, book(code("# PYTEST_VALIDATE_IGNORE_OUTPUT\nx"))),
    "asserts the certain": (unchecked, book(code("x", tags=[IGNORE]), code("assert True"))),
    "says assert only": (unchecked, book(code("x", tags=[IGNORE]), code("# assert x > 0\nx"))),
    "21 lines": (long_cells, book(code("\n\n".join(["x = 1"] * 21)))),
    "ten lines in the middle": (dense_cells, book(code(TEN, tags=["hide-input"]))),
    "ten lines unfolded": (
        dense_cells,
        book(code("x = 1", tags=["hide-cell"]), text(), code(TEN, count=2)),
    ),
    "models as one": (pooled, book(code("rate(\n    torch.cat([m(x) for m in models])\n)"))),
    "an empty cell": (long_cells, book(code("  \n"))),
    "2 MB": (too_large, book(code("x", stream("y" * 2_000_000)))),
    "a path in a stream": (machine_paths, book(code("x", stream("saved to /home/ada/model.pt")))),
    "a path in a page": (machine_paths, book(code("x", html("<b>/tmp/ipykernel_1/2.py</b>")))),
    "a warning": (on_stderr, book(code("x", stream("UserWarning: old", "stderr"), tags=[IGNORE]))),
    "stderr compared": (on_stderr, book(code("x", stream("100%", "stderr")))),
    "timestamps": (not_normal, new_notebook(cells=[text()], metadata={"toc": {}})),
    "code without text": (without_text, book(code("x"), code("y", count=2))),
    "ends in code": (without_text, new_notebook(cells=[text("# Title"), code("x")])),
    "a dead citation": (unshowable, book(text("As {cite:t}`shannon1948` says."))),
    "a lead as text": (hidden_leads, book(text("What this chapter cannot show. A toy."))),
    "a long bar": (
        wrapped_bars,
        book(code("x", html(f'<pre class="ott-pre">a 1.00 {"█" * 32}</pre>'))),
    ),
    "one things": (one_of_many, book(code("x", stream("11 rounds  0.5\n1 rounds  0.1\n")))),
    "an unknown paper": (uncited, book(text("As [X](https://arxiv.org/abs/0000.00000) says."))),
    "a dead term": (unshowable, book(text("A {term}`token` is a word."))),
}


def test_a_good_notebook_passes():
    assert [complaint for check in CHECKS for complaint in check(GOOD)] == []


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_is_found(fault):
    check, notebook = BAD[fault]
    assert len(list(check(notebook))) == 1


def test_every_check_is_shown_a_fault():
    assert {check for check, _ in BAD.values()} == set(CHECKS)


def test_a_cell_that_only_the_site_folds_is_found():
    notebook = book(code("x", html("<b>3</b>"), tags=["hide-input"]))
    assert list(not_normal(notebook)) == []
    del notebook.cells[1].metadata["jupyter"]
    assert list(not_normal(notebook)) == ["is not as make refresh leaves it"]


def test_a_stored_widget_model_is_found():
    notebook = book(code("x"))
    notebook.cells[1].outputs = [html("<b>3</b>", **{WIDGET_VIEW: {"model_id": "1"}})]
    assert next(not_normal(notebook)).startswith("stores a widget's model")
