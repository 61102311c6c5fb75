"""Writing a file so that whatever happens it is the old one or the new one, whole."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LEFT_OVER = 3600  # seconds after which nobody is still writing


def write_whole(path: Path | str, content: bytes | str | Callable[[Path], None]) -> None:
    """Write `content` (text as UTF-8) to `path`, replacing what is there in one step.

    content: or a function that is given a path and writes to it, for what is too large to be held
    in memory twice. It is first written in full beside it, under a name that begins with ".new-":
    an interruption, a full disk or a crash leaves the old file as it was. What a killed program
    left under such a name is removed an hour later, by the next that writes there. Raises OSError,
    with the file's name, if it cannot be written.
    """
    path = Path(path)
    _clear(path.parent)
    new = None
    try:
        handle, new = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            if callable(content):
                content(Path(new))
            else:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
                file.flush()
            os.fsync(file.fileno())  # on the disk, before the name points to it
        os.chmod(new, path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        os.replace(new, path)
    except BaseException as error:
        if new is not None:
            with suppress(OSError):  # then what went wrong before is what matters
                os.unlink(new)
        if isinstance(error, OSError) and (new is None or error.filename in (None, new)):
            error.filename = str(path)  # the reader knows no other name; a full disk gives none
            del error.filename2
        raise


def _clear(folder: Path) -> None:
    with suppress(OSError):  # a folder whose files cannot be listed
        for left in folder.glob(".new-*"):
            with suppress(OSError):  # another program may be doing the same
                if time.time() - left.stat().st_mtime > LEFT_OVER:
                    left.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
