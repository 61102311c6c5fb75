import pytest
import torch

from tests.small_models import lively
from utils.experiments import taking_back
from utils.experiments.taking_back import GoOn, LookAgain
from utils.generation import diffusion
from utils.models.transformer import TransformerConfig
from utils.worlds.verdicts import Verdicts

WORLD = Verdicts(high=5)
AT = WORLD.positions


def model(causal):
    config = TransformerConfig(
        len(WORLD.vocab), d_model=16, n_layers=1, n_heads=2, max_len=24, causal=causal
    )
    return lively(config).requires_grad_(True)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_other_verdict_is_the_wrong_one():
    asked = taking_back.ask(WORLD, 40, seed=3)
    right = asked.rows[:, AT["verdict"]]
    assert torch.equal(asked.forced != right, asked.wrong) and asked.wrong.sum() == 20
    both = {WORLD.vocab.id("yes"), WORLD.vocab.id("no")}
    assert set(asked.forced.tolist()) == both


def test_only_what_is_finished_and_ends_right_is_rewarded():
    right = WORLD.write([1], [2], [3])
    wrong = right.clone()
    wrong[0, AT["verdict"]] = WORLD.vocab.id("no")
    endless = right.clone()
    endless[0, -1] = WORLD.vocab.id(",")
    rows = torch.cat([right, wrong, endless])
    assert taking_back.rewarded(WORLD, rows).tolist() == [True, False, False]


def test_going_on_is_scored_after_the_forced_word_and_up_to_the_full_stop():
    causal, asked = model(True), taking_back.ask(WORLD, 6, seed=0)
    texts, done = GoOn().tries(causal, WORLD, asked, generator=dice())
    assert torch.equal(texts[:, AT["verdict"]], asked.forced)
    found = GoOn().log_prob(causal, WORLD, texts, done).detach()
    said = causal(texts).log_softmax(-1).detach()
    for row, text in enumerate(texts.tolist()):
        total = 0.0
        for t in range(AT["verdict"] + 1, len(text)):
            total += float(said[row, t - 1, text[t]])
            if WORLD.vocab.tokens[text[t]] == ".":
                break
        assert float(found[row]) == pytest.approx(total, abs=1e-3)


def test_looking_again_changes_at_most_one_word_and_never_the_question():
    denoiser, asked = model(False), taking_back.ask(WORLD, 30, seed=0)
    after, (before, where) = LookAgain().tries(denoiser, WORLD, asked, generator=dice())
    assert torch.equal(before[:, AT["verdict"]], asked.forced)
    assert torch.equal(after[:, WORLD.question], asked.rows[:, WORLD.question])
    changed = after != before
    assert (changed.sum(1) <= 1).all()
    assert not changed.scatter(1, where[:, None], False).any()
    assert (where >= AT["answer"]).all() and len(set(where.tolist())) > 3


@torch.no_grad()
def test_what_it_did_is_three_steps_by_hand():
    denoiser, asked = model(False), taking_back.ask(WORLD, 4, seed=1)
    after, steps = LookAgain().tries(denoiser, WORLD, asked, generator=dice())
    before, where = steps
    found = LookAgain().log_prob(denoiser, WORLD, after, steps)
    fewer = LookAgain("tokens").log_prob(denoiser, WORLD, after, steps)
    mask_id, at = WORLD.vocab.mask_id, AT["verdict"]
    for row in range(4):
        blank = before[row].clone()
        blank[at + 1 :] = mask_id
        said = diffusion.log_probs(denoiser, blank[None], mask_id)[0]
        total = sum(float(said[t, before[row, t]]) for t in range(at + 1, WORLD.length))
        hidden = before[row].clone()
        hidden[where[row]] = mask_id
        said = diffusion.log_probs(denoiser, hidden[None], mask_id)[0, where[row]]
        total += float(said[after[row, where[row]]])
        assert float(fewer[row]) == pytest.approx(total, abs=1e-3)
        said = diffusion.log_probs(denoiser, before[row][None], mask_id)[0]
        odds = [
            -taking_back.SHARP * float(said[t, before[row, t]])
            for t in range(AT["answer"], WORLD.length)
        ]
        looked = torch.tensor(odds).log_softmax(0)[where[row] - AT["answer"]]
        assert float(found[row]) == pytest.approx(total + float(looked), abs=1e-3)


def test_one_mask_asks_both_models_the_same():
    denoiser, asked = model(False), taking_back.ask(WORLD, 4, seed=1)
    way = LookAgain("1 mask")
    after, steps = way.tries(denoiser, WORLD, asked, generator=dice())
    first, again = (way.log_prob(denoiser, WORLD, after, steps) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, way.log_prob(denoiser, WORLD, after, steps, draw=1))


def test_a_drawn_question_is_drawn_anew_for_the_price(monkeypatch):
    """The model is asked by one draw for its gradient and by another for the price, and the first
    model by that one; a way that draws no question asks each model once."""
    asked = {True: [], False: []}

    def draws_of(way):
        log_prob = way.log_prob

        def noted(*args, draw=0):
            asked[way.drawn].append(draw)
            return log_prob(*args, draw=draw)

        return noted

    for way in (LookAgain("1 mask"), LookAgain()):
        monkeypatch.setattr(way, "log_prob", draws_of(way))
        taking_back.learn(model(False), WORLD, way, steps=1, lr=1e-3, seed=0)
    assert asked[True] == [0, 1, 1]
    assert len(asked[False]) == 2


def test_a_way_has_a_name():
    with pytest.raises(ValueError, match="'steps'"):
        LookAgain("all")


@pytest.mark.parametrize("causal", [True, False])
def test_learning_changes_a_copy_and_is_measured_on_the_way(causal, monkeypatch):
    monkeypatch.setattr(taking_back, "rewarded", lambda world, texts: torch.arange(len(texts)) < 9)
    first, way = model(causal), GoOn() if causal else LookAgain()
    before = {k: v.clone() for k, v in first.state_dict().items()}
    asked = taking_back.ask(WORLD, 20, seed=9)

    def measure(each):
        wrong, right = taking_back.ends(each, WORLD, way, asked)
        return len(wrong), len(right)  # how many were asked

    how = {"steps": 2, "lr": 1e-3, "seed": 0, "looks": (0, 2), "measure": measure}
    taught, seen = taking_back.learn(first, WORLD, way, **how)
    assert seen == [(0, (10, 10)), (2, (10, 10))]
    assert all(torch.equal(v, before[k]) for k, v in first.state_dict().items())
    changed = [not torch.equal(v, before[k]) for k, v in taught.state_dict().items() if v.ndim == 2]
    assert all(changed)


def test_a_try_is_compared_with_the_others_at_its_question():
    gains = torch.zeros(16, 8)
    gains[0], gains[1, 0] = 1.0, 1.0
    found = taking_back._better(gains.flatten()).view(16, 8)
    assert (found[0] == 0).all() and found[1, 0] == 1 and found[1, 1] == pytest.approx(-1 / 7)


def test_what_is_watched_is_what_it_does():
    denoiser = model(False)
    question = WORLD.write([1], [2], [3])[0]
    steps = taking_back.watched(denoiser, WORLD, question, "no", "it")
    assert [step.note.split()[0] for step in steps] == ["forced", "filled", "hidden", "filled"]
    assert steps[0].tokens[AT["verdict"]] == WORLD.vocab.id("no")
    asked = taking_back.Asked(question[None], torch.tensor([WORLD.vocab.id("no")]), None)
    after, (before, where) = LookAgain().tries(denoiser, WORLD, asked, temperature=0.0)
    assert list(steps[1].tokens) == before[0].tolist()
    assert list(steps[3].tokens) == after[0].tolist() and list(steps[2].changed) == where.tolist()
    assert all(0 <= p <= 1 for step in steps for p in step.probability)
