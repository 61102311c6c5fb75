"""Building the site, for tests that visit it."""

import os
import subprocess
import sys
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

PHONE, DESK = 390, 1280  # pixels

# The size of the lettering in every figure of a page, in pixels as displayed. Letters are shapes,
# a hundred units high before they are scaled; an exponent counts with its base.
LETTERING = """() => [...document.querySelectorAll(".ott-figure svg g[transform*=scale]")]
  .filter((text) => text.checkVisibility() && text.querySelector("use"))
  .map((text) => { const { a, b } = text.getScreenCTM(); return 100 * Math.hypot(a, b); })"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def build(root, directory, base="", repo=""):
    command = [sys.executable, str(Path(root) / "tools" / "site.py"), "build", str(directory)]
    environment = {**os.environ, "BASE": base, "REPO": repo, "BRANCH": ""}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
