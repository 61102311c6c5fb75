"""Each text in a figure as one shape, instead of a shape for each of its letters.

A figure stored in a notebook defines each letter once and places copies of it, so that its letters
look the same on every machine. A browser keeps several elements for each copy, and they were a
third of a chapter's. Here the outlines of a text's letters are put together to one path. Its
numbers are steps from point to point, so that a letter is spelt the same wherever it stands, and
takes next to no room in a page that is sent compressed.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

SCALE = 1 / 64  # the outline of a letter is drawn 64 times as large as it is placed
LETTER = re.compile(r'<path id="([^"]+)"(?: d="([^"]*)")? transform="scale\(0\.015625\)"/>\s*')
USE = r'<use href="#([^"]+)"( transform="[^"]*")?/>\s*'
TEXT = re.compile(rf'<g( style="[^"]*")? transform="([^"]*)">\s*((?:{USE})+)</g>')
# A line in a colour is seen on white and on black; letters are thinner, and have to stand out more
# (WCAG 2.2, 1.4.3). So some of the text's own colour is added to theirs. White letters, and black
# ones, stand on the colours of a heat map.
COLOURED = re.compile("fill: (#(?!ffffff)[0-9a-f]{6})")
PLACE = re.compile(r"translate\((\S+)(?: (\S+))?\)(?: scale\((\S+)\))?")


def join_letters(body: str) -> str:
    """The page's HTML, where each text of its figures is a single path."""
    outlines = {name: d or "" for name, d in LETTER.findall(body)}

    def text(found: re.Match) -> str:
        style, transform, uses = found[1], found[2], re.findall(USE, found[3])
        if not all(name in outlines for name, _ in uses):
            return found[0]
        pen, steps = (0, 0), []
        for name, place in uses:
            x, y, scale = PLACE.search(place).groups("0") if place else ("0", "0", "0")
            at = float(x) / SCALE, float(y) / SCALE, float(scale) or 1
            step, pen = relative(outlines[name], at, pen)
            steps.append(step)
        where = f"{transform} scale({SCALE})"
        style = COLOURED.sub(r"fill: color-mix(in srgb, \1 70%, currentColor)", style or "")
        return f'<path{style} transform="{where}" d="{"".join(steps)}"/>'

    return TEXT.sub(text, re.sub(r"<defs>\s*</defs>\s*", "", LETTER.sub("", body)))


def relative(outline: str, at: tuple, pen: tuple[int, int]) -> tuple[str, tuple[int, int]]:
    """An outline of M, L, Q and z, as steps from where the pen is, and where the pen is then.

    at: where the letter stands, x and y, and how large it is.
    """
    left, up, scale = at
    steps, start = [], pen
    for command, numbers in re.findall(r"([MLQz])([^MLQz]*)", outline):
        if command == "z":
            steps.append("z")
            pen = start
            continue
        given = [float(number) for number in numbers.split()]
        points = [
            (round(left + scale * x), round(up + scale * y))
            for x, y in zip(given[::2], given[1::2], strict=True)
        ]
        apart = " ".join(f"{x - pen[0]} {y - pen[1]}" for x, y in points)
        steps.append(command.lower() + apart.replace(" -", "-"))
        pen = points[-1]
        if command == "M":
            start = pen
    return "".join(steps), pen


def draw(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if "body" in context:
        context["body"] = join_letters(context["body"])


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
