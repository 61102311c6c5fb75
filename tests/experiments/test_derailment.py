import json
import math

import pytest
import torch

from utils.checkpoints import kept_answers
from utils.experiments import compounding, derailment, forced_answers, yes_or_no
from utils.generation.ragged import continue_each
from utils.training.batches import edited, world_batches
from utils.training.losses import loss_without
from utils.worlds.judging import Judged, undo
from utils.worlds.mistakes import begun_wrong, taken_back, with_correction, with_undo, wrong_token
from utils.checkpoints.store import load_checkpoint
from utils.experiments.derailment import answer, best_of, predicted, vote
from utils.generation.forcing import force
from utils.worlds.judging import judge
from utils.measure.intervals import wilson
from utils.experiments.yes_or_no import Question, outcome, side
from utils.generation.sampling import generate
from utils.text.trace import Trace
from utils.training.losses import next_token_loss
from utils.models.transformer import Transformer, TransformerConfig
from utils.worlds import Totals, Verdicts

WORLD = Verdicts()
RIGHT = "is 2 + 9 = 11 ? yes , because 2 + 9 = 11 ."


def texts(*lines):
    rows = [WORLD.vocab.encode(line) for line in lines]
    longest = max(map(len, rows))
    return torch.stack([torch.cat([r, r[-1:].expand(longest - len(r))]) for r in rows])


def small(world, seed=0):
    config = TransformerConfig(len(world.vocab), d_model=16, n_layers=1, n_heads=2, max_len=24)
    return Transformer(config, seed=seed).eval()


# -- judging -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, verdict_right, sum_right, contradicts, finished, tokens",
    [
        (RIGHT, 1, 1, 0, 1, 9),
        ("is 2 + 9 = 12 ? no , because 2 + 9 = 11 .", 1, 1, 0, 1, 9),
        ("is 2 + 9 = 11 ? no , because 2 + 9 = 11 .", 0, 1, 1, 1, 9),
        ("is 2 + 9 = 11 ? no , because 2 + 9 = 12 .", 0, 0, 0, 1, 9),  # defends it by a wrong sum
        ("is 2 + 9 = 12 ? yes , because 2 + 9 = 12 .", 0, 0, 0, 1, 9),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = 12 .", 1, 0, 1, 1, 9),
        ("is 2 + 9 = 11 ? no <undo> yes , because 2 + 9 = 11 .", 1, 1, 0, 1, 11),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = 12 <undo> 11 .", 1, 1, 0, 1, 11),
        ("is 2 + 9 = 11 ? no , <undo> <undo> yes , because 2 + 9 = 11 .", 1, 1, 0, 1, 13),
        ("is 2 + 9 = 11 ? no , because 2 + 9 = 11 , yes .", 1, 1, 0, 1, 11),
        ("is 2 + 9 = 12 ? because 2 + 9 = 11 , no .", 1, 1, 0, 1, 9),
        ("is 2 + 9 = 11 ? no .", 0, 0, 0, 0, 2),
        ("is 2 + 9 = 11 ? because 2 + 9 = 11 .", 0, 1, 0, 0, 7),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = 11", 1, 1, 0, 0, 8),
        ("is 2 + 9 = 11 ? yes , because 2 + 9 = yes .", 1, 0, 0, 0, 9),
        ("is 2 + 9 = 11 ? no . yes , because 2 + 9 = 11 .", 0, 0, 0, 0, 2),
    ],
)
def test_judging_texts(text, verdict_right, sum_right, contradicts, finished, tokens):
    judged = judge(WORLD, WORLD.vocab.encode(text)[None])
    found = [getattr(judged, name).item() for name in Judged.__dataclass_fields__]
    assert found == [verdict_right, sum_right, contradicts, finished, tokens]


def test_judging_reads_each_row_by_itself():
    rows = texts(RIGHT, "is 2 + 9 = 11 ? no , because 2 + 9 = 11 .", RIGHT)
    assert judge(WORLD, rows).verdict_right.tolist() == [True, False, True]


def test_right_answers_of_either_order_are_judged_right():
    for world in (WORLD, Verdicts(verdict="last")):
        judged = judge(world, world.sample(200, seed=0))
        assert bool((judged.verdict_right & judged.sum_right & judged.finished).all())
        assert not judged.contradicts.any() and judged.tokens.unique().tolist() == [9]


def test_undo_takes_back_one_token_each():
    assert undo([1, 2, 0, 3, 4, 0, 0, 5], 0) == [1, 5]
    assert undo([0, 0, 7], 0) == [7]


# -- forcing -------------------------------------------------------------------------------------


def test_what_is_forced_stays_as_it_was_forced():
    model, rows = small(WORLD), WORLD.sample(6, seed=1)
    for k in (1, 2, 5):
        forced = torch.randint(len(WORLD.vocab), (6, k), generator=torch.Generator().manual_seed(k))
        out = force(model, rows[:, :7], forced, 4)
        assert torch.equal(out[:, :7], rows[:, :7]) and torch.equal(out[:, 7 : 7 + k], forced)
        assert out.shape == (6, 7 + k + 4)


def test_one_word_for_all_rows():
    out = force(small(WORLD), WORLD.sample(3, seed=1)[:, :7], [WORLD.vocab.id("no")], 1)
    assert out[:, 7].tolist() == [WORLD.vocab.id("no")] * 3


def test_forcing_what_it_would_have_said_changes_nothing():
    model, _ = load_checkpoint("verdicts-first")
    rows = WORLD.sample(20, seed=2)
    free = answer(model, WORLD, rows)
    assert torch.equal(answer(model, WORLD, rows, free[:, 7:8]), free)


def test_a_forced_trace_has_the_odds_of_the_forced_token():
    model, trace = small(WORLD), Trace()
    prompt = WORLD.sample(1, seed=1)[:, :7]
    out = force(model, prompt, [5, 6], 3, trace=trace)
    assert [step.note for step in trace] == ["forced", "forced", "", "", ""]
    assert list(trace[-1].tokens) == out[0].tolist()
    assert trace[0].probability[0] == pytest.approx(model(prompt)[0, -1].softmax(-1)[5].item())


def test_nothing_to_force_is_an_error():
    with pytest.raises(ValueError, match="tokens is empty"):
        force(small(WORLD), WORLD.sample(1, seed=1)[:, :7], [], 3)


@pytest.mark.parametrize("at", range(7, 16))
def test_the_other_token_is_another_of_its_kind(at):
    rows = WORLD.sample(200, seed=3)
    wrong = wrong_token(WORLD, rows, at, torch.Generator().manual_seed(0))
    assert bool((wrong != rows[:, at]).all())
    yes_no = {WORLD.vocab.id("yes"), WORLD.vocab.id("no")}
    if at == 7:
        assert set(wrong.tolist()) == yes_no
    else:
        numbers = bool((rows[:, at] <= 38).all())
        assert bool(((wrong <= 38) == numbers).all()) and not yes_no & set(wrong.tolist())


# -- prediction ----------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.5, 2.5])
def test_predicted_and_sampled_rates_agree(temperature):
    model, _ = load_checkpoint("verdicts-first")
    rows = WORLD.sample(1500, seed=7)
    expected = predicted(model, WORLD, rows, temperature)
    dice = torch.Generator().manual_seed(1)
    out = answer(model, WORLD, rows, temperature=temperature, generator=dice)[:, :16]
    flipped = rows.clone()
    flipped[:, 7] = WORLD.vocab.id("yes") + WORLD.vocab.id("no") - rows[:, 7]
    sampled = {
        "other verdict": out[:, 7] == flipped[:, 7],
        "all right": (out == rows).all(1),
        "right but for the verdict": (out == flipped).all(1),
    }
    assert expected.keys() == sampled.keys()
    for name, happened in sampled.items():
        low, high = wilson(int(happened.sum()), len(happened), confidence=0.999)
        assert low <= float(expected[name].mean()) <= high, name


def test_prediction_needs_a_temperature():
    with pytest.raises(ValueError, match="temperature is 0"):
        predicted(small(WORLD), WORLD, WORLD.sample(2, seed=0), 0)


# -- remedies ------------------------------------------------------------------------------------


class Coin:
    """Stands in for a model: right in everything, except that the verdict is wrong with `p`."""

    def __init__(self, p):
        self.p, self.config = p, small(WORLD).config

    def __call__(self, tokens, cache=None):
        read = tokens if cache is None else self.read(tokens, cache)
        logits = torch.full((*read.shape, len(WORLD.vocab)), -40.0)
        right = WORLD.write(read[:, 1], read[:, 3], read[:, 5])
        for t in range(min(read.shape[1], 15)):
            logits[torch.arange(len(read)), t, right[:, t + 1]] = 0.0
        if read.shape[1] > 6:
            verdict, both = right[:, 7], WORLD.vocab.id("yes") + WORLD.vocab.id("no")
            logits[torch.arange(len(read)), 6, verdict] = math.log(1 - self.p)
            logits[torch.arange(len(read)), 6, both - verdict] = math.log(self.p)
        return logits[:, -tokens.shape[1] :]

    def read(self, tokens, cache):
        before = getattr(cache, "tokens", tokens[:, :0])
        cache.tokens = torch.cat([before, tokens], 1)
        cache.length = cache.tokens.shape[1]
        return cache.tokens


def wrong_rate(remedied):
    return float((~judge(WORLD, remedied.rows).verdict_right).double().mean())


@pytest.mark.parametrize("k", [1, 3, 5])
def test_voting_errs_as_often_as_the_binomial_says(k):
    p, n = 0.3, 1500
    dice = torch.Generator().manual_seed(0)
    voted = vote(Coin(p), WORLD, WORLD.sample(n, seed=0), k, temperature=1.0, generator=dice)
    expected = sum(math.comb(k, j) * p**j * (1 - p) ** (k - j) for j in range(k // 2 + 1, k + 1))
    low, high = wilson(round(wrong_rate(voted) * n), n, confidence=0.999)
    assert low <= expected <= high
    assert voted.tokens == voted.passes == 9 * k


def test_the_likeliest_of_k_errs_only_when_all_do():
    p, n, k = 0.3, 1500, 3
    dice = torch.Generator().manual_seed(0)
    best = best_of(Coin(p), WORLD, WORLD.sample(n, seed=0), k, temperature=1.0, generator=dice)
    low, high = wilson(round(wrong_rate(best) * n), n, confidence=0.999)
    assert low <= p**k <= high
    assert (best.tokens, best.passes) == (9 * k, 10 * k)


@pytest.mark.parametrize("remedy", [vote, best_of])
def test_no_choice_among_forced_texts_repairs_them(remedy):
    rows = WORLD.sample(50, seed=0)
    wrong = WORLD.vocab.id("yes") + WORLD.vocab.id("no") - rows[:, 7:8]
    dice = torch.Generator().manual_seed(0)
    how = {"forced": wrong, "temperature": 1.0, "generator": dice}
    assert wrong_rate(remedy(Coin(0.1), WORLD, rows, 5, **how)) == 1


def test_starting_over_repairs_a_forced_text_and_is_paid_for():
    rows = WORLD.sample(50, seed=0)
    wrong = WORLD.vocab.id("yes") + WORLD.vocab.id("no") - rows[:, 7:8]
    mended = derailment.start_over(Coin(0.01), WORLD, rows, at_least=-2.0, forced=wrong)
    assert wrong_rate(mended) == 0 and (mended.tokens, mended.passes) == (18, 19)
    left = derailment.start_over(Coin(0.01), WORLD, rows, at_least=-2.0)
    assert wrong_rate(left) == 0 and (left.tokens, left.passes) == (9, 10)


def test_votes_need_a_voter():
    with pytest.raises(ValueError, match="k is 0"):
        vote(Coin(0.1), WORLD, WORLD.sample(2, seed=0), 0, temperature=1.0)


def test_the_filling_behind_a_text_is_not_scored():
    model, text = small(WORLD), WORLD.vocab.encode(RIGHT)[None]
    longer = torch.cat([text, text[:, -1:].expand(1, 4)], 1)
    short, long = (derailment.likelihoods(model, each, 7) for each in (text, longer))
    assert torch.allclose(short, long, atol=1e-5)
    assert short.item() == pytest.approx(
        model(text)[0, 6:-1].log_softmax(-1).gather(1, text[0, 7:, None]).sum().item(), abs=1e-5
    )


def test_texts_that_show_how_to_mend_a_mistake():
    rows = WORLD.sample(300, seed=0)
    undone = with_undo(WORLD, rows, torch.Generator().manual_seed(0))
    undo_id = WORLD.vocab.id("<undo>")
    for row, longer in zip(rows.tolist(), undone.tolist(), strict=True):
        assert undo(longer, undo_id) == row and longer.count(undo_id) == 1
        assert longer[:7] == row[:7]
    assert len({row.index(undo_id) for row in undone.tolist()}) == 9  # at every place
    corrected = with_correction(WORLD, rows)
    assert WORLD.vocab.decode(with_correction(WORLD, texts(RIGHT))[0]) == (
        "is 2 + 9 = 11 ? no , because 2 + 9 = 11 , yes ."
    )
    assert bool(judge(WORLD, corrected).verdict_right.all())
    assert bool((corrected[:, 7] != rows[:, 7]).all())


def test_a_slip_is_no_target():
    model, rows = small(WORLD), WORLD.sample(40, seed=0)
    undone = with_undo(WORLD, rows, torch.Generator().manual_seed(0))
    log_probs = model(undone[:, :-1]).log_softmax(-1).gather(-1, undone[:, 1:, None])[..., 0]
    slips = torch.zeros_like(log_probs, dtype=torch.bool)
    slips[:, :-1] = undone[:, 2:] == WORLD.vocab.id("<undo>")
    assert int(slips.sum()) == 40
    loss = loss_without(model, undone, taken_back(WORLD, undone))
    assert loss.item() == pytest.approx(-log_probs[~slips].mean().item(), rel=1e-5)
    every = loss_without(model, rows, recipes.no_slips(WORLD, rows))
    assert every.item() == pytest.approx(next_token_loss(model, rows).item(), rel=1e-5)


def test_only_wrong_verdicts_are_slips_of_a_corrected_text():
    rows = WORLD.sample(40, seed=0)
    assert not begun_wrong(WORLD, rows).any()
    wrong = begun_wrong(WORLD, with_correction(WORLD, rows))
    assert wrong[:, 7].all() and int(wrong.sum()) == 40


# -- what the checkpoints can do -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["verdicts-first", "verdicts-first-1", "verdicts-first-2"])
def test_a_model_that_knows_better_contradicts_itself(name):
    model, _ = load_checkpoint(name)
    rows = WORLD.sample(400, seed=5, held_out=True)
    wrong = WORLD.vocab.id("yes") + WORLD.vocab.id("no") - rows[:, 7:8]
    free = judge(WORLD, answer(model, WORLD, rows))
    forced = judge(WORLD, answer(model, WORLD, rows, wrong))
    assert free.verdict_right.double().mean() > 0.97 and free.sum_right.double().mean() > 0.97
    assert forced.verdict_right.double().mean() < 0.1
    assert forced.contradicts.double().mean() > 0.9


@pytest.mark.parametrize(
    "name, least",
    [
        ("verdicts-undo", 0.8),
        ("verdicts-undo-1", 0.2),  # how well this is learned depends on the seed
        ("verdicts-undo-2", 0.8),
        ("verdicts-corrected", 0.95),
        ("verdicts-corrected-1", 0.95),
        ("verdicts-corrected-2", 0.95),
    ],
)
def test_models_shown_corrections_repair_a_forced_verdict(name, least):
    model, _ = load_checkpoint(name)
    rows = WORLD.sample(400, seed=5, held_out=True)
    wrong = WORLD.vocab.id("yes") + WORLD.vocab.id("no") - rows[:, 7:8]
    assert judge(WORLD, answer(model, WORLD, rows, wrong)).verdict_right.double().mean() > least
    assert judge(WORLD, answer(model, WORLD, rows)).verdict_right.double().mean() > 0.97


def test_training_longer_repairs_nothing():
    rows = WORLD.sample(400, seed=5, held_out=True)
    wrong = WORLD.vocab.id("yes") + WORLD.vocab.id("no") - rows[:, 7:8]
    for name in ("verdicts-longer", "verdicts-longer-1", "verdicts-longer-2"):
        model, _ = load_checkpoint(name)
        assert judge(WORLD, answer(model, WORLD, rows)).verdict_right.double().mean() > 0.97
        assert judge(WORLD, answer(model, WORLD, rows, wrong)).verdict_right.double().mean() < 0.2


def test_only_a_model_that_had_to_predict_wrong_verdicts_begins_with_them():
    rows = WORLD.sample(400, seed=5, held_out=True)
    begins_wrong = {}
    for name in ("verdicts-corrected", "verdicts-corrected-all"):
        with torch.no_grad():
            probs = load_checkpoint(name)[0](rows[:, :7])[:, -1].softmax(-1)
        begins_wrong[name] = 1 - float(probs.gather(1, rows[:, 7:8]).mean())
    assert begins_wrong["verdicts-corrected"] < 0.03
    assert 0.4 < begins_wrong["verdicts-corrected-all"] < 0.6  # half of what it has seen


# -- mistakes and length -------------------------------------------------------------------------


@pytest.mark.parametrize("carry, last", [(True, "4 4 8 2 1 3 5 8"), (False, "4 4 8 2 1 9 5 6")])
def test_totals_by_hand(carry, last):
    world = Totals(4, carry=carry)
    rows = world.write(torch.tensor([[4, 8, 1, 5]]))
    assert world.vocab.decode(rows[0]) == last
    assert torch.equal(world.expected(rows), rows[:, 1::2])
    rows[0, 3] = 7  # a mistake: with a carry, the next answer is to go on from it
    assert world.expected(rows)[0].tolist() == ([4, 2, 8, 8] if carry else [4, 2, 9, 6])
    wrong, locally = compounding.errors(world, rows)
    assert wrong[0].tolist() == [False, True, False, False]
    assert locally[0].tolist() == [False, True, carry, False]


@pytest.mark.parametrize("carry", [True, False])
def test_totals_have_exact_probabilities(carry):
    world = Totals(3, carry=carry)
    rows = world.sample(100, seed=0)
    assert torch.allclose(world.log_prob(rows), torch.tensor(-3 * math.log(10)).double())
    assert torch.allclose(world.log_prob(rows[:, :3]), torch.tensor(-2 * math.log(10)).double())
    digits = torch.cartesian_prod(*[torch.arange(10)] * 3)
    assert world.log_prob(world.write(digits)).exp().sum().item() == pytest.approx(1)
    rows[:, 3] = (rows[:, 3] + 1) % 10
    assert bool(torch.isinf(world.log_prob(rows)).all())


@pytest.mark.parametrize("bad", [0, -3])
def test_a_list_needs_a_digit(bad):
    with pytest.raises(ValueError, match=f"n is {bad}"):
        Totals(bad)
    with pytest.raises(ValueError, match="n is -1"):
        Totals().sample(-1, seed=0)


def test_writing_totals_equals_reading_them_greedily():
    world = Totals(6)
    config = TransformerConfig(10, d_model=16, n_layers=2, n_heads=2, max_len=12)
    model = Transformer(config, seed=3).eval()
    digits = world.sample(20, seed=0)[:, ::2]
    rows = compounding.write_totals(model, digits)
    assert torch.equal(rows[:, ::2], digits)
    with torch.no_grad():
        assert torch.equal(model(rows)[:, ::2].argmax(-1), rows[:, 1::2])


def test_answers_can_be_forced():
    config = TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=12)
    digits = Totals(6).sample(5, seed=0)[:, ::2]
    rows = compounding.write_totals(
        Transformer(config).eval(), digits, answers=lambda i, own: torch.full_like(own, i)
    )
    assert torch.equal(rows[:, 1::2], torch.arange(6).expand(5, 6))


def test_only_a_causal_model_writes_totals():
    config = TransformerConfig(10, d_model=16, n_layers=1, n_heads=2, max_len=12, causal=False)
    with pytest.raises(ValueError, match="causal=False"):
        compounding.write_totals(Transformer(config), torch.zeros(1, 3, dtype=torch.int64))


def test_survival_ends_with_the_first_error():
    wrong = torch.tensor([[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]).bool()
    assert compounding.survival(wrong).tolist() == [1, 0.75, 0.5, 0.5]


def test_survival_is_the_product_of_what_the_model_does_behind_right_answers():
    model, _ = load_checkpoint("totals-running")
    world = Totals()
    rows = world.sample(1500, seed=3)
    dice = torch.Generator().manual_seed(0)
    written = compounding.write_totals(model, rows[:, ::2], temperature=2.0, generator=dice)
    measured = compounding.survival(compounding.errors(world, written)[0])
    predicted = (1 - compounding.hazards(model, rows, temperature=2.0)).cumprod(1).mean(0)
    for n in (8, 32):
        low, high = wilson(round(float(measured[n - 1]) * 1500), 1500, confidence=0.999)
        assert low <= float(predicted[n - 1]) <= high


# -- the questions -------------------------------------------------------------------------------


def test_questions_are_balanced_and_all_different():
    asked = yes_or_no.load()
    assert len(asked) >= 64 and len({q.text for q in asked}) == len(asked)
    kinds = {q.kind for q in asked}
    assert len(kinds) >= 4
    for kind in kinds:
        answers = [q.answer for q in asked if q.kind == kind]
        assert len(answers) >= 12 and answers.count("yes") == answers.count("no")


@pytest.mark.parametrize("q", yes_or_no.load(), ids=lambda q: q.text)
def test_each_question_fits_its_statements(q):
    assert q.text.endswith("?") and q.yes.endswith(".") and q.no.endswith(".")
    assert q.no.replace(" is not ", " is ") == q.yes != q.no
    assert q.true == (q.yes if q.answer == "yes" else q.no)
    asserted = set(q.yes.lower().strip(".").replace(",", "").split())
    assert asserted <= set(
        q.text.lower().replace("?", "").replace(".", "").replace(",", "").split()
    )
    assert side(q, q.yes) == "yes" and side(q, q.no) == "no"


def test_arithmetic_questions_are_answered_right():
    for q in yes_or_no.load():
        if q.kind == "arithmetic":
            a, b, c = (int(word) for word in q.text.strip("?").split() if word.isdigit())
            assert (a + b == c) == (q.answer == "yes")


@pytest.mark.parametrize("line", ["arithmetic | yes | Is 1 + 1 equal to 2?", "a|maybe|b|c|d|e|f"])
def test_a_broken_question_is_named(tmp_path, line):
    path = tmp_path / "questions.txt"
    path.write_text(f"# comment\n\n{line}\n")
    with pytest.raises(ValueError, match=r"questions\.txt, line 3"):
        yes_or_no.load(path)


SUM = Question("", "yes", "Is 1 + 1 equal to 2?", "", "", "2", "#")
SUN = Question("", "no", "Is the Sun a planet?", "", "", "sun planet; planet sun", "star")
SIZE = Question("", "yes", "Is an ox bigger than a cat?", "", "", "ox bigger cat", "cat bigger ox")


@pytest.mark.parametrize(
    "question, sentence, expected",
    [
        (SUM, "1 + 1 equals 2.", "yes"),
        (SUM, "1 + 1 is not equal to 2.", "no"),
        (SUM, "1 + 1 ≠ 2.", "no"),
        (SUM, "1 + 1 equals 3.", "no"),
        (SUM, "1 + 1 isn't 3.", "yes"),
        (SUM, "2 is less than 3.", ""),
        (SUM, "It is so.", ""),
        (SUN, "The Sun is a planet.", "yes"),
        (SUN, "The Sun is a star.", "no"),
        (SUN, "The Sun is a star and a planet.", ""),
        (SIZE, "An ox is bigger than a cat.", "yes"),
        (SIZE, "A cat is bigger than an ox.", "no"),
        (SIZE, "A cat is never bigger than an ox.", "yes"),
    ],
)
def test_the_side_of_a_sentence(question, sentence, expected):
    assert side(question, sentence) == expected


@pytest.mark.parametrize(
    "forced, text, expected",
    [
        ("no", " 1 + 1 is not equal to 2.", "defends"),
        ("no", " 1 + 1 is 2.", "contradicts"),
        ("no", " I like it. 1 + 1 is 2.", "contradicts"),
        ("no", " 1 + 1 is 2, but not because I say so.", "contradicts"),
        ("no", " it is not so: 1 + 1 is 3, not 2.", "defends"),
        ("no", " 1 + 1 is 3. I am sorry, it is 2.", "reverses"),
        ("no", " 1 + 1 is 2. Yes, it is.", "reverses"),
        ("yes", " the answer is no.", "reverses"),
        ("yes", " 1 + 1 is 2.", "defends"),
        ("yes", " I like numbers.", "other"),
        ("yes", "", "other"),
    ],
)
def test_outcomes(forced, text, expected):
    assert outcome(SUM, forced, text) == expected


def test_an_outcome_needs_a_verdict():
    with pytest.raises(ValueError, match="forced is 'Yes,'"):
        outcome(SUM, "Yes,", "")


# -- what is kept --------------------------------------------------------------------------------


def test_what_is_kept_fits_the_questions():
    kept = kept_answers.records()
    assert [r.text for r in kept] == [q.text for q in yes_or_no.load()]
    assert all(set(r.texts) == set(r.later) == set(forced_answers.FORCED) for r in kept)


def test_stale_or_missing_records_are_refused(tmp_path, monkeypatch):
    path = yes_or_no.DATA / "forced_answers.json"
    with pytest.raises(FileNotFoundError, match="questions remake"):
        kept_answers.records(tmp_path / "none.json")
    copy = tmp_path / "forced_answers.json"
    copy.write_text(path.read_text())
    monkeypatch.setattr(questions, "INSTRUCTION", " Answer.")
    with pytest.raises(ValueError, match="made from other questions"):
        kept_answers.records(copy)


def test_an_interrupted_remake_leaves_what_was_kept(tmp_path, monkeypatch):
    path = tmp_path / "forced_answers.json"
    path.write_text("{}")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(forced_answers.smollm, "load", lambda: (None, None))
    monkeypatch.setattr(questions, "record", interrupted)
    monkeypatch.setattr(questions, "force", lambda *_: [{}] * len(yes_or_no.load()))
    with pytest.raises(KeyboardInterrupt):
        kept_answers.remake(path)
    made = forced_answers.Record("", 0.5, 0.5, 0.0, {}, {}, {})
    monkeypatch.setattr(questions, "record", lambda *_: made)
    monkeypatch.setattr(json, "dumps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        kept_answers.remake(path)
    assert path.read_text() == "{}" and list(tmp_path.iterdir()) == [path]


def test_what_was_read_is_what_is_kept(tmp_path):
    read = kept_answers.readings()
    assert set(read) == {(q.text, word) for q in yes_or_no.load() for word in ("Yes,", "No,")}
    entries = json.loads((yes_or_no.DATA / "readings.json").read_text())
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


def test_prompts_of_different_lengths_are_continued_as_if_alone():
    model, _ = load_checkpoint("verdicts-first")
    text, stop = WORLD.vocab.encode("is 2 + 9 = 11 ? yes , because 2 + 9 = 11 ."), 47
    assert WORLD.vocab.decode([stop]) == "."
    prompts = [text[:k] for k in (11, 7, 13, 9)]
    for n in (3, 11):
        together = continue_each(model, prompts, n, (stop,))
        for tokens, behind in zip(prompts, together, strict=True):
            alone = generate(model, tokens[None], n, stop=stop)[0, len(tokens) :]
            assert torch.equal(behind, alone[alone != stop])


def test_the_model_still_says_what_is_kept():
    from utils.models import smollm

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


def test_edited_batches_keep_their_length_and_their_share():
    plain = world_batches(WORLD, batch_size=400, seed=0)
    rows = next(
        edited(plain, lambda rows, _: with_correction(WORLD, rows), 0.25, 0)
    )
    original = next(world_batches(WORLD, batch_size=400, seed=0))
    same = (rows[:, :16] == original).all(1)
    assert rows.shape == (400, 18) and 70 < int((~same).sum()) < 130
    assert bool((rows[same][:, 15:] == WORLD.vocab.id(".")).all())
    assert bool(judge(WORLD, rows).verdict_right.all())


@pytest.mark.parametrize("part", ["a", "b"])
def test_possible_slips_are_numbers_that_occur_there(part):
    rows, at = WORLD.sample(200, seed=4), WORLD.positions[part][1]
    dice = torch.Generator().manual_seed(0)
    slips = wrong_token(WORLD, rows, at, dice, possible=True)
    assert (slips != rows[:, at]).all()
    assert slips.min() >= WORLD.low and slips.max() == WORLD.high
    assert wrong_token(WORLD, rows, at, dice).max() > WORLD.high
