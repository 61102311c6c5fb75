"""Chapter 13: texts that must obey, from those who write left to right and from those who fill in.

In `Tangle` all texts can be listed, so each way of writing has an exact law (`measure/steered.py`),
and so has what it should be: its own law, given that the text is accepted. In `Topics` a word is
counted in texts of 48 words, up to a count that one text in a million has. There texts are written
and weighed; the probability of the constraint is exact in the world (`measure/posterior.py`).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch.nn import functional as F

from utils.generation import guided
from utils.generation.guided import Mask
from utils.generation.sampling import score
from utils.measure import enumeration, steered
from utils.measure.enumeration import Table
from utils.measure.posterior import Hidden, Listed
from utils.measure.steered import Law
from utils.text.numbers import SEED, real, whole
from utils.worlds.automata import at_place, counted
from utils.worlds.tangle import Tangle

PICKS = 32  # texts, of which one is picked, in the registered tests
ORDERS = tuple(itertools.permutations(range(6)))  # all ways to fill six blanks one by one


def last(world, letter: str):
    """The last letter is this one: nothing tells before the end."""
    places, ids = world.length - 1, range(len(world.vocab) - 2)
    return at_place(len(world.vocab), places - 1, [world.vocab.id(letter)], ids)


def first(world, letter: str):
    """The first letter is this one: settled at once."""
    ids = range(len(world.vocab) - 2)
    return at_place(len(world.vocab), 0, [world.vocab.id(letter)], ids)


def exactly(world, letter: str, times: int):
    """The letter comes so many times, wherever."""
    ids = range(len(world.vocab) - 2)
    return counted(len(world.vocab), world.vocab.id(letter), times, ids)


def registered(world) -> dict:
    """The twelve constraints of the registered tests, {name: automaton}: for each letter, it stands
    at the end; it comes exactly once; it comes exactly three times."""
    letters = world.vocab.decode(range(len(world.vocab) - 2))
    found = {f"last is {letter}": last(world, letter) for letter in letters}
    for times, word in ((1, "one"), (3, "three")):
        found |= {f"{word} {letter}": exactly(world, letter, times) for letter in letters}
    return found


@dataclass(frozen=True)
class Writers:
    """What a causal model and a denoiser say of all texts of a `Listed` world. said: (texts,
    places, letters), of each next letter; blanks: of each blank in each state."""

    world: object
    said: torch.Tensor
    blanks: Table

    @cached_property
    def own(self) -> torch.Tensor:
        """What the causal model gives each text, of letters alone: (texts,) nats."""
        said = self.said.double().log_softmax(-1)
        return said.gather(-1, self.world.rows[..., None])[..., 0].sum(1)

    @cached_property
    def letters(self) -> Table:
        """What the denoiser says of each blank, of letters alone."""
        everything = torch.ones(len(self.world.texts), dtype=torch.bool)
        return steered.fitted(self.world, self.blanks, everything)

    @cached_property
    def filled(self) -> torch.Tensor:
        """What the denoiser gives each text, of letters alone, in random order: (texts,) nats."""
        return enumeration.in_random_order(self.letters)

    def causal(self, automaton, weigh=None) -> Law:
        """Left to right under a mask; or with any other `weigh`."""
        weigh = weigh or Mask(automaton, self.world.length)
        accepted = automaton.accepted(self.world.rows)
        return steered.left_to_right(self.world, self.said, accepted, weigh)

    def looking_ahead(self, automaton) -> Law:
        """Left to right, with the exact look-ahead of this very model."""
        ahead = Listed(self.world.texts, self.own, automaton)
        return self.causal(automaton, ahead.future)

    def denoiser(self, automaton, orders=None) -> Law:
        """Filled in, one blank a pass, under a mask, in these `orders`, each as likely. None: in
        random order, as one row, which is fast; but the weights by which one of several texts is
        picked belong to a text *and* its order, so give `ORDERS` for that."""
        accepted = automaton.accepted(self.world.rows)
        bent = steered.fitted(self.world, self.blanks, accepted)
        if orders is not None:
            return steered.in_orders(self.letters, bent, accepted, orders)
        declared = self.filled.masked_fill(~accepted, -torch.inf)
        return Law(declared[None], enumeration.in_random_order(bent)[None])

    def several(self, automaton, sizes, *, together=False) -> list[Law]:
        """So many blanks filled in a pass, for each of these `sizes`, in random order, under a
        mask. together: those of one pass are drawn as one; else each as if alone. Held to the
        posterior of one by one."""
        accepted = automaton.accepted(self.world.rows)
        declared = self.filled.masked_fill(~accepted, -torch.inf)
        table = self.letters if together else steered.fitted(self.world, self.letters, accepted)
        may = accepted if together else torch.ones_like(accepted)
        written = [steered.in_passes(self.world, table, may, size) for size in sizes]
        return [Law(declared[None], each[None]) for each in written]


def truth(world) -> Writers:
    """The world itself, as both kinds of writer."""
    log_probs = world.log_prob(world.texts)
    blanks = enumeration.by_bayes(world.grid(log_probs.exp()))
    return Writers(world, steered.next_letters(world, log_probs), blanks)


@torch.no_grad()
def trained(world, causal, blanks: Table) -> Writers:
    """A causal model, asked here, and what a denoiser says (`recipes.tangle.answers`)."""
    size = len(world.vocab) - 2
    return Writers(world, causal(world.texts[:, :-1])[..., :size], blanks)


def end_first(world):
    """The order in which the last place is filled before all others."""
    return [(world.length - 2, *range(world.length - 2))]


# --- guidance -------------------------------------------------------------------------------------


@lru_cache(maxsize=1)  # one pair is asked with several weights in a row
def _mixed(seed):
    """The world of one language, and of it and of its mixture with the other: the log-probabilities
    of the texts, (texts,), and what they say of blanks."""
    world = Tangle(seed=seed)
    of_it = world.log_prob(world.texts)
    mixed = torch.logaddexp(of_it, Tangle(seed=seed + 10).log_prob(world.texts)) - math.log(2)
    return world, of_it, mixed, *_by_bayes(world, of_it.exp(), mixed.exp())


@lru_cache(maxsize=1)
def _told(world, automaton):
    """Whether texts are accepted, their probabilities, and what they say of blanks, with that and
    without."""
    probs, accepted = world.log_prob(world.texts).exp(), automaton.accepted(world.rows)
    return accepted, probs, *_by_bayes(world, probs * accepted, probs)


def _by_bayes(world, *laws):
    return (enumeration.by_bayes(world.grid(probs)) for probs in laws)


def guidance(seed: int, weight: float, orders=None) -> Law:
    """Two languages, `Tangle(seed=seed)` and `Tangle(seed=seed + 10)`, mixed half and half; the
    condition is to be of the first. A denoiser with the exact probabilities is guided towards it.

    Declared is p(text | condition)^weight * p(text)^(1 - weight). orders: as in `denoiser`.
    """
    world, of_it, mixed, *tables = _mixed(whole("seed", seed, **SEED))
    bent = steered.guided(world, *tables, weight)
    declared = weight * of_it + (1 - weight) * mixed
    if orders is None:
        return Law(declared[None], enumeration.in_random_order(bent)[None])
    written = torch.stack([enumeration.along(bent, order) for order in orders])
    return Law(declared.expand_as(written), written)


def guided_to(world, automaton, weight: float) -> Law:
    """A denoiser with the exact probabilities of a `Listed` world, guided towards a constraint: in
    a blank each token is as likely as it is, times P(accepted | what stands, token)^weight.

    A text is accepted or it is not, so that what is declared is the posterior, whatever the weight.
    """
    weight = real("weight", weight, "choose more than 0", above=0)
    accepted, probs, *tables = _told(world, automaton)
    written = enumeration.in_random_order(steered.guided(world, *tables, weight))
    never = ~accepted  # and on the way to them stand states that no accepted text fits
    laws = (each.masked_fill(never, -torch.inf)[None] for each in (probs.log(), written))
    return Law(*laws)


# --- a look-ahead that is learned -----------------------------------------------------------------


def own_texts(writers: Writers, *, batch_size: int, seed: int):
    """Texts that the causal model writes left alone, in batches for ever."""
    batch_size = whole("batch_size", batch_size, "take at least 1 row", least=1)
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    probs = writers.own.exp()
    while True:
        drawn = torch.multinomial(probs, batch_size, replacement=True, generator=dice)
        yield writers.world.texts[drawn]


def last_letter_loss(model, rows, size):
    """How surprised a causal model is at the *last* letter of a text, after each of its beginnings:
    rows (batch, length) -> a scalar in nats. Its first `size` outputs are the letters."""
    said = model(rows[:, :-1])[..., :size]  # (batch, length - 1, size)
    return F.cross_entropy(said.mT, rows[:, -1:].expand(-1, said.shape[1]))


class Foresight:
    """A look-ahead for `last`: p(the last letter is this one | what stands, token), as a model says
    that has learned `last_letter_loss` (FUDGE: Yang & Klein 2021, arXiv:2104.05218)."""

    def __init__(self, model, world, letter: str):
        self.model, self.length = model, world.length
        self.size, self.letter = len(world.vocab) - 2, world.vocab.id(letter)

    @torch.no_grad()
    def __call__(self, tokens):
        """(rows, t) int64 -> (rows, letters) float64."""
        letters = torch.arange(self.size, device=tokens.device)
        if tokens.shape[1] == self.length - 1:
            return (letters == self.letter).double().expand(len(tokens), -1)
        ahead = torch.cat(
            [tokens.repeat_interleave(self.size, 0), letters.repeat(len(tokens))[:, None]], 1
        )
        said = self.model(ahead)[:, -1, : self.size].double().softmax(-1)
        return said[:, self.letter].view(-1, self.size)


# --- one in a million -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Weighed:
    """Texts of a long world that obey. log_weights: (texts,), of each under the model's own law;
    true_log_weights: under the world's. log_evidence, true_log_evidence: log P(accepted), of the
    model as far as known, of the world exactly."""

    texts: torch.Tensor
    log_weights: torch.Tensor
    true_log_weights: torch.Tensor
    log_evidence: float
    true_log_evidence: float

    def off(self, n: int = 1, *, seed: int = 0) -> torch.Tensor:
        """The mean of these numbers, (texts,), is the total variation to the model's own posterior
        if one of n is picked."""
        return steered.off_by_weights(self.log_weights, self.log_evidence, n, seed=seed)

    def truly_off(self, n: int = 1, *, seed: int = 0) -> torch.Tensor:
        """The same to the posterior of the world."""
        weights = self.true_log_weights
        return steered.off_by_weights(weights, self.true_log_evidence, n, seed=seed)


@torch.no_grad()
def counting(model, world, word: str, times: int, *, rows: int, seed: int, cache=True):
    """Texts of `Topics` with exactly so many of a word, by masking and with the world's exact
    look-ahead (as Ctrl-G takes that of a hidden Markov model): two `Weighed`.

    With the look-ahead the weights are nearly equal, so their mean is P(accepted) of the model.
    cache: as in `guided.particles`.
    """
    rows = whole("rows", rows, "write at least 2 texts", least=2)
    automaton = counted(len(world.vocab), world.vocab.id(word), times)
    hidden = Hidden(world, automaton)
    start = torch.full((rows, 1), world.vocab.start_id)
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    new = world.length - 1
    found = [
        guided.particles(model, start, new, weigh, n=1, resample=0, cache=cache, generator=dice)
        for weigh in (Mask(automaton, world.length), hidden.future)
    ]
    weights = [each.log_weights[:, 0] for each in found]
    evidence = float(weights[1].logsumexp(0)) - math.log(rows)
    texts = [each.texts[:, 0] for each in found]
    true = [
        world.log_prob(rows_) - score(model, rows_).double().sum(1) + weight
        for rows_, weight in zip(texts, weights, strict=True)
    ]
    exact = math.log(hidden.probability)
    return [Weighed(*each, evidence, exact) for each in zip(texts, weights, true, strict=True)]


@torch.no_grad()
def filling(world, word: str, times: int, *, rows: int, seed: int) -> Weighed:
    """Texts of `Topics` with exactly so many of a word, filled in under a mask, one place a pass,
    each text in a random order of its own, by a denoiser that has the world's exact probabilities.

    A weight belongs to a text and its order. So `off` is the mean, over all orders, of how far an
    order that is kept for all texts is from the posterior; a mixture of orders is at most as far.
    """
    rows = whole("rows", rows, "write at least 2 texts", least=2)
    places = world.length - 1
    times = whole("times", times, f"a text has {places} words", least=0, most=places)
    dice = torch.Generator().manual_seed(whole("seed", seed, **SEED))
    here, wanted = torch.arange(rows), world.vocab.id(word)
    exact = math.log(Hidden(world, counted(len(world.vocab), wanted, times)).probability)
    words = torch.full((rows, places), -1)  # -1: a blank
    seen = torch.ones(rows, places, len(world.doubt), dtype=torch.float64)  # p(word | topic)
    written = torch.zeros(rows, dtype=torch.float64)
    orders = torch.rand(rows, places, generator=dice).argsort(1)
    for left, place in zip(range(places, 0, -1), orders.T, strict=True):
        said = torch.einsum("rk,rkv->rv", _topics(world, seen)[here, place], world.emits[place])
        missing = times - (words == wanted).sum(1)
        said[missing == 0, wanted] = 0
        said[(missing == left)[:, None] & (torch.arange(said.shape[1]) != wanted)] = 0
        said = said / said.sum(-1, keepdim=True)
        new = torch.multinomial(said, 1, generator=dice)[:, 0]
        written += said[here, new].log()
        words[here, place], seen[here, place] = new, world.emits[place, :, new]
    texts = torch.nn.functional.pad(words, (1, 0), value=world.vocab.start_id)
    weights = world.log_prob(texts) - written
    return Weighed(texts, weights, weights, exact, exact)


def _topics(world, seen):
    """How likely each topic is at each place, given the words on both sides and its own (the
    forward-backward algorithm). seen: how likely the word there is under each topic, 1 for a blank;
    (rows, places, topics)."""
    first = world.doubt @ world.moves
    before, after = [first.expand_as(seen[:, 0])], [torch.ones_like(seen[:, 0])]
    for likely in seen.unbind(1)[:-1]:
        now = before[-1] * likely
        before.append(now / now.sum(-1, keepdim=True) @ world.moves)
    for likely in seen.unbind(1)[:0:-1]:
        then = (likely * after[0]) @ world.moves.T
        after.insert(0, then / then.sum(-1, keepdim=True))
    both = torch.stack(before, 1) * seen * torch.stack(after, 1)
    return both / both.sum(-1, keepdim=True)
