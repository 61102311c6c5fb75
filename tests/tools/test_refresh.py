"""What `make refresh` makes of outputs."""

import json
import re
import sys

import nbformat
import pytest
from nbformat.v4 import new_notebook

from tests.disks import filling_up, killed_at, locked
from tests.notebooks import book, code, html, stream
from tools import refresh as command
from tools.refresh import WIDGET_VIEW, normal_outputs, normalise, refresh


def test_a_widget_leaves_its_page():
    outputs = normal_outputs([html("<b>3</b>", **{WIDGET_VIEW: {"model_id": "1"}})])
    assert outputs[0].data == {"text/html": "<b>3</b>"}


def test_streams_are_put_together_and_kept_apart():
    outputs = normal_outputs([stream("a"), stream("!", "stderr"), stream("b\n"), html("<b>")])
    assert [o.get("text") for o in outputs] == ["ab\n", "!", None]


def test_what_is_printed_above_a_table_stays_above_it():
    first, second, bar = stream("left alone:\n"), stream("forced:\n"), stream("\r100%", "stderr")
    outputs = normal_outputs([stream("\r 50%", "stderr"), first, html("1"), bar, second, html("2")])
    shown = [o.get("text") or o.data["text/html"] for o in outputs]
    assert shown == ["100%", "left alone:\n", "1", "forced:\n", "2"]
    assert normal_outputs(outputs) == outputs


@pytest.mark.parametrize(
    "written, seen",
    [
        ("\r  0%|\r 50%|\r100%|#| 2/2\n", "100%|#| 2/2\n"),
        ("start\r\nend\n", "start\nend\n"),
        ("one\n 10%\r 20%\r", "one\n 20%"),
        ("plain\n", "plain\n"),
    ],
)
def test_of_a_progress_bar_its_end_is_kept(written, seen):
    outputs = normal_outputs([stream(piece, "stderr") for piece in re.findall(".", written, re.S)])
    assert [o.text for o in outputs] == [seen]


def test_a_bar_that_removes_itself_leaves_nothing():
    assert normal_outputs([stream("\r 50%"), stream("\r     \r")]) == []


DATA = "application/vnd.one-token.claim+json"


def test_the_form_is_that_of_jupyterlab():
    """Which names a folded output twice, and has from its page one kind of number."""
    cell = code("x", html("<b>", **{DATA: {"n": 2.0, "of": [0.5, -0.0, True, "1.0"]}}))
    cell.metadata = nbformat.from_dict({"jupyter": {"outputs_hidden": True}, "editable": True})
    notebook = normalise(new_notebook(cells=[cell], metadata={"toc": {}}))
    assert notebook.metadata.kernelspec.display_name == "Python 3 (ipykernel)"
    assert "version" not in notebook.metadata.language_info and "toc" not in notebook.metadata
    assert notebook.cells[0].metadata == {"jupyter": {"outputs_hidden": True}, "collapsed": True}
    data = notebook.cells[0].outputs[0].data[DATA]
    assert json.dumps(data) == '{"n": 2, "of": [0.5, 0, true, "1.0"]}'


@pytest.mark.parametrize(
    "tag, source, outputs",
    [("hide-input", True, None), ("hide-output", None, True), ("hide-cell", True, True)],
)
def test_what_the_site_folds_is_folded_in_jupyterlab(tag, source, outputs):
    notebook = normalise(new_notebook(cells=[code("x", tags=[tag, "other"])]))
    metadata = notebook.cells[0].metadata
    assert metadata.jupyter.get("source_hidden") is source
    assert metadata.jupyter.get("outputs_hidden") is outputs
    assert metadata.get("collapsed") is outputs and metadata.tags == [tag, "other"]


def test_the_form_can_be_had_without_running(tmp_path):
    notebook = book(code("1/0", html("<b>")))
    notebook.cells[1].outputs[0].data[DATA] = {"n": 1.0}
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook, path)
    assert refresh(path, run=False) and not refresh(path, run=False)
    assert path.read_text(encoding="utf-8") == nbformat.writes(normalise(notebook)) + "\n"


# -- disks that fail -----------------------------------------------------------------------------


@pytest.fixture
def small(open_folder, monkeypatch):
    """A book of one chapter that is not in form and one page that is out of date, to be refreshed;
    `small()` does it as `make` does and returns the exit code."""
    for name in ("book", "chapters"):
        (open_folder / name).mkdir()
    notebook = new_notebook(cells=[code("x = 1")], metadata={"toc": "y" * 3000})
    notebook.cells[0].source = "x" * 3000
    nbformat.write(notebook, open_folder / "chapters" / "a.ipynb")
    (open_folder / "book" / "claims.md").write_text("old")
    monkeypatch.setattr(command, "ROOT", open_folder)
    monkeypatch.setattr(command, "PAGES", {"claims.md": lambda root: "new" * 1000})
    monkeypatch.setattr(sys, "argv", ["refresh.py", "--form-only"])
    return command.main


def stored(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("what", ["a full disk", "a locked folder"])
def test_what_cannot_be_written_is_one_line_and_stays(small, open_folder, capsys, what):
    before = stored(open_folder)
    chapter, page = open_folder / "chapters" / "a.ipynb", open_folder / "book" / "claims.md"
    for path in (chapter, page):
        if path == page:
            assert refresh(chapter, run=False)  # now only the page is left to be written
            before = stored(open_folder)
            capsys.readouterr()
        with filling_up(1000) if what == "a full disk" else locked(path.parent):
            assert small() == 1
        (line,) = capsys.readouterr().err.splitlines()
        said = "File too large" if what == "a full disk" else "Permission denied"
        assert path.name in line and said in line and str(path.parent) in line
        assert stored(open_folder) == before
    assert small() == 0
    assert page.read_text() == "new" * 1000


@pytest.mark.parametrize("moment", ["fsync", "chmod", "replace"])
def test_killed_it_leaves_each_file_old_or_new(small, open_folder, moment):
    before = stored(open_folder)
    killed_at(moment, small)
    after = stored(open_folder)
    assert {path: after[path] for path in before} == before
    assert small() == 0


def test_a_page_that_cannot_be_made_is_one_line(small, open_folder, monkeypatch, capsys):
    def torn(root):
        raise ValueError("there is no claim 'x'")

    monkeypatch.setattr(command, "PAGES", {"claims.md": torn})
    assert small() == 1
    assert capsys.readouterr().err == "book/claims.md: there is no claim 'x'\n"
    assert (open_folder / "book" / "claims.md").read_text() == "old"
