"""Wrong and right solutions of the assignments, which the tests of the grading hand in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A way to solve an assignment that differs from the instructor's.

    cells: the source of each solution cell that is replaced, by its grade_id.
    loses: the points it must lose, by the grade_id of the test cell; it loses no others.
    told: a name that the teacher must be told it uses.
    """

    name: str
    cells: dict[str, str]
    loses: dict[str, float]
    told: str = ""
