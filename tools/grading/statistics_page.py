"""How the statistics of a class are shown: two pictures, and what failed in words."""

from statistics import median

from matplotlib.figure import Figure

from utils.page import plotting
from utils.page.theme import INK, MASK

from . import pages


def parts(found, with_names):
    """The page's parts, HTML."""
    tests = [one for one in found.questions.values() if not one.written]
    tests.sort(key=lambda one: -one.number_failed)
    failed = [one for one in tests if one.failed]
    passed = [one.name for one in tests if not one.failed]
    return [
        *summary(found, failed),
        plotting.html(*totals_drawn(found)),
        plotting.html(*questions_drawn(found)),
        "<h2>What failed</h2>",
        "<p class=muted>A test stops at the first check that fails, so each student stands in one "
        "line of a test; what else would have failed nobody knows. Lines are those of the test in "
        "your source; … is in place of a value.</p>",
        *(part for one in failed for part in test_in_words(one, found, with_names)),
        f"<p>All passed {listed(passed)}.</p>" if passed else "",
        *written_in_words(found),
    ]


def summary(found, failed):
    totals, n = sorted(found.totals.values()), len(found.totals)
    yield (
        f"<p><b>{n} graded</b>: from {totals[0]:g} to {totals[-1]:g} of {found.most:g} points, "
        f"median {median(totals):g}. Grading one took {median(found.seconds):.0f} s (median; "
        f"the longest {max(found.seconds):.0f} s).</p>"
    )
    if found.apart:
        apart = [f"{len(who)} {status}" for status, who in sorted(found.apart.items())]
        yield f"<p>Not counted: {', '.join(apart)}.</p>"
    if failed:
        yield "<p>Most often failed:</p><ul>"
        for one in failed[:3]:
            why, who = max(one.failed.items(), key=lambda item: len(item[1]))
            mostly = f", {len(who)} of them: {pages.text(why)}" if len(who) > 1 else ""
            yield f"<li><b>{pages.text(one.name)}</b>, {one.number_failed} of {n}{mostly}</li>"
        yield "</ul>"


def test_in_words(question, found, with_names):
    """How many failed a test, and by which check."""
    n, seconds = question.number_failed, question.seconds
    about = [f"{question.most:g} points" if question.most != 1 else "1 point"]
    about += [f"tests {', '.join(sorted(question.asks))}"] if question.asks else []
    about += [f"{median(seconds):.2f} s (longest {max(seconds):.2f} s)"] if seconds else []
    yield f"<h3>{pages.text(question.name)}: {n} of {len(found.totals)} failed</h3>"
    yield f"<p class=muted>{pages.text('; '.join(about))}</p><ul>"
    for why, students in sorted(question.failed.items(), key=lambda item: -len(item[1])):
        who = f" ({', '.join(sorted(students))})" if with_names else ""
        yield f"<li>{len(students)} × {pages.text(why + who)}</li>"
    yield "</ul>"


def written_in_words(found):
    written = [one for one in found.questions.values() if one.written]
    if written:
        yield "<h2>Written answers</h2><ul>"
        for one in written:
            marked = [points for who, points in one.points.items() if who not in one.waiting]
            said = f"median {median(marked):g} of {one.most:g}, " if marked else ""
            waits = f"; {len(one.waiting)} to be marked" if one.waiting else ""
            yield f"<li>{pages.text(one.name)}: {said}{len(marked)} marked{waits}</li>"
        yield "</ul>"


def listed(names):
    return ", ".join(map(pages.text, names))


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
    ax.set_xlabel("points")
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
    hardest = min(questions, key=lambda one: one.shares()[0] + one.shares()[3])
    full, n = hardest.shares()[0], len(found.totals)
    ax.set_title(f"Fewest have all points of {hardest.name}: {full} of {n}")
    alt = "Students with all points of a question: " + ", ".join(
        f"{one.name} {one.shares()[0]}" for one in questions
    )
    return fig, f"{alt}; of {n}."
