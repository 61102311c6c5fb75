"""How the statistics of a class are shown: two pictures, and what failed in words."""

from collections import Counter
from statistics import median
from textwrap import shorten

from matplotlib.figure import Figure

from utils.page import plotting
from utils.page.theme import INK, MASK

from . import pages
from .reasons import HOLE

FEW = 2  # who failed a test: it is folded, after the others
NAMED = 10  # under a check that no more failed
SHOWN = 8  # values under a check


def parts(found, with_names):
    """The page's parts, HTML."""
    tests = [one for one in found.questions.values() if not one.written]
    tests.sort(key=lambda one: (-new(one), -one.number_failed))
    failed = [one for one in tests if one.failed]
    few = [one for one in failed if one.number_failed <= FEW]
    few = few if len(few) < len(failed) else []
    many = [one for one in failed if one not in few]
    passed = [one.called for one in tests if not one.failed]
    yield from ["<p><b>With names: not for the class.</b></p>"] if with_names else []
    yield from summary(found, failed)
    yield plotting.html(*totals_drawn(found))
    yield plotting.html(*questions_drawn(found))
    yield (
        "<h2>What failed</h2><p class=muted>A test stops at the first check that fails, so each "
        "student stands in one line of a test; what else would have failed nobody knows. First "
        "come the tests that most failed who had failed none before of the same function. Lines "
        "are those of the test in your source; … is in place of a value.</p>"
    )
    for one in many:
        yield from test_in_words(one, found, with_names)
    if few:
        yield f"<details><summary>Failed by {FEW} or fewer: {listed(few)}</summary>"
        for one in few:
            yield from test_in_words(one, found, with_names)
        yield "</details>"
    yield f"<p>All passed {', '.join(map(pages.text, passed))}.</p>" if passed else ""
    yield from written_in_words(found)
    yield from took(found)


def new(question):
    """How many failed a test, and none before it of the same function."""
    return question.number_failed - len(question.follows)


def summary(found, failed):
    totals, n = sorted(found.totals.values()), len(found.totals)
    open_ = f"; {len(found.unfinished)} not fully marked" if found.unfinished else ""
    yield (
        f"<p><b>{n} graded</b>: from {totals[0]:g} to {totals[-1]:g} of {found.most:g} points, "
        f"median {median(totals):g}, before anything is taken off for lateness{open_}.</p>"
    )
    if found.apart:
        apart = [f"{len(who)} {status}" for status, who in sorted(found.apart.items())]
        yield f"<p>Not counted: {', '.join(apart)}.</p>"
    if nothing := sum(not points for points in found.totals.values()):
        yield f"<p>Without any point: {nothing}; the report says who.</p>"
    if failed:
        yield "<p>Most often failed:</p><ul>"
        for one in failed[:3]:
            why, who = max(one.failed.items(), key=lambda item: len(item[1]))
            said = pages.text(shorten(sentence(one, why, who), 110, placeholder=" …"))
            mostly = f"; {len(who)}: {said}" if len(who) > 1 else ""
            too = follows(one, one.follows)
            too = f" ({pages.text(too)})" if too else ""
            yield (
                f"<li><b>{pages.text(one.called)}</b>, {one.number_failed} of {n}{too}{mostly}</li>"
            )
        yield "</ul>"


def follows(question, students):
    """How many of these failed a test before, of the same function; nothing if nobody."""
    tests = Counter(name for one in students for name in question.follows.get(one, ()))
    number = sum(one in question.follows for one in students)
    if not number:
        return ""
    names = [name for name, _ in tests.most_common(2)]
    what = "test the same function" if len(tests) > 1 else "tests the same function"
    return f"{number} of them failed {' or '.join(names)}, too, which {what}"


def test_in_words(question, found, with_names):
    """How many failed a test, and by which check."""
    about = [f"{question.most:g} points" if question.most != 1 else "1 point"]
    about += [f"tests {', '.join(sorted(question.asks))}"] if question.asks else []
    about += [too] if (too := follows(question, question.follows)) else []
    heading = f"{question.called}: {question.number_failed} of {len(found.totals)} failed"
    yield f"<h3>{pages.text(heading)}</h3>"
    yield f"<p class=muted>{pages.text('; '.join(about))}</p><ul>"
    for why, those in sorted(question.failed.items(), key=lambda item: -len(item[1])):
        said = f"<li>{len(those)} × "
        said += pages.text(sentence(question, why, those, openly=with_names))
        said += pages.text(elsewhere(question, why, those, found))
        if with_names and len(those) <= NAMED:
            said += pages.text(f" ({', '.join(sorted(those))})")
        for line in differing(question, why, those, openly=with_names):
            said += f"<br><span class=muted>{pages.text(line)}</span>"
        yield f"{said}</li>"
    yield "</ul>"


def sentence(question, why, those, *, openly=False):
    """Why some failed, in words; a value that is the same for all of them stands in its place."""
    first, *others = why.split(HOLE)
    said = first
    for place, text in enumerate(others):
        values = {values[place] for values in those.values()}
        said += question.words(values.pop(), openly=openly) if len(values) == 1 else "…"
        said += text
    return said


def differing(question, why, those, *, openly):
    """What is not the same for all, and how many had it, at most eight of it: one value as ["got
    4.000 (2), 1.822 (1)"], of several a line each with the words between them."""
    before = why.split(HOLE)[:-1]
    differ = [len({values[at] for values in those.values()}) > 1 for at in range(len(before))]
    if not any(differ):
        return []
    last = max(at for at, one in enumerate(differ) if one)
    counts = Counter(
        tuple(question.words(one, openly=openly) for one in values[: last + 1])
        for values in those.values()
    )
    more = [f"and {len(counts) - SHOWN} others"] if len(counts) > SHOWN else []
    if sum(differ) == 1:
        found = ", ".join([*(f"{one[last]} ({n})" for one, n in counts.most_common(SHOWN)), *more])
        return [f"{(before[last].split() or [''])[-1]} {found}".strip()]
    return [
        "".join(part for pair in zip(before, one, strict=False) for part in pair) + f" ({n})"
        for one, n in counts.most_common(SHOWN)
    ] + more


def elsewhere(question, why, those, found):
    """Of a name that one student's code lacks: the other tests that stopped for it."""
    if len(those) != 1 or not why.startswith("NameError"):
        return ""
    ((student, values),) = those.items()
    others = [
        one.name
        for one in found.questions.values()
        for other, them in one.failed.items()
        if one is not question and other.startswith("NameError") and them.get(student) == values
    ]
    return f"; the same student in {', '.join(others)}" if others else ""


def written_in_words(found):
    written = [one for one in found.questions.values() if one.written]
    if written:
        yield "<h2>Written answers</h2><ul>"
        for one in written:
            marked = [points for who, points in one.points.items() if who not in one.waiting]
            said = f"median {median(marked):g} of {one.most:g}, " if marked else ""
            waits = f"; {len(one.waiting)} to be marked" if one.waiting else ""
            yield f"<li>{pages.text(one.called)}: {said}{len(marked)} marked{waits}</li>"
        yield "</ul>"


def took(found):
    """For whoever runs the machine: how long grading took, and the three slowest tests."""
    slow = [one for one in found.questions.values() if one.seconds]
    slow = sorted(slow, key=lambda one: -max(one.seconds))[:3]
    tests = pages.text(", ".join(f"{one.name} {max(one.seconds):.1f} s" for one in slow))
    yield (
        f"<p class=muted>Grading one took {median(found.seconds):.0f} s (median; the longest "
        f"{max(found.seconds):.0f} s). The slowest tests, at most: {tests}.</p>"
    )


def listed(questions):
    return ", ".join(pages.text(one.name) for one in questions)


def totals_drawn(found):
    """(figure, alt): how many have how many points."""
    plotting.style()
    totals, n = sorted(found.totals.values()), len(found.totals)
    fig = Figure(figsize=(plotting.WIDTH, 2.4))
    ax = fig.subplots()
    step = max(1, round(found.most / 12))
    edges = [step * i for i in range(int(max(found.most, totals[-1]) // step) + 2)]
    ax.hist(totals, edges, color=INK, alpha=0.7, rwidth=0.9)
    middle = median(totals)
    ax.axvline(middle, color=MASK, linestyle=":")
    ax.set_title(f"Half of the class has at least {middle:g} of {found.most:g} points")
    ax.set_xlabel("points, before lateness")
    ax.set_ylabel("students")
    ax.yaxis.get_major_locator().set_params(integer=True)
    alt = f"The points of {n} students: from {totals[0]:g} to {totals[-1]:g}, median {middle:g}."
    return fig, alt


LOOKS = (  # of a bar's parts
    ("all points", {"color": INK, "alpha": 0.8}),
    ("some", {"color": INK, "alpha": 0.4}),
    ("none", {"color": INK, "alpha": 0.12}),
    ("to be marked", {"facecolor": "none", "edgecolor": MASK, "hatch": "////"}),
)


def questions_drawn(found):
    """(figure, alt): for each question how many have all its points, some, none."""
    plotting.style()
    questions = [*found.questions.values()]
    fig = Figure(figsize=(plotting.WIDTH, 1.5 + 0.3 * len(questions)))
    ax = fig.subplots()
    rows, start = range(len(questions)), [0] * len(questions)
    for part, (called, look) in enumerate(LOOKS):
        wide = [one.shares()[part] for one in questions]
        if any(wide):
            ax.barh(rows, wide, left=start, height=0.72, linewidth=0, label=called, **look)
        start = [a + b for a, b in zip(start, wide, strict=True)]
    ax.set_yticks(rows, [one.name[:22] for one in questions])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("students")
    fig.legend(loc="outside lower left", ncols=4, handlelength=1, columnspacing=1, title=None)
    tests = [one for one in questions if not one.written and sum(one.shares()[:3])]
    if tests:  # an essay's points say more about who marks it
        hardest = min(tests, key=lambda one: one.shares()[0] / sum(one.shares()[:3]))
        full, marked = hardest.shares()[0], sum(hardest.shares()[:3])
        ax.set_title(f"Of the tests, fewest pass {hardest.name}: {full} of {marked}")
    alt = "Students with all points of a question: " + ", ".join(
        f"{one.name} {one.shares()[0]}" for one in questions
    )
    return fig, f"{alt}; of {len(found.totals)}."
