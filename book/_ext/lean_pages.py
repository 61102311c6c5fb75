"""Leave out of a page what it has no use for.

Each player and each set of knobs brings its look and its behaviour along, so that an output stands
on its own; a page needs them once, and as they are now. In programs, what has the colour of text
needs no element around it, which is three in four of them.
A long path or address breaks after its slashes, a short piece of code nowhere, a formula not before
the full stop that follows it, and a wide table of words can be stacked, row by row.
The bibliography has roles that are out of use, and a fold a name that is not what it shows. What a
cell prints in columns becomes a table, whose cells break in few places.
Links in an output are made for JupyterLab, where a chapter is a notebook.
"""

from __future__ import annotations

import re
from html import escape, unescape
from textwrap import wrap

from sphinx.application import Sphinx

from utils.page.theme import carried, renew
from utils.text import columns

STAY = "\N{NO-BREAK SPACE}"
LONG = 24  # letters: a path or a name in code that may be wider than what is left of a phone's line
HEAD = r'(?s)<th class="head[^"]*">(.*?)</th>'
ROLES = {"tr": 'role="row"', "thead": 'role="rowgroup"', "tbody": 'role="rowgroup"'}


def share(body: str) -> str:
    """The page's HTML, each of the shared styles and scripts in it once, where it comes first."""
    there = set()

    def once(found: re.Match) -> str:
        if found[0] not in carried().values():
            return found[0]
        again = found[0] in there
        there.add(found[0])
        return "" if again else found[0]

    return re.sub(r"(?s)<(style|script)>.*?</\1>", once, renew(body))


def plain_code(body: str) -> str:
    """The page's HTML, with names, signs and gaps of its programs as plain text, each string as one
    piece, and one box around the whole: else these were most of a chapter's elements."""
    body = re.sub(r'<span class="(?:n|nn|o|p|w|pre)">([^<]*)</span>', r"\1", body)
    strings = r'(?:<span class="(?:s1|s2|sa|si)">[^<]*</span>)+'
    body = re.sub(
        strings, lambda run: f'<span class="s2">{re.sub("<[^>]+>", "", run[0])}</span>', body
    )
    boxes = (
        r'(?s)<div class="(highlight-[^"]*)"><div class="highlight"><pre>(?:<span></span>)?'
        r"(.*?</pre>)</div>\s*</div>"
    )
    return re.sub(boxes, r'<div class="\1 highlight"><pre>\2</div>', body)


def lead_to_pages(body: str) -> str:
    """The page's HTML, where links in outputs lead to pages, not to what these are made of."""
    return re.sub(r'(href="\.\./(?:book|chapters)/\w+)\.(?:md|ipynb)(?=["#])', r"\1.html", body)


def tabulate(body: str) -> str:
    """The page's HTML, each printed output that stands in columns as a table."""

    def table(found: re.Match) -> str:
        text = unescape(re.sub(r"<[^>]+>", "", found[1]))
        if not columns.has_table(text):
            return found[0]
        return f'<div class="output text_html">{columns.html(text)}</div>'

    printed = (
        r'(?s)<div class="output (?:stream|text_plain)[^>]*><div class="highlight"><pre>(.*?)</pre>'
        r"</div>\s*</div>"
    )
    return re.sub(printed, table, body)


def unbroken(body: str) -> str:
    """The page's HTML, where cells of tables break in few places on a narrow screen: the name of a
    row after about twelve letters, "1 of 8" nowhere, "-1.0 to -0.9" before its "to"."""

    def name(found: re.Match) -> str:
        lines = wrap(unescape(found[2]), 12, break_long_words=False)
        return found[1] + re.sub(r"(?<=-</span>) ", "", " ".join(map(whole, lines)))

    def whole(line: str) -> str:
        kept = escape(line).replace(" ", STAY)
        return f'<span class="ott-whole">{kept}</span>' if "-" in line else kept

    def value(found: re.Match) -> str:
        whole = re.sub(r"(?<=\d) of (?=\d)", f"{STAY}of{STAY}", found[2])
        return found[1] + re.sub(r"(?<=[\d%]) to (?=[-+\d])", f" to{STAY}", whole)

    body = re.sub(r'(<th scope="row"(?: class="ott-words")?>)([^<]*)(?=</th>)', name, body)
    return re.sub(r'(<td(?: class="ott-words")?>)([^<]*)(?=</td>)', value, body)


def breakable(body: str) -> str:
    """The page's HTML, where a short piece of code in a sentence stays in one line, as does a
    formula with what closes it, and a long path or address breaks after a slash, a long dotted name
    after a dot, before it breaks elsewhere."""

    def word(found: re.Match) -> str:
        mark = "/" if "/" in found[0] else r"\."
        return re.sub(rf"{mark}(?=\w)", r"\g<0><wbr>", found[0])

    def code(found: re.Match) -> str:
        if len(unescape(found[2])) < LONG:
            return f'<code class="ott-whole {found[1]}{found[2]}'
        return f'<code class="{found[1]}' + re.sub(rf"[^\s<>&]{{{LONG},}}", word, found[2])

    def address(found: re.Match) -> str:
        return re.sub(r"(?<![:/])/(?=\w)", r"\g<0><wbr>", found[0])

    body = re.sub(r"<code class=\"(docutils [^>]*>)([^<]*)(?=</code>)", code, body)
    body = re.sub(r"(?<=>)(?:https?://|doi:)[^<]+(?=</a>)", address, body)
    formula = r'(?s)<span class="math [^>]*><math\b(?:(?!</math>).)*</math></span>[.,;:?!)]+'
    return re.sub(formula, r'<span class="ott-whole">\g<0></span>', body)


def stackable(body: str) -> str:
    """The page's HTML, where each cell of a table of words that has four columns or more knows its
    column's name. A phone shows such a table row by row, so that nobody has to push it about; what
    each part is to the others is said, since it no longer lies as tables do."""

    def table(found: re.Match) -> str:
        names = [plain(name) for name in re.findall(HEAD, found[0])]
        if len(names) < 4:
            return found[0]
        opening, head, rest = found[0].partition("</thead>")
        opening = opening.replace('<table class="', '<table role="table" class="ott-stacked ')
        opening = re.sub("<(th )", r'<\1role="columnheader" ', opening)
        rows = re.split("(?=<tr)", rest)
        rows[1:] = [named(row, names) for row in rows[1:]]
        whole = opening + head + "".join(rows)
        whole = re.sub(r"<(tr|thead|tbody)\b", lambda part: f"{part[0]} {ROLES[part[1]]}", whole)
        return whole

    def plain(name: str) -> str:
        name = re.sub(r"(?s)<math.*?</math>", formula, name)
        return re.sub(r"<[^>]+>", "", name)

    def formula(found: re.Match) -> str:
        raised = re.sub(r"<m[in]>(\w+)</m[in]>\s*</msup>", r"^\1", found[0])
        return re.sub(r"\s*<[^>]+>\s*", "", raised)

    def named(row: str, names: list[str]) -> str:
        left = iter(names)
        return re.sub("<td(?=[ >])", lambda _: f'<td role="cell" data-name="{next(left)}"', row)

    return re.sub(r'(?s)<table class="table">.*?</table>', table, body)


def tidy(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if "body" in context:
        body = context["body"].replace(' role="doc-biblioentry"', ' role="listitem"')
        body = body.replace('<summary aria-label="Toggle hidden content">', "<summary>")
        body = re.sub(r"Solution to(<a [^>]*>) ", r"Solution to \1", body)
        context["body"] = breakable(
            stackable(plain_code(unbroken(tabulate(lead_to_pages(share(body))))))
        )


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", tidy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
