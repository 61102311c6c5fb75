"""Claims: what a chapter reports, how it is kept, and that the book keeps its word."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.page import claims

LEDGER = """
claims:
  - id: narrowing
    short: words narrow
    statement: Each word narrows what can be said.
    held_by: both camps
    later: ["05", planning]
    tests:
      - chapter: "01"
        question: How fast?
        measure: a share
        bound: {at_least: 0.5}
        control: nothing else could
        registered: 2026-11-20
        beforehand: true
        amended:
          - {date: 2026-11-21, was: at least 0.6, measured: "0.55", why: A better floor.}
        verdict: holds
        limits: A toy.
      - id: narrowing-again
        chapter: "02"
        question: And on real text?
        measure: a share
        bound: {between: [0.2, 0.4]}
        control: {measure: the same without words, clean: {at_most: 0.1}}
        registered: 2026-11-22
        beforehand: false
        verdict: open
        open: One text cannot tell.
        limits: One text.
by_construction:
  - id: frozen
    statement: The past is frozen.
    held_by: both camps
    by_construction: Nothing looks ahead.
    chapter: "01"
    shown_by: tests/models/test_transformer.py
to_come:
  - id: speed
    statement: Diffusion is faster.
    held_by: enthusiasts
    later: ["06"]
"""


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "claims.yml"
    path.write_text(LEDGER, encoding="utf-8")
    return claims.load(path)


@pytest.fixture
def shown(ledger, monkeypatch):
    """What `evidence` displays, one item a call, with LEDGER as the list of claims."""
    items = []
    monkeypatch.setattr(claims, "load", lambda: ledger)
    monkeypatch.setattr(claims, "display", items.append)
    return items


def notebook(path, *items):
    """A notebook whose stored outputs are these pieces of evidence."""
    outputs = [
        {"output_type": "display_data", "data": item._repr_mimebundle_(), "metadata": {}}
        for item in items
    ]
    cells = [{"cell_type": "markdown", "source": ""}, {"cell_type": "code", "outputs": outputs}]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


# --- what a reader sees -----------------------------------------------------------------------


def test_one_line_says_it_all(shown):
    claims.evidence("narrowing", 0.8449, n=2000, interval=(0.83, 0.86), baseline=0.1, note="seen")
    assert repr(shown[0]) == (
        "words narrow: a share 0.84 [0.83, 0.86], n = 2,000, baseline 0.10; "
        "the claim needs at least 0.5: met; the claim holds (seen)"
    )


def test_units_digits_and_whole_numbers(shown):
    claims.evidence("narrowing", 0.25, n=1, unit="nats", digits=3)
    claims.evidence("narrowing", 98.16, n=1, unit="%", digits=1)
    claims.evidence("narrowing", 1234567, n=1, unit="sentences")
    assert [item.measured() for item in shown] == [
        "0.250 nats, n = 1",
        "98.2%, n = 1",
        "1,234,567 sentences, n = 1",
    ]
    assert [item.met for item in shown] == [False, True, True]


def test_the_page_shows_words_and_not_markup(shown):
    claims.evidence("narrowing", 0.9, n=10, note="<script>alert(1)</script>")
    page = shown[0]._repr_mimebundle_()["text/html"]
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "needs at least 0.5: met" in page and ">holds<" in page


@given(
    value=st.floats(-1e6, 1e6),
    below=st.floats(0, 1e3),
    above=st.floats(0, 1e3),
    digits=st.integers(0, 6),
)
@settings(deadline=None)
def test_stored_numbers_are_the_printed_ones(value, below, above, digits):
    items = []
    today = date(2026, 11, 29)
    free = claims.Experiment(
        "x", "01", "?", "a share", claims.Bound(), "none", today, True, "holds", "A toy."
    )
    listed = (claims.Claim("x", "A claim.", "someone", "short", (free,)),)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "load", lambda: listed)
        patch.setattr(claims, "display", items.append)
        claims.evidence("x", value, n=1, interval=(value - below, value + above), digits=digits)
    item = items[0]
    assert item.interval[0] <= item.value <= item.interval[1]
    printed = item.measured().split(" [")[0]
    assert float(printed.replace(",", "")) == item.value
    assert not printed.startswith("-0.0") or item.value < 0


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"claim_id": "narowing"}, "no test 'narowing' in book/claims.yml; there is narrowing"),
        ({"n": 0}, "n is 0; give the number of tries"),
        ({"n": None}, "n is None; give the number of tries"),
        ({"n": 12.5}, "n is 12.5; give the number of tries"),
        ({"value": float("nan")}, "value is nan; evidence needs a finite number"),
        ({"value": float("inf")}, "value is inf; evidence needs a finite number"),
        ({"interval": (0.7, 0.8)}, r"interval \[0.7, 0.8\] leaves out the value 0.9"),
        ({"interval": (0.95, 0.85)}, "leaves out the value 0.9"),
        ({"interval": (0.8, float("nan"))}, "interval is nan"),
        ({"interval": (0.8,)}, r"value's interval is \(0.8,\); give its two ends"),
        ({"interval": (0.8, 0.9, 1.0)}, "value's interval is .*; give its two ends"),
        ({"interval": 0.8}, "value's interval is 0.8; give its two ends"),
        ({"interval": ("0.8", "1")}, "value's interval is '0.8'; evidence needs a finite number"),
        ({"baseline": float("nan")}, "baseline is nan"),
        ({"value": 0.4996}, "is printed as 0.5, on the other side of the bound .at least 0.5."),
    ],
)
def test_bad_evidence_is_refused(shown, arguments, message):
    good = {"claim_id": "narrowing", "value": 0.9, "n": 100}
    claims.evidence(**good)
    with pytest.raises(ValueError, match=message):
        claims.evidence(**{**good, **arguments})
    assert len(shown) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("claims:", "claim:", "must hold three lists, 'claims', 'by_construction'"),
        ("claims:", "claims: [", "claims.yml is not valid YAML"),
        ("    held_by: both camps\n", "", "claim narrowing: the field 'held_by' is missing"),
        ("    short: words narrow\n", "", "claim narrowing: needs 'short' and 'tests'"),
        ("held_by: both camps", "heldby: both camps", "claim narrowing: unknown field 'heldby'"),
        ("held_by: both camps", "held_by: 7", "held_by is 7, not text"),
        ("held_by: both camps", 'held_by: ""', "held_by is '', not text"),
        ('chapter: "01"', "chapter: 01", "chapter is 1, not text; quote numbers"),
        ('later: ["05", planning]', "later: [05]", "later is .5.; quote numbers"),
        (
            "        limits: A toy.\n",
            "",
            "a test of claim narrowing: the field 'limits'",
        ),
        ("registered: 2026-11-20", "registered: soon", "registered is 'soon', not a date such as"),
        ("registered: 2026-11-20", "registered: '2026-11-20'", "not a date such as 2026-11-29"),
        ("beforehand: true", "beforehand: perhaps", "beforehand is 'perhaps'; write true or false"),
        ("control: nothing else could", "control: 7", "control is 7; give a measure and what is"),
        ("control: nothing else could", "control: ''", "control is ''; give a measure and what"),
        ("clean: {at_most: 0.1}", "clean: yes", "control: bound is True; write"),
        ("{measure: the same without words, ", "{", "the field 'measure' is missing"),
        (", why: A better floor.", "", "amended: the field 'why' is missing"),
        (
            "    by_construction: Nothing looks ahead.\n",
            "",
            "claim frozen: true by construction, it",
        ),
        ("{at_least: 0.5}", "{more_than: 0.5}", "bound is {'more_than': 0.5}; write"),
        (
            "{at_least: 0.5}",
            "{at_least: 0.5, at_most: 0.7}",
            "write {at_least: x}, {at_most",
        ),
        ("{at_least: 0.5}", "half", "bound is 'half'; write"),
        ("verdict: holds", "verdict: maybe", "verdict 'maybe' is none of holds, holds with limits"),
        ("id: speed", "id: narrowing", "lists narrowing more than once"),
        ("id: narrowing-again", "id: narrowing", "lists narrowing more than once"),
        ('    later: ["06"]\n', "", "claim speed: in to_come it needs 'later'"),
        (
            "  - id: speed\n",
            "  - speed\n  - id: speed\n",
            "must be a mapping with an id, not 'speed'",
        ),
    ],
)
def test_a_faulty_list_is_refused(tmp_path, old, new, message):
    path = tmp_path / "claims.yml"
    assert old in LEDGER
    path.write_text(LEDGER.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        claims.load(path)


# --- stored evidence --------------------------------------------------------------------------


def test_evidence_survives_the_notebook(shown, tmp_path):
    claims.evidence("narrowing", 0.9, n=10, interval=(0.8, 1.0), unit="nats", note="again")
    one = notebook(tmp_path / "01_markov.ipynb", shown[0])
    none = notebook(tmp_path / "02_other.ipynb")
    found = claims.collect([one, none])
    assert repr(found["01"][0]) == repr(shown[0])
    assert found["02"] == []


def test_a_broken_or_older_notebook_is_named(shown, tmp_path):
    broken = tmp_path / "01_broken.ipynb"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"01_broken.ipynb is not a notebook"):
        claims.collect([broken])
    claims.evidence("narrowing", 0.9, n=10)
    older = notebook(tmp_path / "01_older.ipynb", shown[0])
    older.write_text(older.read_text().replace('"needs"', '"bound"'), encoding="utf-8")
    with pytest.raises(ValueError, match=r"01_older.ipynb holds evidence of another version"):
        claims.collect([older])


def test_what_does_not_agree_is_found(ledger, shown):
    claims.evidence("narrowing", 0.9, n=10)
    claims.evidence("narrowing", 0.1, n=10)
    claims.evidence("narrowing-again", 0.3, n=10, control=0.0)
    good, missed, again = shown

    def problems(**found):
        return claims.check(ledger, {chapter[1:]: items for chapter, items in found.items()})

    assert problems() == []
    assert problems(c01=[good], c02=[again]) == []
    assert problems(c01=[]) == ["chapter 01 gives no evidence for 'narrowing'"]
    assert problems(c01=[good, good]) == ["chapter 01 gives evidence 2 times for 'narrowing'"]
    assert problems(c01=[missed])[0].startswith(
        "claims.yml says 'narrowing' 'holds', and not so: words narrow: a share 0.10"
    )
    assert problems(c01=[good], c03=[good]) == [
        "claims.yml lists no test 'narrowing' for chapter 03"
    ]
    assert problems(c05=[]) == ["chapter 05 is written, but claim 'narrowing' awaits its test"]
    assert problems(c06=[]) == ["chapter 06 is written, but claim 'speed' awaits its test"]


# --- the verdict ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "interval", "control", "change", "verdict"),
    [  # control: its value, or its value and the ends of its interval
        (0.9, (0.8, 1.0), 0.05, {}, "holds"),
        (0.9, None, 0.05, {}, "holds"),
        (0.9, (0.8, 1.0), 0.05, {"decisive_limit": "One book."}, "holds with limits"),
        (0.4, (0.3, 0.45), 0.05, {}, "does not hold"),
        (0.4, (0.3, 0.45), 0.05, {"decisive_limit": "One book."}, "does not hold"),
        (0.9, (0.8, 1.0), 0.2, {}, "does not hold"),
        (0.9, (0.8, 1.0), (0.2, 0.15, 0.25), {}, "does not hold"),
        (0.9, (0.8, 1.0), (0.05, 0.0, 0.15), {}, "open"),
        (0.9, (0.8, 1.0), (0.12, 0.05, 0.2), {}, "open"),
        (0.9, (0.8, 1.0), (0.05, 0.0, 0.1), {}, "holds"),
        (0.4, (0.3, 0.45), (0.05, 0.0, 0.15), {}, "does not hold"),  # missed, whatever controls
        (0.4, (0.3, 0.6), (0.2, 0.15, 0.25), {}, "does not hold"),  # explained, whatever it is
        (0.9, (0.4, 1.0), 0.05, {}, "open"),
        (0.4, (0.3, 0.6), 0.05, {}, "open"),
        (0.9, (0.8, 1.0), 0.05, {"open": "One text cannot tell."}, "open"),
        (0.9, (0.8, 1.0), None, {"control": "nothing else could"}, "holds"),
    ],
)
def test_one_rule_gives_the_verdict(ledger, value, interval, control, change, verdict):
    control_of = claims.Control("the same without words", claims.Bound(at_most=0.1))
    test = replace(ledger[0].tests[0], **{"control": control_of, **change})
    control, *ends = control if isinstance(control, tuple) else (control,)
    assert claims.judge(test, value, interval, control, tuple(ends) or None) == verdict


def test_a_control_has_an_interval_where_the_value_has_one(shown):
    with pytest.raises(ValueError, match="give interval and control_interval together"):
        claims.evidence("narrowing-again", 0.3, n=10, interval=(0.2, 0.4), control=0.0)
    with pytest.raises(ValueError, match=r"leaves out the control 0\.0"):
        spans = {"interval": (0.2, 0.4), "control_interval": (0.01, 0.1)}
        claims.evidence("narrowing-again", 0.3, n=10, control=0.0, **spans)
    with pytest.raises(ValueError, match="no control for 'narrowing' was registered"):
        claims.evidence("narrowing", 0.9, n=10, control_interval=(0.0, 0.1))
    spans = {"interval": (0.2, 0.4), "control_interval": (0.0, 0.11)}
    claims.evidence("narrowing-again", 0.3, n=10, control=0.0, **spans)
    assert shown[0].controlled() == "0.00 [0.00, 0.11], clean if at most 0.1"


def test_a_control_is_given_where_one_is_registered_and_only_there(shown):
    with pytest.raises(ValueError, match=r"control is None, and a control .* was registered"):
        claims.evidence("narrowing-again", 0.3, n=10)
    with pytest.raises(ValueError, match=r"control is 0.1, and a control .* was not registered"):
        claims.evidence("narrowing", 0.9, n=10, control=0.1)
    with pytest.raises(ValueError, match=r"control 0.1001 is printed as 0.1, on the other side"):
        claims.evidence("narrowing-again", 0.3, n=10, control=0.1001)


def test_a_control_that_explains_the_result_is_seen_by_the_reader(shown, ledger, monkeypatch):
    again = replace(ledger[0].tests[1], open="")
    monkeypatch.setattr(claims, "load", lambda: (replace(ledger[0], tests=(again,)),))
    claims.evidence("narrowing-again", 0.3, n=10, control=0.25)
    line = repr(shown[0])
    assert "control, the same without words: 0.25, clean if at most 0.1" in line
    assert "the claim does not hold" in line


def test_a_bound_that_moved_since_is_found(shown, ledger):
    claims.evidence("narrowing", 0.9, n=10)
    test = replace(ledger[0].tests[0], bound=claims.Bound(at_least=0.6))
    problems = claims.check([replace(ledger[0], tests=(test,))], {"01": shown})
    assert problems == [
        "chapter 01 held 'narrowing' against 'at least 0.5', claims.yml says 'at least 0.6': "
        "run the notebook again"
    ]


def test_a_verdict_that_moved_since_is_found(shown, ledger):
    claims.evidence("narrowing", 0.9, n=10)
    test = replace(ledger[0].tests[0], decisive_limit="One language.", verdict="holds with limits")
    problems = claims.check([replace(ledger[0], tests=(test,))], {"01": shown})
    assert problems == [
        "chapter 01 shows 'narrowing' as 'holds', claims.yml says 'holds with limits': "
        "run the notebook again"
    ]
