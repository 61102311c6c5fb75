"""How fast a page of the site comes up on a phone: weight, largest paint, longest task, shifts.

    python -m tests.speed [-n LOADS] [PAGE …]     prints a table of the site in _build/html

Each load is in a fresh window 390 pixels wide, with nothing cached, the processor slowed down four
times and files sent compressed from this machine. What is told is the median of the loads; other
work on the machine makes it worse, so measure again when the machine is at rest.
"""

from __future__ import annotations

import argparse
import gzip
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.places import ROOT
from tests.sites import PHONE, Quiet

SLOWER = 4
WATCH = """(() => {
  window.seen = { "largest-contentful-paint": [], longtask: [], "layout-shift": [] };
  for (const type in seen) {
    new PerformanceObserver((list) => seen[type].push(...list.getEntries()))
      .observe({ type, buffered: true });
  }
})()"""
READ = """() => ({
  paint: Math.max(0, ...seen["largest-contentful-paint"].map((e) => e.startTime)),
  task: Math.max(0, ...seen.longtask.map((e) => e.duration)),
  shift: seen["layout-shift"].filter((e) => !e.hadRecentInput).reduce((a, e) => a + e.value, 0),
})"""


@dataclass(frozen=True)
class Load:
    weight: float  # KiB as sent, compressed
    paint: float  # seconds until the largest thing on the first screen is painted
    task: float  # milliseconds of the longest task, of those of 50 or more; else 0
    shift: float  # cumulative layout shift


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


def load(browser, address: str) -> Load:
    """One visit: what it took until the page has been at rest for half a second."""
    with browser.new_context(viewport={"width": PHONE, "height": 844}) as context:
        page, sent = context.new_page(), []
        tools = context.new_cdp_session(page)
        tools.on("Network.loadingFinished", lambda told: sent.append(told["encodedDataLength"]))
        tools.send("Network.enable")
        tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
        tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.add_init_script(WATCH)
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)
        told = page.evaluate(READ)
    return Load(sum(sent) / 1024, told["paint"] / 1000, told["task"], told["shift"])


def measure(browser, address: str, loads: int) -> Load:
    """The median of some visits, each of the four on its own."""
    seen = [load(browser, address) for _ in range(loads)]
    return Load(*(median(getattr(one, name) for one in seen) for name in Load.__annotations__))


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
    print(f"{'page':30}{'KiB':>6}{'paint, s':>10}{'task, ms':>10}{'shift':>8}")
    with (
        TemporaryDirectory() as home,
        sync_playwright() as playwright,
        served(html) as address,
    ):
        browser = launch(playwright, home)
        for name in names:
            one = measure(browser, f"{address}{name}.html", arguments.n)
            print(f"{name:30}{one.weight:6.0f}{one.paint:10.2f}{one.task:10.0f}{one.shift:8.3f}")
        browser.close()


if __name__ == "__main__":
    main()
