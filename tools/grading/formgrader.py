"""`make formgrader`: nbgrader's pages for grading by hand, in a server for the teacher."""

import os
import sys
from pathlib import Path

from tools import lab


def formgrader(course, host, port):
    """Become a Jupyter server whose files are the course and whose first page is Formgrader's.

    What `make lab` has set for readers of the book, nbgrader's buttons left out, does not hold.
    """
    settings = Path(os.environ.get("JUPYTER_CONFIG_DIR", course.root / ".jupyter"))
    os.environ["JUPYTER_CONFIG_DIR"] = str(settings.with_name(settings.name + "-teacher"))
    os.environ["GRADEBOOK"] = course.url
    token = lab.access_token(os.environ)
    free = lab.free_port(host, port)
    if free != port:
        print(f"Port {port} is taken; using {free}.")
    print(f"Formgrader is ready in a few seconds at {lab.address(host, free, PAGE, token)}")
    print("Stop it with Ctrl-C, twice. You may grade meanwhile.", flush=True)
    os.chdir(course.root)  # where nbgrader looks for its configuration
    browser = lab.has_display(os.environ)
    os.execv(sys.executable, lab.server(course.root, PAGE, host, free, browser=browser))


PAGE = "formgrader/gradebook"
