import json
import shutil
from pathlib import Path

import pytest

from tests.disks import filling_up, killed_at, locked
from utils.checkpoints import kept_answers
from utils.checkpoints.provenance import changes
from utils.experiments import forced_answers, yes_or_no
from utils.experiments.forced_answers import FORCED
from utils.experiments.yes_or_no import outcome
from utils.models import smollm


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A file of answers that a stand-in for SmolLM2 has given: the same to each question."""
    texts = [dict.fromkeys(FORCED, " so it is.") for _ in yes_or_no.load()]
    monkeypatch.setattr(smollm, "load", lambda: (None, None))
    monkeypatch.setattr(
        forced_answers, "force", lambda model, tokenizer, asked: texts[: len(asked)]
    )
    monkeypatch.setattr(forced_answers, "record", said)
    monkeypatch.setattr(kept_answers, "made_by", lambda: {"question.a": "1", "utils.b": "2"})
    path = tmp_path / "forced_answers.json"
    kept_answers.remake(path)
    return path


def said(model, tokenizer, question, texts):
    return forced_answers.Record(
        question.text, 0.5, 0.5, 0.0, {"Yes.": 1.0, "No.": -1.0}, texts, {}
    )


# -- what is kept --------------------------------------------------------------------------------


def test_what_is_kept_fits_the_questions():
    kept = kept_answers.records()
    assert [r.text for r in kept] == [q.text for q in yes_or_no.load()]
    assert all(set(r.texts) == set(r.later) == set(forced_answers.FORCED) for r in kept)


def test_what_was_read_is_what_is_kept(tmp_path):
    read = kept_answers.readings()
    assert set(read) == {(q.text, word) for q in yes_or_no.load() for word in ("Yes,", "No,")}
    entries = json.loads((kept_answers.DATA / "readings.json").read_text())
    for change in ({"text": " something else"}, {"outcome": "agrees"}):
        path = tmp_path / "readings.json"
        path.write_text(json.dumps([entries[0] | change]))
        with pytest.raises(ValueError, match="read it again"):
            kept_answers.readings(path)


def test_the_rule_mostly_agrees_with_the_reading():
    read, agree = kept_answers.readings(), []
    for q, kept in zip(yes_or_no.load(), kept_answers.records(), strict=True):
        for word in ("yes", "no"):
            beginning = f"{word.capitalize()},"
            found = outcome(q, word, kept.texts[beginning])
            agree.append(found == read[q.text, beginning])
    assert len(agree) == 144 and sum(agree) >= 0.85 * len(agree)


@pytest.mark.slow
def test_the_model_still_says_what_is_kept():
    model, tokenizer = smollm.load()
    asked, kept = yes_or_no.load(), kept_answers.records()
    for i in (0, len(asked) // 2):
        (texts,) = forced_answers.force(model, tokenizer, [asked[i]])
        again = forced_answers.record(model, tokenizer, asked[i], texts)
        assert texts == kept[i].texts
        assert again.p_yes == pytest.approx(kept[i].p_yes, abs=0.002)
        assert again.before == pytest.approx(kept[i].before, abs=0.02)
        for word, value in (again.at_once | again.later).items():
            assert value == pytest.approx((kept[i].at_once | kept[i].later)[word], abs=0.02)


def test_nothing_has_changed_since_they_were_made():
    assert kept_answers.stale() == [], (
        "what made the answers has changed; `python -m utils.checkpoints accept forced-answers` if "
        "the model still gives them, else `remake forced-answers`"
    )


def test_answers_depend_on_code_and_questions_and_not_on_how_they_are_read(monkeypatch):
    before = kept_answers.made_by()
    assert {"utils.experiments.forced_answers.INSTRUCTION", "utils.models.smollm.load"} <= set(
        before
    )
    assert "utils.experiments.yes_or_no.outcome" not in before
    asked = yes_or_no.load()
    monkeypatch.setattr(kept_answers, "load", lambda: asked[1:])
    assert changes(before, kept_answers.made_by()) == [f"question.{asked[0].text}"]


# -- how it is kept ------------------------------------------------------------------------------


def test_what_is_remade_can_be_read_and_is_up_to_date(path, monkeypatch):
    records = kept_answers.records(path)
    assert [r.text for r in records] == [q.text for q in yes_or_no.load()]
    assert records[0] == said(None, None, yes_or_no.load()[0], dict.fromkeys(FORCED, " so it is."))
    assert kept_answers.stale(path) == []
    monkeypatch.setattr(kept_answers, "made_by", lambda: {"question.a": "1", "utils.b": "3"})
    assert kept_answers.stale(path) == ["utils.b"]


def test_missing_answers_and_those_to_other_questions_are_refused(path, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="checkpoints remake forced-answers"):
        kept_answers.records(tmp_path / "none.json")
    asked = yes_or_no.load()
    monkeypatch.setattr(kept_answers, "load", lambda: asked[::-1])
    with pytest.raises(ValueError, match=r"made from other questions; .*remake forced-answers"):
        kept_answers.records(path)


@pytest.mark.parametrize("module, moment", [(forced_answers, "record"), (json, "dumps")])
def test_an_interrupted_remake_leaves_what_was_kept(path, monkeypatch, module, moment):
    before = path.read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, moment, interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept_answers.remake(path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_a_full_disk_a_locked_folder_and_a_kill_leave_what_was_kept(path, open_folder):
    kept = Path(shutil.copy(path, open_folder))
    before = kept.read_bytes()
    for write in (kept_answers.remake, kept_answers.accept):
        with filling_up(1000), pytest.raises(OSError, match=f"File too large: '{kept}'"):
            write(kept)
        with locked(open_folder), pytest.raises(PermissionError, match=str(open_folder)):
            write(kept)
        assert kept.read_bytes() == before and list(open_folder.iterdir()) == [kept]
    for moment in ("fsync", "chmod", "replace"):
        killed_at(moment, lambda: kept_answers.remake(kept))
        assert kept.read_bytes() == before
    kept_answers.remake(kept)  # what the killed ones left is in nobody's way
    assert kept_answers.stale(kept) == []


def test_changed_code_is_accepted_only_while_the_model_says_the_same(path, monkeypatch):
    monkeypatch.setattr(kept_answers, "made_by", lambda: {"utils.b": "3"})
    kept_answers.accept(path)
    assert kept_answers.stale(path) == []
    before = path.read_bytes()
    monkeypatch.setattr(kept_answers, "made_by", lambda: {"utils.b": "4"})
    texts = [dict.fromkeys(FORCED, " by no means.") for _ in range(4)]
    monkeypatch.setattr(forced_answers, "force", lambda *_: texts)
    with pytest.raises(ValueError, match=r"no longer answers as it did; .*remake forced-answers"):
        kept_answers.accept(path)
    assert path.read_bytes() == before
