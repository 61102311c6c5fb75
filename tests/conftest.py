"""What several tests share: a browser, a page in it that must not complain, an open folder."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
BROWSER_FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items):
    """Whatever asks for a browser is marked, so that `make check` can do without."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture
def page(browser):
    """An empty page; whatever a script complained about fails the test."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    page.close()
    assert complaints == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium or Chrome with a fresh profile, as a Playwright `Browser`.

    One per module, not per session: while it is open, Playwright's event loop counts as running in
    this thread, and tests that bring a loop of their own must not meet it.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright, tmp_path_factory.mktemp("home"))
        if browser is None:
            without_browser()
        yield browser
        browser.close()


@pytest.fixture
def open_folder():
    """A folder that everybody on the machine may look into, as pytest's own may not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def launch(playwright, home):
    """The browser, which leaves its files in `home`; None if this machine has none."""
    executable = find_browser(playwright.chromium.executable_path)
    root = sys.platform == "linux" and os.getuid() == 0  # its sandbox refuses to run as root
    names = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    return executable and playwright.chromium.launch(
        executable_path=executable,
        args=BROWSER_FLAGS + ["--no-sandbox"] * root,
        env={**os.environ, **dict.fromkeys(names, str(home))},
    )


def find_browser(own):
    """The path of the installed browser, else of Playwright's own if that was downloaded."""
    for name in (*BROWSERS, own):
        path = shutil.which(name)
        if path:
            return path
    return None


def without_browser():
    reason = "no Chromium or Chrome on this machine; install one to run the tests in a browser"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
