import os
import signal
import stat
import time

import pytest

from tests.disks import filling_up, locked, nobody
from utils.text.files import write_whole


def test_text_and_bytes_replace_what_was_there(tmp_path):
    path = tmp_path / "page.txt"
    write_whole(path, "Grüße, 你好\n")
    assert path.read_bytes() == "Grüße, 你好\n".encode()  # the same on every system
    write_whole(str(path), b"\x00\r\n")
    assert path.read_bytes() == b"\x00\r\n" and os.listdir(tmp_path) == ["page.txt"]


def test_a_new_file_has_the_rights_that_any_new_file_has(tmp_path):
    """Not those of a temporary one, which nobody else may read."""
    (tmp_path / "other").touch()
    write_whole(tmp_path / "new", "")
    rights = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "new")]
    assert rights[0] == rights[1]


def test_a_file_keeps_its_rights(tmp_path):
    path = tmp_path / "script"
    path.touch()
    path.chmod(0o750)
    write_whole(path, "#!/bin/sh\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


@pytest.mark.parametrize("moment", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_goes_wrong_the_old_file_is_whole_and_alone(tmp_path, monkeypatch, moment, error):
    path = tmp_path / "page.txt"
    path.write_text("old")

    def fail(*_):
        raise error

    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(os, moment, fail)
        write_whole(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["page.txt"]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """A computer that stops in between is left with the old file, and not with an empty one."""
    order = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (order.append(n), r(*a))[1])
    write_whole(tmp_path / "page.txt", "new")
    assert order == ["fsync", "replace"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        write_whole(tmp_path / "missing" / "page.txt", "")


def test_what_is_too_large_for_memory_is_written_by_a_function(tmp_path):
    path = tmp_path / "weights"
    write_whole(path, lambda new: new.write_bytes(b"123"))
    assert path.read_bytes() == b"123" and os.listdir(tmp_path) == ["weights"]
    with pytest.raises(ZeroDivisionError):
        write_whole(path, lambda new: new.write_bytes(b"4") / 0)
    assert path.read_bytes() == b"123" and os.listdir(tmp_path) == ["weights"]


@pytest.mark.parametrize(
    "content", [b"x" * 2000, "é" * 1000, lambda new: new.write_bytes(b"x" * 2000)]
)
def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path, content):
    """The system refuses to write more than a thousand bytes."""
    path = tmp_path / "page.txt"
    path.write_text("old")
    with filling_up(1000), pytest.raises(OSError, match=f"File too large: '{path}'$"):
        write_whole(path, content)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["page.txt"]


def test_killed_while_writing_the_old_file_is_whole_and_the_rest_is_cleared_away(tmp_path):
    path = tmp_path / "page.txt"
    path.write_text("old")
    child = os.fork()
    if child == 0:
        write_whole(path, lambda new: (new.write_text("ne"), os.kill(os.getpid(), signal.SIGKILL)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert path.read_text() == "old"
    (left,) = tmp_path.glob(".new-*")
    write_whole(path, "new")
    assert path.read_text() == "new" and left.exists()  # whoever wrote it may still be alive
    os.utime(left, (time.time() - 7200,) * 2)
    write_whole(path, "newer")
    assert os.listdir(tmp_path) == ["page.txt"] and path.read_text() == "newer"


@pytest.mark.parametrize("content", ["new", lambda new: new.write_text("new")])
def test_a_locked_folder_is_told_by_the_name_that_was_given(open_folder, content):
    """And not by the passing one of what is written first."""
    path = open_folder / "page.txt"
    path.write_text("old")
    with locked(open_folder), pytest.raises(PermissionError, match=f"denied: '{path}'$"):
        write_whole(path, content)
    assert path.read_text() == "old" and os.listdir(open_folder) == ["page.txt"]


def test_a_folder_that_cannot_be_listed_can_be_written_to(open_folder):
    open_folder.chmod(0o333)
    with nobody():
        write_whole(open_folder / "page.txt", "new")
    assert (open_folder / "page.txt").read_text() == "new"


def test_a_name_that_is_taken_by_a_folder_is_told_alone(tmp_path):
    (tmp_path / "page.txt").mkdir()
    with pytest.raises(IsADirectoryError, match=f"Is a directory: '{tmp_path / 'page.txt'}'$"):
        write_whole(tmp_path / "page.txt", "new")
    assert os.listdir(tmp_path) == ["page.txt"]


def test_what_the_writer_could_not_read_keeps_its_name(tmp_path):
    missing = tmp_path / "source"
    with pytest.raises(FileNotFoundError, match=f"'{missing}'$"):
        write_whole(tmp_path / "page.txt", lambda new: new.write_bytes(missing.read_bytes()))
