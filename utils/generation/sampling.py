"""Writing with a causal model: one token at a time, each drawn from what the model says comes next.

The model gives a number to each token of the vocabulary, its logit. The softmax turns logits into
probabilities, and from these a sampler draws. Three knobs reshape them first: *temperature* divides
the logits, below 1 for safer text, above 1 for wilder; *top_k* keeps the k likeliest tokens;
*top_p* keeps the fewest tokens that hold a share p of the probability (nucleus sampling: Holtzman
et al. 2020, arXiv:1904.09751). At temperature 0 the likeliest token is taken: greedy decoding.
"""

import math

import torch

from utils.models.kv_cache import KVCache
from utils.models.temperature import (
    at_temperature,
    check_logits,
    check_temperature,
    checked_choice,
)
from utils.models.transformer import LAST, check_tokens, logits_at
from utils.text import chance
from utils.text.ids import token_ids
from utils.text.numbers import real, whole
from utils.text.trace import check_list, written


def distribution(logits, *, temperature=1.0, top_k=None, top_p=None):
    """The probabilities a sampler draws from: (..., vocab) logits -> (..., vocab), rows sum to 1.

    The knobs act in the order temperature, top_k, top_p. Raises ValueError if one is out of range.
    """
    temperature, top_k, top_p = check_knobs(temperature, top_k, top_p)
    probs = at_temperature(logits, temperature)
    if top_k is None and top_p is None:
        return probs
    vocab_size = probs.shape[-1]
    best, tokens = probs.topk(min(top_k or vocab_size, vocab_size))  # likeliest first
    best = best / best.sum(-1, keepdim=True)
    if top_p is not None:
        before = best.cumsum(-1) - best  # what the likelier tokens already hold
        smallest = torch.finfo(best.dtype).tiny  # less than that is none, and the likeliest stays
        best = best * (before < max(top_p, smallest))
        best = best / best.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, tokens, best)


def draw(logits, *, temperature=1.0, top_k=None, top_p=None, generator=None):
    """One token from each row: (..., vocab) logits or log-probabilities -> (...) int64.

    The draw is a race. Each token waits for a random time with a mean of 1 / its probability; the
    first to arrive is token i with exactly the probability of i. Raises ValueError where there is
    nothing to draw from, and for a knob out of range; TypeError for a generator that is none.
    """
    temperature, top_k, top_p = check_knobs(temperature, top_k, top_p)
    chance.check_generator(generator)
    if temperature == 0:
        check_logits(logits)
        return checked_choice(logits.argmax(-1), logits, above=-math.inf)
    probs = distribution(logits, temperature=temperature, top_k=top_k, top_p=top_p)
    chosen = (probs / chance.exponential_like(probs, generator)).argmax(-1)
    return checked_choice(chosen, probs, above=0)


def generate(
    model,
    prompt,
    max_new_tokens,
    *,
    temperature=0.0,
    top_k=None,
    top_p=None,
    stop=None,
    cache=True,
    generator=None,
    trace=None,
):
    """Continue each row of the prompt: (batch, length) int64 -> (batch, length + new) int64.

    temperature, top_k, top_p: see the top of this page. Greedy by default.
    stop: a token id, or several. A row ends with the first of them that it writes; the rows of a
        batch that end early repeat it until all have ended or `max_new_tokens` are written.
    cache: True keeps keys and values from step to step; False reads the whole text again for every
        token, with the same result. A `KVCache` that holds the first positions of this very prompt
        is continued, and afterwards holds all of the text but its last token.
    generator: where the chance comes from; None is PyTorch's global generator.
    trace: a list that gets one `utils.text.trace.Step` per new token, with the model's own
        probability (that is, at temperature 1) of the token and of the five likeliest others.
        Batch of 1 only.

    Raises TypeError or ValueError, saying what would do, for a prompt the model cannot read or that
    leaves no room for `max_new_tokens`, a knob out of range, a stop token outside the vocabulary, a
    cache that does not fit, a model that is not causal.
    """
    max_new_tokens = _check_prompt(model, prompt, max_new_tokens, trace)
    temperature, top_k, top_p = check_knobs(temperature, top_k, top_p)
    stops = _stop_tokens(stop, model.config.vocab_size, prompt.device)
    knobs = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "generator": generator}
    batch, length = prompt.shape
    cache = _cache_for(model, prompt, max_new_tokens, cache)

    tokens = prompt.new_empty(batch, length + max_new_tokens)  # room for all that will be written
    tokens[:, :length] = prompt
    ended = torch.zeros(batch, dtype=torch.bool, device=prompt.device)
    with torch.inference_mode():  # no gradients will be asked for, which saves time
        for at in range(length, length + max_new_tokens):
            unread = tokens[:, 0 if cache is None else cache.length : at]
            logits = logits_at(model, unread, LAST, cache)  # (batch, vocab)
            new = draw(logits, **knobs)
            if stops is not None:
                new = torch.where(ended, tokens[:, at - 1], new)
                ended |= torch.isin(new, stops)
            tokens[:, at] = new
            if trace is not None:
                trace.append(written(tokens[0, : at + 1], [at], logits.softmax(-1)))
            if stops is not None and ended.all():
                return tokens[:, : at + 1].clone()
    return tokens


def score(model, tokens):
    """How likely the model finds each token after those before it: (batch, length) int64 ->
    (batch, length - 1) log-probabilities in nats. The first token has nothing before it.
    """
    log_probs = model(tokens)[:, :-1].log_softmax(-1)  # (batch, length - 1, vocab)
    return log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


# -- what is checked before anything is written ---------------------------------------------------


def check_knobs(temperature, top_k, top_p):
    """The knobs as Python's own numbers; a clear error for one that is out of range."""
    if top_k is not None:
        advice = "choose a whole number from 1 on, or None for no limit"
        top_k = whole("top_k", top_k, advice, least=1, most=math.inf)
    if top_p is not None:
        advice = "choose a share above 0 and up to 1, or None for no limit"
        top_p = real("top_p", top_p, advice, above=0, most=1)
    return check_temperature(temperature), top_k, top_p


def _check_prompt(model, prompt, max_new_tokens, trace):
    if not model.config.causal:
        raise ValueError(
            "causal=False: this model fills blanks; only a causal one can continue a text"
        )
    check_tokens(prompt, model.config)
    batch, length = prompt.shape
    max_new_tokens = whole("max_new_tokens", max_new_tokens, "choose 0 or more", least=0)
    max_len = model.config.max_len
    if length + max_new_tokens > max_len:
        raise ValueError(
            f"a prompt of {length} tokens and max_new_tokens={max_new_tokens} are too many: this "
            f"model's max_len={max_len}; ask for at most {max_len - length} new ones"
        )
    check_list("trace", trace)
    if trace is not None and batch > 1:
        raise ValueError(f"a trace follows one text but the prompt has {batch} rows; pass one row")
    return max_new_tokens


def _stop_tokens(stop, vocab_size, device):
    """The stop tokens as a tensor; None if there are none, so that nothing need be compared."""
    if stop is None:
        return None
    return token_ids("stop", stop, vocab_size, fewest=0, device=device)


def _cache_for(model, prompt, max_new_tokens, cache):
    """The cache to write with: a new one, none, or the caller's own if it fits."""
    batch, length = prompt.shape
    if cache is True:
        room = max(length + max_new_tokens, 1)
        return KVCache.like(model, batch, room)
    if cache is False:
        return None
    if not isinstance(cache, KVCache):
        raise TypeError(f"cache is {cache!r}; give True, False or a KVCache that holds the prompt")
    if cache.length >= length:
        raise ValueError(
            f"the cache holds {cache.length} positions and the prompt has {length}: at least its "
            f"last token must be left to read; use cache.crop({length - 1})"
        )
    if cache.max_len < length + max_new_tokens - 1:
        raise ValueError(
            f"the cache has room for max_len={cache.max_len} positions; a prompt of {length} "
            f"tokens and max_new_tokens={max_new_tokens} need {length + max_new_tokens - 1}"
        )
    return cache
