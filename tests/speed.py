"""How fast a page of the site comes up on a phone: weight, largest paint, longest task, shifts.

    python -m tests.speed [-n LOADS] [PAGE …]     prints a table of the site in _build/html

Each visit is in a fresh window 390 pixels wide, with nothing cached, and files come compressed from
this machine. Times are those of a processor four times slower. They are told twice. What the page
needs of the processor is counted, and multiplied by four: other work on the machine changes that
little. And the largest paint is timed by the clock while the browser slows itself down, which only
means something when the machine is at rest.
"""

from __future__ import annotations

import argparse
import gzip
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache, partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.places import ROOT
from tests.sites import PHONE, Quiet

SLOWER = 4
TRACED = ["toplevel", "loading", "blink.user_timing", "disabled-by-default-devtools.timeline"]
WATCH = """(() => {
  window.seen = { "largest-contentful-paint": [], "layout-shift": [] };
  for (const type in seen) {
    new PerformanceObserver((list) => seen[type].push(...list.getEntries()))
      .observe({ type, buffered: true });
  }
})()"""
PAINT = "Math.max(0, ...seen['largest-contentful-paint'].map((e) => e.startTime)) / 1000"
SHIFT = """seen["layout-shift"].filter((e) => !e.hadRecentInput)
  .reduce((sum, e) => sum + e.value, 0)"""


@dataclass(frozen=True)
class Visit:
    weight: float  # KiB as sent, compressed
    shift: float  # cumulative layout shift
    task: float  # milliseconds of the longest task, on a slow processor
    paint: float  # seconds of work until the largest thing on the first screen is there, likewise


PARTS = [each.name for each in fields(Visit)]


class Packed(Quiet):
    """Sends what is text compressed, as servers do."""

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".css", ".js", ".svg") or not path.exists():
            return super().do_GET()
        body = packed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@cache
def packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes())


@contextmanager
def served(html: Path):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Packed, directory=str(html))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def window(browser, rate: int = 1):
    """A fresh page that notes paints and shifts, its browser slowed down so many times, and what is
    sent to it, in bytes."""
    with browser.new_context(viewport={"width": PHONE, "height": 844}) as context:
        page, sent = context.new_page(), []
        tools = context.new_cdp_session(page)
        tools.on("Network.loadingFinished", lambda told: sent.append(told["encodedDataLength"]))
        tools.send("Network.enable")
        tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
        tools.send("Emulation.setCPUThrottlingRate", {"rate": rate})
        page.add_init_script(WATCH)
        yield page, sent


def come(page, address: str) -> None:
    """Go there, and wait until the page has been at rest for half a second."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)


def visit(browser, address: str) -> Visit:
    with window(browser) as (page, sent):
        browser.start_tracing(page=page, categories=TRACED)
        come(page, address)
        trace = json.loads(browser.stop_tracing())["traceEvents"]
        shift, at = page.evaluate(SHIFT), page.evaluate(PAINT)
    task, paint = work(trace, at)
    return Visit(sum(sent) / 1024, shift, SLOWER * task, SLOWER * paint / 1000)


def work(trace: list[dict], paint: float) -> tuple[float, float]:
    """Milliseconds of the processor in the page's longest task, and until `paint` seconds after the
    page was asked for."""
    start = next(
        e
        for e in trace
        if e["name"] == "navigationStart" and e["args"]["data"]["documentLoaderURL"]
    )
    tasks = [
        e
        for e in trace
        if e["name"] == "RunTask"
        and "dur" in e  # when tracing stops, a task has begun that will not end
        and (e["pid"], e["tid"]) == (start["pid"], start["tid"])
        and e["ts"] >= start["ts"]
    ]
    before = [e for e in tasks if e["ts"] < start["ts"] + 1e6 * paint]
    return max(map(busy, tasks)) / 1000, sum(map(busy, before)) / 1000


def busy(task: dict) -> float:
    """Microseconds of the processor in a task. Chromium leaves them out now and then; its wall
    clock, which is never less, stands in."""
    return task.get("tdur", task["dur"])


def by_the_clock(browser, address: str) -> float:
    """Seconds until the largest paint, in a browser slowed down."""
    with window(browser, SLOWER) as (page, _):
        come(page, address)
        return page.evaluate(PAINT)


def main():
    from playwright.sync_api import sync_playwright

    from tests.conftest import launch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as book/intro; default: all")
    parser.add_argument("-n", type=int, default=5, help="loads of each page")
    parser.add_argument("--html", type=Path, default=ROOT / "_build" / "html")
    arguments = parser.parse_args()
    html = arguments.html.resolve()
    names = arguments.pages or sorted(
        str(path.relative_to(html).with_suffix(""))
        for path in html.rglob("*.html")
        if "_static" not in path.parts and path.name not in ("index.html", "404.html")
    )
    print(f"{'page':30}{'KiB':>6}{'shift':>8}{'task, ms':>10}{'paint, s':>10}{'by clock':>10}")
    with (
        TemporaryDirectory() as home,
        sync_playwright() as playwright,
        served(html) as address,
    ):
        browser = launch(playwright, home)
        for name in names:
            place = f"{address}{name}.html"
            seen = [visit(browser, place) for _ in range(arguments.n)]
            one = Visit(*(median(getattr(each, part) for each in seen) for part in PARTS))
            clock = median(by_the_clock(browser, place) for _ in range(arguments.n))
            print(
                f"{name:30}{one.weight:6.0f}{one.shift:8.3f}{one.task:10.0f}{one.paint:10.2f}"
                f"{clock:10.2f}",
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
