"""Of the theme's icon font, the dozen icons that the pages use: the whole has two thousand, and was
a third of a page's weight."""

from __future__ import annotations

import re
from pathlib import Path

from fontTools import subset
from sphinx.application import Sphinx

FONT = Path("vendor", "fontawesome", "webfonts", "fa-solid-900.ttf")
SHEET = Path("styles", "pydata-sphinx-theme.css")
NAMED = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]{4})"\}')


def icons(out: Path) -> set[int]:
    """The characters of the icons that pages, scripts and style sheets ask for."""
    css = {path: path.read_text("utf-8") for path in (out / "_static").rglob("*.css")}
    codes = {}
    for names, code in NAMED.findall(css[out / "_static" / SHEET]):
        codes.update(dict.fromkeys(re.findall(r"fa-[\w-]+", names), int(code, 16)))
    pages = [*out.rglob("*.html"), *(out / "_static" / "scripts").glob("*theme.js")]
    used = {name for path in pages for name in re.findall(r"fa-[\w-]+", path.read_text("utf-8"))}
    others = "".join(NAMED.sub("", text) for text in css.values())
    spelt = {int(code, 16) for code in re.findall(r'"\\(f[0-9a-f]{3})', others)}
    drawn = {ord(sign) for sign in re.findall("[\uf000-\uf8ff]", others)}
    return {codes[name] for name in used & codes.keys()} | spelt | drawn


def cut(app: Sphinx, failed: Exception | None) -> None:
    if failed is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    options = subset.Options(flavor="woff")
    font = subset.load_font(static / FONT, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=icons(Path(app.outdir)))
    subsetter.subset(font)
    subset.save_font(font, (static / FONT).with_suffix(".woff"), options)
    sheet = static / SHEET
    whole = r'url\([^)]*fa-solid-900\.woff2\) format\("woff2"\),url\([^)]*\) format\("truetype"\)'
    ours = f'url(../{FONT.with_suffix(".woff").as_posix()}) format("woff")'
    sheet.write_text(re.sub(whole, ours, sheet.read_text("utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.connect("build-finished", cut)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
