"""Claims and their evidence: a number in the book cannot drift from the code that measured it.

`book/claims.yml` lists every claim with its experiments: the question, what is measured, the bound
that would speak for the claim, and the control that could explain the result in another way; all of
it written down before the final measurement. A chapter reports with `evidence(...)`, which prints
one line for people and stores the same as data in the cell's output. The ledger page is made from
those stored outputs. `judge` turns bound, control and limits into a verdict, and `check` compares
that with the verdict in the list: a measurement that is missing or has changed sides fails a test.
"""

from __future__ import annotations

import datetime
import difflib
import html
import json
import math
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, fields
from numbers import Integral
from pathlib import Path

import yaml
from IPython.display import display

from utils.text.numbers import real, whole

ROOT = Path(__file__).resolve().parent.parent.parent
MIME = "application/vnd.one-token.claim+json"
VERDICTS = ("holds", "holds with limits", "does not hold", "open")
COLOURS = dict(zip(VERDICTS, ("#0b7a53", "#0b7a53", "#b3382c", "#6b6b6b"), strict=True))

# --- the list of claims -----------------------------------------------------------------------


@dataclass(frozen=True)
class Bound:
    """What a value must meet; an end that is infinite is free."""

    at_least: float = -math.inf
    at_most: float = math.inf

    def met(self, value: float) -> bool:
        return self.at_least <= value <= self.at_most

    def __str__(self) -> str:
        if self.at_most == math.inf:
            return f"at least {self.at_least:,}"
        if self.at_least == -math.inf:
            return f"at most {self.at_most:,}"
        return f"between {self.at_least:,} and {self.at_most:,}"


@dataclass(frozen=True)
class Control:
    """A number that shows whether something else than the claim explains the result: if it is not
    within `clean`, something does."""

    measure: str
    clean: Bound


@dataclass(frozen=True)
class Amendment:
    """What was changed after it had been registered: kept, so that nothing moves unseen."""

    date: datetime.date
    was: str  # the bound or measure that had been registered
    measured: str  # what had been measured by then
    why: str


@dataclass(frozen=True)
class Experiment:
    """One chapter's test of a claim. Its id is the claim's own unless the file gives another.

    beforehand: whether it was written down before the final models were measured.
    control: what could explain the result otherwise, or a sentence that says why nothing could.
    decisive_limit: a limit that matters to the debate itself; open: why these means cannot tell.
    """

    id: str
    chapter: str  # two digits, as in the notebook's name
    question: str
    measure: str
    bound: Bound
    control: Control | str
    registered: datetime.date
    beforehand: bool
    verdict: str
    limits: str
    decisive_limit: str = ""
    open: str = ""
    amended: tuple[Amendment, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A claim, the tests it has had, and the chapters or topics where others are to follow.

    by_construction: why it is true, or false, of every model built so: then it needs no experiment,
    chapter `chapter` shows it, and the file `shown_by` tests the code.
    """

    id: str
    statement: str
    held_by: str
    short: str = ""
    tests: tuple[Experiment, ...] = ()
    later: tuple[str, ...] = ()
    by_construction: str = ""
    chapter: str = ""
    shown_by: str = ""


def judge(test: Experiment, value, interval=None, control=None, control_interval=None) -> str:
    """The verdict on a claim, by the book's one rule:

    open            if the test says so;
    does not hold   if the bound is missed, or the control explains the result, beyond doubt: all
                    of the interval lies there;
    open            if either is in doubt: its interval reaches across;
    holds with limits  if both are passed, and a named limit matters to the debate;
    holds           if both are passed.
    """
    passed = [_meets(test.bound, value, interval)]
    if isinstance(test.control, Control):
        passed.append(_meets(test.control.clean, control, control_interval))
    if test.open:
        return "open"
    if False in passed:
        return "does not hold"
    if None in passed:
        return "open"
    return "holds with limits" if test.decisive_limit else "holds"


def _meets(bound: Bound, value: float, interval: tuple[float, float] | None) -> bool | None:
    """Whether the bound is met; None if the interval reaches across it."""
    met = {bound.met(number) for number in (value, *(interval or ()))}
    return met.pop() if len(met) == 1 else None


LISTS = ("claims", "by_construction", "to_come")


def load(path: Path | str = ROOT / "book" / "claims.yml") -> tuple[Claim, ...]:
    """All claims of the book. ValueError says what in the file is wrong, and where."""
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name} is not valid YAML: {error}") from None
    if not isinstance(data, dict) or set(data) != set(LISTS):
        raise ValueError(f"{path.name} must hold three lists, {', '.join(map(repr, LISTS))}")
    tested, constructed, to_come = ([_claim(entry) for entry in data[name] or []] for name in LISTS)
    for claim in tested:
        if not claim.tests or not claim.short or claim.by_construction:
            raise ValueError(f"claim {claim.id}: needs 'short' and 'tests', or a place in to_come")
    for claim in constructed:
        if claim.tests or not (claim.by_construction and claim.chapter and claim.shown_by):
            raise ValueError(
                f"claim {claim.id}: true by construction, it needs 'by_construction', 'chapter' "
                "and 'shown_by', and no 'tests'"
            )
    for claim in to_come:
        if claim.tests or claim.by_construction or not claim.later:
            raise ValueError(f"claim {claim.id}: in to_come it needs 'later', and no 'tests'")
    listed = tested + constructed + to_come
    for ids in ([claim.id for claim in listed], [t.id for c in tested for t in c.tests]):
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"{path.name} lists {', '.join(twice)} more than once")
    return tuple(listed)


def _record(kind: type, entry, where: str, **built):
    """`kind(**entry)`, once the entry has the fields of `kind` and text where text belongs.

    built: fields already turned into what `kind` wants.
    """
    if not isinstance(entry, dict):
        raise ValueError(f"{where} must be a mapping, not {entry!r}")
    entry = {**entry, **built}
    wanted = {field.name: field for field in fields(kind)}
    unknown = sorted(set(entry) - set(wanted))
    missing = [name for name, f in wanted.items() if f.default is MISSING and name not in entry]
    if unknown or missing:
        what = (
            f"unknown field {unknown[0]!r}" if unknown else f"the field {missing[0]!r} is missing"
        )
        raise ValueError(f"{where}: {what}; the fields are {', '.join(wanted)}")
    for name, value in entry.items():
        if wanted[name].type == "str" and not (isinstance(value, str) and value.strip()):
            raise ValueError(f'{where}: {name} is {value!r}, not text; quote numbers, as in "01"')
        if wanted[name].type == "datetime.date" and type(value) is not datetime.date:
            raise ValueError(f"{where}: {name} is {value!r}, not a date such as 2026-11-29")
        if wanted[name].type == "bool" and not isinstance(value, bool):
            raise ValueError(f"{where}: {name} is {value!r}; write true or false")
    return kind(**entry)


def _claim(entry) -> Claim:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise ValueError(f"a claim must be a mapping with an id, not {entry!r}")
    where = f"claim {entry['id']}"
    tests = tuple(_experiment(test, entry["id"]) for test in entry.get("tests", []))
    later = tuple(entry.get("later", []))
    if not all(isinstance(chapter, str) for chapter in later):
        raise ValueError(f'{where}: later is {list(later)}; quote numbers, as in "01"')
    return _record(Claim, entry, where, tests=tests, later=later)


def _experiment(entry, claim_id: str) -> Experiment:
    where = f"a test of claim {claim_id}"
    if not isinstance(entry, dict):
        raise ValueError(f"{where} must be a mapping, not {entry!r}")
    built = {"bound": _bound(entry.get("bound"), where)}
    if isinstance(entry.get("control"), dict):
        built["control"] = _control(entry["control"], f"{where}: control")
    built["amended"] = tuple(
        _record(Amendment, change, f"{where}: amended") for change in entry.get("amended", [])
    )
    test = _record(Experiment, {"id": claim_id, **entry}, where, **built)
    if not isinstance(test.control, Control | str) or not test.control:
        raise ValueError(
            f"{where}: control is {test.control!r}; give a measure and what is clean, "
            "or a sentence that says why nothing else could explain the result"
        )
    if test.verdict not in VERDICTS:
        raise ValueError(f"{where}: verdict {test.verdict!r} is none of {', '.join(VERDICTS)}")
    return test


def _control(entry: dict, where: str) -> Control:
    return _record(Control, entry, where, clean=_bound(entry.get("clean"), where))


def _bound(entry, where: str) -> Bound:
    match entry:
        case {"at_least": int() | float() as low, **rest} if not rest:
            return Bound(at_least=low)
        case {"at_most": int() | float() as high, **rest} if not rest:
            return Bound(at_most=high)
        case {"between": [int() | float() as low, int() | float() as high], **rest} if not rest:
            return Bound(at_least=low, at_most=high)
    forms = "{at_least: x}, {at_most: x} or {between: [low, high]}"
    raise ValueError(f"{where}: bound is {entry!r}; write {forms}")


def clean_needs(test: Experiment) -> str:
    """What the control must meet to be clean, in words; empty if it is no number."""
    return str(test.control.clean) if isinstance(test.control, Control) else ""


# --- the evidence -----------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Evidence:
    """A measurement as a chapter printed it; its numbers are rounded to the digits shown."""

    id: str
    short: str
    measure: str
    value: float
    n: int
    interval: tuple[float, float] | None
    unit: str
    baseline: float | None
    note: str
    digits: int
    needs: str
    met: bool
    control: float | None
    control_interval: tuple[float, float] | None
    control_measure: str
    control_needs: str
    verdict: str

    def numbers(self) -> tuple:
        """What `judge` decides by."""
        return self.value, self.interval, self.control, self.control_interval

    def measured(self) -> str:
        """Such as `0.42 nats [0.40, 0.44], n = 1,000, baseline 0.90 nats`."""
        text = self._number(self.value, self.unit) + self._span(self.interval)
        text += f", n = {self.n:,}"
        if self.baseline is not None:
            text += f", baseline {self._number(self.baseline, self.unit)}"
        return text

    def outcome(self) -> str:
        return "met" if self.met else "not met"

    def controlled(self) -> str:
        """Such as `0.83 [0.80, 0.86], clean if at most 0.3`; empty where no number controls."""
        if self.control is None:
            return ""
        span = self._span(self.control_interval)
        return f"{self._number(self.control)}{span}, clean if {self.control_needs}"

    def __repr__(self) -> str:
        line = (
            f"{self.short}: {self.measure} {self.measured()}; the claim needs {self.needs}: "
            f"{self.outcome()}"
        )
        if self.control is not None:
            line += f"; control, {self.control_measure}: {self.controlled()}"
        line += f"; the claim {'is ' * (self.verdict == 'open')}{self.verdict}"
        return f"{line} ({self.note})" if self.note else line

    def _span(self, interval: tuple[float, float] | None) -> str:
        return f" [{', '.join(map(self._number, interval))}]" if interval else ""

    def _number(self, value: float, unit: str = "") -> str:
        return f"{value:,.{self.digits}f}" + (unit if unit in ("", "%", "×") else f" {unit}")

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"text/plain": repr(self), "text/html": self._html(), MIME: asdict(self)}

    def _html(self) -> str:
        # Inline styles, because a notebook may be opened anywhere. Text keeps the page's own
        # colour, so that it is legible on light and on dark.
        colour = COLOURS[self.verdict]
        measured = html.escape(self.measured()).replace("n = ", "n&nbsp;=&nbsp;")
        note = f' <span style="opacity:.8">({html.escape(self.note)})</span>' if self.note else ""
        control = ""
        if self.control is not None:
            control = (
                f"; control, {html.escape(self.control_measure)}: "
                f"<strong>{html.escape(self.controlled())}</strong>"
            )
        return (
            f'<div class="claim-evidence" style="border-left:3px solid {colour};'
            'padding:.25em .75em;margin:.25em 0">'
            f"{html.escape(self.short)}: {html.escape(self.measure)} <strong>{measured}</strong>; "
            f"the claim needs {html.escape(self.needs)}: {self.outcome()}{control} "
            f'<span style="background:{colour};color:#fff;'
            f'border-radius:3px;padding:0 .45em;white-space:nowrap">{self.verdict}</span>'
            f"{note}</div>"
        )


def evidence(
    claim_id: str,
    value: float,
    *,
    n: int,
    interval: tuple[float, float] | None = None,
    unit: str = "",
    baseline: float | None = None,
    control: float | None = None,
    control_interval: tuple[float, float] | None = None,
    note: str = "",
    digits: int = 2,
) -> None:
    """Report what was measured for a claim: shows one line and stores it in the cell's output.

    claim_id: the id of an experiment in `book/claims.yml`.
    n: how many tries, texts or tokens stand behind the value.
    interval: the 95% confidence interval; where it is another, the note says which.
    baseline: what the same measure gives without the effect, in the same unit.
    control: what the registered control gave; needed where one is registered, and only there.
    control_interval: the same for the control; needed where both it and `interval` are given.
    digits: decimal places of value, intervals, baseline and control; none if the value is whole.
    Raises ValueError for an unknown claim, a number that is not finite, an interval that leaves
    its value out, a control or its interval that is missing or does not belong, and rounding that
    would decide whether a bound is met.
    """
    experiments = {test.id: (claim, test) for claim in load() for test in claim.tests}
    if claim_id not in experiments:
        near = difflib.get_close_matches(claim_id, experiments, cutoff=0.4) or sorted(experiments)
        raise ValueError(f"no test {claim_id!r} in book/claims.yml; there is {', '.join(near)}")
    claim, test = experiments[claim_id]
    n = whole("n", n, "give the number of tries behind the value, 1 or more", least=1)
    digits = whole("digits", digits, "choose 0 or more, such as 2", least=0, most=15)
    value = _finite(value, "value")
    if isinstance(value, int):
        digits = 0
    shown = _printed("value", value, digits, test.bound)
    interval = _around(value, "value", interval, digits)
    if baseline is not None:
        baseline = _rounded(_finite(baseline, "baseline"), digits)
    registered = test.control if isinstance(test.control, Control) else None
    if (control is None) != (registered is None):
        wants = "was registered: give it" if registered else "was not registered: leave it out"
        raise ValueError(f"control is {control}, and a control for {claim_id!r} {wants}")
    if registered:
        if (control_interval is None) != (interval is None):
            raise ValueError("give interval and control_interval together, or neither")
        control = _finite(control, "control")
        control_interval = _around(control, "control", control_interval, digits)
        control = _printed("control", control, digits, registered.clean)
    elif control_interval is not None:
        raise ValueError(f"no control for {claim_id!r} was registered: leave out its interval")
    needs, met = str(test.bound), test.bound.met(shown)
    display(
        Evidence(
            id=claim_id,
            short=claim.short,
            measure=test.measure,
            value=shown,
            n=n,
            interval=interval,
            unit=unit,
            baseline=baseline,
            note=note,
            digits=digits,
            needs=needs,
            met=met,
            control=control,
            control_interval=control_interval,
            control_measure=registered.measure if registered else "",
            control_needs=clean_needs(test),
            verdict=judge(test, shown, interval, control, control_interval),
        )
    )


def _around(value: float, name: str, interval, digits: int):
    """The interval as it is shown. ValueError if it leaves out the value."""
    if interval is None:
        return None
    ends = list(interval) if isinstance(interval, Iterable) else []
    if len(ends) != 2:
        raise ValueError(f"{name}'s interval is {interval}; give its two ends, (low, high)")
    low, high = (_finite(end, f"{name}'s interval") for end in ends)
    if not low <= value <= high:
        raise ValueError(f"interval [{low}, {high}] leaves out the {name} {value}")
    return (_rounded(low, digits), _rounded(high, digits))


def _printed(name: str, number: float, digits: int, bound: Bound) -> float:
    """The number as it is shown. ValueError if rounding it takes it across the bound."""
    shown = _rounded(number, digits)
    if bound.met(number) != bound.met(shown):
        raise ValueError(
            f"{name} {number} is printed as {shown}, on the other side of the bound ({bound}); "
            f"show more digits than {digits}"
        )
    return shown


def _finite(number, name: str) -> float:
    finite = real(name, number, "evidence needs a finite number")
    return int(number) if isinstance(number, Integral) else finite


def _rounded(number: float, digits: int) -> float:
    return number if isinstance(number, int) else round(number, digits) + 0.0  # never -0.0


# --- the stored evidence against the list -----------------------------------------------------


def collect(notebooks: Iterable[Path | str]) -> dict[str, list[Evidence]]:
    """The evidence in the notebooks' stored outputs, by chapter: the name's first two digits."""
    found = {}
    for path in map(Path, notebooks):
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path.name} is not a notebook") from None
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        stored = [output["data"][MIME] for output in outputs if MIME in output.get("data", {})]
        if any(set(data) != {field.name for field in fields(Evidence)} for data in stored):
            raise ValueError(f"{path.name} holds evidence of another version; run it again")
        found[path.name[:2]] = [Evidence(**data) for data in stored]
    return found


def check(claims: Iterable[Claim], found: dict[str, list[Evidence]]) -> list[str]:
    """Where the list of claims and the evidence `collect` found disagree, a sentence each."""
    problems = []
    experiments = {}
    for claim in claims:
        for chapter in sorted(set(claim.later) & set(found)):
            problems.append(f"chapter {chapter} is written, but claim {claim.id!r} awaits its test")
        for test in claim.tests:
            experiments[test.id] = test
            times = [item.id for item in found.get(test.chapter, [])].count(test.id)
            if test.chapter in found and times != 1:
                how_often = f"evidence {times} times" if times else "no evidence"
                problems.append(f"chapter {test.chapter} gives {how_often} for {test.id!r}")
    for chapter, items in found.items():
        for item in items:
            test = experiments.get(item.id)
            if test is None or test.chapter != chapter:
                problems.append(f"claims.yml lists no test {item.id!r} for chapter {chapter}")
            elif item.needs != str(test.bound):
                problems.append(
                    f"chapter {chapter} held {item.id!r} against {item.needs!r}, claims.yml "
                    f"says {str(test.bound)!r}: run the notebook again"
                )
            elif item.control_needs != clean_needs(test):
                problems.append(
                    f"chapter {chapter} held the control of {item.id!r} against "
                    f"{item.control_needs!r}, claims.yml says {clean_needs(test)!r}: "
                    "run the notebook again"
                )
            elif judge(test, *item.numbers()) != test.verdict:
                problems.append(f"claims.yml says {item.id!r} {test.verdict!r}, and not so: {item}")
            elif item.verdict != test.verdict:
                problems.append(
                    f"chapter {chapter} shows {item.id!r} as {item.verdict!r}, claims.yml says "
                    f"{test.verdict!r}: run the notebook again"
                )
    return problems
