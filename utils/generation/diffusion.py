"""Text diffusion: hide tokens at random, learn to fill them in, then write by filling in blanks.

Noise here is forgetting: each token is replaced by a *mask* with some probability, the rate. A
model that sees what is left on both sides (`causal=False`) learns to name what was hidden. Starting
from nothing but masks, it can then write in any order, and several tokens in one pass.

The loss is a bound. Draw an order of the positions at random and reveal the text in that order, one
token at a time: by the chain rule these conditional probabilities multiply to a probability of the
text, and the average of its logarithm over all orders is at most the logarithm of the average,
which is what the model gives the text when it reveals in a random order. That average is the ELBO
(evidence lower bound), and the loss is its negative, per token. Sources: Uria et al. 2014
(arXiv:1310.1757) and Hoogeboom et al. 2022 (arXiv:2110.02037) for orders; Austin et al. 2021
(arXiv:2107.03006), Sahoo et al. 2024 (arXiv:2406.07524) and Shi et al. 2024 (arXiv:2406.04329) for
masking as a diffusion; Ou et al. 2024 (arXiv:2406.03736) for their being the same.
"""

import math

import torch

from utils.generation.rounds import check_one_text
from utils.generation.sampling import draw
from utils.models.temperature import check_temperature
from utils.models.transformer import logits_at
from utils.text import chance
from utils.text.ids import check_texts, checked_mask, size_for
from utils.text.numbers import real, whole
from utils.text.trace import written

ORDERS = ("confidence", "random", "left-to-right")


def check_model(model, mask_id):
    """The mask's id as an int; a clear error for one that is none, and for a model that cannot fill
    blanks. Any function of tokens may pass."""
    if size_for(model) and model.config.causal:
        raise ValueError("causal=True: this model sees only what lies before; make one that is not")
    return checked_mask(mask_id, size_for(model))


def corrupt(tokens, rate, mask_id, *, frozen=None, generator=None):
    """Hide each token with probability `rate`, independently of the others.

    tokens: (batch, length) int64. rate: 0 to 1, one number or one for each row, (batch,).
    frozen: True where a token must stay, (length,) or (batch, length).
    Returns the noisy tokens, with mask_id where one is hidden, and where that is, (batch, length)
    bool. Raises ValueError for a rate outside [0, 1] or a `frozen` of another shape or kind.
    """
    check_texts(tokens)
    mask_id, rate = checked_mask(mask_id), _checked_rate(tokens, rate)
    noise = chance.uniform(tokens.shape, device=tokens.device, generator=generator)
    masked = (noise < rate[..., None]) & _free(tokens, frozen)
    return tokens.masked_fill(masked, mask_id), masked


def loss(model, tokens, mask_id, *, frozen=None, generator=None):
    """The negative ELBO in nats per token that is not frozen: a scalar to minimise.

    One noisy version of each row is drawn, and what the model says of its hidden tokens averaged.
    This is an unbiased estimate, see `hide`. The rates of the rows of a batch are spread evenly, so
    that no batch is easier than the next by chance.

    tokens: (batch, length) int64 without masks; frozen as in `corrupt`. Raises ValueError where
    nothing is left to hide, and for a mask_id that the model lacks or the tokens hold.
    """
    check_texts(tokens, size_for(model))
    rates = spread_rates(tokens, generator)
    return -_reconstruction(model, tokens, rates, mask_id, frozen, generator).mean()


def spread_rates(tokens, generator=None):
    """A rate for each row, (batch,): each on its own is uniform from 0 to 1, and together they are
    spread evenly, so that no batch is easier than the next by chance."""
    first = chance.uniform((), device=tokens.device, generator=generator)
    return (first + torch.arange(len(tokens), device=tokens.device) / len(tokens)) % 1


@torch.no_grad()
def elbo(model, tokens, mask_id, *, samples, frozen=None, generator=None):
    """An estimate of the ELBO, a lower bound on each row's log-probability: (batch,) in nats.

    samples: noisy versions of each row to average over; their rates are spread evenly from 0 to 1.
    frozen: these tokens are given, and the bound is on the others given them; as in `corrupt`.
    The estimate is unbiased; it scatters about the bound, ever less with more samples. Raises
    ValueError like `loss`, and for fewer samples than one.
    """
    check_texts(tokens, size_for(model))
    samples = whole("samples", samples, "a bound takes at least one", least=1)
    first = chance.uniform((len(tokens),), device=tokens.device, generator=generator)
    total = torch.zeros_like(first)
    for i in range(samples):
        rates = (first + i / samples) % 1
        total = total + _reconstruction(model, tokens, rates, mask_id, frozen, generator)
    return total / samples * _free(tokens, frozen).sum(-1)


def hide(tokens, rates, mask_id, *, frozen=None, generator=None):
    """Corrupt so that at least one token is hidden: one drawn evenly, the others with their rate.

    With a rate drawn evenly from 0 to 1, the number of hidden tokens is any from 1 to all, each as
    likely: just what one meets who stops, at a random moment, while revealing the text in a random
    order. So the mean of -log p over the hidden tokens is, on average, the negative ELBO per token.
    """
    check_texts(tokens)
    mask_id, free = checked_mask(mask_id), _free(tokens, frozen)
    if not free.any(-1).all():
        raise ValueError("frozen leaves a row nothing to hide; leave at least one token free")
    noisy, masked = corrupt(tokens, rates, mask_id, frozen=frozen, generator=generator)
    lots = chance.uniform(tokens.shape, device=tokens.device, generator=generator)
    lots = lots.masked_fill(~free, -1.0)
    masked = masked.scatter(-1, lots.argmax(-1, keepdim=True), True)
    return noisy.masked_fill(masked, mask_id), masked


def log_probs(model, tokens, mask_id, where=None):
    """What the model says stands at each position: (batch, length, vocab) log-probabilities in
    nats; or, where `where` is an index of n positions such as a bool mask, there: (n, vocab).

    A mask is no token: it gets probability 0 and the others share what it would have had.
    """
    logits = model(tokens) if where is None else logits_at(model, tokens, where)
    mask = torch.tensor(checked_mask(mask_id, logits.shape[-1]), device=logits.device)
    return logits.index_fill(-1, mask, -torch.inf).log_softmax(-1)


def sample(
    model,
    tokens,
    mask_id,
    *,
    steps=None,
    order="confidence",
    temperature=0.0,
    threshold=None,
    generator=None,
    trace=None,
):
    """Fill every mask and leave all other tokens as they are: (batch, length) int64 -> the same.

    At each pass the model reads the text, a token is chosen for every mask, and some of them are
    kept. Rows without a mask left are not read again.

    steps: how many passes to take at most; the masks of a row are shared out evenly. None fills one
        mask a pass.
    order: which masks come first: "confidence", those where the model's likeliest token is
        likeliest; "random"; or "left-to-right".
    temperature: 0 takes the likeliest token; 1 draws as the model says; more is wilder.
    threshold: a pass also keeps every token whose position has a likeliest token at least this
        likely, however many they are.
    generator: where the chance comes from; None is PyTorch's global generator.
    trace: a list that gets one `utils.text.trace.Step` per pass. Batch of 1 only.

    Where a mask comes first depends on the model's probabilities, never on the token that was
    drawn. So with true conditional probabilities and one mask a pass at temperature 1, texts are
    drawn from the true distribution, in whatever order.

    Raises TypeError or ValueError, saying what would do, for tokens the model cannot read or that
    hold no mask, a mask_id it lacks, steps below 1 or above the most masks of any row, an order
    without a name, a temperature below 0, a threshold outside (0, 1], a causal model.
    """
    mask_id, most, passes, threshold = _check_sampling(
        model, tokens, mask_id, steps, order, threshold, trace
    )
    one_each = passes == most  # one mask of a row in a pass, so none has more than passes are left
    temperature = check_temperature(temperature)
    tokens = tokens.clone()
    with torch.inference_mode():  # no gradients will be asked for, which saves time
        for passes_left in range(passes, 0, -1):
            masked = tokens == mask_id
            unfinished = masked.any(-1)  # rows with something left to fill
            some = ... if unfinished.all() else unfinished
            text, masked = tokens[some], masked[some]  # (rows, length)
            at = masked.nonzero(as_tuple=True)  # row and position of each mask
            if not len(at[0]):
                break
            said = log_probs(model, text, mask_id, at)  # (masks in all, vocab)
            confidence = said.new_full(text.shape, -torch.inf)
            confidence[at] = said.amax(-1)
            first = _rank(order, confidence, masked, generator)
            chosen = _largest(first, masked, passes_left, one_each)
            if threshold is not None:
                chosen |= confidence >= math.log(threshold)
            said = said[chosen[at]]
            text[chosen] = draw(said, temperature=temperature, generator=generator)
            tokens[some] = text
            if trace is not None:
                trace.append(written(text[0], chosen[0].nonzero()[:, 0], said.exp()))
    return tokens


def _largest(numbers, masked, passes_left, one_each):
    """Where the largest numbers of each row are, (rows, length) bool: so many that the masks of a
    row are spread evenly over the passes that are left. Of equal numbers the earlier.

    one_each: whether that is one in each row.
    """
    chosen = torch.zeros_like(masked)
    if one_each:
        return chosen.scatter(-1, numbers.argmax(-1, keepdim=True), True)
    share = -(-masked.sum(-1, keepdim=True) // passes_left)  # of each row's, rounded up
    most = int(share.max())
    ranked = numbers.argsort(dim=-1, descending=True, stable=True)[:, :most]
    return chosen.scatter(-1, ranked, torch.arange(most, device=numbers.device) < share)


def _rank(order, confidence, masked, generator):
    """A number for each mask, -inf elsewhere: (rows, length). The largest are filled first."""
    if order == "confidence":
        return confidence
    if order == "random":
        ranks = chance.uniform(masked.shape, device=masked.device, generator=generator)
    else:
        ranks = -torch.arange(masked.shape[1], dtype=torch.float32, device=masked.device)
    return torch.where(masked, ranks, -torch.inf)


def _reconstruction(model, tokens, rates, mask_id, frozen, generator):
    """Mean log-probability of the hidden tokens of one noisy version of each row: (batch,)."""
    mask_id = check_model(model, mask_id)
    if (tokens == mask_id).any():
        raise ValueError(f"tokens hold the mask id {mask_id}; a text to learn from has no blanks")
    noisy, masked = hide(tokens, rates, mask_id, frozen=frozen, generator=generator)
    at = masked.nonzero(as_tuple=True)  # row and position of each hidden token
    said = log_probs(model, noisy, mask_id, at)  # (hidden in all, vocab)
    right = said.gather(-1, tokens[at][:, None])[:, 0]
    return right.new_zeros(len(tokens)).index_add(0, at[0], right) / masked.sum(-1)


def _checked_rate(tokens, rate):
    """The rate, or one of each row, as a tensor, () or (batch,) float32."""
    advice = "give a share from 0 to 1, or one for each row"
    if not isinstance(rate, torch.Tensor) or not rate.is_floating_point():
        given = rate.tolist() if hasattr(rate, "tolist") else rate
        many = isinstance(given, list | tuple)
        given = [
            real("rate", each, advice, least=0, most=1) for each in (given if many else [given])
        ]
        rate = torch.tensor(given if many else given[0])
    rate = rate.to(tokens.device, torch.float32)
    if not ((rate >= 0) & (rate <= 1)).all() or rate.shape not in ((), tokens.shape[:1]):
        raise ValueError(f"rate is {rate.tolist()}; {advice}")
    return rate


def _free(tokens, frozen):
    """Where a token may be hidden, (batch, length) bool."""
    if frozen is None:
        return torch.ones_like(tokens, dtype=torch.bool)
    shapes = tokens.shape, tokens.shape[-1:]
    tensor = isinstance(frozen, torch.Tensor)
    if not tensor or frozen.dtype != torch.bool or frozen.shape not in shapes:
        what = f"{frozen.dtype} of shape {tuple(frozen.shape)}" if tensor else repr(frozen)
        raise ValueError(
            f"frozen is {what}; give a tensor of bool, True where a token must stay, of shape "
            f"{tuple(shapes[0])} or {tuple(shapes[1])}"
        )
    return ~frozen.to(tokens.device).expand(tokens.shape)


def _check_sampling(model, tokens, mask_id, steps, order, threshold, trace):
    """Raise a clear error for what `sample` cannot do; else the mask's id, the most masks of any
    row, how many passes it is to take, and the threshold, as Python's own numbers."""
    mask_id = check_model(model, mask_id)
    if not isinstance(tokens, torch.Tensor) or tokens.dtype != torch.int64 or tokens.dim() != 2:
        raise TypeError("tokens must be an int64 tensor (batch, length); tokens[None] adds a batch")
    check_texts(tokens, size_for(model))
    most = int((tokens == mask_id).sum(-1).max())
    if most == 0:
        raise ValueError(f"tokens hold no mask, mask_id {mask_id}; put it where to write")
    advice = f"choose from 1 to {most}, one mask a pass"
    passes = most if steps is None else whole("steps", steps, advice, least=1, most=most)
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; choose one of {', '.join(map(repr, ORDERS))}")
    if threshold is not None:
        advice = "choose a probability above 0 and up to 1"
        threshold = real("threshold", threshold, advice, above=0, most=1)
    check_one_text(tokens, trace)
    return mask_id, most, passes, threshold
