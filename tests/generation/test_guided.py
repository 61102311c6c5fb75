"""Writing under a constraint, against the exact posterior of a world of 81 texts."""

import pytest
import torch

from tests.small_models import lively
from utils.generation import diffusion, guided
from utils.generation.guided import Guided, Mask, Particles, effective_size, particles, steer
from utils.measure import enumeration
from utils.measure.posterior import Listed
from utils.models.transformer import TransformerConfig
from utils.worlds.automata import at_place, counted
from utils.worlds.chains import Chains

WORLD = Chains("abc", 4, seed=1)
TEXTS, LOG_PROBS, BLANK = WORLD.texts, WORLD.log_prob(WORLD.texts), WORLD.vocab.mask_id
LATE = at_place(5, 3, [2])  # the last letter is c
TARGET = Listed(TEXTS, LOG_PROBS, LATE)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def truth(tokens):
    """The world as a causal model: of the last place alone, for beginnings of any length."""
    begun, which = tokens.unique(dim=0, return_inverse=True)
    fits = (begun[:, None] == TEXTS[:, : begun.shape[1]]).all(-1) * LOG_PROBS.exp()
    said = fits @ torch.nn.functional.one_hot(TEXTS[:, begun.shape[1]], 5).double()
    return said[:, None].log()[which]


def start(rows):
    return torch.full((rows, 1), WORLD.vocab.start_id)


def shares(texts):
    return (texts[:, None] == TEXTS).all(-1).double().mean(0)


def masked_shares(automaton):
    """How often masking writes each text, by adding up."""
    total = torch.zeros(len(TEXTS), dtype=torch.float64)
    mask = Mask(automaton, 5)
    for t in range(1, 5):
        said = truth(TEXTS[:, :t])[:, 0].exp() * mask(TEXTS[:, :t])
        said = said / said.sum(-1, keepdim=True)
        total += said.gather(-1, TEXTS[:, t, None])[:, 0].log()
    return total.nan_to_num(-torch.inf).exp()


def variation(p, q):
    return float((p - q).abs().sum() / 2)


def off(texts, expected):
    """Chi squared over the texts that can come at least five times; none may come that cannot."""
    seen = shares(texts) * len(texts)
    assert seen[expected == 0].sum() == 0
    often = expected * len(texts) >= 5
    other, rest = seen[~often].sum(), (expected[~often] * len(texts)).sum()
    found = ((seen - len(texts) * expected)[often] ** 2 / (len(texts) * expected[often])).sum()
    return float(found + ((other - rest) ** 2 / rest if rest > 0 else 0)), int(often.sum())


def test_a_mask_lets_pass_what_can_still_be_accepted():
    mask = Mask(counted(5, 0, 2, letters=range(3)), 5)
    assert mask(start(1)).tolist() == [[1, 1, 1, 0, 0]]
    begun = torch.tensor([[3, 0, 0, 1], [3, 1, 1, 0], [3, 1, 0, 2]])
    assert mask(begun).tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]


def test_masking_obeys_and_writes_something_else():
    expected = masked_shares(LATE)
    assert variation(expected, TARGET.posterior) > 0.1
    texts = steer(truth, start(4_000), 4, Mask(LATE, 5), cache=False, generator=dice())
    found, many = off(texts, expected)
    assert LATE.accepted(texts[:, 1:]).all() and found < many + 4 * (2 * many) ** 0.5
    early = at_place(5, 0, [2])
    exact = Listed(TEXTS, LOG_PROBS, early).posterior
    assert variation(masked_shares(early), exact) < 1e-12, "of an early constraint it is right"


def test_looking_ahead_writes_the_posterior():
    texts = steer(truth, start(4_000), 4, TARGET.future, cache=False, generator=dice())
    found, many = off(texts, TARGET.posterior)
    assert found < many + 4 * (2 * many) ** 0.5


def test_where_no_particle_has_any_weight_the_first_is_picked():
    texts, none = torch.arange(12).view(2, 3, 2), torch.full((2, 3), -torch.inf)
    for seed in range(5):
        found = Particles(texts, none, none[:, 0], none).pick(dice(seed))
        assert torch.equal(found, texts[:, 0])
    one = none.clone()
    one[1, 2] = -3.0
    assert torch.equal(
        Particles(texts, one, none[:, 0], none).pick(dice()),
        torch.stack([texts[0, 0], texts[1, 2]]),
    )


def test_particles_come_nearer_with_their_number_and_know_the_evidence():
    found = []
    for n in (1, 4, 32):
        how = {"n": n, "cache": False, "generator": dice(1)}
        texts = particles(truth, start(1_500), 4, Mask(LATE, 5), **how)
        found.append(variation(shares(texts.pick(dice(2))), TARGET.posterior))
        evidence = texts.log_evidence.exp()
        spread = float(evidence.std() / len(evidence) ** 0.5)
        assert abs(float(evidence.mean()) - TARGET.probability) < 4 * spread
        assert LATE.accepted(texts.texts.flatten(0, 1)[:, 1:]).all()
    noise = variation(
        shares(TEXTS[torch.multinomial(TARGET.posterior, 1_500, True)]), TARGET.posterior
    )
    assert found[0] > found[1] > found[2] and found[2] < noise + 0.03


def test_with_the_exact_look_ahead_all_particles_weigh_the_same():
    texts = particles(truth, start(3), 4, TARGET.future, n=5, cache=False, generator=dice())
    assert torch.allclose(texts.log_evidence.exp(), torch.tensor(TARGET.probability).double())
    assert (texts.sizes[-1] - 5).abs().max() < 1e-9, "nobody is dropped"


def test_without_resampling_a_weight_is_what_the_model_says_over_what_was_done():
    how = {"n": 3, "resample": 0, "cache": False, "generator": dice()}
    for weigh in (Mask(LATE, 5), lambda t: TARGET.future(t) ** 0.5):
        texts = particles(truth, start(4), 4, weigh, **how)
        rows = texts.texts.flatten(0, 1)
        done = torch.zeros(len(rows), dtype=torch.float64)
        for t in range(1, 5):
            weight = torch.nn.functional.pad(weigh(rows[:, :t]), (0, 5))[:, :5]
            said = truth(rows[:, :t])[:, 0].exp() * weight
            done += (said / said.sum(-1, keepdim=True)).gather(-1, rows[:, t, None])[:, 0].log()
        assert torch.allclose(texts.log_weights.flatten(), WORLD.log_prob(rows) - done)


def test_the_cache_follows_its_particles():
    """A text that is dropped takes its keys and values with it. The weights are such that some are
    dropped from the second token on."""
    shape = TransformerConfig(5, d_model=8, n_layers=2, n_heads=2, max_len=8)
    model = lively(shape).double()

    def weigh(tokens):
        return (tokens.sum(1, keepdim=True) * torch.arange(1, 6) % 4).double() ** 2 + 0.1

    found = []
    for cache in (True, False):
        how = {"n": 6, "resample": 1, "cache": cache, "generator": dice(3)}
        found.append(particles(model, start(2), 5, weigh, **how))
    assert torch.equal(found[0].texts, found[1].texts)
    assert torch.allclose(found[0].log_weights, found[1].log_weights)
    assert (found[0].sizes[1:4] < 5.9).any(1).all(), "someone was dropped while the cache was read"


def test_a_prompt_is_read_once_for_all_its_texts():
    read, model = [], lively(TransformerConfig(5, d_model=8, n_layers=1, n_heads=2, max_len=8))
    model.register_forward_pre_hook(lambda _, given: read.append(tuple(given[0].shape)))
    prompt = torch.cat([start(2), start(2)], 1)
    particles(model, prompt, 3, lambda tokens: torch.ones(len(tokens), 5), n=6, generator=dice(0))
    assert read == [(2, 2), (12, 1), (12, 1)]


def test_the_effective_size_counts_particles():
    weights = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, -torch.inf, 0.0, -torch.inf]])
    assert effective_size(weights.double()).tolist() == pytest.approx([4, 2])
    assert effective_size(torch.full((1, 3), -torch.inf)).tolist() == [0]


def test_resampling_copies_by_weight():
    weights = torch.tensor([[0.5, 0.25, 0.25, 0.0]]).double().log()
    few = torch.tensor([True])
    for seed in range(5):
        found = guided._systematic(weights, few, dice(seed))[0].bincount(minlength=4).tolist()
        assert found == [2, 1, 1, 0]
    assert guided._systematic(weights, ~few, dice())[0].tolist() == [0, 1, 2, 3]


# -- filling blanks under a constraint ------------------------------------------------------------


@pytest.mark.parametrize("automaton", [at_place(5, 3, [2], range(3)), counted(5, 0, 2, range(3))])
def test_a_token_is_possible_if_some_way_of_filling_the_blanks_is_accepted(automaton):
    dice_ = torch.rand(60, 4, generator=dice())
    rows = TEXTS[torch.randint(81, (60,), generator=dice(1)), 1:].where(dice_ < 0.5, BLANK)
    good = TEXTS[automaton.accepted(TEXTS[:, 1:]), 1:]
    found = guided.possible(automaton, rows, BLANK)
    for row, mine in zip(rows, found, strict=True):
        for place in range(4):
            others = torch.arange(4) != place  # what stands at the place itself is not asked for
            fits = (((row == BLANK) | (row == good)) | ~others).all(-1)
            expected = torch.zeros(5, dtype=torch.bool)
            expected[good[fits, place]] = True
            assert torch.equal(mine[place], expected)


def fitted_along(automaton, order):
    """How often a fitted model with the true probabilities writes each text, in this order."""
    table = enumeration.table(
        Fitted(filled(LOG_PROBS), automaton, BLANK), TEXTS, range(1, 5), BLANK
    )
    return enumeration.along(table, order).nan_to_num(-torch.inf).exp()


class Fitted(guided.Fitting):
    """Its probabilities, and -inf everywhere where no way is left."""

    def __call__(self, tokens):
        return super().__call__(tokens).log_softmax(-1).nan_to_num(-torch.inf, neginf=-torch.inf)


def test_the_place_in_question_filled_first_makes_masking_exact():
    """What a causal model cannot do: begin with the end. Left to right it is masking as above; and
    of a count, which is about no one place, no order is right."""
    assert variation(fitted_along(LATE, [3, 0, 1, 2]), TARGET.posterior) < 1e-9
    assert variation(fitted_along(LATE, range(4)), masked_shares(LATE)) < 1e-9
    count = counted(5, 0, 2, letters=range(3))
    exact = Listed(TEXTS, LOG_PROBS, count).posterior
    for order in ([0, 1, 2, 3], [3, 0, 1, 2], [2, 1, 3, 0]):
        assert variation(fitted_along(count, order), exact) > 0.05


def test_where_nothing_is_left_the_model_is_left_to_itself():
    rows = torch.tensor([[3, 0, 0, 0, BLANK]])  # three a's already, and two were wanted
    model = guided.Fitting(filled(LOG_PROBS), counted(5, 0, 2, range(3)), BLANK)
    assert torch.equal(model(rows)[0, 4], filled(LOG_PROBS)(rows)[0, 4])


def test_a_fitted_model_is_fit_for_sampling():
    model = guided.Fitting(filled(LOG_PROBS), counted(5, 0, 2, range(3)), BLANK)
    blanks = torch.cat([start(200), torch.full((200, 4), BLANK)], 1)
    how = {"order": "random", "temperature": 1.0, "generator": dice()}
    texts = diffusion.sample(model, blanks, BLANK, **how)
    assert ((texts[:, 1:] == 0).sum(1) == 2).all() and len(texts.unique(dim=0)) > 5


# -- guidance --------------------------------------------------------------------------------------


def filled(log_probs):
    """A language as a model that fills blanks, by adding up."""

    def say(tokens):
        asked, which = tokens.unique(dim=0, return_inverse=True)
        joint = ((asked[:, None] == BLANK) | (asked[:, None] == TEXTS)).all(-1) * log_probs.exp()
        said = joint @ torch.nn.functional.one_hot(TEXTS, 5).double().flatten(1)
        said = said.view(len(asked), 5, 5) / joint.sum(-1)[:, None, None]
        return said.log().nan_to_num(nan=0.0, neginf=-torch.inf)[which]

    return say


def written_by(weight, order="random"):
    """How often a guided model writes each text, one token a pass, exactly."""
    model = Guided(filled(TARGET.posterior.log()), filled(LOG_PROBS), weight)
    table = enumeration.table(model, TEXTS, range(1, 5), BLANK)
    return enumeration.write_probs(table, order)[0].exp()


def test_guidance_of_weight_one_is_the_condition_and_of_weight_none_is_none():
    assert variation(written_by(1.0), TARGET.posterior) < 1e-9
    assert variation(written_by(0.0), LOG_PROBS.exp()) < 1e-9


def test_more_guidance_does_not_write_what_it_declares():
    """A condition that is met or not cannot be met more than fully: there what is declared is the
    posterior, whatever the weight. With a taste for c, and no rule, it is something else."""
    assert variation(written_by(3.0), TARGET.posterior) > 0.02
    soft = (LOG_PROBS + 1.5 * (TEXTS[:, 1:] == 2).sum(1)).log_softmax(-1)
    table = enumeration.table(
        Guided(filled(soft), filled(LOG_PROBS), 3.0), TEXTS, range(1, 5), BLANK
    )
    written = enumeration.write_probs(table, "random")[0].exp()
    declared = (3 * soft - 2 * LOG_PROBS).softmax(-1)
    assert float(written.sum()) == pytest.approx(1.0)
    assert 0.02 < variation(written, declared) < variation(written, soft.exp())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Guided(truth, truth, -1), "weight is -1; choose 0 or more"),
        (
            lambda: particles(truth, start(1), 4, TARGET.future, n=0),
            "n is 0; write with at least 1",
        ),
        (lambda: particles(truth, start(1), 0, TARGET.future, n=1), "new is 0; write at least 1"),
        (lambda: particles(truth, start(1), 4, TARGET.future, n=1, resample=2), "resample is 2"),
        (lambda: Mask(LATE, 0), "length is 0; a text has at least 1 token"),
        (lambda: Mask(LATE, 4, given=-1), "given is -1; a text may begin"),
    ],
)
def test_what_cannot_be(call, message):
    with pytest.raises(ValueError, match=message):
        call()
