"""The forced answers of SmolLM2 and what was read in them, kept like a checkpoint.

    python -m utils.checkpoints remake forced-answers

makes the first file again, in some minutes. The second holds what someone found who read the texts
by hand, and is made again by reading them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from utils.checkpoints.provenance import changes, provenance
from utils.experiments import forced_answers
from utils.experiments.forced_answers import Record
from utils.experiments.yes_or_no import OUTCOMES, load
from utils.models import smollm
from utils.text.files import write_whole

DATA = Path(__file__).resolve().parent / "data"


def made_by() -> dict[str, str]:
    """{name: fingerprint} of all that the records depend on: questions, code, weights."""
    code = [smollm.load, forced_answers.force, forced_answers.record]
    asked = {question.text: repr(question) for question in load()}
    return provenance({"code": code, "question": asked})


def records(path: Path = DATA / "forced_answers.json") -> list[Record]:
    """What is kept, in the order of the questions. Raises FileNotFoundError or ValueError, saying
    how to make it, where it is missing or no longer fits the questions."""
    how = "make it with: python -m utils.checkpoints remake forced-answers"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; {how}")
    kept = json.loads(path.read_text("utf-8"))
    if [each["text"] for each in kept["records"]] != [question.text for question in load()]:
        raise ValueError(f"{path.name} was made from other questions; {how}")
    return [Record(**each) for each in kept["records"]]


def readings(path: Path = DATA / "readings.json") -> dict[tuple[str, str], str]:
    """What became of forced answers as someone found who read them by hand, without knowing what
    the rule says: {(question, beginning): outcome}. Raises ValueError where the text is no longer
    the one that was read."""
    said = {(r.text, word): text for r in records() for word, text in r.texts.items()}
    found = {}
    for each in json.loads(path.read_text("utf-8")):
        key = each["question"], each["beginning"]
        if said.get(key) != each["text"] or each["outcome"] not in OUTCOMES:
            raise ValueError(
                f"{path.name}: what was read after {' '.join(key)!r} is not what is kept, or its "
                f"outcome is none of {', '.join(OUTCOMES)}; read it again"
            )
        found[key] = each["outcome"]
    return found


def stale(path: Path = DATA / "forced_answers.json") -> list[str]:
    """What has changed, by name, since they were made."""
    return changes(json.loads(path.read_text("utf-8"))["made_by"], made_by())


def remake(path: Path = DATA / "forced_answers.json") -> None:
    """Ask the model everything and keep it. An interruption leaves the old file as it was."""
    fingerprints = made_by()  # now: files may change while the model writes
    _write(path, fingerprints, _ask(load()))


def accept(path: Path = DATA / "forced_answers.json", *, n=4) -> None:
    """Keep the records although code has changed, because the model still writes the same behind
    the first n questions. Raises ValueError, and accepts nothing, if it does not."""
    fingerprints, before = made_by(), records(path)
    for old, new in zip(before, _ask(load()[:n]), strict=False):
        if old.texts != new.texts or abs(old.before - new.before) > 0.01:
            raise ValueError(
                f"asked {old.text!r}, the model no longer answers as it did; ask it everything "
                "again: python -m utils.checkpoints remake forced-answers"
            )
    _write(path, fingerprints, before)


def _ask(asked):
    model, tokenizer = smollm.load()
    texts = zip(asked, forced_answers.force(model, tokenizer, asked), strict=True)
    bar = tqdm(texts, total=len(asked), unit="question")
    return [forced_answers.record(model, tokenizer, question, text) for question, text in bar]


def _write(path, fingerprints, made):
    kept = {"made_by": fingerprints, "records": [asdict(each) for each in made]}
    write_whole(path, json.dumps(kept, indent=1) + "\n")
