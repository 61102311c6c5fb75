"""Proofreading real text: which token does not fit, and what should stand there?

A proofreader changes at most one token of a text: the one that is most out of place, if it is far
enough out of place. How far is a threshold, and it trades one thing for another: set it low, and
more foreign tokens are put right and more right texts are spoiled. So no proofreader is one number;
`Proof` keeps what it takes to draw the curve.

Two kinds of model can read proofs, at the same price in readings of the text:

- a denoiser hides one token at a time and names what belongs there (leave-one-out);
- a causal model has no blanks. But by Bayes' rule p(token | all the others) is in proportion to the
  probability of the whole text with that token in place. It reads the text once, which shows what
  surprised it and what it had expected there, and once more for each change that it tries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from utils.generation import diffusion
from utils.generation.sampling import draw, score
from utils.text import chance
from utils.text.numbers import SEED, real, whole

FIRST = 1  # the first token has nothing before it: no causal model can judge it, so nobody is asked


@dataclass(frozen=True)
class Reading:
    """What a proofreader says of n texts, (n,) each: `place` is what it doubts most, `token` what
    it would write there, `doubt` how much it wants to, on a scale of its own. It may want to write
    what stands there. passes: readings of the whole text, for each text.
    """

    place: torch.Tensor
    token: torch.Tensor
    doubt: torch.Tensor
    passes: int


def plant(texts, *, seed):
    """A foreign token in each text: one that stands elsewhere in these texts, in a place of chance.

    texts: (n, length) int64. Returns the texts with it and where it is, (n, length) and (n,). A
    frequent token comes often. It is never what stood there, and never the first of a text. Raises
    ValueError where all tokens are the same.
    """
    if (texts == texts[0, 0]).all():
        raise ValueError("all tokens of these texts are the same, so none can be foreign")
    n, length = texts.shape
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    drawn = {"device": texts.device, "generator": dice}
    place = FIRST + chance.integers(length - FIRST, (n,), **drawn)
    rows = torch.arange(n, device=texts.device)
    foreign = texts[rows, place]
    while (same := foreign == texts[rows, place]).any():  # what was drawn as it stood, again
        picks = chance.integers(texts.numel(), (n,), **drawn)
        foreign = torch.where(same, texts.flatten()[picks], foreign)
    return texts.index_put((rows, place), foreign), place


@dataclass(frozen=True)
class Hidden:
    """What a denoiser says of each token of n texts but the first when that one is hidden, (n,
    length - 1): log-probabilities, in nats, of the present token and of the likeliest other; and
    the likeliest token of all, and one drawn."""

    present: torch.Tensor
    other: torch.Tensor
    likeliest: torch.Tensor
    drawn: torch.Tensor


@torch.inference_mode()
def hide_each(model, texts, mask_id, *, behind=True, generator=None):
    """Ask a denoiser about each token in turn, a pass each. behind: False hides all that follows as
    well."""
    mask_id, found = diffusion.check_model(model, mask_id), []
    for place in range(FIRST, texts.shape[1]):
        hidden = texts.clone()
        hidden[:, place if behind else slice(place, None)] = mask_id
        said = diffusion.log_probs(model, hidden, mask_id, (slice(None), place))  # (n, vocab)
        present = said.gather(1, texts[:, place, None])[:, 0]
        other = said.scatter(1, texts[:, place, None], -torch.inf).amax(1)
        drawn = draw(said, generator=generator)
        found.append((present, other, said.argmax(1), drawn))
    return Hidden(*(torch.stack(each, 1) for each in zip(*found, strict=True)))


def leave_one_out(said: Hidden, *, by="present", drawn=False):
    """A denoiser proofreads. by: what it doubts most: "present", the token least likely to stand
    there, as `revision.revise` does; or "gain", that with the likelier other token to take its
    place. drawn: whether it writes a token drawn at temperature 1 in place of the likeliest."""
    doubts = -said.present if by == "present" else said.other - said.present
    doubt, at = doubts.max(1)
    token = (said.drawn if drawn else said.likeliest).gather(1, at[:, None])[:, 0]
    return Reading(FIRST + at, token, doubt, said.present.shape[1])


@torch.inference_mode()
def by_bayes(model, texts, *, places, candidates):
    """A causal model proofreads: at the places that surprise it most it tries the tokens that it
    had expected most, by reading the text with each. Its doubt is the gain, in nats, as above.

    Surprise: how much likelier the favourite was than the present token, given what stands before.
    """
    advice = f"look at 1 to {texts.shape[1] - FIRST} places"
    places = whole("places", places, advice, least=1, most=texts.shape[1] - FIRST)
    most = model.config.vocab_size - 1
    candidates = whole("candidates", candidates, f"try 1 to {most} tokens", least=1, most=most)
    said = model(texts)[:, :-1].log_softmax(-1)  # (n, length - 1, vocab): of the next token
    present = said.gather(-1, texts[:, 1:, None])
    expected, tokens = said.scatter(-1, texts[:, 1:, None], -torch.inf).topk(candidates)
    where = (expected[..., 0] - present[..., 0]).topk(places).indices  # (n, places)
    tokens = tokens.gather(1, where[..., None].expand(-1, -1, candidates)).flatten(1)
    where = FIRST + where.repeat_interleave(candidates, 1)  # (n, places * candidates)
    as_it_is = present.sum((1, 2))
    gains = [
        score(model, texts.scatter(1, at[:, None], token[:, None])).sum(1) - as_it_is
        for at, token in zip(where.T, tokens.T, strict=True)
    ]
    doubt, best = torch.stack(gains, 1).max(1, keepdim=True)
    place, token = (each.gather(1, best)[:, 0] for each in (where, tokens))
    return Reading(place, token, doubt[:, 0], 1 + len(gains))


@torch.inference_mode()
def at_first_sight(model, texts):
    """A causal model proofreads in a single reading: by surprise, and what it had expected."""
    said = model(texts)[:, :-1].log_softmax(-1)
    present = said.gather(-1, texts[:, 1:, None])[..., 0]
    best, token = said.scatter(-1, texts[:, 1:, None], -torch.inf).max(-1)
    doubt, at = (best - present).max(1, keepdim=True)
    return Reading(FIRST + at[:, 0], token.gather(1, at)[:, 0], doubt[:, 0], 1)


@torch.inference_mode()
def by_signal(model, texts, mask_id, signal):
    """A denoiser proofreads with a signal that takes a single pass, such as `revision.glance`, and
    one pass more for what it would write where that is lowest."""
    mask_id = diffusion.check_model(model, mask_id)
    trust = signal(model, texts, mask_id, range(FIRST, texts.shape[1]))
    sure, at = trust.min(1)
    at = FIRST + at
    hidden = texts.scatter(1, at[:, None], mask_id)
    token = diffusion.log_probs(model, hidden, mask_id, hidden == mask_id).argmax(-1)
    return Reading(at, token, -sure.clamp_min(1e-30).log(), 2)


@dataclass(frozen=True)
class Proof:
    """What a proofreader makes of n texts with a foreign token, and of the same n without: (n,).

    found, mended: it doubts the foreign token most; it would put back what stood there, too (bool).
    doubt: where there is a foreign token. right: its doubt where there is none, and -inf where it
    would leave that text as it is.
    """

    found: torch.Tensor
    mended: torch.Tensor
    doubt: torch.Tensor
    right: torch.Tensor
    passes: int

    def threshold(self, harm: float) -> float:
        """The doubt that the right texts exceed which are changed, where that share of them is."""
        harm = real("harm", harm, "choose a share from 0 to 1", least=0, most=1)
        allowed = int(harm * len(self.right))
        if allowed == len(self.right):
            return -math.inf
        return float(self.right.sort(descending=True).values[allowed])

    def repaired(self, harm: float) -> torch.Tensor:
        """Which foreign tokens are put right where that share of right texts is changed, (n,)."""
        return self.mended & (self.doubt > self.threshold(harm))

    def harm(self, caught: float) -> float:
        """The share of right texts changed where a share `caught` of all foreign tokens is found
        and hidden; 1 if it does not find so many."""
        caught = real("caught", caught, "choose a share above 0 and up to 1", above=0, most=1)
        found = self.doubt[self.found].sort(descending=True).values
        wanted = math.ceil(caught * len(self.found))
        if wanted > len(found):
            return 1.0
        return float((self.right >= found[wanted - 1]).double().mean())

    def some(self, rows: torch.Tensor) -> Proof:
        """The same of some of the texts, given their numbers."""
        parts = (self.found, self.mended, self.doubt, self.right)
        return Proof(*(part[rows] for part in parts), self.passes)


def proof(of_broken: Reading, of_right: Reading, right, place) -> Proof:
    """Put together what was read in texts with a foreign token, at `place`, (n,), and in the same
    texts without, `right`, (n, length)."""
    found = of_broken.place == place
    mended = found & (of_broken.token == right.gather(1, place[:, None])[:, 0])
    kept = of_right.token == right.gather(1, of_right.place[:, None])[:, 0]
    doubt = of_right.doubt.masked_fill(kept, -math.inf)
    return Proof(found, mended, of_broken.doubt, doubt, of_broken.passes)


def bootstrap(measure, proofs, *, seed, resamples=1000):
    """The interval (low, high) of `measure(*proofs)`, 95%: whole texts are drawn again, the same
    for all of them (Efron 1979, the percentile method), and thresholds are set anew each time."""
    n = len(proofs[0].found)
    resamples = whole("resamples", resamples, "draw at least once", least=1)
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    draws = [torch.randint(n, (n,), generator=dice) for _ in range(resamples)]
    found = torch.tensor([measure(*(p.some(rows) for p in proofs)) for rows in draws])
    low, high = found.double().quantile(torch.tensor([0.025, 0.975], dtype=torch.double))
    return float(low), float(high)
