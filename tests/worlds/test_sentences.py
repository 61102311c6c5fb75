import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from utils.worlds import Sentences
from utils.worlds.sentences import words_of

SMALL = {
    "S": "3 the NOUN ACT . | 1 dogs ACT_MANY .",
    "NOUN": "2 dog | 1 cat who sees dogs | 1 cats",
    "ACT": "1 runs | 1 sees OBJECT | 2",
    "ACT_MANY": "5 run | 1 see OBJECT",
    "OBJECT": "1 dogs | 3 the",
}


@pytest.fixture(scope="module")
def small():
    return Sentences(SMALL)


@pytest.fixture(scope="module")
def world():
    return Sentences()


def derive(symbols, grammar):
    """Every (probability, words) the symbols can stand for, by brute force over the rules."""
    if not symbols:
        return [(1.0, ())]
    first, rest = symbols[0], symbols[1:]
    if first not in grammar:
        return [(p, (first, *tail)) for p, tail in derive(rest, grammar)]
    found = []
    alternatives = [alternative.split() for alternative in grammar[first].split("|")]
    total = sum(float(weight) for weight, *_ in alternatives)
    for weight, *body in alternatives:
        for p, text in derive([*body, *rest], grammar):
            found.append((float(weight) / total * p, text))
    return found


def row(world, text):
    ids = world.vocab.encode("<s> " + text)
    pad = torch.full((world.length - len(ids),), world.vocab.pad_id)
    return torch.cat([ids, pad])


def test_log_prob_equals_brute_force_on_a_small_grammar(small):
    sentences = derive(["S"], SMALL)
    rows = torch.stack([row(small, " ".join(text)) for _, text in sentences])
    expected = torch.tensor([p for p, _ in sentences], dtype=torch.float64).log()
    assert len({text for _, text in sentences}) == len(sentences) == 15
    torch.testing.assert_close(small.log_prob(rows), expected)
    assert small.count(torch.tensor([small.vocab.start_id])) == len(sentences)
    entropy = -(expected.exp() * expected).sum()
    assert small.entropy() == pytest.approx(float(entropy), abs=1e-12)


def test_all_other_rows_are_impossible(small):
    """Over every row of words there is, the probabilities sum to one."""
    width = 4
    ids = torch.tensor(list(itertools.product(range(len(small.vocab)), repeat=width)))
    ids = torch.cat([torch.full((len(ids), 1), small.vocab.start_id), ids], dim=1)
    assert float(small.log_prob(ids).exp().sum()) == pytest.approx(1, abs=1e-12)


def test_count_and_entropy_after_a_prefix_equal_brute_force(small):
    sentences = derive(["S"], SMALL)
    for prefix in ("the", "the cat", "dogs", "the dog sees"):
        begins = [(p, t) for p, t in sentences if " ".join(t).startswith(prefix + " ")]
        ids = small.vocab.encode("<s> " + prefix)
        mass = sum(p for p, _ in begins)
        assert small.count(ids) == len(begins)
        assert float(small.log_prob(ids[None]).exp()) == pytest.approx(mass)
        expected = -sum(p / mass * math.log(p / mass) for p, _ in begins)
        assert small.entropy(ids) == pytest.approx(expected)


def test_samples_follow_the_probabilities(small):
    sentences = derive(["S"], SMALL)
    drawn = small.sample(20_000, seed=0)
    counts = {text: 0 for _, text in sentences}
    for tokens in drawn:
        counts[tuple(small.vocab.decode(tokens).split())] += 1
    expected = [p * len(drawn) for p, _ in sentences]
    assert stats.chisquare(list(counts.values()), expected).pvalue > 1e-3


def test_sampled_words_of_the_real_language_follow_next_probs(world):
    rows = world.sample(20_000, seed=7)
    expected = world.next_probs(rows[:1, :1])[0, 0].numpy() * len(rows)
    seen = np.bincount(rows[:, 1], minlength=len(world.vocab))
    possible = expected > 0
    assert not seen[~possible].any()
    assert stats.chisquare(seen[possible], expected[possible]).pvalue > 1e-3


def test_entropy_is_the_mean_surprise(world):
    surprise = -world.log_prob(world.sample(20_000, seed=2))
    error = float(surprise.std()) / math.sqrt(len(surprise))
    assert abs(float(surprise.mean()) - world.entropy()) < 4 * error


def test_samples_are_sentences_and_the_seed_decides(world):
    rows = world.sample(500, seed=1)
    assert rows.shape == (500, world.length) and rows.dtype == torch.int64
    assert torch.isfinite(world.log_prob(rows)).all()
    assert torch.equal(rows, world.sample(500, seed=1))
    assert not torch.equal(rows, world.sample(500, seed=2))
    assert 100 <= len(world.vocab) - 3 <= 200


def test_scores_of_tokens_sum_to_the_score_of_the_row_and_match_next_probs(world):
    rows = world.sample(50, seed=3)
    scores = world.token_log_probs(rows)
    torch.testing.assert_close(scores.sum(1), world.log_prob(rows))
    probs = world.next_probs(rows)[:, :-1].gather(2, rows[:, 1:, None]).squeeze(2)
    torch.testing.assert_close(probs.log(), scores[:, 1:])
    torch.testing.assert_close(world.next_probs(rows).sum(2), torch.ones(rows.shape).double())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("the boy eats bread .", "the boy eat bread ."),
        ("the boys eat bread .", "the boys eats bread ."),
        ("the boy who sees the girls sleeps .", "the boy who sees the girls sleep ."),
        ("the boys who see the girl sleep .", "the boys who sees the girl sleep ."),
        ("the boy that the girls see eats bread .", "the boy that the girls see eat bread ."),
        ("the boys that the girl sees eat bread .", "the boys that the girl see eat bread ."),
        ("in the winter , the birds sing .", "in the winter , the birds sings ."),
        ("a dog runs because the cats run .", "a dog runs because the cats runs ."),
        ("the dogs in the village run .", "the dogs feed a cat ."),
        ("two small girls read a book .", "two small girls read a soup ."),
        ("each boy is hungry .", "each boys are hungry ."),
        ("the boy never runs quietly .", "the boy quietly runs never ."),
    ],
)
def test_the_language_has_these_sentences_and_not_those(world, right, wrong):
    assert torch.isfinite(world.log_prob(row(world, right)[None])).all()
    assert float(world.log_prob(row(world, wrong)[None])) == -math.inf
    assert world.next_probs(row(world, wrong)[None])[0, -1].sum() == 0


def test_the_language_is_the_one_the_chapters_were_written_with(world):
    start = torch.tensor([world.vocab.start_id])
    assert world.count(start) == 21_670_650_609_298_341_974_400 and isinstance(
        world.count(start), int
    )
    assert world.n_states == 139 and world.length == 34


@given(st.integers(0, 10_000), st.lists(st.booleans(), min_size=34, max_size=34))
@settings(deadline=None, max_examples=25)
def test_filled_blanks_agree_with_bayes(seed, blanks):
    """p(all blanks) by filling them one after another = p(row) / p(everything that fits)."""
    world = Sentences(SMALL)
    true = world.sample(1, seed=seed)[0]
    blank = torch.tensor(blanks[: world.length])
    blank[0] = False
    fits = [
        (p, r)
        for p, text in derive(["S"], SMALL)
        if torch.equal((r := row(world, " ".join(text)))[~blank], true[~blank])
    ]
    total = sum(p for p, _ in fits)
    known = torch.where(blank, world.vocab.mask_id, true)
    probs = world.fill_probs(known)
    for t in blank.nonzero().ravel().tolist():
        for i in range(len(world.vocab)):
            expected = sum(p for p, r in fits if r[t] == i) / total
            assert float(probs[t, i]) == pytest.approx(expected, abs=1e-12)


def test_filling_what_cannot_be_filled_is_an_error(world):
    tokens = row(world, "the boy <mask> runs .")  # nothing may stand there but an adverb
    assert world.fill_probs(tokens)[3].sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="no sentence of this language fits"):
        world.fill_probs(row(world, "the boy <mask> run ."))
    headless = torch.cat([tokens[1:], tokens[-1:]])
    with pytest.raises(ValueError, match="must begin with <s>"):
        world.fill_probs(headless)
    with pytest.raises(ValueError, match="fill_probs takes one row"):
        world.fill_probs(tokens.reshape(2, 17))
    with pytest.raises(ValueError, match="a row has 34"):
        world.fill_probs(tokens[:5])


def test_states_decide_the_future(world):
    rows = world.sample(300, seed=9)
    states, probs = world.states(rows).ravel(), world.next_probs(rows).reshape(-1, len(world.vocab))
    assert states.max() < world.n_states
    for state in states.unique():
        same = probs[states == state]
        assert torch.equal(same, same[:1].expand_as(same))


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ({"S": "the dog | the cat"}, "ambiguous: two of its alternatives can begin with 'the'"),
        ({"S": "S dog | cat"}, "can begin with itself"),
        ({"S": "a S | b"}, "remove its recursion"),
        ({"S": "a B", "B": "1 | 1 b"}, "could end without a word that says so"),
        ({"S": "a A .", "A": "1 c | 1 b A b"}, "remove its recursion"),
        ({"S": "-1 a | b"}, "weight -1.0 must be above 0"),
    ],
)
def test_a_grammar_that_cannot_be_exact_is_refused(grammar, message):
    with pytest.raises(ValueError, match=message):
        Sentences(grammar)


def test_bad_tokens_get_an_error_that_says_what_to_do(world):
    with pytest.raises(ValueError, match=r"token 999 is outside the vocabulary \(0..151\); encode"):
        world.log_prob(torch.tensor([[1, 999]]))
    with pytest.raises(TypeError, match="int64"):
        world.log_prob(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"expected \(n, t\) with t from 1 to 34"):
        world.log_prob(torch.zeros(2, 99, dtype=torch.int64))
    with pytest.raises(ValueError, match="position 2: 'runs' cannot stand there"):
        world.count(world.vocab.encode("<s> the runs"))
    with pytest.raises(ValueError, match="a prefix begins with <s>"):
        world.entropy(world.vocab.encode("the dog"))
    with pytest.raises(ValueError, match="n is -1"):
        world.sample(-1, seed=0)


def test_the_words_of_a_rule_come_likeliest_first():
    assert words_of("PET", {"PET": "1 cat | 3 dog | 2 bird"}) == ["dog", "bird", "cat"]
    assert words_of("PERSON")[0] == "girl" and words_of("PEOPLE")[0] == "girls"


@pytest.mark.parametrize("rule", ["S", "PETS", "NOUN"])
def test_a_rule_that_does_not_choose_among_words_is_refused(rule):
    grammar = {"S": "the NOUN", "PETS": "cat | NOUN", "NOUN": "dog house | bird"}
    with pytest.raises(ValueError, match="single words"):
        words_of(rule, grammar)
