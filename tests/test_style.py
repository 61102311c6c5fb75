"""Modules, tests and notebooks alike are formatted and linted by ruff, as pyproject.toml says."""

import subprocess
import sys

import pytest

from tests.places import ROOT


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_ruff_has_nothing_to_say(command):
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", *command.split(), "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout
