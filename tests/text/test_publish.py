from types import SimpleNamespace

import IPython
import pytest

from utils.text.publish import in_kernel, publish

BUNDLE = {"text/plain": "words", "text/html": "<b>words</b>"}


def test_outside_ipython_the_text_is_printed(capsys):
    publish(BUNDLE)
    assert capsys.readouterr().out == "words\n"


def test_in_ipython_all_forms_go_into_one_output(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(IPython, "get_ipython", SimpleNamespace)
    monkeypatch.setattr(IPython.display, "display", lambda *a, **more: shown.append((a, more)))
    publish(BUNDLE)
    assert shown == [((BUNDLE,), {"raw": True})] and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("shell", "kernel"),
    [(None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)],
)
def test_widgets_have_someone_to_talk_to_in_a_kernel_alone(monkeypatch, shell, kernel):
    """Not in a script, and not in IPython's own terminal."""
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert in_kernel() == kernel
