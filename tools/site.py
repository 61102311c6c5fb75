"""Build the site from the notebooks' stored outputs, or serve it on this machine.

    python tools/site.py build [directory]    renders it into directory/_build/html
    python tools/site.py serve [directory]    serves what is there

The directory is the repository's own unless one is given. Nothing is executed or downloaded, and a
warning is an error; then, or where a disk is full, the site stays as it was. BASE in the
environment is the address at which the site will stand, if that is known: it goes into canonical
links, the sitemap and what is shown where an address is shared. REPO is the address of the
repository on GitHub, and BRANCH its branch, if not `main`: with it each chapter links to itself on
Binder and in Colab.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from utils.text.printing import run_program

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8000

FRONT_DOOR = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>One Token at a Time?</title>
<meta http-equiv="refresh" content="0; url=book/intro.html">
<link rel="icon" href="_static/favicon.svg">
<link rel="canonical" href="book/intro.html">
</head>
<body><a href="book/intro.html">One Token at a Time?</a></body>
</html>
"""


def build(directory: Path) -> None:
    from jupyter_book.sphinx import build_sphinx

    print("Rendering the site from stored outputs; about a quarter of a minute.", flush=True)
    start = time.perf_counter()
    html, new, old = places(directory)
    for left in (new, old):  # by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    failed = build_sphinx(
        ROOT,
        new,
        noconfig=True,
        path_config=ROOT / "_config.yml",
        confoverrides={
            "external_toc_path": str(ROOT / "book" / "_toc.yml"),
            "latex_individualpages": False,
            "html_baseurl": base_address(),
        },
        freshenv=True,
        warningiserror=True,
        keep_going=True,
        quiet=True,
    )
    if failed:
        sys.exit("The site was not finished: see the warnings above.")
    (new / "index.html").write_text(FRONT_DOOR, encoding="utf-8")
    if html.exists():
        html.rename(old)
    new.rename(html)
    shutil.rmtree(old, ignore_errors=True)
    seconds = time.perf_counter() - start
    pages = sum("_static" not in page.parts for page in html.rglob("*.html"))
    print(f"{pages} pages in {os.path.relpath(html)}, {seconds:.0f} s. To look at them: make serve")


def places(directory: Path) -> tuple[Path, Path, Path]:
    """Where the site is, and where the next and the last one are for now. Whoever was killed just
    between putting one away and putting the other in its place gets the last one back."""
    html, new, old = (directory / "_build" / name for name in ("html", "html.new", "html.old"))
    if old.exists() and not html.exists():
        old.rename(html)
    return html, new, old


def base_address() -> str:
    """BASE, with a slash at its end; "" where it is not set."""
    base = os.environ.get("BASE", "").strip()
    if base and not re.fullmatch(r"https?://[^\s/?#\"'<>]+(/[^\s?#\"'<>]*)?", base):
        sys.exit(
            f"BASE is {base!r}; give the site's whole address, such as https://example.org/book/"
        )
    return base and base.rstrip("/") + "/"


class Pages(SimpleHTTPRequestHandler):
    """The site's files, and its own page where there is none."""

    def send_error(self, code, message=None, explain=None):
        lost = Path(self.directory) / "404.html"
        if code != 404 or not lost.exists():
            return super().send_error(code, message, explain)
        page = lost.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)


def serve(directory: Path) -> None:
    html = places(directory)[0]
    if not (html / "index.html").exists():
        sys.exit(f"There is no site in {html}. Build it first: make site")
    handler = partial(Pages, directory=str(html))
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), handler)
            break
        except OSError:  # taken: try the next
            continue
    else:
        sys.exit(f"No free port from {FIRST_PORT} to {FIRST_PORT + 99}.")
    print(f"The site is at http://127.0.0.1:{port}/ (Ctrl-C ends it)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("build", "serve"))
    parser.add_argument("directory", nargs="?", type=Path, default=ROOT)
    asked = parser.parse_args()
    try:
        {"build": build, "serve": serve}[asked.command](asked.directory.resolve())
    except OSError as error:
        sys.exit(f"The site was not finished: {error}")


if __name__ == "__main__":
    run_program(main)
