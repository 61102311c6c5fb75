"""What everything drawn in a page shares: the meaning of a colour, light and dark, words for a
picture, and the files of script and style."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

# What a colour means, everywhere in the book. Each has a contrast of at least 3:1 with white and
# with both dark backgrounds, and any two can be told apart with each common colour blindness.
AR = "#d1590a"  # autoregressive: one token after another
DIFFUSION = "#2a78c8"  # diffusion: any position, any order
MASK = "#868c96"  # not yet written
BASELINE = "#007a5e"  # what either is compared with: n-grams, compressors, chance
INK = "#1b1f24"  # text, axes and known truths; in the page it becomes the colour of the text


def check_alt(alt: str) -> str:
    """alt, stripped; ValueError unless it is a sentence: it stands in for the whole picture."""
    alt = alt.strip() if isinstance(alt, str) else ""
    letters = sum(unicodedata.category(c) == "Lo" for c in alt)  # of scripts without capitals,
    if len(alt.split()) < 4 and letters < 8:  # some of which have no spaces either
        raise ValueError(
            f"alt is {alt!r}; write at least a sentence that says what one concludes from the "
            "picture, for readers who cannot see it"
        )
    return alt


def theme() -> str:
    """CSS variables for everything the book draws in a page, light and dark, under .ott only.

    The site says its theme in html[data-theme], JupyterLab in body[data-jp-theme-light]; where
    neither does, the reader's system decides. Print is always light.
    """
    light = (
        f"--ar:{AR};--diffusion:{DIFFUSION};--mask:{MASK};--ink:{INK};--muted:#59616b;"
        "--paper:#fff;--soft:#f3f4f6;--line:#d5d9df;--shade:0 1px 3px #0001;color-scheme:light"
    )
    dark = (
        "--ink:#e8eaed;--muted:#a3abb6;--paper:#1a1e24;--soft:#252a32;--line:#3b424d;"
        "--shade:none;color-scheme:dark"
    )
    undecided = "html:not([data-theme]) body:not([data-jp-theme-light]) .ott"
    return (
        f".ott{{{light};color:var(--ink)}}"
        f'@media screen{{html[data-theme="dark"] .ott,'
        f'body[data-jp-theme-light="false"] .ott{{{dark}}}}}'
        f"@media screen and (prefers-color-scheme:dark){{{undecided}{{{dark}}}}}"
        # the site's theme puts a light card behind HTML outputs in the dark; ours are dark already
        ".cell_output .text_html:has(>.ott,>*>.ott){background:none!important;padding:0!important}"
    )


@cache
def asset(name: str) -> str:
    """A script or style sheet of this folder, without its comments and indentation."""
    source = Path(__file__).with_name(name).read_text(encoding="utf-8")
    source = re.sub(r"(?m)^\s*//.*$|/\*.*?\*/", "", source)
    return re.sub(r"\s*\n\s*", "\n", source).strip()


@cache
def carried() -> dict[str, str]:
    """The files of this folder that outputs bring along: {how each begins, of any age: it, now}."""
    folder = Path(__file__).parent
    styles = [asset(path.name) for path in sorted(folder.glob("*.css"))]
    scripts = [asset(path.name) for path in sorted(folder.glob("*.js"))]
    found = {f"<style>{css[: css.index('{') + 1]}": f"<style>{css}</style>" for css in styles}
    return found | {f"<script>{js.split(' = ')[0]} =": f"<script>{js}</script>" for js in scripts}


def renew(html: str) -> str:
    """An output's HTML, with the styles and scripts that it brings along as they are now."""

    def now(found: re.Match) -> str:
        ours = (each for begins, each in carried().items() if found[0].startswith(begins))
        return next(ours, found[0])

    return re.sub(r"(?s)<(style|script)>.*?</\1>", now, html)
