"""What `make refresh` makes of outputs."""

import re

import pytest

from tests.notebooks import html, stream
from tools.refresh import WIDGET_VIEW, normal_outputs


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
