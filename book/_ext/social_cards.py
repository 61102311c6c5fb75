"""What stands beside a page's address where that is shared: a picture of 1200 by 630 pixels.

It shows the page's title and what it is about, and below, for all pages alike, what the book is
about: the same beginning, finished by each of the two kinds of model.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib.pyplot as plt

from utils.page.theme import AR, DIFFUSION

WIDTH, HEIGHT = 1200, 630
LEFT, SIZE, PAD, GAP = 72, 22, 0.4, 9  # pixels, points, of a word's size, pixels
ROWS = {AR: "no , because 1 + 1 = 2 .", DIFFUSION: "yes , because 1 + 1 = 2 ."}


def draw(path: Path, book: str, title: str, said: str) -> None:
    """Write the picture to `path`: the book's name, the title in at most two lines, and in at most
    three what is said of the page."""
    figure = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, facecolor="#15191f")

    def write(x, y, words, size, va="top", **how):
        """Where the words are; they are smaller if they would not fit."""
        text = figure.text(x / WIDTH, y / HEIGHT, words, size=size, va=va, **how)
        while (box := text.get_window_extent()).x1 > WIDTH - LEFT:
            text.set_size(text.get_size() - 1)
        return box

    top = HEIGHT - 66
    if title != book:
        top = write(LEFT, top, book, 20, color="#a0a8b3").y0 - 22
    lines = textwrap.wrap(title, max(25, 1 + len(title) // 2))
    top = write(LEFT, top, "\n".join(lines[:2]), 50, weight="bold", color="white").y0 - 26
    about = textwrap.wrap(textwrap.shorten(said, 3 * 60, placeholder=" …"), 60)
    write(LEFT, top, "\n".join(about[:3]), 23, color="#c3c9d1", linespacing=1.35)
    inside = PAD * SIZE * figure.dpi / 72  # between a word and the edge of its box
    for y, (color, words) in zip((132, 66), ROWS.items(), strict=True):
        at = LEFT
        for word in words.split():
            box = {"facecolor": color, "edgecolor": "none", "boxstyle": f"round,pad={PAD}"}
            how = {"color": "white", "bbox": box, "va": "center"}
            at = write(at + inside, y, word, SIZE, **how).x1 + inside + GAP
    figure.savefig(path)
    plt.close(figure)
