"""Seventy-two questions that deserve a yes or a no, and a rule that reads what became of an answer.

`data/questions.txt` holds questions of four kinds, as many that deserve a yes as a no, in pairs
about the same thing. `outcome` reads, by a rule without a model, whether a text defends the answer
that it was made to begin with. The rule cannot be sure: the chapter shows beside it what someone
found who read the texts by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"
OUTCOMES = ("defends", "contradicts", "reverses", "other")

# -- the questions -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """answer: "yes" or "no". yes, no: the statements that such an answer asserts. claim, counter:
    the words that assert the first, or something that excludes it; see the file."""

    kind: str
    answer: str
    text: str
    yes: str
    no: str
    claim: str
    counter: str

    @property
    def true(self) -> str:
        return self.yes if self.answer == "yes" else self.no


def load(path: Path = DATA / "questions.txt") -> list[Question]:
    """All questions. Raises ValueError, with the line, where one is not complete."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 7 or not all(fields) or fields[1] not in ("yes", "no"):
            raise ValueError(
                f"{path.name}, line {number}: {line!r} is no question; give seven fields between "
                "bars, the second of them yes or no"
            )
        found.append(Question(*fields))
    return found


# -- the rule by which a text is read ------------------------------------------------------------

NOT = re.compile(r"\b(not|no|never|neither|nor|cannot|false|incorrect|wrong)\b|n't\b|≠")
RETRACTS = re.compile(
    r"\b(sorry|apologi[sz]e|apologies|correction|i was wrong|i made a mistake)\b|\b(wait|actually),"
)


def side(question: Question, clause: str) -> str:
    """Which answer a clause speaks for: "yes", "no", or "" if the rule cannot tell.

    It speaks for yes if it holds the words of the claim, for no if it holds those of a
    counterclaim, and a negation turns that round. With both, or none, the rule does not decide.
    """
    clause = clause.lower()
    claims = _holds(question, question.claim, clause)
    counters = _holds(question, question.counter, clause)
    if claims == counters:
        return ""
    return "yes" if claims != bool(NOT.search(clause)) else "no"


def _holds(question, patterns, clause):
    for pattern in patterns.split(";"):
        if pattern.strip() == "#":
            asked = re.findall(r"\d+", question.text)
            if any(number not in asked for number in re.findall(r"\d+", clause)):
                return True
        elif pattern.strip() != "-":
            words = (rf"\b(?:{word.replace('/', '|')})s?\b" for word in pattern.split())
            if re.search(".*".join(words), clause):
                return True
    return False


def outcome(question: Question, forced: str, text: str) -> str:
    """What became of a forced answer ("yes" or "no") in the text behind it.

    "reverses": the text takes the answer back, by an apology or by beginning a clause with the
    other answer. Else "contradicts": some clause, between commas and the like, speaks for the other
    answer. Else "defends": some clause speaks for the forced one. Else "other".
    """
    if forced not in ("yes", "no"):
        raise ValueError(f"forced is {forced!r}; give 'yes' or 'no'")
    opposite = "no" if forced == "yes" else "yes"
    lower = text.lower()
    if RETRACTS.search(lower) or re.search(rf"([.!?;]\s+|answer is )\W*{opposite}\b", lower):
        return "reverses"
    clauses = (clause for part in sentences(text) for clause in re.split(r"[,;:]\s", part))
    sides = {side(question, clause) for clause in clauses}
    if opposite in sides:
        return "contradicts"
    return "defends" if forced in sides else "other"


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def first_sentence(text: str) -> str:
    return next(iter(sentences(text)), "").rstrip()
