"""The site, built once for each file of tests, and a visitor's browser that must not complain."""

import re
import threading
from functools import partial
from http.server import ThreadingHTTPServer

import pytest

from tests.places import ROOT
from tests.sites import DESK, Quiet, build

# Each player that is shown has taken the room it needs: nothing moves under a hand any more.
SETTLED = """() => [...document.querySelectorAll(".ott-player.ott-live .ott-stack")].every(
  (box) => !box.clientWidth || box.style.minHeight)"""


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """The folder of a freshly built site."""
    directory = tmp_path_factory.mktemp("a site")  # a path with a space
    result = build(ROOT, directory)
    assert result.returncode == 0, result.stdout + result.stderr
    seconds = int(re.search(r"pages in .*, (\d+) s", result.stdout)[1])
    assert seconds < 60
    return directory / "_build" / "html"


@pytest.fixture(scope="module")
def address(html):
    """Where the built site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(html))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def visit(browser, address):
    """Opens a page of the site, and in the end asserts that nothing went wrong behind it."""
    problems, contexts = [], []

    def watch(page, name):
        def told(message):
            if message.type in ("error", "warning"):
                problems.append(f"{name}: {message.text}")

        def asked(request):
            if not request.url.startswith((address, "data:", "blob:")):
                problems.append(f"{name} asked for {request.url}")

        def answered(response):
            if response.status >= 400:
                problems.append(f"{name}: {response.status} for {response.url}")

        page.on("console", told)
        page.on("pageerror", lambda error: problems.append(f"{name}: {error}"))
        page.on("request", asked)
        page.on("response", answered)

    def visit(name, *, width=DESK, theme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=theme, **options
        )
        contexts.append(context)
        page = context.new_page()
        watch(page, name)
        page.goto(f"{address}{name}")
        page.wait_for_load_state("networkidle")
        if options.get("java_script_enabled", True):
            page.wait_for_function(SETTLED)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def slow(browser, address):
    """Opens a page whose deferred scripts do not come, and returns it and what lets them come."""
    contexts = []

    def slow(name, **options):
        held, width = [], options.pop("width")
        context = browser.new_context(viewport={"width": width, "height": 844}, **options)
        contexts.append(context)
        page, keep = context.new_page(), [True]

        def asked(route):
            if keep and "documentation_options" not in route.request.url:  # which is not deferred
                held.append(route)
            else:
                route.continue_()

        def let_go():
            assert len(held) > 5
            keep.clear()
            for route in held:
                route.continue_()

        page.route("**/*.js*", asked)
        page.goto(f"{address}{name}", wait_until="commit")
        return page, let_go

    yield slow
    for context in contexts:
        context.close()
