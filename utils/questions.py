"""The forced prefix on a real chat model: questions, forced answers, and what becomes of them.

`utils/data/questions.txt` holds yes/no questions of four kinds, as many that deserve a yes as a no,
in pairs about the same thing. To each the model gives its own first word, and is then made to begin
with "Yes,", with "No," and, as a control, with "Well,". What it wrote is kept, since it takes a
small model some minutes to write it all; anyone can make it again:

    python -m utils.questions remake

`outcome` reads a text by a rule without a model, `log_odds` asks the model which of two statements
it finds likelier. Neither can be sure; the chapter shows both, and beside the rule what someone
found who read the texts by hand (`readings`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from utils import smollm
from utils.checkpoints import code_hash
from utils.kv_cache import KVCache

DATA = Path(__file__).resolve().parent / "data"
FORCED = ("Yes,", "No,", "Well,")
INSTRUCTION = " Answer yes or no, and say why."
NEW_TOKENS = 80
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


# -- asking the model ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One question, as the model treated it.

    p_yes, p_no: of its first word, left alone. texts: what followed each forced beginning. before,
    at_once, later: log-odds of the statement of a yes against that of a no, in nats, right behind
    the question; right behind a forced "Yes." or "No."; behind the first sentence it then wrote.
    """

    text: str
    p_yes: float
    p_no: float
    before: float
    at_once: dict[str, float]
    texts: dict[str, str]
    later: dict[str, float]


def prompt(question: Question, answer_prefix: str = "") -> str:
    return smollm.chat_prompt(question.text + INSTRUCTION, answer_prefix=answer_prefix)


def read(model, tokenizer, question: Question) -> tuple[torch.Tensor, KVCache]:
    """Let the model read the question: its logits for the first word of an answer, (vocab,), and
    the cache, so that several answers can be tried without reading it again."""
    cache = KVCache(model.config, max_len=512)
    with torch.inference_mode():
        return model(tokenizer.encode(prompt(question))[None], cache)[0, -1], cache


def first_word(tokenizer, logits) -> tuple[float, float]:
    """The probabilities that the model's answer begins with "Yes" and with "No", left alone.

    What follows the word, a comma or a full stop, is a token of its own, so both are counted.
    """
    probs = logits.softmax(-1)
    return tuple(float(probs[tokenizer.encode(word)[0]]) for word in ("Yes", "No"))


def force(model, tokenizer, asked: list[Question], n=NEW_TOKENS) -> list[dict[str, str]]:
    """What the model writes, greedily, behind each of `FORCED`: for each question {beginning: text
    behind it}."""
    texts = []
    for word in tqdm(FORCED, unit="beginning", disable=len(asked) == 1):
        prompts = [tokenizer.encode(prompt(question, word)) for question in asked]
        texts.append(map(tokenizer.decode, continued(model, prompts, n, tokenizer.stop)))
    return [dict(zip(FORCED, behind, strict=True)) for behind in zip(*texts, strict=True)]


@torch.inference_mode()
def continued(model, prompts: list[torch.Tensor], n, stop) -> list[torch.Tensor]:
    """Up to n tokens behind each prompt, greedily, without the stop token: (length,) each.

    The prompts may differ in length. Each step adds one position to all rows, and a row whose
    prompt is longer gets its own next token there: nothing is padded, so each is read as if alone.
    """
    lengths = torch.tensor([len(tokens) for tokens in prompts])
    given = pad_sequence(prompts, batch_first=True)  # (batch, longest)
    cache = KVCache(model.config, len(prompts), given.shape[1] + n)
    tokens, ended = given[:, : lengths.min()], torch.zeros(len(prompts), dtype=torch.bool)
    while not ended.all():
        at = tokens.shape[1]
        new = model(tokens[:, cache.length :], cache)[:, -1].argmax(-1)
        if at < given.shape[1]:
            new = torch.where(at < lengths, given[:, at], new)
        tokens = torch.cat([tokens, new[:, None]], 1)
        stopped = (at >= lengths) & torch.isin(new, torch.tensor(stop))
        ended |= stopped | (at + 1 >= lengths + n)
    behind = [row[k : k + n].tolist() for row, k in zip(tokens, lengths, strict=True)]
    ends = [next((i for i, t in enumerate(row) if t in stop), n) for row in behind]
    return [torch.tensor(row[:end]) for row, end in zip(behind, ends, strict=True)]


@torch.inference_mode()
def log_odds(model, tokenizer, question: Question, answer: str, cache: KVCache) -> float:
    """How much likelier the model finds the statement of a yes than that of a no, behind what it
    has answered so far: the difference of their log-probabilities in nats.

    cache: as `read` leaves it; it is left like that.
    """
    asked, context = (tokenizer.encode(prompt(question, text)) for text in ("", answer))
    gap = " " if answer else ""
    scores = []
    for statement in (question.yes, question.no):
        cache.crop(len(asked) - 1)
        tokens = torch.cat([context, tokenizer.encode(gap + statement)])
        log_probs = model(tokens[None, cache.length :], cache)[0].log_softmax(-1)
        stated = tokens[len(context) :, None]
        scores.append(float(log_probs[-len(stated) - 1 : -1].gather(1, stated).sum()))
    return scores[0] - scores[1]


def record(model, tokenizer, question: Question, texts: dict[str, str]) -> Record:
    """All there is to know about one question, given what `force` found; some seconds of work."""
    logits, cache = read(model, tokenizer, question)
    p_yes, p_no = first_word(tokenizer, logits)

    def odds(answer):
        return round(log_odds(model, tokenizer, question, answer, cache), 3)

    return Record(
        text=question.text,
        p_yes=round(p_yes, 4),
        p_no=round(p_no, 4),
        before=odds(""),
        at_once={word: odds(word) for word in ("Yes.", "No.")},
        texts=texts,
        later={word: odds(word + first_sentence(texts[word])) for word in FORCED},
    )


# -- what is kept --------------------------------------------------------------------------------


def fingerprint() -> str:
    """Of all that the records depend on: the questions, the code that asks them, the weights."""
    parts = [repr(load()), repr((FORCED, INSTRUCTION, NEW_TOKENS)), smollm.WHEEL_HASH]
    parts += [
        code_hash(each)
        for each in (prompt, read, first_word, force, continued, log_odds, record, first_sentence)
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def records(path: Path = DATA / "forced_answers.json") -> list[Record]:
    """What is kept, in the order of the questions. Raises FileNotFoundError or ValueError, saying
    how to make it, where it is missing or no longer fits the questions."""
    how = "make it with: python -m utils.questions remake"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; {how}")
    kept = json.loads(path.read_text("utf-8"))
    if kept["fingerprint"] != fingerprint():
        raise ValueError(f"{path.name} was made from other questions or by other code; {how}")
    return [Record(**each) for each in kept["records"]]


def readings(path: Path = DATA / "readings.json") -> dict[tuple[str, str], str]:
    """What became of forced answers as someone found who read them by hand, without knowing what
    the rule says: {(question, beginning): outcome}. Raises ValueError where the text is no longer
    the one that was read."""
    written = {(r.text, word): text for r in records() for word, text in r.texts.items()}
    found = {}
    for each in json.loads(path.read_text("utf-8")):
        key = each["question"], each["beginning"]
        if written.get(key) != each["text"] or each["outcome"] not in OUTCOMES:
            raise ValueError(
                f"{path.name}: what was read behind {' '.join(key)!r} is not what is kept, or its "
                f"outcome is none of {', '.join(OUTCOMES)}; read it again"
            )
        found[key] = each["outcome"]
    return found


def remake(path: Path = DATA / "forced_answers.json") -> None:
    """Ask the model everything and keep it. An interruption leaves the old file as it was."""
    model, tokenizer = smollm.load()
    asked = load()
    written = zip(asked, force(model, tokenizer, asked), strict=True)
    bar = tqdm(written, total=len(asked), unit="question")
    made = [asdict(record(model, tokenizer, q, texts)) for q, texts in bar]
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        new = Path(folder) / path.name
        new.write_text(
            json.dumps({"fingerprint": fingerprint(), "records": made}, indent=1) + "\n", "utf-8"
        )
        os.replace(new, path)


if __name__ == "__main__":
    if sys.argv[1:] != ["remake"]:
        sys.exit("usage: python -m utils.questions remake")
    remake()
