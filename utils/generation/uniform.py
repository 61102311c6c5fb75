"""Uniform-noise diffusion: tokens are not hidden but replaced by others, so none is beyond doubt.

A masked model is told which tokens are noise: the masks. Here noise looks like text. The model must
find out what is wrong as well as what would be right, and it is trained to say, for every position,
which token stood there. So it may change any token at any pass. It is uniform discrete diffusion
(Austin et al. 2021, arXiv:2107.03006, section 3.1) with the plain loss of a denoiser, which is not
a bound on the log-likelihood; mixed with masks it becomes GIDD (von Rütte et al. 2025,
arXiv:2503.04482).
"""

import torch
from torch.nn.functional import cross_entropy

from utils.generation.diffusion import corrupt, spread_rates
from utils.generation.rounds import check_one_text, checked_positions, until_settled
from utils.models.temperature import checked_choice
from utils.text import chance
from utils.text.ids import check_texts, size_for, token_ids
from utils.text.numbers import real, whole
from utils.text.trace import written
from utils.training.losses import NO_TARGET, without


def disturb(tokens, rate, choices, *, frozen=None, generator=None):
    """Replace each token with probability `rate` by one drawn evenly from `choices`, a list of ids.

    rate and frozen as in `diffusion.corrupt`. Returns the disturbed tokens, (batch, length); some
    of those replaced are what they were. Raises ValueError for choices that are no ids.
    """
    check_texts(tokens)
    choices = token_ids("choices", choices, device=tokens.device)
    _, replaced = corrupt(tokens, rate, 0, frozen=frozen, generator=generator)
    dice = {"device": tokens.device, "generator": generator}
    return torch.where(
        replaced, choices[chance.integers(len(choices), tokens.shape, **dice)], tokens
    )


def loss(model, tokens, choices, *, frozen=None, generator=None):
    """Mean surprise at the true tokens given a disturbed text, over all that are not frozen, in
    nats. The rates of the rows of a batch are spread evenly from 0 to 1, as in `diffusion.loss`.
    """
    check_texts(tokens, size_for(model))
    choices = token_ids("choices", choices, size_for(model))
    rates = spread_rates(tokens, generator)
    noisy = disturb(tokens, rates, choices, frozen=frozen, generator=generator)
    targets = tokens if frozen is None else without(tokens, frozen, "frozen")
    return cross_entropy(model(noisy).flatten(0, 1), targets.flatten(), ignore_index=NO_TARGET)


@torch.no_grad()
def edit(model, tokens, positions, *, rounds, most=None, threshold=0.0, trace=None):
    """Read the text, replace what the model would rather have otherwise, and read again.

    tokens: (batch, length) int64. positions: those that may change. rounds: forward passes at most;
    a row that comes out as it went in is left alone from then on. most: how many tokens may change
    in one pass, the least likely first; None for any number. threshold: a token is replaced only
    where the model gives another one a probability above this; the token editing of LLaDA2.1 (Bie
    et al. 2026, arXiv:2602.08676) is such a rule. trace: as in `diffusion.sample`.

    Raises ValueError for positions outside the text, rounds or most below 1, and a threshold
    outside [0, 1).
    """
    positions = checked_positions(tokens, positions)
    free = torch.zeros_like(tokens[0], dtype=torch.bool)
    free[positions] = True
    advice = "let at least 1 token change in a pass, or None for all"
    most = len(free) if most is None else whole("most", most, advice, least=1)
    advice = "choose a probability from 0 up to 1"
    threshold = real("threshold", threshold, advice, least=0, below=1)
    check_one_text(tokens, trace)

    def once(before):
        probs = model(before).softmax(-1)
        present, (likeliest, best) = probs.gather(-1, before[..., None])[..., 0], probs.max(-1)
        checked_choice(best, probs, above=0)
        wrong = free & (best != before) & (likeliest > threshold)
        least = present.masked_fill(~wrong, 2.0).argsort(dim=-1, stable=True).argsort(dim=-1)
        changed = wrong & (least < most)
        after = torch.where(changed, best, before)
        if trace is not None:
            at = changed[0].nonzero()[:, 0]
            trace.append(written(after[0], at, probs[0, at]))
        return after

    return until_settled(tokens, once, rounds)
