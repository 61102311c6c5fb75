import itertools

import pytest
import torch

from utils.worlds import Couplets

WORLD = Couplets()


def test_couplets_rhyme_and_agree():
    rows = WORLD.sample(2000, seed=3)
    assert rows.shape == (2000, WORLD.length) and torch.equal(rows, WORLD.sample(2000, seed=3))
    rhymes, agrees = WORLD.fits(rows)
    assert rhymes.all() and agrees.all()
    plurals = WORLD.plural[WORLD.place(rows[:, WORLD.at["last"]])]
    these = rows[:, WORLD.at["number"]] == WORLD.vocab.id("these")
    assert torch.equal(plurals, these)


def test_what_does_not_fit_is_found():
    ids = WORLD.vocab.encode
    rows = torch.stack(
        [
            ids("<s> paint your nose / and this odd rose"),
            ids("<s> paint your nose / and these odd rose"),
            ids("<s> paint your nose / and this odd fox"),
            ids("<s> paint your nose / and this odd paint"),
        ]
    )
    rhymes, agrees = WORLD.fits(rows)
    assert rhymes.tolist() == [True, True, False, False]
    assert agrees.tolist() == [True, False, True, False]
    assert WORLD.log_prob(rows).isfinite().tolist() == [True, False, False, False]


def every():
    """All texts of one verb, one owner, one link and one kind."""
    fillers = [WORLD.options(WORLD.at[part])[:1] for part in ("verb", "owner", "link", "kind")]
    first, last = torch.tensor(list(itertools.product(range(48), repeat=2))).T
    verb, owner, link, kind = (filler.repeat(len(first)).numpy() for filler in fillers)
    return WORLD.write(verb, owner, first, link, kind, last)


def test_probabilities_of_all_couplets_sum_to_one():
    assert float(WORLD.log_prob(every()).exp().sum()) * 6 * 4 * 4 * 4 == pytest.approx(1)


def test_a_prefix_has_the_probability_of_all_its_endings():
    rows = every()
    whole = WORLD.log_prob(rows).exp()
    for t in (WORLD.at["first"] + 1, WORLD.at["number"] + 1):
        left_out = {4: 16, 7: 4}[t]  # ways to fill what was cut off besides
        some = rows[:, :t] == rows[5, :t]
        assert float(WORLD.log_prob(rows[5:6, :t]).exp()) == pytest.approx(
            float(whole[some.all(1)].sum() * left_out)
        )


def test_what_is_open_of_the_last_word_is_by_bayes():
    rows = every()
    weight, last = WORLD.log_prob(rows).exp(), WORLD.place(rows[:, WORLD.at["last"]])
    for t in range(1, WORLD.length + 1):
        given = rows[14 * 48 + 15 :][:1, :t]  # bees, trees
        fits = (rows[:, :t] == given).all(1) * weight
        expected = torch.zeros(48, dtype=torch.float64).index_add(0, last, fits) / fits.sum()
        assert torch.allclose(WORLD.open_words(given)[0], expected)


def test_the_number_is_looked_up_without_choosing_a_word():
    """p(these | rhyme) is counted over the couplets themselves."""
    rows = every()
    weight = WORLD.log_prob(rows).exp()
    rhyme = WORLD.rhyme[WORLD.place(rows[:, WORLD.at["first"]])]
    these = rows[:, WORLD.at["number"]] == WORLD.vocab.id("these")
    counted = [weight[(rhyme == r) & these].sum() / weight[rhyme == r].sum() for r in range(6)]
    assert torch.allclose(WORLD.plural_share(), torch.stack(counted))
    assert 0.15 < WORLD.plural_share().min() < 0.3 and 0.7 < WORLD.plural_share().max() < 0.85


def test_samples_have_those_probabilities():
    rows = WORLD.sample(20_000, seed=0)
    last = WORLD.place(rows[:, WORLD.at["last"]]).bincount(minlength=48) / 20_000
    assert (last - WORLD.given_rhyme.mean(0)).abs().max() < 0.005
    first = WORLD.place(rows[:, WORLD.at["first"]]).bincount(minlength=48) / 20_000
    assert (first - 1 / 48).abs().max() < 0.005
