"""What is known about each graded submission, in a small file of its own."""

import dataclasses
import json

from .course import write

VERSION = 7  # of how work is judged; another one makes everything be graded again
UNFINISHED = 0  # the version of a card while its work is graded anew


@dataclasses.dataclass
class Card:
    """What is known about one graded submission.

    notes: sentences about what was unusual. looks: about what the teacher should look at, and what
    counts all the same. decisions: about what only the teacher can settle; doubts: those of them
    that the files in `submitted` gave rise to. accepted: the teacher has settled it. stopped: why
    it could not be run to its end, or "". seconds: by the clock; times: of each test.
    """

    student: str
    assignment: str
    digest: str
    template: str
    notes: list
    looks: list
    decisions: list
    doubts: list = dataclasses.field(default_factory=list)
    accepted: bool = False
    stopped: str = ""
    seconds: float = 0
    times: dict = dataclasses.field(default_factory=dict)
    version: int = VERSION

    @property
    def open(self):
        """Whether its points wait for the teacher."""
        return bool(self.decisions) and not self.accepted

    @property
    def waits(self):
        """Whether there is something for the teacher to look at."""
        return bool(self.decisions or self.looks) and not self.accepted


def card_path(course, student, assignment):
    """Beside the reports, and not in `autograded`, all of which nbgrader gives to the student."""
    return course.root / "reports" / assignment / f"{student}.json"


def write_card(course, card):
    """Keep a card, in place of the one before."""
    path = card_path(course, card.student, card.assignment)
    write(path, json.dumps(dataclasses.asdict(card), indent=1) + "\n")


def read_card(course, student, assignment):
    """The card of an earlier grading, or None."""
    try:
        text = card_path(course, student, assignment).read_text(encoding="utf-8")
        return Card(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None
