"""tools/site.py on the command line; the site itself is tested in tests/book."""

import subprocess
import sys

import pytest

from tests.places import ROOT


@pytest.mark.parametrize(("given", "code"), [(["build", "--help"], 0), (["biuld"], 2), ([], 2)])
def test_what_is_asked_wrongly_builds_nothing(tmp_path, given, code):
    command = [sys.executable, ROOT / "tools" / "site.py", *given]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == code
    assert "build" in ended.stdout + ended.stderr
    assert not list(tmp_path.iterdir())
