"""Writing a file so that whatever happens it is the old one or the new one, whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path | str, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path`, replacing what is there in one step.

    It is first written in full beside it, under a name that begins with ".new-": an interruption, a
    full disk or a crash leaves the old file as it was. Raises OSError if it cannot be written.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, new = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # on the disk, before the name points to it
        os.chmod(new, path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
