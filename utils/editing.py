"""Another noise: tokens are not hidden but replaced by others, so that none can be taken as given.

A masked model is told which tokens are noise: the masks. Here noise looks like text. The model must
find out what is wrong as well as what would be right, and it is trained to say, for every position,
which token stood there. So it may change any token at any pass. It is uniform discrete diffusion
(Austin et al. 2021, arXiv:2107.03006, section 3.1) with the plain loss of a denoiser, which is not
a bound on the log-likelihood; mixed with masks it becomes GIDD (von Rütte et al. 2025,
arXiv:2503.04482).
"""

import torch
from torch.nn.functional import cross_entropy

from utils.diffusion import corrupt
from utils.trace import Step


def disturb(tokens, rate, choices, *, frozen=None, generator=None):
    """Replace each token with probability `rate` by one drawn evenly from `choices`, a list of ids.

    rate and frozen as in `diffusion.corrupt`. Returns the disturbed tokens, (batch, length); some
    of those replaced are what they were.
    """
    choices = torch.as_tensor(choices, dtype=torch.int64)
    _, replaced = corrupt(tokens, rate, 0, frozen=frozen, generator=generator)
    drawn = choices[torch.randint(len(choices), tokens.shape, generator=generator)]
    return torch.where(replaced, drawn, tokens)


def loss(model, tokens, choices, *, frozen=None, generator=None):
    """Mean surprise at the true tokens given a disturbed text, over all that are not frozen, in
    nats. The rates of the rows of a batch are spread evenly from 0 to 1, as in `diffusion.loss`.
    """
    first = torch.rand((), generator=generator)
    rates = (first + torch.arange(len(tokens)) / len(tokens)) % 1
    noisy = disturb(tokens, rates, choices, frozen=frozen, generator=generator)
    targets = tokens if frozen is None else tokens.masked_fill(frozen, -100)  # left out of the mean
    return cross_entropy(model(noisy).flatten(0, 1), targets.flatten())


@torch.no_grad()
def edit(model, tokens, positions, *, rounds, most=None, trace=None):
    """Read the text, replace what the model would rather have otherwise, and read again.

    tokens: (batch, length) int64. positions: those that may change. rounds: forward passes at most;
    a row that comes out as it went in is left alone from then on. most: how many tokens may change
    in one pass, the least likely first; None for any number. trace: as in `diffusion.sample`.

    Raises ValueError for positions outside the text, and for rounds or most below 1.
    """
    length = tokens.shape[1]
    free = torch.zeros(length, dtype=torch.bool)
    free[torch.as_tensor(positions)] = True
    most = length if most is None else most
    if rounds < 1 or most < 1:
        raise ValueError(f"rounds is {rounds} and most is {most}; choose 1 or more of each")
    if trace is not None and len(tokens) > 1:
        raise ValueError(f"a trace follows one text but there are {len(tokens)} rows; pass one")
    tokens, open_rows = tokens.clone(), torch.arange(len(tokens))
    for _ in range(rounds):
        before = tokens[open_rows]
        probs = model(before).softmax(-1)
        present = probs.gather(-1, before[..., None])[..., 0]
        likeliest, best = probs.max(-1)
        wrong = free & (best != before)
        least = present.masked_fill(~wrong, 2.0).argsort(dim=-1, stable=True).argsort(dim=-1)
        changed = wrong & (least < most)
        after = torch.where(changed, best, before)
        if trace is not None:
            at = changed[0].nonzero()[:, 0].tolist()
            trace.append(Step(after[0].tolist(), at, likeliest[0][changed[0]].tolist()))
        tokens[open_rows] = after
        open_rows = open_rows[changed.any(1)]
        if not len(open_rows):
            break
    return tokens
