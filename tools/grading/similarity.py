"""`make similarity`: whose work is alike, as a list to look at and never a verdict.

How works are compared is in winnowing.py. What stands in the assignment or in the instructor's
solution counts for nobody.
"""

import re

from . import pages, rebuild, similarity_page, statistics, submissions
from .course import GradingError, marks, solutions, template
from .inside import magics, reading
from .winnowing import KEPT, LEAST, SHARE, Work, cell, compare, of_code
from .zips import Refused

MARK = re.compile(r"\s*### (BEGIN|END) SOLUTION")


def similarity(course, only=None):
    """Write reports/ASSIGNMENT-similarity.html for each assignment that two have handed in. Returns
    ([path], {assignment: pairs listed}). Nothing that students wrote is run."""
    paths, counts = [], {}
    for name in course.names(only):
        pattern = template(course, name)
        works = read(course, pattern)
        if len(works) < 2:
            continue
        pairs, usual = compare(works)
        counts[name] = len(pairs)
        listed = f"at least {SHARE:.0%} and {LEAST} tokens"
        failed = statistics.alike(statistics.gather(course, pattern))
        parts = similarity_page.parts(works, pairs, usual, listed, given_lines(pattern), failed)
        path = course.root / "reports" / f"{name}-similarity.html"
        paths.append(pages.put(path, f"{name}: alike", parts))
    if not paths:
        raise GradingError("There are no two hand-ins to compare: see `submitted`.")
    return paths, counts


def read(course, pattern):
    """[Work] of all whose hand-in can be read, in the order of their names."""
    source = course.notebook("source", pattern.name)
    theirs = [one for one in pattern.notebook.cells if not marks(one).get("solution")]
    kept = {*KEPT, *pattern.names}.union(
        *(reading.names(magics.plain(one.source)[0])[0] for one in theirs)
    )
    given = rebuild.handed(source.read_bytes())
    given += [  # and with solutions taken out, and hidden tests
        rebuild.Handed(one.cell_type, None, None, pattern.released.get(name, one.source))
        for one in pattern.notebook.cells
        for name in [marks(one).get("grade_id")]
    ]
    known = {gram for one in given for gram in cell(one, "", kept).grams}
    solved = long_solutions(course, pattern, kept)
    as_given = {one.source.strip() for one in given}
    found = []
    for student in submissions.students(course)[0]:
        try:
            one = submissions.read(course, student, pattern.name)
            handed = rebuild.handed(one.data) if one else None
            if one:
                rebuild.rebuild(pattern, handed)  # refuses another assignment's
        except Refused:
            continue
        if handed is not None:
            cells = [
                cell(each, f"cell {number}", kept)
                for number, each in enumerate(handed, start=1)
                if each.source.strip() not in as_given
            ]
            cells = [each for each in cells if not known.issuperset(each.grams)]
            own = frozenset(gram for each in cells for gram in each.grams) - known
            copied = [one.name for one in handed if one.source.split() == solved.get(one.name)]
            found.append(Work(student, cells, own, tuple(copied)))
    return found


def long_solutions(course, pattern, kept):
    """{name of a cell: the words of the instructor's solution, comments included}, of those that
    are too long to be the same by chance."""
    found = {}
    for name, source in solutions(course, pattern.name).items():
        text = "\n".join(line for line in source.splitlines() if not MARK.match(line))
        if len(cell(rebuild.Handed("code", name, None, text), "", kept).lines) >= LEAST:
            found[name] = text.split()
    return found


def given_lines(pattern):
    """Whether a line of code is one of the assignment's; of a function's first line, whatever its
    names."""
    cells = [one.source for one in pattern.notebook.cells if one.cell_type == "code"]
    lines = {line.strip() for one in cells for line in one.splitlines()}
    heads = {signs(line) for line in lines if line.startswith("def ")}
    return lambda line: line.strip() in lines or signs(line) in heads


def signs(line):
    """The tokens of a line of code, one sign for every name and every text in quotes."""
    return tuple(word for word, _, _ in of_code(line.strip(), KEPT))
