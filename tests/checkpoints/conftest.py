"""A folder with the checkpoints of `counting.py`, in place of the book's."""

import pytest

from tests.checkpoints import counting
from utils.checkpoints import __main__ as commands
from utils.checkpoints import making, store

WITH_FOLDER = (
    *(store.load_checkpoint, store.read_card, store.write_checkpoint, store.write_card),
    *(making.remake, making.stale, making.measure, making.rehearse, making.accept),
)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder, where from now on all checkpoints are kept, with recipes of their own."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(making, "RECIPES", counting.RECIPES)
    for module in (making, commands):
        monkeypatch.setattr(module, "NAMES", counting.NAMES)
    monkeypatch.setattr(store, "FOLDER", folder)
    for function in WITH_FOLDER:
        monkeypatch.setitem(function.__kwdefaults__, "folder", folder)
    return folder


@pytest.fixture
def folder(empty):
    """The same with `tiny` in it."""
    making.remake("tiny", progress=False)
    return empty


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
