"""Writing under a constraint: masking, looking ahead, particles, guidance.

What is aimed at is the model as it is, given that the text is accepted: p(text | accepted).

- *Masking* (`Mask`) forbids each token after which the constraint can no longer be met. All texts
  obey, and yet they are not those aimed at: a token that can still be saved by one unlikely ending
  counts as much as one that needs no saving (Park et al. 2024, arXiv:2405.21047). `Fitting` does it
  for a model that fills blanks, in whatever order: with the place filled first that the constraint
  is about, nothing is left to be saved.
- *Looking ahead* weighs each token by how likely the constraint is to be met after it. Where that
  probability is exact, so is the text (`measure/posterior.py`); where it is learned, it is FUDGE
  (Yang & Klein 2021, arXiv:2104.05218) or Ctrl-G (Zhang et al. 2024, arXiv:2406.13892).
- *Particles* (`particles`) write many texts side by side, by either of these, and keep account of
  how far each has been bent: the weight. Now and then those of little weight are dropped for copies
  of the others. With more of them it comes as near to p(text | accepted) as one likes (sequential
  Monte Carlo: Lew et al. 2023, arXiv:2306.03081; Loula et al. 2025, arXiv:2504.13139).
- *Guidance* (`Guided`) is for models that fill blanks: go from what is said without the condition
  towards what is said with it, and beyond (Ho & Salimans 2022, arXiv:2207.12598; for tokens:
  Schiff et al. 2024, arXiv:2412.10193).
"""

from dataclasses import dataclass

import torch

from utils.generation.sampling import draw
from utils.models.kv_cache import KVCache
from utils.models.transformer import LAST, logits_at
from utils.text import chance
from utils.text.ids import check_texts, checked_mask, size_for
from utils.text.numbers import real, whole


class Mask:
    """1 for each next token after which a text of this length can still be accepted, else 0.

    automaton: it reads the text without its first `given` tokens. length: of a whole text.
    """

    def __init__(self, automaton, length, given=1):
        length = whole("length", length, "a text has at least 1 token", least=1)
        advice = "a text may begin with 0 or more tokens that the automaton does not read"
        self.given = whole("given", given, advice, least=0, most=length)
        self.automaton, self.alive = automaton, automaton.alive(length - self.given)

    def __call__(self, tokens):
        """(rows, t) int64 -> (rows, vocab) float64."""
        left = len(self.alive) - 1 - (tokens.shape[1] - self.given) - 1  # after the next token
        after = self.automaton.moves[self.automaton.read(tokens[:, self.given :]).cpu()]
        return self.alive[left][after].double().to(tokens.device)


@dataclass(frozen=True)
class Particles:
    """texts: (rows, n, length) int64, n for each prompt. log_weights: (rows, n), how much likelier
    each is under p(text, accepted) than to be written so, with what resampling has evened out.
    log_evidence: (rows,), an estimate of log P(accepted); its exponential is right on average.
    sizes: (steps, rows), the effective sample size before each step's resampling, 1 to n."""

    texts: torch.Tensor
    log_weights: torch.Tensor
    log_evidence: torch.Tensor
    sizes: torch.Tensor

    def pick(self, generator=None):
        """One text for each prompt, as likely as its weight: (rows, length). Where none has any,
        the first."""
        first = torch.full_like(self.log_weights, -torch.inf)
        first[:, 0] = 0.0
        lost = (self.log_weights == -torch.inf).all(-1, keepdim=True)
        chosen = draw(torch.where(lost, first, self.log_weights), generator=generator)
        return self.texts[torch.arange(len(chosen), device=chosen.device), chosen]


def steer(model, prompt, new, weigh, *, cache=True, generator=None):
    """Continue each row, each token as likely as the model says, times its weight.

    prompt: (rows, length) int64. weigh: `weigh(tokens)` -> (rows, vocab), 0 or more: a `Mask`, or a
    look-ahead such as `Listed.future`. Returns (rows, length + new). Where all tokens weigh
    nothing, the model is left to itself.
    """
    return particles(model, prompt, new, weigh, n=1, cache=cache, generator=generator).texts[:, 0]


@torch.inference_mode()
def particles(model, prompt, new, weigh, *, n, resample=0.5, cache=True, generator=None):
    """Write n texts for each row of the prompt side by side: see the top of this page.

    resample: where the effective sample size is less than this share of n, particles are drawn anew
    by their weights (systematic resampling). 0: never, which is importance sampling. weigh: as in
    `steer`; in the end it must be 1 for a text that is accepted and 0 for any other.
    """
    n = whole("n", n, "write with at least 1 particle", least=1)
    new = whole("new", new, "write at least 1 token", least=1)
    resample = real("resample", resample, "choose a share from 0 to 1", least=0, most=1)
    check_texts(prompt, size_for(model))
    length = prompt.shape[1] + new
    said, cache = _begun(model, prompt, n, length if cache else None)  # (rows * n, vocab)
    tokens = prompt.repeat_interleave(n, 0)  # those of one prompt are together
    log_weights = torch.zeros(len(prompt), n, dtype=torch.float64, device=prompt.device)
    log_evidence, sizes = log_weights[:, 0].clone(), []
    ahead = torch.zeros(len(tokens), dtype=torch.float64, device=prompt.device)  # log, at the last
    for _ in range(new):
        said = said.double().log_softmax(-1)
        weight = torch.zeros_like(said)
        known = weigh(tokens).to(said)
        weight[:, : known.shape[1]] = known[:, : said.shape[1]]
        bent = said + weight.log()
        total = bent.logsumexp(-1)  # (rows * n,)
        lost = total == -torch.inf
        chosen = draw(torch.where(lost[:, None], said, bent), generator=generator)
        log_weights = log_weights + (total - ahead).view_as(log_weights)
        ahead = weight.gather(-1, chosen[:, None])[:, 0].log()
        ahead = torch.where(lost, 0.0, ahead)
        tokens = torch.cat([tokens, chosen[:, None]], 1)
        sizes.append(effective_size(log_weights))
        few = sizes[-1] < resample * n
        if few.any():
            rows = _systematic(log_weights, few, generator)  # (rows, n): whom each is a copy of
            mean = log_weights.logsumexp(-1) - torch.tensor(n).log()
            log_evidence = torch.where(few, log_evidence + mean, log_evidence)
            log_weights = torch.where(few[:, None], 0.0, log_weights)
            flat = (rows + n * torch.arange(len(rows), device=rows.device)[:, None]).flatten()
            tokens, ahead = tokens[flat], ahead[flat]
            if cache is not None:
                cache.keys.copy_(cache.keys[:, flat])
                cache.values.copy_(cache.values[:, flat])
        if tokens.shape[1] < length:
            unread = tokens[:, 0 if cache is None else cache.length :]
            said = logits_at(model, unread, LAST, cache)
    log_weights = log_weights - ahead.view_as(log_weights)
    log_evidence = log_evidence + log_weights.logsumexp(-1) - torch.tensor(n).log()
    texts = tokens.view(len(prompt), n, -1)
    return Particles(texts, log_weights, log_evidence, torch.stack(sizes))


def _begun(model, prompt, n, room):
    """What the model says after each prompt, for n texts that begin so, (rows * n, vocab), and a
    cache with so much room for each of them, or None. The prompt is read once for its n texts."""
    if room is None:
        return logits_at(model, prompt, LAST).repeat_interleave(n, 0), None
    once, cache = KVCache.like(model, len(prompt), room), KVCache.like(model, n * len(prompt), room)
    said = logits_at(model, prompt, LAST, once).repeat_interleave(n, 0)
    cache.length = once.length
    for each, read in ((cache.keys, once.keys), (cache.values, once.values)):
        each[..., : once.length, :] = read[..., : once.length, :].repeat_interleave(n, 1)
    return said, cache


def effective_size(log_weights):
    """As how many particles of equal weight these count: 1 / the sum of squared shares,
    (rows, n) -> (rows,). 0 where all have weight 0."""
    shares = log_weights.softmax(-1).nan_to_num(0.0)
    squares = shares.square().sum(-1)
    return torch.where(squares > 0, 1 / squares, 0.0)


def _systematic(log_weights, few, generator):
    """Whom each particle is a copy of: evenly spaced pointers, all shifted by one random number,
    into the row of shares. Rows that are not among the `few`, or have no weight, stay."""
    rows, n = log_weights.shape
    stay = torch.arange(n, device=log_weights.device).expand(rows, n)
    first = chance.uniform((rows, 1), device=log_weights.device, generator=generator).double()
    pointers = (stay + first) / n
    shares = log_weights.softmax(-1)
    found = torch.searchsorted(shares.cumsum(-1).contiguous(), pointers.contiguous())
    some = few & (log_weights > -torch.inf).any(-1)
    return torch.where(some[:, None], found.clamp(max=n - 1), stay)


class Fitting:
    """A model that fills blanks, barred from each token with which the text could no longer be
    accepted, whatever the other blanks are filled with. Fit for `diffusion.sample` at one token a
    pass; of several filled in one pass each is allowed on its own, and together they may not be.
    Where no token is left, none is barred.

    model: a function of tokens, (rows, length) -> (rows, length, vocab) logits. automaton: it reads
    the text without its first `given` tokens. mask_id: a blank.
    """

    def __init__(self, model, automaton, mask_id, given=1):
        advice = "a text may begin with 0 or more tokens that the automaton does not read"
        self.given = whole("given", given, advice, least=0)
        self.mask_id = checked_mask(mask_id, size_for(model))
        self.model, self.automaton = model, automaton

    def __call__(self, tokens):
        logits = self.model(tokens).clone()
        may = possible(self.automaton, tokens[:, self.given :], self.mask_id)
        barred = ~may & may.any(-1, keepdim=True)
        logits[:, self.given :].masked_fill_(barred, -torch.inf)
        return logits


def possible(automaton, tokens, mask_id):
    """Which token each place may hold, given what stands, so that some way of filling the blanks is
    accepted: (rows, length) int64 -> (rows, length, vocab) bool. Forwards, the states that can be
    reached; backwards, those from which acceptance can."""
    moves, accepts = automaton.moves.to(tokens.device), automaton.accepts.to(tokens.device)
    step = torch.nn.functional.one_hot(moves, len(moves)).float().transpose(0, 1)  # (vocab, q, q)
    mask_id = checked_mask(mask_id)
    words = torch.arange(len(step), device=tokens.device) != mask_id
    blank = step[words].amax(0)
    ways = torch.where((tokens == mask_id)[..., None, None], blank, step[tokens])  # at each place
    start = torch.arange(len(moves), device=tokens.device) == 0
    before, after = (
        [start.float().expand(len(tokens), -1)],
        [accepts.float().expand(len(tokens), -1)],
    )
    for way in ways.unbind(1):
        before.append(((before[-1][:, None] @ way)[:, 0] > 0).float())
    for way in ways.flip(1).unbind(1):
        after.insert(0, ((way @ after[0][..., None])[..., 0] > 0).float())
    found = [
        (now[..., None] * then[:, moves]).amax(1) > 0  # from any state here, by this token, to any
        for now, then in zip(before[:-1], after[1:], strict=True)
    ]
    return torch.stack(found, 1) & words


class Guided:
    """A model that fills blanks, guided: p(token | condition)^weight * p(token)^(1 - weight), at
    each place on its own.

    with_it, without: functions of tokens, (rows, length) -> (rows, length, vocab) logits. weight: 0
    takes no notice of the condition, 1 is what is said with it, more goes beyond. Fit for
    `diffusion.sample` and `enumeration.table`. The joint that is written with a weight above 1 is
    in general not p(text | condition)^weight * p(text)^(1 - weight), since each place is bent as
    if the others were not.
    """

    def __init__(self, with_it, without, weight):
        self.with_it, self.without = with_it, without
        self.weight = real("weight", weight, "choose 0 or more", least=0)

    def __call__(self, tokens):
        without = self.without(tokens).log_softmax(-1)
        if self.weight == 0:
            return without
        with_it = self.with_it(tokens).log_softmax(-1)
        bent = self.weight * with_it + (1 - self.weight) * without
        never = (with_it == -torch.inf) | (without == -torch.inf)
        return bent.masked_fill(never, -torch.inf).log_softmax(-1)
