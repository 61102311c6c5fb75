"""How far the stand-ins of `reward.py` are from the truth: the gradients that they give, on average
and from batch to batch, against the exact one; and the ratios of two estimates."""

from __future__ import annotations

import torch

from utils.experiments import reward
from utils.generation import trajectories
from utils.measure import enumeration
from utils.text.numbers import whole


def exact_gradient(model, world, praised, eagerness=0.0):
    """The gradient of the expected reward in all parameters: (parameters,) float64."""
    return _gradient(model, reward.law(model, world, eagerness).exp() @ praised)


def expected_gradient(model, world, praised, by, eagerness=0.0):
    """What this stand-in gives on average, over all texts and all masks: (parameters,) float64.

    "steps, tokens only": the steps without the choices of places. "two bounds": with as many masks
    as there are."""
    table = reward.listed(model, world)
    with torch.no_grad():
        p = enumeration.in_sure_order(table, eagerness).exp()
        better = p * (praised - p @ praised)
    if by == "steps, tokens only":
        given = enumeration.Table(table.log_probs, table.peaks.detach())
        return _gradient(
            model, enumeration.in_sure_order(given, eagerness).exp() @ (praised - p @ praised)
        )
    if by == "one pass":
        return _gradient(model, better @ table.log_probs[:, -1].sum(1))
    below = enumeration.elbo(table)
    if by == "masks":
        return _gradient(model, better @ below)
    if by == "two bounds":
        above = 0.5 * upper_bound(table) + 0.5 * below
        return _gradient(model, better @ torch.where(better > 0, below, above))
    raise ValueError(
        f"by is {by!r}; choose 'steps, tokens only', 'one pass', 'masks', 'two bounds'"
    )


def upper_bound(table, power=1.5):
    """The sum over the letters of log mean p^power / power; the mean is over the number of hidden
    letters and over which they are, this one among them. (texts,) nats, but for a constant."""
    n = table.n
    counts = torch.tensor([state.bit_count() for state in range(2**n)])
    ways = [[s for s in range(2**n) if s >> i & 1] for i in range(n)]
    total = 0.0
    for i, states in enumerate(ways):
        sizes = counts[states]
        each = torch.bincount(sizes, minlength=n + 1)[sizes].double()  # states of that size
        share = -(each * n).log()
        total = total + (power * table.log_probs[:, states, i] + share).logsumexp(1) / power
    return total


def sampled_gradient(model, world, praised, by, *, generator, eagerness=0.0):
    """The same from one batch of the model's own texts."""
    written = reward.write(model, world, reward.BATCH, eagerness=eagerness, generator=generator)
    how = {"beta": 0.0, "eagerness": eagerness, "generator": generator}
    return _gradient(model, reward.surrogate(model, model, world, written, praised, by, **how))


def _gradient(model, aim):
    parts = torch.autograd.grad(aim, list(model.parameters()))
    return torch.cat([part.flatten() for part in parts]).double()


# -- ratios ----------------------------------------------------------------------------------------


@torch.no_grad()
def ratios(model, world, by, n, *, generator, eagerness=0.0):
    """exp(second estimate - first estimate) of n texts' log-probabilities, each with masks of its
    own, by one and the same model: (n,). Were they the probabilities, all would be 1."""
    n = whole("n", n, "take at least one text", least=1)
    written = reward.write(model, world, n, eagerness=eagerness, generator=generator)
    mask_id, twice = world.vocab.mask_id, []
    for _ in range(2):
        asked = reward.ask(by, written, mask_id, generator)
        twice.append(trajectories.stand_in(model, written.texts, asked, mask_id).double())
    return (twice[1] - twice[0]).exp()
