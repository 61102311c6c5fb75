"""Speculative decoding writes what the model would have written: exactly in distribution, and token
by token where nothing is left to chance; and it counts how much was gained."""

import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation import sampling, speculative
from utils.generation.speculative import Counts, Lookup, Small
from utils.measure.passes import Counted
from utils.models import markov
from utils.models.transformer import TransformerConfig
from utils.worlds.chains import Chains

SHAPE = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 40}
MODEL = lively(TransformerConfig(8, **SHAPE)).double()
OTHER = lively(TransformerConfig(8, **SHAPE), seed=1).double()
TEXT = tokens(3, 4, 8)
CHAIN = markov.fit(tokens(1, 300, 8)[0], 2, 8)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


class Wrong:
    """Guesses what the model would never write next: the token after its likeliest."""

    def propose(self, tokens, n, generator=None):
        guesses = tokens
        for _ in range(n):
            best = MODEL(guesses)[:, -1].argmax(-1)
            guesses = torch.cat([guesses, (best[:, None] + 1) % 8], 1)
        return guesses[:, tokens.shape[1] :], None


DRAFTERS = {
    "itself": lambda: Small(MODEL),
    "another model": lambda: Small(OTHER),
    "another model, by chance": lambda: Small(OTHER, 1.0),
    "counts": lambda: Counts(CHAIN),
    "counts, by chance": lambda: Counts(CHAIN, 1.0),
    "lookup": Lookup,
    "always wrong": Wrong,
}


@pytest.mark.parametrize("drafter", DRAFTERS)
def test_greedy_text_is_the_models_own_whoever_guesses(drafter):
    expected = sampling.generate(MODEL, TEXT, 15)
    for rows in (slice(0, 1), slice(None)):
        for ahead, cache in ((4, True), (4, False), (1, True), (0, True), (30, True)):
            how = {"ahead": ahead, "cache": cache, "generator": dice(), "history": []}
            found = speculative.generate(MODEL, TEXT[rows], 15, DRAFTERS[drafter](), **how)
            assert torch.equal(found, expected[rows])
            assert sum(how["history"]) == 15
            if ahead == 0:
                assert how["history"] == [1] * 15


def test_passes_are_saved_by_right_guesses_alone():
    for drafter, passes in ((Small(MODEL), [5, 5, 5]), (Wrong(), [1] * 15)):
        model, history = Counted(MODEL), []
        speculative.generate(model, TEXT[:1], 15, drafter, ahead=4, history=history)
        assert history == passes and model.passes == len(passes)


# -- exact in distribution -----------------------------------------------------------------------

P = torch.tensor([0.5, 0.3, 0.15, 0.05, 0.0], dtype=torch.float64)
Q = torch.tensor([0.1, 0.1, 0.2, 0.2, 0.4], dtype=torch.float64)


@pytest.mark.parametrize("certain", [False, True])
def test_what_is_accepted_or_put_in_its_place_is_drawn_from_the_model(certain):
    """In 20,000 tries of one row each, all at once where they do not wait for each other."""
    n = 20_000
    likely = (
        torch.zeros(5, dtype=torch.float64).index_fill(0, torch.tensor(1), 1.0) if certain else Q
    )
    drafted = torch.multinomial(likely, n, replacement=True, generator=dice())
    share = float(torch.minimum(P, likely).sum())
    shown = None if certain else likely.expand(1, 1, 5)
    probs, generator = P.expand(1, 2, 5), dice(1)
    found = [
        speculative.verify(probs, each.view(1, 1), shown, generator) for each in drafted[:4000]
    ]
    first = torch.stack([row[0, 0] for row in found]).bincount(minlength=5).double()
    assert first[4] == 0, "a token the model never writes is never accepted"
    chi_squared = ((first - 4000 * P)[:4] ** 2 / (4000 * P[:4])).sum()
    assert chi_squared < 21.1, "of 3 degrees of freedom, exceeded once in ten thousand"
    both = sum(row.shape[1] == 2 for row in found) / 4000
    assert both == pytest.approx(share, abs=4 * (share * (1 - share) / 4000) ** 0.5)


WORLD = Chains("ab", 4)


def conditionals(world):
    """The world as a causal model: what comes next, from the table of all its texts."""
    before = {}
    for text, p in zip(world.texts.tolist(), world.log_prob(world.texts).exp(), strict=True):
        for t in range(1, len(text)):
            row = before.setdefault(tuple(text[:t]), torch.zeros(4, dtype=torch.float64))
            row[text[t]] += p

    def model(rows):
        said = torch.zeros(*rows.shape, 4, dtype=torch.float64)
        for i, row in enumerate(rows.tolist()):
            for t in range(len(row)):
                said[i, t] = before.get(tuple(row[: t + 1]), torch.ones(4))
        return (said / said.sum(-1, keepdim=True)).log()

    return model


class Guessing:
    """Draws from another world's conditionals."""

    def __init__(self):
        self.model = conditionals(Chains("ab", 4, seed=5))

    def propose(self, tokens, n, generator=None):
        length, likely = tokens.shape[1], []
        for _ in range(n):
            said = self.model(tokens)[:, -1]
            likely.append(said.exp())
            tokens = torch.cat([tokens, sampling.draw(said, generator=generator)[:, None]], 1)
        return tokens[:, length:], torch.stack(likely, 1)


def test_the_texts_of_a_world_come_as_often_as_they_should_whoever_guesses():
    """All 16 texts of four letters against their exact probabilities, in step two by two: a row
    that waits for the other is not bent by it."""
    true, model = WORLD.log_prob(WORLD.texts).exp(), conditionals(WORLD)
    start, n = torch.full((2, 1), WORLD.vocab.start_id), 1_000
    for drafter in (Guessing(), Lookup()):
        generator, history = dice(2), []
        how = {"ahead": 3, "temperature": 1.0, "cache": False, "generator": generator}
        rows = [
            speculative.generate(model, start, 4, drafter, history=history, **how) for _ in range(n)
        ]
        for some in torch.stack(rows).unbind(1):  # each row on its own: (n, 5)
            seen = (some[:, None] == WORLD.texts).all(-1).double().sum(0)
            chi_squared = float(((seen - n * true) ** 2 / (n * true)).sum())
            assert chi_squared < 44.3, "of 15 degrees of freedom, exceeded once in ten thousand"
        assert len(history) < 4 * n, "and some passes were saved"


# -- drafters ------------------------------------------------------------------------------------


def test_a_small_model_forgets_what_it_guessed_wrong():
    """Its cache holds what was written and no more: its next guess is that of a fresh drafter."""
    drafter = Small(OTHER)
    drafter.propose(TEXT, 5)
    written = torch.cat([TEXT, (TEXT[:, :2] + 1) % 8], 1)
    guess, likely = drafter.propose(written, 3)
    fresh, expected = Small(OTHER).propose(written, 3)
    assert torch.equal(guess, fresh) and (likely - expected).abs().max() < 1e-12


def test_counts_draw_from_what_they_say():
    guess, likely = Counts(CHAIN, 1.0).propose(TEXT, 2, dice())
    assert torch.allclose(likely[:, 0], CHAIN.next_probs(TEXT))
    after = torch.cat([TEXT, guess[:, :1]], 1)
    assert torch.allclose(likely[:, 1], CHAIN.next_probs(after))


@pytest.mark.parametrize(
    ("row", "guess"),
    [
        ([1, 2, 3, 4, 9, 2, 3], [4, 9, 2]),  # the last two have stood there
        ([1, 2, 3, 4, 1, 2, 3, 5, 2, 3], [5, 2, 3]),  # twice: the latest counts
        ([7, 1, 3, 8, 8, 3], [8, 8, 3]),  # only the last one has
        ([1, 2, 1], [2, 1, 1]),  # and little follows
        ([1, 2, 3], [3, 3, 3]),  # nothing has
        ([5], [5, 5, 5]),
    ],
)
def test_lookup_guesses_what_followed_before(row, guess):
    found, likely = Lookup(2).propose(torch.tensor([row]), 3)
    assert found.tolist() == [guess] and likely is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ahead": -1}, "ahead is -1; guess 0 tokens or more"),
        ({"max_new_tokens": 37}, "max_new_tokens=37 are too many"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1; choose 0 or more"),
        ({"temperature": -1}, "temperature is -1; choose 0"),
        (
            {"model": lively(TransformerConfig(8, causal=False, **SHAPE))},
            "causal=False: this model",
        ),
    ],
)
def test_what_cannot_be_continued(options, message):
    arguments = {"model": MODEL, "prompt": TEXT, "max_new_tokens": 3, "drafter": Lookup()}
    with pytest.raises(ValueError, match=message):
        speculative.generate(**(arguments | options))


@pytest.mark.slow
def test_a_real_model_writes_its_own_greedy_text_in_fewer_passes():
    from utils.models import smollm

    model, tokenizer = smollm.load()
    model = model.requires_grad_(False)
    prompt = tokenizer.encode("one two three four, one two three four, one two")[None]
    expected, history = sampling.generate(model, prompt, 12), []
    found = speculative.generate(model, prompt, 12, Lookup(), ahead=4, history=history)
    assert torch.equal(found, expected)
    assert sum(history) == 12 and len(history) < 12
