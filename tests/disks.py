"""Disks that fail while a test writes to them: full, not ours to write to, or left by a kill."""

import os
import resource
import signal
from contextlib import contextmanager


@contextmanager
def filling_up(size=1000):
    """The system refuses to let a file grow beyond so many bytes: "File too large"."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def nobody():
    """Without the rights of an administrator, who may write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@contextmanager
def locked(*folders):
    """A disk that can only be read, so far as these folders show it."""
    rights = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(0o555)
    try:
        with nobody():
            yield
    finally:
        for folder in folders:
            folder.chmod(rights[folder])


def killed_at(moment, write, *, of=os):
    """Call `write` in another process, which is killed when it calls `os.<moment>`; of: or another
    module's."""
    child = os.fork()
    if child == 0:
        try:
            setattr(of, moment, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
            write()
        finally:
            os._exit(1)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == -signal.SIGKILL, f"it ended by {ended}, without calling {of.__name__}.{moment}"
