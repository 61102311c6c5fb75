"""Building the site, for tests that visit it."""

import os
import subprocess
import sys
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import yaml

from tests.places import ROOT

TOC = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(page["file"] for part in TOC["parts"] for page in part["chapters"])]
PHONE, DESK = 390, 1280  # pixels

# The size of the lettering in every figure of a page, in pixels as displayed. Letters are shapes,
# a hundred units high before they are scaled; an exponent counts with its base. On the site those
# of a text are one shape, of 64 times as many units.
LETTERING = """() => [
  ...[...document.querySelectorAll(".ott-figure svg g[transform*=scale]")]
    .filter((text) => text.querySelector("use")).map((text) => [text, 100]),
  ...[...document.querySelectorAll(".ott-figure svg path[transform$=' scale(0.015625)']")]
    .map((text) => [text, 6400]),
].filter(([text]) => text.checkVisibility()).map(([text, high]) => {
  const { a, b } = text.getScreenCTM();
  return high * Math.hypot(a, b);
})"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def build(root, directory, base="", repo=""):
    command = [sys.executable, str(Path(root) / "tools" / "site.py"), "build", str(directory)]
    environment = {**os.environ, "BASE": base, "REPO": repo, "BRANCH": ""}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
