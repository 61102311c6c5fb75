"""The instructor's solutions, to be spoiled: most wrong ones differ from a right one by a line."""

import nbformat

from tests.places import ROOT

SOURCE = ROOT / "assignments" / "source"


def solution(assignment, grade_id):
    """The source of a solution cell as a student would hand it in, without the marks around it."""
    notebook = nbformat.read(SOURCE / assignment / f"{assignment}.ipynb", 4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            lines = cell.source.split("\n")
            return "\n".join(line for line in lines if "### " not in line)
    raise ValueError(f"{assignment} has no cell {grade_id!r}")


def changed(assignment, grade_id, *changes):
    """That cell with parts of it replaced."""
    return {grade_id: replaced(solution(assignment, grade_id), *changes)}


def replaced(source, *changes):
    """A text with each (old, new) pair replaced; each old text must occur just once."""
    for old, new in changes:
        if source.count(old) != 1:
            raise ValueError(f"{old!r} stands {source.count(old)} times in: {source}")
        source = source.replace(old, new)
    return source
