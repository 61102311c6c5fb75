"""The instructor's solutions, to be spoiled: most wrong ones differ from a right one by a line."""

from functools import cache

import nbformat

from tests.places import ROOT

SOURCE = ROOT / "assignments" / "source"


@cache
def cells(assignment):
    return nbformat.read(SOURCE / assignment / f"{assignment}.ipynb", 4).cells


def solution(assignment, grade_id):
    """The source of a solution cell as a student would hand it in, without the marks around it."""
    for cell in cells(assignment):
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id:
            lines = cell.source.split("\n")
            return "\n".join(line for line in lines if "### " not in line)
    raise ValueError(f"{assignment} has no cell {grade_id!r}")
