"""With a small model that has learned nothing, in place of SmolLM2, and byte pairs of its own."""

import pytest
import torch

from tests.small_models import lively
from utils.experiments import forced_answers, yes_or_no
from utils.experiments.forced_answers import FORCED, first_word, log_odds, prompt, read, record
from utils.generation.sampling import generate
from utils.models.kv_cache import KVCache
from utils.models.transformer import TransformerConfig
from utils.text.tokenizer import byte_pair_tokenizer

ASKED = yes_or_no.load()[:5:2]
TEXTS = [prompt(q, f"{word} {q.yes} {q.no}") for q in ASKED for word in (*FORCED, "Yes. No.")]


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = byte_pair_tokenizer("\n".join(TEXTS) * 3, 150)
    tokenizer.stop = (7,)
    return tokenizer


@pytest.fixture(scope="module")
def model(tokenizer):
    return lively(TransformerConfig(len(tokenizer), d_model=32, n_layers=2, n_heads=2, max_len=512))


def test_the_model_is_asked_in_the_chats_form_and_made_to_begin():
    asked = prompt(ASKED[0], "No,")
    assert ASKED[0].text + " Answer yes or no, and say why." in asked
    assert asked.startswith(prompt(ASKED[0])) and asked.endswith("assistant\nNo,")


def test_each_answer_goes_on_from_what_was_forced(model, tokenizer):
    texts = forced_answers.force(model, tokenizer, ASKED, n=6)
    assert [list(each) for each in texts] == [list(FORCED)] * len(ASKED)
    for question, each in zip(ASKED, texts, strict=True):
        for word, text in each.items():
            begun = tokenizer.encode(prompt(question, word))[None]
            new = generate(model, begun, 6, stop=7)[0, begun.shape[1] :].tolist()
            assert text == tokenizer.decode(new[: new.index(7)] if 7 in new else new)


def test_the_first_word_is_left_to_the_model(model, tokenizer):
    logits, cache = read(model, tokenizer, ASKED[0])
    tokens = tokenizer.encode(prompt(ASKED[0]))
    assert cache.length == len(tokens)
    assert torch.allclose(logits, model(tokens[None])[0, -1], atol=1e-4)
    probs = logits.softmax(-1)
    p_yes, p_no = first_word(tokenizer, logits)
    assert p_yes == pytest.approx(float(probs[tokenizer.encode("Yes")[0]]))
    assert p_no == pytest.approx(float(probs[tokenizer.encode("No")[0]]))


@pytest.mark.parametrize("answer", ["", "Yes.", "No, it is not."])
def test_log_odds_weigh_two_statements_read_in_full(model, tokenizer, answer):
    question = ASKED[1]
    _, cache = read(model, tokenizer, question)
    found = log_odds(model, tokenizer, question, answer, cache)
    scores = []
    for statement in (question.yes, question.no):
        before = tokenizer.encode(prompt(question, answer))
        stated = tokenizer.encode((" " if answer else "") + statement)
        said = model(torch.cat([before, stated])[None])[0, len(before) - 1 : -1].log_softmax(-1)
        scores.append(float(said.gather(1, stated[:, None]).sum()))
    assert found == pytest.approx(scores[0] - scores[1], abs=1e-2)
    again = log_odds(model, tokenizer, question, answer, cache)  # the cache is as it was
    assert again == pytest.approx(found, abs=1e-4)


def test_a_record_asks_before_at_once_and_later(model, tokenizer):
    question, texts = ASKED[0], dict.fromkeys(FORCED, " so it is. And more.")
    found = record(model, tokenizer, question, texts)
    cache = KVCache.like(model, max_len=512)
    with torch.no_grad():
        model(tokenizer.encode(prompt(question))[None], cache)

    def odds(answer):
        return pytest.approx(log_odds(model, tokenizer, question, answer, cache), abs=2e-3)

    assert found.text == question.text and found.texts == texts and found.before == odds("")
    assert found.at_once == {"Yes.": odds("Yes."), "No.": odds("No.")}
    assert found.later == {word: odds(word + " so it is.") for word in FORCED}
