"""The forced prefix on a real chat model: forced answers to the questions of `yes_or_no.py`.

To each question the model gives its own first word, and is then made to begin with "Yes,", with
"No," and, as a control, with "Well,". What it wrote is kept
(`checkpoints/kept_answers.py`), since it takes a small model some minutes to write it all.

`log_odds` asks the model which of two statements it finds likelier, before and after its answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tqdm import tqdm

from utils.experiments.yes_or_no import Question, first_sentence
from utils.generation.ragged import continue_each
from utils.models import smollm
from utils.models.kv_cache import KVCache

FORCED = ("Yes,", "No,", "Well,")
INSTRUCTION = " Answer yes or no, and say why."
NEW_TOKENS = 80

# -- asking the model ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """One question, as the model treated it.

    p_yes, p_no: of its first word, left alone. texts: what followed each forced beginning. before,
    at_once, later: log-odds of the statement of a yes against that of a no, in nats, right behind
    the question; right behind a forced "Yes." or "No."; after the first sentence it then wrote.
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
    cache = KVCache.like(model, max_len=512)
    with torch.inference_mode():
        return model(tokenizer.encode(prompt(question))[None], cache)[0, -1], cache


def first_word(tokenizer, logits) -> tuple[float, float]:
    """The probabilities that the model's answer begins with "Yes" and with "No", left alone.

    What follows the word, a comma or a full stop, is a token of its own, so both are counted.
    """
    probs = logits.softmax(-1)
    return tuple(float(probs[tokenizer.encode(word)[0]]) for word in ("Yes", "No"))


def force(model, tokenizer, asked: list[Question], n=NEW_TOKENS) -> list[dict[str, str]]:
    """What the model writes, greedily, after each of `FORCED`: for each question {beginning: text
    after it}."""
    texts = []
    for word in tqdm(FORCED, unit="beginning", disable=len(asked) == 1):
        prompts = [tokenizer.encode(prompt(question, word)) for question in asked]
        texts.append(map(tokenizer.decode, continue_each(model, prompts, n, tokenizer.stop)))
    return [dict(zip(FORCED, behind, strict=True)) for behind in zip(*texts, strict=True)]


@torch.inference_mode()
def log_odds(model, tokenizer, question: Question, answer: str, cache: KVCache) -> float:
    """How much likelier the model finds the statement of a yes than that of a no, after what it
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
