"""Building the site, for tests that visit it."""

import os
import subprocess
import sys
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

PHONE, DESK = 390, 1280  # pixels


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def build(root, directory, base=""):
    command = [sys.executable, str(Path(root) / "tools" / "site.py"), "build", str(directory)]
    environment = {**os.environ, "BASE": base}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
