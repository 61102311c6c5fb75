"""Three published rules for filling a block: what a pass puts down, and what it may change again.

- `Masks`: a block begins as blanks. Each pass fills its share, the surest first, and everything
  that is surer than a threshold. What was filled earlier may be edited, where the model is surer
  than another threshold of something else: LLaDA2.1 (Bie et al. 2026, arXiv:2602.08676), as in
  `BlockRefinementScheduler` of the package `diffusers`.
- `Noise`: a block begins as random tokens. Each pass puts down its share in the same way; what is
  not put down is drawn anew. The same scheduler, in its mode without a mask.
- `Entropy`: as DiffusionGemma does it by default, in `transformers` and in `diffusers` by its
  `EntropyBoundScheduler`. What is put down is decided anew in each pass, by an entropy bound as in
  `canvas.py`, and nothing is final until the block is settled: then it holds the likeliest tokens.

A rule begins a block and takes turns with the model: `turn(state, logits)` is the state after a
pass. On the same logits and with the same dice each does what its published counterpart does, but
for one thing: a row that is done stays as it is, whatever the others in its batch do.

How sure a place is, is the probability of the token that was *drawn* there; so have it the
published rules. Above temperature 0 that is a bias: a likely token that happened to be drawn is
kept, an unlikely one is drawn again. With `sure_of="likeliest"` it is the probability of the
likeliest token, whichever was drawn, and with true probabilities and one token a pass texts are
drawn from the true distribution, as in `diffusion.sample`.
"""

from dataclasses import dataclass, replace

import torch

from utils.generation.canvas import SETTLED, checked_temperatures
from utils.generation.canvas import _among as among
from utils.generation.canvas import _surest as surest
from utils.generation.sampling import draw
from utils.models.temperature import at_temperature, check_temperature
from utils.text import chance
from utils.text.ids import checked_mask, token_ids
from utils.text.numbers import real, whole

SURE_OF = ("drawn", "likeliest")


@dataclass(frozen=True)
class State:
    """A block between two passes. block: (rows, size) int64. kept: where a token was put down, and
    changed: where by the last pass, bool. passes: how many of each row's there were. late: of
    these, how many began with nothing left to fill, (rows,). done: which rows are, (rows,). guess:
    what the model is shown of its last answer, if anything. answer: what it thought likeliest."""

    block: torch.Tensor
    kept: torch.Tensor
    changed: torch.Tensor
    passes: torch.Tensor
    late: torch.Tensor
    done: torch.Tensor
    guess: torch.Tensor | None = None
    answer: torch.Tensor | None = None


@dataclass(frozen=True)
class Masks:
    """mask_id: a blank. passes: how many it takes at most to fill a block. threshold: what is surer
    is filled at once. edit: what is surer may replace a token; None, nothing is edited. more: how
    many passes there may be, at most, in which all is filled and only edits are made; the first of
    them that edits nothing is the last. temperature: 0 takes the likeliest token.
    sure_of: "drawn" or "likeliest", see the top of this page."""

    mask_id: int
    passes: int
    threshold: float = 0.95
    edit: float | None = None
    more: int = 17
    temperature: float = 0.0
    sure_of: str = "drawn"

    def __post_init__(self):
        _put(self, mask_id=checked_mask(self.mask_id))
        more = whole("more", self.more, "choose 1 or more", least=1)
        _put(self, passes=_passes(self), more=more, **_when_sure(self))

    def begin(self, rows, size, device, generator=None):
        blank = torch.full((rows, size), self.mask_id, dtype=torch.int64, device=device)
        return _fresh(blank)

    def turn(self, state, logits, generator=None):
        barred = torch.tensor([self.mask_id], device=logits.device)
        logits = logits.index_fill(-1, barred, -torch.inf)  # a blank is no token
        drawn, sure = _drawn(self, logits, generator)
        blank = state.block == self.mask_id
        full = ~blank.any(-1)
        size, at = blank.shape[1], state.passes.clamp(max=self.passes - 1)
        share = (size // self.passes + (at < size % self.passes))[:, None]  # of each row
        high = blank & (sure > self.threshold)
        first = blank & (_rank(sure.masked_fill(~blank, -torch.inf)) < share)
        filled = torch.where(high.sum(-1, keepdim=True) >= share, high, first)
        edited = torch.zeros_like(filled)
        if self.edit is not None:
            edited = ~blank & (drawn != state.block) & (sure > self.edit)
        late = state.late + (full & ~state.done)
        spent = torch.where(full, late >= self.more, state.passes + 1 >= self.passes)
        if self.edit is None:
            done = ~(blank & ~filled).any(-1)
        else:
            done = spent | (full & ~edited.any(-1))
        return _after(state, drawn, filled | edited, done, late=late)


@dataclass(frozen=True)
class Noise:
    """choices: the ids that may be written, from which noise is drawn, too. The others as in
    `Masks`; a row is done after so many passes, or with the first that finds all put down, and
    changes nothing."""

    choices: tuple[int, ...]
    passes: int
    threshold: float = 0.95
    edit: float | None = None
    temperature: float = 0.0
    sure_of: str = "drawn"

    def __post_init__(self):
        _put(self, choices=_choices(self), passes=_passes(self), **_when_sure(self))

    def begin(self, rows, size, device, generator=None):
        return _fresh(_noise(self.choices, (rows, size), device, generator))

    def turn(self, state, logits, generator=None):
        logits = among(torch.tensor(self.choices, device=logits.device), logits)
        drawn, sure = _drawn(self, logits, generator)
        kept, size = state.kept, state.kept.shape[1]
        due = (state.passes + 1) * size // self.passes  # so many of each row by now, rounded up:
        due = due + ((state.passes + 1) * size % self.passes > 0)
        owed = (due - kept.sum(-1)).clamp(min=0)[:, None]
        first = _rank(sure.masked_fill(kept, -torch.inf)) < owed
        put = ~kept & (first | (sure > self.threshold))
        edited = torch.zeros_like(put)
        if self.edit is not None:
            edited = kept & (drawn != state.block) & (sure > self.edit)
        noise = _noise(self.choices, put.shape, put.device, generator)
        nothing = kept.all(-1) & ~edited.any(-1)
        done = nothing | (state.passes + 1 >= self.passes)
        after = _after(state, drawn, put | edited, done)
        now = torch.where(after.kept | state.done[:, None], after.block, noise)
        return replace(after, block=now)


@dataclass(frozen=True)
class Entropy:
    """choices, passes: as in `Noise`. bound: a pass puts down the surest token, and each next one
    as long as those before it have no more entropy than this together, in nats. temperatures: the
    first pass has the first of them, and the second would be that of the pass after the last.
    self_condition: show the model its last guess. A row is done when its likeliest tokens are those
    of the pass before, with a mean entropy below `canvas.SETTLED`."""

    choices: tuple[int, ...]
    passes: int
    bound: float = 0.1
    temperatures: tuple[float, float] = (0.8, 0.4)
    self_condition: bool = False

    def __post_init__(self):
        bound = real("bound", self.bound, "give an entropy in nats, 0 or more", least=0)
        both = checked_temperatures(self.temperatures)
        _put(self, choices=_choices(self), passes=_passes(self))
        _put(self, bound=bound, temperatures=both)

    def begin(self, rows, size, device, generator=None):
        noise = _noise(self.choices, (rows, size), device, generator)
        return replace(_fresh(noise), answer=noise)

    def turn(self, state, logits, generator=None):
        first, last = self.temperatures
        left = 1 - state.passes / self.passes  # the share of the passes that are still to come
        warmth = (last + (first - last) * left)[:, None, None]
        logits = among(torch.tensor(self.choices, device=logits.device), logits)
        said = (logits / warmth).log_softmax(-1)
        entropy = torch.special.entr(said.exp()).sum(-1)  # (rows, size)
        put = surest(entropy, self.bound)
        drawn, likeliest = draw(said, generator=generator), said.argmax(-1)
        noise = _noise(self.choices, put.shape, put.device, generator)
        settled = (likeliest == state.answer).all(-1) & (entropy.mean(-1) < SETTLED)
        settled &= state.passes > 0
        done = settled | (state.passes + 1 >= self.passes)
        after = _after(state, torch.where(put, drawn, noise), torch.ones_like(put), done)
        answer = torch.where(state.done[:, None], state.answer, likeliest)
        block = torch.where(after.done[:, None], answer, after.block)
        guess = said.exp() if self.self_condition else None
        changed = put & ~state.done[:, None]
        return replace(after, block=block, kept=put, changed=changed, guess=guess, answer=answer)


def _fresh(block):
    nowhere = torch.zeros_like(block, dtype=torch.bool)
    none = torch.zeros_like(block[:, 0])
    return State(block, nowhere, nowhere, none, none, nowhere[:, 0])


def _after(state, drawn, changed, done, **more):
    """The state after a pass that wrote what was drawn where it is `changed`; rows that were done
    before stay as they are."""
    changed = changed & ~state.done[:, None]
    block = torch.where(changed, drawn, state.block)
    kept, passes = state.kept | changed, state.passes + ~state.done
    done = state.done | done
    return replace(state, block=block, kept=kept, changed=changed, passes=passes, done=done, **more)


def _drawn(rule, logits, generator):
    """A token for each place and how sure it is, (rows, size) each; at temperature 0 a probability
    is that at temperature 1, as the published rules have it."""
    drawn = draw(logits, temperature=rule.temperature, generator=generator)
    probs = at_temperature(logits, rule.temperature or 1.0)
    if rule.sure_of == "likeliest":
        return drawn, probs.amax(-1)
    return drawn, probs.gather(-1, drawn[..., None])[..., 0]


def _rank(numbers):
    """0 for the largest of each row, 1 for the next; of equal ones the earlier comes first."""
    return numbers.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)


def _noise(choices, shape, device, generator):
    choices = torch.as_tensor(choices, dtype=torch.int64, device=device)
    return choices[chance.integers(len(choices), shape, device=device, generator=generator)]


# -- the numbers of a rule as Python's own, and a clear error for one that is out of range ---------


def _put(rule, **values):
    for name, value in values.items():
        object.__setattr__(rule, name, value)  # the dataclass is frozen for all others


def _choices(rule):
    return tuple(token_ids("choices", rule.choices).tolist())


def _passes(rule):
    return whole("passes", rule.passes, "take at least 1", least=1)


def _when_sure(rule):
    """threshold, edit and temperature."""
    share = {"advice": "choose a probability from 0 to 1", "least": 0, "most": 1}
    if rule.sure_of not in SURE_OF:
        raise ValueError(
            f"sure_of is {rule.sure_of!r}; choose one of {', '.join(map(repr, SURE_OF))}"
        )
    return {
        "threshold": real("threshold", rule.threshold, **share),
        "edit": None if rule.edit is None else real("edit", rule.edit, **share),
        "temperature": check_temperature(rule.temperature),
    }
