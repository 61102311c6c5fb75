"""`make formgrader`: a teacher gives points in a browser, and they are in the gradebook."""

import os
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from tests.grading import small_course as small
from tests.grading.small_course import NAME, POINTS
from tests.places import ROOT
from tests.servers import running
from tools import environment, lab
from tools.grading import grade, sandbox


@pytest.fixture
def course(tmp_path):
    if not os.environ.get("CI") and (reason := sandbox.unavailable()):
        pytest.skip(reason)
    course = small.make(tmp_path / "a course? #1 % ; & 'a'")
    small.submit(course, "alice")
    small.run(course)
    return course


@pytest.fixture
def address(course, tmp_path):
    """The address that the command prints, where `make lab` has run before."""
    environ = environment.variables(str(tmp_path), os.environ)
    lab.prepare(tmp_path, environ)
    environ |= {"SSH_TTY": "opens no browser", "COURSE": str(course.root), "HOST": "127.0.0.1"}
    command = [sys.executable, "-m", "tools.grading", "formgrader"]
    with running(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL) as address:
        yield address


def test_points_given_by_hand_are_in_the_gradebook_and_stay(course, address, browser):
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("tbody")).to_contain_text(NAME, timeout=30_000)
    page.goto(address.partition("?")[0] + f"/{NAME}/{NAME}")
    page.locator("a[href*=submissions]").first.click(timeout=30_000)
    scores = page.locator("input.score")
    expect(scores).to_have_count(len(POINTS) + 1, timeout=30_000)
    expect(scores.first).to_have_attribute(
        "placeholder", "4", timeout=30_000
    )  # its script is there
    scores.last.fill("1.5")
    scores.last.press("Tab")
    for _ in range(60):  # until it is stored
        if small.marks(course, "alice")["explain"][1] is not None:
            break
        page.wait_for_timeout(500)
    page.close()
    assert small.marks(course, "alice")["explain"] == (None, 1.5, False)
    grade.grade(course, limits=small.LIMITS, force=True)
    assert small.marks(course, "alice")["explain"] == (None, 1.5, False)
