"""How work that is alike is shown: each pair folded, with the passages side by side."""

from . import pages
from .winnowing import K


def parts(works, pairs, usual, listed, given, failed):
    """The page's parts, HTML. usual: the share that half of the pairs do not have in common.
    listed: which pairs are. given: whether a line is the assignment's. failed: {(student, student):
    [what both failed by the same check]}."""
    n = len(works)
    yield (
        "<p><b>A list to look at, and no verdict.</b> Two solutions of a small task are often "
        "alike, the more so the shorter it is; those who worked together as you allowed are here "
        "too. What the assignment and the instructor's solution say is not counted, what many "
        "have counts little, and names, comments and spaces make no difference. Read both, and "
        "ask, before you think anything of anybody.</p>"
    )
    yield (
        f"<p>{n} hand-ins, {n * (n - 1) // 2} pairs. Half of the pairs have "
        f"{f'{usual:.0%} or less' if usual >= 0.005 else 'next to nothing'} of their own in "
        f"common. Listed are those with {listed}: {len(pairs) or 'none'}. First come those who "
        "share what few others have; a percentage is of all that one has written that is neither "
        "the assignment's nor the instructor's.</p>"
    )
    little = [one.student for one in works if not one.own]
    if little:
        yield f"<p>With nothing of their own to compare: {pages.text(', '.join(little))}.</p>"
    for pair in pairs:
        same = failed.get((pair.one.student, pair.other.student), [])
        yield from side_by_side(pair, works, given, same)
    if word_for_word := [one for one in works if one.copied]:
        yield (
            "<h2>The instructor's word for word</h2><p>Names, comments and all. These cells are "
            "counted nowhere above.</p>"
        )
        named = [f"{one.student}: {', '.join(one.copied)}" for one in word_for_word]
        yield f"<ul>{''.join(f'<li>{pages.text(one)}</li>' for one in named)}</ul>"


def side_by_side(pair, works, given, same):
    """A pair, folded: the cells in which they have something in common."""
    names = pages.text(pair.one.student), pages.text(pair.other.student)
    a, b = pair.shares
    yield (
        f"<details class=wide><summary><b>{names[0]}</b> and <b>{names[1]}</b>: {a:.0%} of what "
        f"{names[0]} has written, {b:.0%} of {names[1]}; {pair.tokens} tokens</summary>"
    )
    if same:
        yield f"<p>Both failed {pages.text('; '.join(same))}.</p>"
    for mine in pair.one.cells:
        shared = pair.grams & set(mine.grams)
        if shared:
            its = max(pair.other.cells, key=lambda cell: len(shared & set(cell.grams)))
            yield f"<h3>{pages.text(mine.name)}</h3><div class=pair>"
            both = (f"<pre>{marked(one, pair.grams, given)}</pre>" for one in (mine, its))
            yield f"{''.join(both)}</div>"
            if too := also(shared, pair, works):
                yield f"<p class=muted>Also in: {pages.text(', '.join(too))}.</p>"
    yield "</details>"


def also(shared, pair, works):
    """Who else has most of what two have in common in a cell."""
    two = (pair.one.student, pair.other.student)
    return [
        one.student
        for one in works
        if one.student not in two and 2 * len(shared & one.own) >= len(shared)
    ]


def marked(cell, grams, given):
    """A cell's lines, those in common marked, with two more before and after; … for the
    others. A line that the assignment has given, names aside, is not marked."""
    common = {
        line
        for start, gram in enumerate(cell.grams)
        if gram in grams
        for first, last in cell.lines[start : start + K]
        for line in range(first, last + 1)
    }
    near = {line + step for line in common for step in (-2, -1, 0, 1, 2)}
    shown, gap = [], False
    for number, line in enumerate(cell.source.split("\n"), start=1):
        words = line.lstrip()
        if number in common and words and not given(line):
            shown.append(f"{line[: -len(words)]}<mark>{pages.code(words)}</mark>")
        elif number in near:
            shown.append(pages.code(line))
        elif not gap:
            shown.append("<span class=muted>…</span>")
        gap = number not in near
    return "\n".join(shown)
