"""A page for the teacher: text, escaped, in the book's colours. It runs and loads nothing."""

import html

from utils.page import theme

from .course import write
from .report import printable

# A host that a page asked for a picture or a script would learn who looks at it, and when.
ALONE = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
    "style-src 'unsafe-inline'; img-src data:; font-src data:\">"
)
STYLE = """
body{margin:0}
main{min-height:100vh;box-sizing:border-box;padding:1rem;background:var(--paper);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere;display:grid;align-content:start;
grid-template-columns:minmax(0,1fr) minmax(0,46rem) minmax(0,1fr)}
main>*{grid-column:2}main>.wide{grid-column:1/-1}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.2rem;margin:1.5rem 0 0}
h3{font-size:1rem;margin:1.2rem 0 0}p{margin:.4rem 0}ul{margin:.3rem 0;padding-left:1.2rem}
code,pre{font:13px/1.45 ui-monospace,monospace}
pre{margin:0;padding:.5rem;background:var(--soft);white-space:pre-wrap}
mark{background:none;color:inherit;box-shadow:inset 0 -.5em #d1590a44}
.muted{color:var(--muted)}
summary{cursor:pointer;padding:.4rem 0}details{border-top:1px solid var(--line)}
.pair{display:grid;gap:.5rem;grid-template-columns:1fr 1fr;margin:.3rem 0 1rem}
@media(max-width:700px){.pair{grid-template-columns:1fr}}
"""


def text(said):
    """Words, a student's among them, as a page shows them."""
    return html.escape(printable(said))


def code(source):
    """Lines of code or prose, as a page shows them."""
    return "\n".join(map(text, source.replace("\t", "    ").split("\n")))


def put(path, title, parts):
    """Write a page of parts that are HTML already. Returns its path."""
    body = "\n".join(parts)
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{ALONE}\n'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{text(title)}</title><style>{theme.theme()}{STYLE}</style></head>\n"
        f'<body><main class="ott"><h1>{text(title)}</h1>\n{body}\n</main></body></html>\n'
    )
    write(path, page)
    return path
