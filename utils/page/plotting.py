"""One look for every figure: how it is styled, labelled and shown.

A figure is shown as SVG inside the page, its text and axes drawn in the colour of the text around
it, so that it is legible on white and in the dark theme alike; a PNG goes with it for whatever
cannot show SVG. Alt text is required: it says what a sighted reader would conclude.

    plotting.style()
    fig, ax = plt.subplots()
    line, = ax.plot(seconds, bits, color=plotting.AR)
    plotting.label_line(ax, line, "left to right")
    plotting.show(fig, "Bits per character fall with training time, quickly at first.")
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import textwrap
from html import escape
from itertools import pairwise, product

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation
from PIL import Image

from utils.page.theme import AR, BASELINE, DIFFUSION, INK, MASK, check_alt, theme
from utils.text.numbers import real
from utils.text.publish import publish

WIDTH = 5.0  # inches: at this width the lettering is large enough on a phone, and lines fit
_LABEL, _MARK, LEVEL = "direct label", "name of a place", "name of a level"
_PHONE, _LEGIBLE = 354, 11  # pixels: what a page 390 wide leaves a figure; the smallest lettering


def style() -> None:
    """Set matplotlib's defaults to the book's: legible on a phone, no frame, direct labels."""
    matplotlib.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.6),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 13,
            "axes.titlepad": 12,
            "figure.titleweight": "bold",
            "figure.titlesize": 13,
            "axes.labelsize": 12.5,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.prop_cycle": matplotlib.cycler(color=[AR, DIFFUSION, BASELINE, MASK]),
            "xtick.bottom": False,  # the grid says where they are
            "ytick.left": False,
            "grid.alpha": 0.14,
            "grid.linewidth": 0.8,
            "font.size": 12.5,
            "xtick.labelsize": 11.5,
            "ytick.labelsize": 11.5,
            "lines.linewidth": 2.4,
            "lines.markersize": 6,
            "lines.solid_capstyle": "round",
            "legend.frameon": False,
            "svg.fonttype": "path",
        }
        | {
            name: INK
            for name in (
                "text.color",
                "axes.edgecolor",
                "axes.labelcolor",
                "axes.titlecolor",
                "xtick.color",
                "ytick.color",
                "grid.color",
                "patch.edgecolor",
                "hatch.color",
            )
        }
    )


def interval_band(ax: Axes, x, low, high, color: str) -> None:
    """Shade between `low` and `high` (sequences as long as `x`) in a line's colour."""
    ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)


def interval_points(ax: Axes, x, values, low, high, color: str) -> Line2D:
    """A point at each of `values`, with a bar from `low` to `high`. Returns the points, so that
    `label_line` can name them."""
    below, above = (abs(np.subtract(end, values)) for end in (low, high))
    return ax.errorbar(x, values, [below, above], fmt="o", color=color, capsize=3)[0]


def mark(ax: Axes, x: float, text: str) -> None:
    """A dotted line straight up at `x`, with its name at its upper end."""
    x = real("x", x, "give the place where the line is to stand")
    ax.axvline(x, color=MASK, linestyle=":")
    top = ax.get_xaxis_transform()  # x as in the data, y from 0 to 1 of the axes
    ax.text(x, 1, f" {text} ", transform=top, ha="left", va="top", color=MASK, gid=_MARK)


def label_line(ax: Axes, where: Line2D | tuple[float, float], text: str, color: str | None = None):
    """Write `text` just right of a line's last point, in the line's colour, instead of a legend.

    where: the line, or an (x, y) pair in data coordinates. Labels that would overlap are moved
    apart when the figure is shown. Returns the annotation.
    """
    if isinstance(where, Line2D):
        color = color or where.get_color()
        where = (where.get_xdata()[-1], where.get_ydata()[-1])
    return ax.annotate(
        text,
        where,
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=color or INK,
        fontweight="bold",
        gid=_LABEL,
        annotation_clip=False,
    )


def show(fig: Figure, alt: str, *, name: str | None = None) -> None:
    """Display a figure once, as inline SVG with a PNG and the alt text beside it, and close it.

    alt: at least one sentence on what a sighted reader would conclude. name: an anchor, so that
    the text can link to the figure as #name. Raises ValueError when alt is missing or too short,
    and when the lettering would be too small on a phone.
    """
    publish(
        {
            "text/html": html(fig, alt, name=name),
            "image/png": base64.b64encode(png(fig)).decode(),
            "text/plain": alt.strip(),
        }
    )
    close(fig)


def html(fig: Figure, alt: str, *, name: str | None = None) -> str:
    """The figure as an HTML <figure> with inline SVG; the same figure gives the same bytes.

    Where a page may not hold SVG (a notebook not yet trusted), the alt text is shown instead.
    """
    alt = check_alt(alt)
    svg = _svg(fig, alt)
    anchor = f' id="{escape(name)}"' if name else ""
    label = escape(alt)
    return (
        f'<figure class="ott ott-figure"{anchor}><style>{theme()}{_FIGURE_CSS}</style>'
        f'<svg role="img" aria-label="{label}" {svg}'
        f'<figcaption class="ott-alt" aria-hidden="true"><b>Figure, in words:</b> {label}'
        "</figcaption></figure>"
    )


def png(fig: Figure, dpi: int = 100) -> bytes:
    """The figure as PNG on opaque white, for readers and tools that cannot show SVG."""
    dpi = real("dpi", dpi, "choose 10 to 1000 dots per inch, such as 100", least=10, most=1000)
    tidy(fig)
    full, small = io.BytesIO(), io.BytesIO()
    fig.savefig(full, format="png", dpi=dpi, facecolor="white")
    # a figure has few colours: a palette of 64 makes it a third of the size
    Image.open(full).convert("RGB").quantize(64).save(small, format="png", optimize=True)
    return small.getvalue()


_FIGURE_CSS = (
    ".ott-figure{margin:1em 0}.ott-figure svg{display:block;max-width:100%;height:auto}"
    ".ott-figure .ott-alt{position:absolute;width:1px;height:1px;overflow:hidden;"
    "clip-path:inset(50%)}@media print{.ott-figure{background:var(--paper)}}"
)


def _svg(fig: Figure, alt: str) -> str:
    """The inside of an <svg …> tag onward, fit for a page that holds other figures too."""
    tidy(fig)
    _check_lettering(fig)
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": alt, "svg.fonttype": "path"}):
        fig.savefig(out, format="svg", facecolor="none", metadata={"Date": None})
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", out.getvalue(), flags=re.S)
    # matplotlib's style sheet would reach every SVG of the page; the <svg> tag says the same
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    # two decimals of a point are finer than any screen
    svg = re.sub(r'(?<= d=")[^"]+', lambda m: re.sub(r"\s*\n\s*", "", _shorter(m[0])), svg)
    svg = re.sub(r'translate\([^)]+\)| [xy]="[^"]+"', lambda m: _shorter(m[0]), svg)
    svg = svg.replace(INK, "currentColor").replace("xlink:href", "href")
    key = hashlib.sha256((alt + svg).encode()).hexdigest()[:8]
    names = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    short = {name: f"f{key}-{i}" for i, name in enumerate(names)}  # no other figure has these
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", svg)
    svg = re.sub(r'(href="#|url\(#)([^")]+)', lambda m: m[1] + short[m[2]], svg)
    svg = _flat(svg)
    width, height = (round(inches * 96) for inches in fig.get_size_inches())
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    head = f'{box} width="{width}" height="{height}" stroke-linejoin="round" stroke-linecap="butt">'
    return head + re.sub(r"\s*\n\s*", "\n", body)


def _flat(svg):
    """The same picture without groups that say nothing and shapes that nobody sees; what it uses
    again stands in one place."""
    svg = re.sub(r'<path d="[^"]*" style="fill: none"/>', "", svg)
    kept, open_groups = [], []
    for piece in re.split(r"(<g>|<g [^>]*>|</g>)", svg):
        if piece.startswith("<g"):
            open_groups.append(piece != "<g>")
        if piece == "<g>" or (piece == "</g>" and not open_groups.pop()):
            continue
        kept.append(piece)
    flat = "".join(kept)
    shapes = re.findall(r"(?s)<defs>\s*(.*?)\s*</defs>", flat)
    flat = re.sub(r"(?s)<defs>.*?</defs>\s*", "", flat)
    start = flat.index(">", flat.index("<svg")) + 1
    return flat[:start] + f"<defs>{''.join(shapes)}</defs>" + flat[start:]


def _check_lettering(fig: Figure) -> None:
    texts = [text for text in fig.findobj(Text) if text.get_visible() and text.get_text().strip()]
    if not texts:
        return
    smallest = min(texts, key=Text.get_fontsize)
    pixels = smallest.get_fontsize() / 72 * min(96, _PHONE / fig.get_figwidth())
    if pixels < _LEGIBLE:
        raise ValueError(
            f"on a phone {smallest.get_text()!r} would be {pixels:.1f} pixels high, and under "
            f"{_LEGIBLE} is too small to read; the figure is {fig.get_figwidth():.1f} inches wide: "
            f"make it {WIDTH:.0f}, or its letters larger (plotting.style() does both)"
        )


def _shorter(numbers: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", numbers)


def tidy(fig: Figure) -> None:
    """Wrap titles that would run off the figure or into a neighbour, and move labels apart."""
    fig.draw_without_rendering()
    for ax in fig.axes:
        for title in (ax.title, ax._left_title, ax._right_title):
            text = " ".join(title.get_text().split(" "))
            for width in range(len(text), 19, -1):
                box = title.get_window_extent()
                if box.x1 <= _edge(fig, ax, box) and box.x0 >= 0:
                    break
                title.set_text(_balanced(text, width))
        for text in ax.texts:
            if text.get_gid() == _MARK and text.get_window_extent().x1 > fig.bbox.x1:
                text.set_ha("right")
            if text.get_gid() == LEVEL:
                _clear(ax, text)
        _apart([text for text in ax.texts if text.get_gid() == _LABEL], ax.bbox.y1)


def _clear(ax, name):
    """Move the name of a level to that end and side of it where the fewest points of lines are."""
    ink = np.concatenate([inked(line) for line in ax.get_lines()])
    _, level = name.get_transform().transform(name.get_position())
    ink = ink[abs(ink[:, 1] - level) > 1]  # its own line touches it everywhere
    x = {"left": 0.01, "right": 0.99}
    ends = sorted(x, key=lambda end: end != name.get_ha())  # where it is comes first
    below = name.get_transform() + ScaledTranslation(0, -2 / 72, ax.figure.dpi_scale_trans)
    transforms = {"bottom": name.get_transform(), "top": below}  # letters are high in their box
    crossed = {}
    for end, side in product(ends, transforms):
        name.set(ha=end, x=x[end], va=side, transform=transforms[side])
        crossed[end, side] = name.get_window_extent().padded(1).count_contains(ink)
    end, side = min(crossed, key=crossed.get)
    name.set(ha=end, x=x[end], va=side, transform=transforms[side])


def inked(line: Line2D) -> np.ndarray:
    """Points along a line, a pixel or so apart: (n, 2), in pixels."""
    corners = line.get_transform().transform(line.get_xydata())
    pieces = [corners[-1:]]
    for a, b in pairwise(corners):
        n = 1 + int(np.abs(b - a).max())
        pieces.append(a + (b - a) * np.linspace(0, 1, n, endpoint=False)[:, None])
    return np.concatenate(pieces)


def _apart(labels, top):
    """Move labels that overlap apart: upwards, and down again from where the axes end, so that they
    stay clear of the title."""
    labels.sort(key=lambda text: text.get_window_extent().y0)
    for below, above in pairwise(labels):
        a, b = below.get_window_extent(), above.get_window_extent()
        if a.x0 < b.x1 and b.x0 < a.x1:
            _lift(above, max(0, a.y1 + 2 - b.y0))
    for i, label in reversed([*enumerate(labels)]):
        box = label.get_window_extent()
        over = [each.get_window_extent() for each in labels[i + 1 :]]
        ceiling = min([top + 4, *(o.y0 - 2 for o in over if o.x0 < box.x1 and box.x0 < o.x1)])
        _lift(label, min(0, ceiling - box.y1))


def _lift(label, pixels):
    x, y = label.get_position()
    label.set_position((x, y + pixels * 72 / label.figure.dpi))


def _balanced(text, width):
    """The text in as few lines of at most this width as it needs, which are about equally long."""
    needed = len(textwrap.wrap(text, width))
    while len(textwrap.wrap(text, width - 1)) == needed:
        width -= 1
    return textwrap.fill(text, width)


def _edge(fig, ax, box):
    """How far to the right a title may reach: to what stands beside it, such as a colour bar."""
    beside = [
        other.bbox.x0
        for other in fig.axes
        if other is not ax and other.bbox.x0 >= ax.bbox.x1 and other.bbox.y1 > box.y0
    ]
    return min(beside, default=fig.bbox.x1)


def close(fig: Figure) -> None:
    """Forget a figure, so that the notebook does not display it a second time."""
    import matplotlib.pyplot as plt

    plt.close(fig)
