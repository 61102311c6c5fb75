"""What is in a state: its place, what lasts, what passes; and what becomes of it when it is
exchanged.

A *state* is what a layer leaves in the stream at one word, (d_model,) numbers; of a recurrent
network the vector it hands on. Three questions are asked of states, (texts, places, width):

    split          how much of their variance is owed to the place, how much lasts for some words
    known          how well a linear reading of them gives what Bayes' rule would know
    after_swap     whether the model goes on as it would with another text's belief
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from utils.measure import patching
from utils.models.arithmetic import widened
from utils.models.feedback import Feedback
from utils.models.recurrent import Recurrent
from utils.models.transformer import rms_norm
from utils.text.numbers import real, whole


@torch.no_grad()
def streams(model, tokens: torch.Tensor) -> torch.Tensor:
    """What each layer leaves in the stream, (layers, texts, places, width); of a recurrent network
    its one state at each word."""
    if isinstance(model, Recurrent):
        return model.states(tokens)[None]
    if isinstance(model, Feedback):
        kept = []
        model(tokens, lambda layer, t, x: kept.append(x) or x)
        depth = len(model.model.layers)
        return torch.stack([torch.stack(kept[layer::depth], 1) for layer in range(depth)])
    return patching.streams(model, tokens)


def as_read(stream: torch.Tensor) -> torch.Tensor:
    """A stream as the next layer reads it: every state brought to the same size."""
    return rms_norm(stream, 1e-5)


# -- position, what lasts, what passes -------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """The variance of states and its parts, of each text, (texts,): sums over texts have the ratios
    that are wanted, and `intervals.bootstrap_ratio` takes them so."""

    position: torch.Tensor
    slow: torch.Tensor
    total: torch.Tensor

    def shares(self) -> tuple[float, float, float]:
        """Of position, of what lasts, of the rest."""
        total = float(self.total.sum())
        position, slow = float(self.position.sum()) / total, float(self.slow.sum()) / total
        return position, slow, 1 - position - slow


@torch.no_grad()
def split(states: torch.Tensor, *, lag: int = 8) -> Split:
    """How the variance of states (texts, places, width) is made up.

    position: what the texts have in common at a place, the variance of the mean over all texts.
    slow: what is left of a state and of the one `lag` words later, multiplied: what both share.
    Noise that is new at each word gives 0, and no mean over a text is taken, which would be slow by
    construction. Raises ValueError for fewer than two texts, or no more than `lag` places.
    """
    texts, places = states.shape[:2]
    lag = whole(
        "lag", lag, f"choose 1 to {places - 1}: there are {places} places", least=1, most=places - 1
    )
    if texts < 2:
        raise ValueError("one text tells no place from its words; give two or more")
    states = states.double()
    off = states - states.mean((0, 1))
    left = off - off.mean(0)  # without what all texts have in common
    fair = texts / (texts - 1)  # a mean over few texts follows each of them a little
    total = (off * off).sum(-1).mean(1)
    within = fair * (left * left).sum(-1).mean(1)
    slow = fair * (left[:, :-lag] * left[:, lag:]).sum(-1).mean(1)
    return Split(total - within, slow, total)


def autocorrelation(states: torch.Tensor, lags) -> list[float]:
    """How alike two states of a text are that stand so many words apart, once what all texts have
    in common at a place is taken away: 1 at lag 0, 0 for what is new at each word."""
    left = states.double() - states.double().mean(0)
    found = []
    for lag in lags:
        a, b = left[:, : left.shape[1] - lag], left[:, lag:]
        found.append(float((a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()))
    return found


def together(several: list):
    """What was found in several models, `Split` or `Known` of the same texts, as one: its shares
    are the means of theirs."""
    kind, whole = type(several[0]), list(vars(several[0]))[-1]
    scaled = [
        {name: part / getattr(each, whole).sum() for name, part in vars(each).items()}
        for each in several
    ]
    return kind(**{name: sum(each[name] for each in scaled) for name in scaled[0]})


# -- what a linear reading gives -------------------------------------------------------------------


def regression(
    x: torch.Tensor, y: torch.Tensor, *, ridge: float = 1e-6
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The linear reading of x, (..., width), that gives y, (..., k), with the least squared error:
    a function of states.

    ridge: what large weights cost, as a share of the mean variance of x; states that are wide and
    texts that are few want more of it.
    """
    ridge = real("ridge", ridge, "choose a small number above 0", above=0)
    x, y = x.double().flatten(0, -2), y.double().flatten(0, -2)
    x_mean, y_mean = x.mean(0), y.mean(0)
    a = x - x_mean
    square = a.T @ a + ridge * float((a * a).mean()) * len(a) * torch.eye(a.shape[1], dtype=a.dtype)
    weights = torch.linalg.solve(square, a.T @ (y - y_mean))
    return lambda states: (states.double() - x_mean) @ weights + y_mean


@dataclass(frozen=True)
class Known:
    """Squared error of a reading, and that of the mean alone, of each text: (texts,)."""

    error: torch.Tensor
    spread: torch.Tensor

    @property
    def share(self) -> float:
        """R squared: 1 is all, 0 no better than the mean, below 0 worse."""
        return 1 - float(self.error.sum() / self.spread.sum())


def known(read: Callable, states: torch.Tensor, truth: torch.Tensor) -> Known:
    """How well `read(states)` gives the truth, (texts, places, k), on texts that it was not fitted
    to."""
    error = ((read(states) - truth) ** 2).sum(-1).mean(1)
    spread = ((truth - truth.mean((0, 1))) ** 2).sum(-1).mean(1)
    return Known(error, spread)


# -- exchanging what a state says of the topic -----------------------------------------------------

KINDS = "belief", "others", "random", "read", "all"


def directions(states: torch.Tensor, belief: torch.Tensor, kind: str = "belief") -> torch.Tensor:
    """Directions at right angles, (width, 2) or all there are, of states (texts, places, width).

    "belief": those in which states move when the belief does, by the regression of states on
    beliefs (three probabilities that sum to 1 move in two dimensions). "others": of all at right
    angles to these the two in which states vary most from text to text. "random": drawn at random.
    "read": those that the linear reading of the belief looks along. "all": the whole state.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; choose one of {', '.join(map(repr, KINDS))}")
    states, width = widened(states), states.shape[-1]
    if kind == "all":
        return torch.eye(width)
    if kind == "random":
        drawn = torch.randn(width, 2, generator=torch.Generator().manual_seed(0))
        return torch.linalg.qr(drawn).Q
    if kind == "read":
        read = regression(states, belief)
        weights = read(torch.eye(width)) - read(torch.zeros(width))
        return torch.linalg.qr(weights[:, :2]).Q.to(states.dtype)
    a = (belief - belief.mean((0, 1))).flatten(0, 1)[:, :2]
    b = (states - states.mean((0, 1))).flatten(0, 1)
    moves = torch.linalg.lstsq(a, b.double()).solution  # (2, width)
    basis = torch.linalg.qr(moves.T).Q.to(states.dtype)
    if kind == "belief":
        return basis
    left = (states - states.mean(0)).flatten(0, 1)
    left = left - left @ basis @ basis.T
    return torch.linalg.svd(left.T @ left).U[:, :2]


def bases(model, world, rows: torch.Tensor, kind: str = "belief") -> list[torch.Tensor]:
    """`directions` of the states of these texts after each layer."""
    belief = world.beliefs(rows)
    return [directions(states, belief, kind) for states in streams(model, rows)]


@torch.no_grad()
def swapped(model, tokens, donors, bases, places):
    """The logits of a model that reads `tokens` while, at these places (a slice) and after each
    layer, what its state says along `bases[layer]`, (width, k), is what the donors' state says
    there."""
    given = streams(model, donors)

    def exchange(layer, stream):
        basis = bases[layer].to(stream)
        stream = stream.clone()
        change = given[layer][:, places] - stream[:, places]
        stream[:, places] += change @ basis @ basis.T
        return stream

    def exchange_now(layer, t, x):
        basis = bases[layer].to(x)
        change = (given[layer][:, t] - x) @ basis @ basis.T
        return x + change if places.start <= t < places.stop else x

    if isinstance(model, Feedback):
        return model(tokens, exchange_now)
    if isinstance(model, Recurrent):
        return model.changed(tokens, places, exchange)
    with patching.after_layers(model, exchange):
        return model(tokens)


@dataclass(frozen=True)
class After:
    """Of each pair of texts and each number of words since the swap, (pairs, words): how far the
    model's next-word probabilities moved the way that they should have (`moved`), and how far that
    would have been (`due`), both as products with the exact change."""

    moved: torch.Tensor
    due: torch.Tensor

    def shares(self) -> list[float]:
        """1: it goes on as Bayes' rule would with the donor's belief; 0: as if nothing had been
        done."""
        return (self.moved.sum(0) / self.due.sum(0)).tolist()


@torch.no_grad()
def compared(model, world, tokens, donors, logits, place: int, words: int) -> After:
    """What a model expects after some exchange at `place` or before it, `logits` for `tokens`,
    beside what it expects without, and beside what the belief of the donors there would have it
    expect. Raises ValueError like `after_swap`."""
    place, words = _window(tokens, place, words)
    seen = slice(place, place + words)
    before, after = (each[:, seen].double().softmax(-1) for each in (model(tokens), logits))
    own, other = world.beliefs(tokens)[:, seen], [world.beliefs(donors)[:, place]]
    for t in range(place + 1, place + words):
        other.append(world.updated(other[-1], tokens[:, t], t))
    exact = world.next_probs(torch.stack(other, 1), place) - world.next_probs(own, place)
    return After(((after - before) * exact).sum(-1), (exact * exact).sum(-1))


def _window(tokens, place, words):
    last = tokens.shape[1] - 1
    place = whole("place", place, f"choose 1 to {last - 1}", least=1, most=last - 1)
    return place, whole("words", words, f"choose 1 to {last - place}", least=1, most=last - place)


@torch.no_grad()
def after_swap(model, world, tokens, donors, bases, place: int, words: int, *, whole_past=False):
    """Exchange the belief after the token at `place`, and see what the model expects next, then and
    after each of the `words` that follow in the text itself.

    whole_past: exchange at all places up to this one. Raises ValueError for a place outside the
    texts or more words than follow.
    """
    place, words = _window(tokens, place, words)
    places = slice(1 if whole_past else place, place + 1)
    logits = swapped(model, tokens, donors, bases, places)
    return compared(model, world, tokens, donors, logits, place, words)


FRESH = 60_000_000  # seeds of texts that no model has learned from begin here
PAIRS, PLACE, WORDS = 300, 24, 16  # of the book's trial
AFTER = 4  # words after which it asks what is left of a swap


def swap_trial(model, world, kind: str = "belief", *, whole_past=False, seed: int = FRESH + 1):
    """`after_swap` of pairs of fresh texts, at the directions that other fresh texts give."""
    learned = world.sample(2 * PAIRS, seed=seed)
    tokens, donors = world.sample(2 * PAIRS, seed=seed + 1).chunk(2)
    along = bases(model, world, learned, kind)
    return after_swap(model, world, tokens, donors, along, PLACE, WORDS, whole_past=whole_past)


# -- following moves -------------------------------------------------------------------------------


@torch.no_grad()
def right_after(model, world, n: int = 500, *, seed: int = FRESH + 3):
    """Whether a model that says the state after each move of `Groups` is right, (n, moves) bool."""
    rows = world.sample(n, seed=seed)
    said = model(rows[:, : world.n + 1])[:, 1:].argmax(-1)
    return said == rows[:, world.states]
