import math
import time
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from utils.models import markov
from utils.models.temperature import at_temperature
from utils.text import corpus
from utils.text.trace import Trace

texts = st.lists(st.integers(0, 3), min_size=1, max_size=40)


def by_hand(text, order):
    """Counts of (context, next) with a plain dictionary; -1 stands before the beginning."""
    padded = [-1] * order + list(text)
    return Counter(
        (tuple(padded[i : i + order]), padded[i + order]) for i in range(len(padded) - order)
    )


@given(texts, st.integers(0, 4))
@settings(deadline=None)
def test_counts_equal_those_of_a_dictionary_at_every_order(text, fitted):
    chain = markov.fit(torch.tensor(text), fitted, 4)
    for order in range(fitted + 1):
        counts = by_hand(text, order)
        contexts = {context for context, _ in counts}
        assert chain.contexts_seen(order) == len(contexts)
        for context in contexts:
            row = np.array([counts[context, token] for token in range(4)])
            known = torch.tensor([t for t in context if t >= 0], dtype=torch.int64)
            if len(known) == order:
                got = chain.next_probs(known, order=order, add_k=0.5)
                expected = (row + 0.5) / (row.sum() + 2)
                np.testing.assert_allclose(got, expected, rtol=1e-12)


def kneser_ney_by_hand(text, context, token, order, top=None):
    """The textbook recursion, with sets of surroundings instead of sorted arrays."""
    top = order if top is None else top
    if order < 0:
        return 1 / 4
    counts = by_hand(text, order)
    if order < top:
        longer = by_hand(text, order + 1)
        counts = Counter((before[1:], after) for before, after in longer)
    once, twice = sum(n == 1 for n in counts.values()), sum(n == 2 for n in counts.values())
    discount = once / (once + 2 * twice) if once else 0.5
    recent = tuple(context[len(context) - order :])
    total = sum(n for (before, _), n in counts.items() if before == recent)
    lower = kneser_ney_by_hand(text, context, token, order - 1, top)
    if not total:
        return lower
    followers = sum(before == recent for before, _ in counts)
    kept = max(counts[recent, token] - discount, 0)
    return (kept + discount * followers * lower) / total


@given(texts, st.lists(st.integers(0, 3), min_size=3, max_size=3), st.integers(0, 3))
@settings(deadline=None)
def test_kneser_ney_equals_the_textbook_and_sums_to_one(text, context, order):
    chain = markov.fit(torch.tensor(text), 3, 4)
    got = chain.next_probs(torch.tensor(context), order=order)
    expected = [kneser_ney_by_hand(text, context, token, order) for token in range(4)]
    np.testing.assert_allclose(got, expected, rtol=1e-9)
    assert float(got.sum()) == pytest.approx(1)


@given(texts, texts, st.integers(0, 3), st.sampled_from([None, 0.1]))
@settings(deadline=None)
def test_scores_are_the_log_of_the_next_probabilities(text, new, order, add_k):
    chain = markov.fit(torch.tensor(text), 3, 4)
    scores = chain.log_probs(torch.tensor(new), order=order, add_k=add_k)
    for i, token in enumerate(new):
        before = torch.tensor(new[:i], dtype=torch.int64)
        p = chain.next_probs(before, order=order, add_k=add_k)[token]
        assert float(scores[i]) == pytest.approx(math.log(p))


def test_a_batch_of_contexts_gives_the_same_as_one_by_one():
    chain = markov.fit(torch.tensor([0, 1, 2, 0, 1, 1, 2, 3, 0]), 2, 4)
    contexts = torch.tensor([[0, 1], [1, 2], [3, 3], [0, 1]])
    together = chain.next_probs(contexts)
    assert together.shape == (4, 4)
    for context, row in zip(contexts, together, strict=True):
        torch.testing.assert_close(chain.next_probs(context), row)


def test_texts_that_are_separate_do_not_run_into_each_other():
    chain = markov.fit([torch.tensor([0, 1]), torch.tensor([2, 3])], 1, 4)
    assert chain.next_probs(torch.tensor([1]), order=1, add_k=0.5).tolist() == [0.25] * 4
    start = chain.next_probs(torch.tensor([], dtype=torch.int64), order=1, add_k=0)
    assert start.tolist() == [0.5, 0, 0.5, 0]


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("add_k", [None, 0.5])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_generated_text_follows_the_probabilities_asked_for(order, add_k, temperature):
    text = torch.tensor(np.random.default_rng(0).integers(0, 4, 60))
    chain, how = markov.fit(text, 2, 4), {"order": order, "add_k": add_k}
    prompts = torch.tensor([[2, 1]]).repeat(8000, 1)
    drawn = markov.generate(chain, prompts, 1, seed=1, temperature=temperature, **how)[:, 2]
    expected = at_temperature(chain.next_probs(prompts[0], **how).log(), temperature) * 8000
    assert stats.chisquare(np.bincount(drawn, minlength=4), expected.numpy()).pvalue > 1e-3


def test_greedy_takes_the_likeliest():
    chain = markov.fit(torch.tensor([0, 1, 0, 1, 0, 2]), 1, 3)
    tokens = markov.generate(chain, torch.tensor([0]), 6, temperature=0, seed=0)
    assert tokens.tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_generation_stops_keeps_the_prompt_and_obeys_the_seed():
    text = corpus.characters("ab.").encode("ab.abab.aab.")
    chain = markov.fit(text, 1, 3)
    prompts = torch.ones(20, 1, dtype=torch.int64)
    rows = markov.generate(chain, prompts, 50, stop=0, seed=3)
    assert (rows[:, 0] == 1).all() and torch.equal(
        rows, markov.generate(chain, prompts, 50, stop=0, seed=3)
    )
    ended = (rows == 0).cumsum(1) > 0
    assert (rows[ended] == 0).all() and ended[:, -1].all()
    assert rows[:, 1].tolist() != markov.generate(chain, prompts, 1, seed=4)[:, 1].tolist()
    alone = markov.generate(chain, torch.tensor([1]), 5, seed=3)
    assert alone.shape == (6,)
    nothing = markov.generate(chain, torch.tensor([], dtype=torch.int64), 4, seed=3)
    assert nothing.shape == (4,)


def test_the_trace_tells_what_was_written_and_what_was_not():
    chain = markov.fit(torch.tensor([0, 1, 2, 0, 1, 3, 0, 2]), 1, 4)
    trace = Trace()
    tokens = markov.generate(chain, torch.tensor([0]), 5, seed=0, trace=trace)
    assert [step.tokens for step in trace] == [tuple(tokens[: i + 2].tolist()) for i in range(5)]
    for step in trace:
        p = chain.next_probs(torch.tensor(step.tokens[:-1]))
        assert step.changed == (len(step.tokens) - 1,)
        assert step.probability[0] == pytest.approx(float(p[step.tokens[-1]]))
        others = [p[i] for i in range(4) if i != step.tokens[-1]]
        shown = [chance for _, chance in step.alternatives[0]]
        assert shown == pytest.approx(sorted(map(float, others), reverse=True)[: len(shown)])
        assert len(shown) == 3
    with pytest.raises(ValueError, match="trace follows a single text"):
        markov.generate(chain, torch.tensor([[0]]), 1, seed=0, trace=Trace())


def test_cross_entropy_is_the_mean_over_all_tokens():
    chain = markov.fit(torch.tensor([0, 1, 0, 1, 0]), 0, 2)
    rows = [torch.tensor([0]), torch.tensor([1, 1, 1])]
    p = chain.next_probs(torch.tensor([0])).tolist()
    expected = -(math.log(p[0]) + 3 * math.log(p[1])) / 4
    assert markov.cross_entropy(chain, rows) == pytest.approx(expected)


def test_order_five_of_the_whole_text_is_counted_in_five_seconds():
    text = corpus.kjv()
    vocab = corpus.characters(text)
    ids = vocab.encode(text)
    begin = time.perf_counter()
    chain = markov.fit(ids, 5, len(vocab))
    assert time.perf_counter() - begin < 5
    assert chain.contexts_seen(5) > 100_000


def test_bad_input_gets_an_error_that_says_what_to_do():
    chain = markov.fit(torch.tensor([0, 1, 2]), 2, 3)
    with pytest.raises(ValueError, match=r"token 7 is outside the vocabulary \(0..2\)"):
        chain.log_probs(torch.tensor([0, 7]))
    with pytest.raises(TypeError, match="expected a row of integers"):
        chain.log_probs(torch.tensor([0.5]))
    with pytest.raises(ValueError, match="order is 3; this chain was fitted for 0 to 2"):
        chain.next_probs(torch.tensor([0]), order=3)
    with pytest.raises(ValueError, match="add_k is -1"):
        chain.next_probs(torch.tensor([0]), add_k=-1)
    with pytest.raises(ValueError, match="never seen, so bare counts say nothing"):
        chain.next_probs(torch.tensor([2, 2]), add_k=0)
    with pytest.raises(ValueError, match="never seen, so bare counts say nothing"):
        chain.next_probs(torch.tensor([[0, 1], [2, 2]]), add_k=0)
    for call in (chain.next_probs, lambda row: markov.generate(chain, row, 1, seed=0)):
        with pytest.raises(TypeError, match="expected a row of integers"):
            call(torch.tensor([0.9, 1.9]))
    with pytest.raises(ValueError, match="nothing to be surprised by"):
        markov.cross_entropy(chain, torch.tensor([], dtype=torch.int64))
    with pytest.raises(ValueError, match="up to order 9"):
        markov.fit(torch.tensor([0, 1]), 10, 68)
    with pytest.raises(ValueError, match="texts is empty"):
        markov.fit(torch.tensor([], dtype=torch.int64), 1, 3)
    with pytest.raises(ValueError, match="order is -1"):
        markov.fit(torch.tensor([0]), -1, 3)
    with pytest.raises(ValueError, match="temperature is -1"):
        markov.generate(chain, torch.tensor([0]), 1, temperature=-1, seed=0)


@pytest.mark.parametrize("stop", [99, -1, 3, 0.5, float("nan")])
def test_a_token_to_stop_at_that_is_none(stop):
    chain = markov.fit(torch.tensor([0, 1, 2, 1, 0]), 1, 3)
    with pytest.raises(ValueError, match=rf"stop is {stop}; .* one of the vocabulary \(0..2\)"):
        markov.generate(chain, torch.tensor([0]), 5, stop=stop, seed=0)
