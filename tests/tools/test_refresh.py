"""What `make refresh` makes of outputs."""

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_notebook

from tests.notebooks import book, code, html, stream
from tools.refresh import WIDGET_VIEW, normal_outputs, normalise, refresh


def test_a_widget_leaves_its_page():
    outputs = normal_outputs([html("<b>3</b>", **{WIDGET_VIEW: {"model_id": "1"}})])
    assert outputs[0].data == {"text/html": "<b>3</b>"}


def test_streams_are_put_together_and_kept_apart():
    outputs = normal_outputs([stream("a"), stream("!", "stderr"), html("<b>"), stream("b\n")])
    assert [o.get("text") for o in outputs] == ["ab\n", "!", None]


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


def test_the_form_can_be_had_without_running(tmp_path):
    notebook = book(code("1/0", html("<b>")))
    notebook.cells[1].outputs[0].data[DATA] = {"n": 1.0}
    path = tmp_path / "a.ipynb"
    nbformat.write(notebook, path)
    assert refresh(path, run=False) and not refresh(path, run=False)
    assert path.read_text(encoding="utf-8") == nbformat.writes(normalise(notebook)) + "\n"
