"""A chapter in JupyterLab, as `make lab` opens it: it looks right, it runs, and its knobs turn."""

import os
import sys
import urllib.request

import nbformat
import pytest
from playwright.sync_api import expect

from tests.places import ROOT
from tests.servers import running
from tools import environment

CHAPTER = "chapters/05_text_diffusion.ipynb"
RUNS_WITHIN = 300
LAST_WORDS = "the last cell has run"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A copy of one chapter, which we can save: with its outputs, but marked as not run."""
    root = tmp_path_factory.mktemp("a book")
    (root / "chapters").mkdir()
    notebook = nbformat.read(ROOT / CHAPTER, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = None
    notebook.cells.append(nbformat.v4.new_code_cell(f"print({LAST_WORDS.upper()!r}.lower())"))
    nbformat.write(notebook, root / CHAPTER)
    return root


@pytest.fixture(scope="module")
def address(root):
    """The address of a running server."""
    environ = environment.variables(str(root), os.environ) | {"SSH_TTY": "opens no browser"}
    script = [sys.executable, ROOT / "tools/lab.py"]
    command = [*script, "--root", root, "--host", "127.0.0.1", CHAPTER]
    with running(command, cwd=root, env=environ) as address:
        yield address


@pytest.fixture(scope="module")
def lab(browser, address):
    """The chapter open in JupyterLab, with what the page asked for and complained about."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: message.type == "error" and page.complaints.append(message.text),
    )
    page.goto(address)
    page.locator(".jp-Notebook .jp-MarkdownCell h1").first.wait_for(timeout=60_000)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
    yield page
    page.close()


@pytest.mark.slow
def test_only_who_has_the_token_gets_in(address):
    without_token = address.partition("?")[0]
    with urllib.request.urlopen(without_token, timeout=10) as answer:
        assert "/login" in answer.url


def test_the_teachers_tools_are_not_in_the_readers_way(lab, address):
    assert lab.get_by_role("menuitem", name="Run", exact=True).count() == 1
    assert lab.get_by_role("menuitem", name="Nbgrader").count() == 0
    host = address.partition("/lab/")[0]
    assert lab.request.get(f"{host}/lab/api/settings").status == 200
    for page in ("formgrader/gradebook", "assignments", "courses", "nbgrader_version"):
        assert lab.request.get(f"{host}/{page}").status == 404


def test_stored_players_run(lab):
    lab.locator(".jp-OutputArea .ott-player button").first.wait_for(state="attached")


def test_exercises_show_and_their_solutions_are_folded(lab):
    text = lab.locator(".jp-Notebook").inner_text()
    assert "```" not in text and "{exercise}" not in text
    solution = lab.locator("details", has_text="Solution to Exercise").first
    assert solution.get_attribute("open") is None
    solution.locator("summary").click(position={"x": 5, "y": 5})
    expect(solution).to_have_attribute("open", "")


def test_mathematics_is_set(lab):
    assert lab.locator(".jp-MarkdownCell .katex").count() > 3
    assert lab.locator(".jp-MarkdownCell .katex-error").count() == 0


def test_every_cell_runs(lab, address):
    lab.get_by_role("menuitem", name="Run", exact=True).click()
    lab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    failed = lab.locator("[data-mime-type='application/vnd.jupyter.error']")
    lab.get_by_text(LAST_WORDS, exact=True).or_(failed).first.wait_for(
        state="attached", timeout=RUNS_WITHIN * 1000
    )
    assert failed.all_text_contents() == []
    lab.keyboard.press("ControlOrMeta+s")
    lab.locator(".jp-mod-dirty").wait_for(state="detached")
    saved = lab.request.get(address.replace("/lab/tree/", "/api/contents/")).json()["content"]
    counts = [c["execution_count"] for c in saved["cells"] if c["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_a_knob_turns(lab):
    """After the run the controls are widgets, whose answers come from the kernel."""
    knobs = lab.locator(".jp-OutputArea .widget-vbox").last
    shown = knobs.locator(".jp-OutputArea")
    before = shown.inner_text()
    knobs.locator(".widget-toggle-button:not(.mod-active)").first.click()
    lab.wait_for_function(
        "([element, before]) => element.innerText !== before && element.innerText.trim()",
        arg=[shown.element_handle(), before],
    )


def test_no_other_host_was_asked_and_nothing_was_amiss(lab, address):
    own = address.partition("/lab/")[0]
    foreign = [url for url in lab.asked if not url.startswith((own, "data:", "blob:"))]
    assert foreign == []
    assert lab.complaints == []
