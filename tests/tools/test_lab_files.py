"""Reading the book in JupyterLab changes none of its files, wherever they lie, and opens no source.

The chapters are stored as JupyterLab writes them, so that a reader who has only looked finds git
clean. Pages that chapters link to are shown, not put into an editor.
"""

import os
import re
import shutil
import sys
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.places import ROOT
from tests.servers import running
from tests.sites import PHONE
from tests.tools.test_environment import ODD
from tools import environment

PAGES = sorted(path.stem for path in (ROOT / "book").glob("*.md"))
AT_THE_TOP = """(term) => {
  const page = document.querySelector(".jp-MarkdownViewer");
  const found = [...(page?.querySelectorAll("dt") ?? [])].find((dt) => dt.textContent === term);
  if (!found) return false;
  const below = found.getBoundingClientRect().top - page.getBoundingClientRect().top;
  return -1 < below && below < 100;  // pixels; a page scrolls by whole ones
}"""
TO_THE_END = """() => {
  const terms = document.querySelectorAll(".jp-MarkdownViewer dt");
  terms[terms.length - 1].scrollIntoView();
}"""  # at once: JupyterLab may set the page anew between finding a term and scrolling to it
CHAPTER = "my notes/01? #2.ipynb"  # has folded outputs, numbers as data, and links


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A small book in an oddly named folder, with a chapter in another."""
    root = tmp_path_factory.mktemp("a book") / ODD
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("_ext"))
    (root / CHAPTER).parent.mkdir()
    shutil.copy(ROOT / "chapters" / "01_markov_chains.ipynb", root / CHAPTER)
    return root


@pytest.fixture(scope="module")
def address(root):
    environ = environment.variables(str(root), os.environ) | {"SSH_TTY": "opens no browser"}
    environ["JUPYTER_TOKEN"] = ""  # to Jupyter that is none, and it would make up its own
    script = [sys.executable, ROOT / "tools/lab.py"]
    # far from where the servers of other tests begin to look for a port, maybe at this moment
    command = [*script, "--root", root, "--host", "127.0.0.1", "--port", "9388", CHAPTER]
    with running(command, cwd=root, env=environ) as address:
        yield address


@pytest.fixture
def lab(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page, lambda name: page.goto(address.replace(quote(CHAPTER), quote(name)) + "&reset")
    page.close()


def stores_a_file(answer):
    """And not how the windows lie, which JupyterLab stores in the same way."""
    return answer.request.method == "PUT" and "/api/contents/" in answer.url and answer.ok


def test_opening_and_saving_a_chapter_changes_nothing(lab, root):
    page, visit = lab
    visit(CHAPTER)
    page.locator(".jp-Notebook .jp-MarkdownCell h1").first.wait_for(timeout=60_000)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
    page.wait_for_timeout(1000)  # what the kernel says of itself is stored, if it differs
    assert page.locator(".jp-mod-dirty").count() == 0
    before = (root / CHAPTER).stat()
    page.locator(".jp-Notebook").first.click(position={"x": 5, "y": 5})
    with page.expect_response(stores_a_file):
        page.keyboard.press("ControlOrMeta+s")
    assert (root / CHAPTER).stat().st_mtime_ns > before.st_mtime_ns
    stored = ROOT / "chapters" / "01_markov_chains.ipynb"
    assert (root / CHAPTER).read_bytes() == stored.read_bytes()


def test_a_link_to_the_glossary_shows_the_term(lab):
    """At the top, whether the page is opened anew or was open, scrolled to elsewhere."""
    page, visit = lab
    visit(CHAPTER)
    place = "[href*='/files/book/glossary.md'][href$='#markov-chain']"  # where it is resolved
    link = page.locator(f".jp-Notebook a{place}").first
    link.wait_for(timeout=60_000)
    shown = page.locator(".jp-MarkdownViewer")
    for _ in range(2):
        page.get_by_role("tab", name=re.compile("ipynb")).click()
        link.click()
        page.wait_for_function(AT_THE_TOP, arg="Markov chain", timeout=30_000)
        page.evaluate(TO_THE_END)
    expect(shown.locator("dt", has_text="attention").first).to_be_visible(timeout=30_000)
    meanings = re.findall("^: ", (ROOT / "book" / "glossary.md").read_text("utf-8"), re.MULTILINE)
    assert shown.locator("dt").count() == shown.locator("dd").count() == len(meanings)


@pytest.mark.slow
def test_on_a_phone_the_chapter_has_the_screen(lab):
    page, visit = lab
    page.set_viewport_size({"width": PHONE, "height": 844})
    visit(CHAPTER)
    title = page.locator(".jp-Notebook .jp-MarkdownCell h1").first
    title.wait_for(timeout=60_000)
    expect(page.locator(".jp-FileBrowser")).to_be_hidden(timeout=30_000)
    assert title.bounding_box()["width"] > PHONE / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_each_page_of_the_book_can_be_read(lab, name):
    page, visit = lab
    visit(f"book/{name}.md")
    shown = page.locator(".jp-MarkdownViewer")
    shown.locator("h1").wait_for(timeout=60_000)
    text = shown.inner_text()
    assert not any(
        markup in text for markup in ("Unknown", ":::", "{div}", "{term}", "{doc}", "</")
    )
    for picture in shown.locator("img").all():
        picture.wait_for(timeout=30_000)
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    if name == "intro":
        assert shown.locator("img").count() == 1 and "A picture of the player" in text
        assert "The first chapter has the answer" in text
    if name == "bibliography":
        entries = (ROOT / "book" / "references.bib").read_text("utf-8").count("\n@")
        assert shown.locator("li").count() == entries > 40
    if name == "claims":
        assert "Each word cuts what can still be said" in text and "holds with limits" in text
