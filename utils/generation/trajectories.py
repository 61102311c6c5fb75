"""Texts with the way they came about, and stand-ins for their log-probability.

A masked diffusion model that writes in an order of its own choice gives a text a probability that
is a sum over all orders, and nobody can add them up when the text is long. To learn from reward,
one wants the gradient of its logarithm. What it *can* say at no extra cost is how likely each step
was that it took: which place was filled next, and with what. `write` remembers the order, and
`by_steps` asks about those steps. The other functions ask what published methods ask instead, which
do not remember: about everything in one pass (Zhao et al. 2025, arXiv:2504.12216), about random
masks (Zhu et al. 2025, arXiv:2505.19223), about masks in pairs (Gong et al. 2025,
arXiv:2506.20639), or for one bound or the other (Wang et al. 2025, arXiv:2510.09541).

Each such question is an `Asked`: states in which the model is read, and how much the logarithm of
each token's probability counts there. `stand_in` asks it of a model; asked of two models it is the
same question, with the same masks.
"""

from dataclasses import dataclass

import torch

from utils.generation import diffusion
from utils.generation.sampling import draw
from utils.text import chance
from utils.text.ids import check_texts, checked_mask, size_for
from utils.text.numbers import real, whole


@dataclass(frozen=True)
class Written:
    """texts: (n, length) int64. order: (n, blanks) int64, the places as they were filled."""

    texts: torch.Tensor
    order: torch.Tensor


@dataclass(frozen=True)
class Asked:
    """states: (n, k, length) int64, what is read: k passes for each text. weights: (n, k, length),
    what the log-probability of the text's own token counts there. filled: (n, k) int64, the place
    that was filled next in each state, where the choice of the place counts too; else None."""

    states: torch.Tensor
    weights: torch.Tensor
    filled: torch.Tensor | None = None

    @property
    def passes(self) -> int:
        return self.states.shape[1]


@torch.no_grad()
def write(model, rows, mask_id, *, eagerness=0.0, generator=None) -> Written:
    """Fill all masks, one a pass, tokens drawn as the model says; and remember the order.

    rows: (n, length) int64 with equally many masks in each. eagerness: of the blanks, place i is
    next with a probability in proportion to peak_i ** eagerness, where peak_i is how likely the
    likeliest token is there; at 0 every order is equally likely. None fills from left to right.
    Raises ValueError for rows without masks or with unequally many, and an eagerness below 0.
    """
    check_texts(rows, size_for(model))
    mask_id = checked_mask(mask_id, size_for(model))
    blanks = (rows == mask_id).sum(1)
    if not len(rows) or not blanks.min() or blanks.min() != blanks.max():
        raise ValueError("give rows with equally many masks in each, and at least one")
    eagerness = _eagerness(eagerness)
    texts, order, here = rows.clone(), [], torch.arange(len(rows), device=rows.device)
    for _ in range(int(blanks[0])):
        said = diffusion.log_probs(model, texts, mask_id)  # (n, length, vocab)
        place = draw(_leaning(said, texts == mask_id, eagerness), generator=generator)
        texts[here, place] = draw(said[here, place], generator=generator)
        order.append(place)
    return Written(texts, torch.stack(order, 1))


def by_steps(written: Written, mask_id, *, only=None, generator=None) -> Asked:
    """The steps that were really taken: the token in its place, and the choice of the place.

    only: so many of the steps, drawn at random for each text, each counting for several; None asks
    about all. Over the draw the mean is the same; that of a product of two such answers is not.
    """
    mask_id, (n, steps) = checked_mask(mask_id), written.order.shape
    when = torch.arange(steps, device=written.order.device).expand(n, steps)
    if only is not None:
        only = whole("only", only, f"choose from 1 to {steps}", least=1, most=steps)
        lots = chance.uniform((n, steps), device=written.order.device, generator=generator)
        when = lots.argsort(1)[:, :only]
    filled = written.order.gather(1, when)
    turn = torch.zeros_like(written.texts).fill_(-1)  # when each place was filled; -1 was given
    turn = turn.scatter(1, written.order, torch.arange(steps, device=turn.device).expand(n, steps))
    hidden = turn[:, None] >= when[..., None]  # (n, k, length)
    states = written.texts[:, None].masked_fill(hidden, mask_id)
    weights = torch.zeros(states.shape, device=states.device)
    weights = weights.scatter(2, filled[..., None], steps / when.shape[1])
    return Asked(states, weights, filled)


def by_one_pass(written: Written, mask_id) -> Asked:
    """All tokens at once, as if none knew of the others, from nothing but masks: the mean field."""
    mask_id, hidden = checked_mask(mask_id), _free(written)[:, None]
    return Asked(written.texts[:, None].masked_fill(hidden, mask_id), hidden.float())


def by_masks(written: Written, mask_id, k, *, generator=None) -> Asked:
    """k random masks: their mean is an estimate of the ELBO, unbiased. The numbers of hidden tokens
    are spread over the k as evenly as whole numbers can be."""
    k = whole("k", k, "take at least one mask", least=1)
    free = _free(written)
    n, blanks = len(free), int(free[0].sum())
    dice = {"device": free.device, "generator": generator}
    first = chance.uniform((n, 1), **dice)
    shares = (first + torch.arange(k, device=free.device) / k) % 1
    counts = 1 + (shares * blanks).long().clamp(max=blanks - 1)  # (n, k), each 1 to blanks alike
    return _masks(written, mask_id, free, counts, _ranks(free, k, **dice), blanks / k)


def by_pairs(written: Written, mask_id, *, generator=None) -> Asked:
    """A mask, its complement, and everything hidden: three passes, in which every token is asked
    about twice. Weighed so that the mean is the ELBO."""
    free = _free(written)
    n, blanks = len(free), int(free[0].sum())
    if blanks < 2:
        raise ValueError("a pair of masks shares out at least two blanks; give longer texts")
    dice = {"device": free.device, "generator": generator}
    count = 1 + (chance.uniform((n, 1), **dice) * (blanks - 1)).long().clamp(max=blanks - 2)
    rank = _ranks(free, 1, **dice)
    ranks = torch.cat([rank, blanks - 1 - rank, rank], 1)  # the complement is counted from the end
    counts = torch.cat([count, blanks - count, torch.full_like(count, blanks)], 1)
    scale = torch.tensor([(blanks - 1) / 2] * 2 + [1.0], device=free.device)
    return _masks(written, mask_id, free, counts, ranks, scale[:, None])


def stand_in(model, texts, asked: Asked, mask_id, *, eagerness=0.0):
    """What the model answers: (n,) nats, with a gradient. eagerness: as in `write`; it matters
    where the choice of places counts."""
    own, said = _own(model, texts, asked, mask_id)
    total = (asked.weights * own).sum((1, 2))
    eagerness = _eagerness(eagerness)
    if asked.filled is None or not eagerness:
        return total  # the order is given or drawn evenly: its probability is no parameter's matter
    leaning = _leaning(said, asked.states == mask_id, eagerness)
    chosen = leaning.log_softmax(-1).gather(-1, asked.filled[..., None])[..., 0]
    counts = asked.weights.gather(2, asked.filled[..., None])[..., 0]
    return total + (counts * chosen).sum(1)


def two_bounds(model, texts, asked: Asked, mask_id, praised, *, power=1.5, share=0.5):
    """The ELBO where a text is `praised`, (n,) bool, and where it is not, `share` of an upper bound
    and the rest of the ELBO: (n,) nats, with a gradient. The upper bound is, for each token, the
    logarithm of the mean of p ** power over the masks that hide it, divided by power. (Power and
    share are those of the published runs on GSM8K.) A constant is left out of it."""
    power = real("power", power, "choose 1 or more", least=1)
    share = real("share", share, "choose a share from 0 to 1", least=0, most=1)
    own, _ = _own(model, texts, asked, mask_id)
    below = (asked.weights * own).sum((1, 2))
    hidden = asked.weights > 0
    seen = hidden.any(1)  # (n, length): tokens that some mask hides
    weighed = (power * own + asked.weights.clamp(min=1e-9).log()).masked_fill(~hidden, -torch.inf)
    weighed = weighed.masked_fill(~seen[:, None], 0.0)  # what no mask hides counts nothing
    above = weighed.logsumexp(1).masked_fill(~seen, 0.0).sum(1) / power
    above = above * asked.weights.sum((1, 2)) / seen.sum(1)  # as if all had been seen
    return torch.where(praised, below, share * above + (1 - share) * below)


def _own(model, texts, asked, mask_id):
    """The log-probability of each text's own tokens where they count, 0 elsewhere: (n, k, length);
    and all that was said."""
    mask_id, (n, k, _) = checked_mask(mask_id, size_for(model)), asked.states.shape
    said = diffusion.log_probs(model, asked.states.flatten(0, 1), mask_id).unflatten(0, (n, k))
    own = said.gather(-1, texts[:, None, :, None].expand(-1, k, -1, -1))[..., 0]
    return own.masked_fill(asked.weights == 0, 0.0), said


def _leaning(said, hidden, eagerness):
    """Logits of which blank is next: (..., length)."""
    if eagerness is None:
        left = -1e4 * torch.arange(hidden.shape[-1], device=hidden.device)  # the first, for certain
        return left.expand(hidden.shape).masked_fill(~hidden, -torch.inf)
    return (eagerness * said.amax(-1)).masked_fill(~hidden, -torch.inf)


def _free(written):
    """Which places were filled: (n, length) bool."""
    return torch.zeros_like(written.texts, dtype=torch.bool).scatter(1, written.order, True)


def _ranks(free, k, **dice):
    """A random order of each text's free places, k times: (n, k, length), 0 for the first."""
    lots = chance.uniform((len(free), k, free.shape[1]), **dice)
    return lots.masked_fill(~free[:, None], 2.0).argsort(-1).argsort(-1)


def _masks(written, mask_id, free, counts, ranks, scale):
    """Hide the first `counts`, (n, k), of each order; what is hidden counts scale / counts."""
    hidden = (ranks < counts[..., None]) & (ranks >= 0) & free[:, None]
    weights = hidden * scale / counts[..., None]
    return Asked(written.texts[:, None].masked_fill(hidden, checked_mask(mask_id)), weights)


def _eagerness(value):
    if value is None:
        return None
    return real("eagerness", value, "choose 0 or more, or None for left to right", least=0)
