"""Writing with a causal model: one token at a time, each drawn from what the model says comes next.

The model gives a number to each token of the vocabulary, its logit. The softmax turns logits into
probabilities, and from these a sampler draws. Three knobs reshape them first: *temperature* divides
the logits, below 1 for safer text, above 1 for wilder; *top_k* keeps the k likeliest tokens;
*top_p* keeps the fewest tokens that hold a share p of the probability (nucleus sampling: Holtzman
et al. 2020, arXiv:1904.09751). At temperature 0 the likeliest token is taken: greedy decoding.
"""

import torch

from utils.kv_cache import KVCache
from utils.trace import Step
from utils.transformer import check_tokens


def check_knobs(temperature, top_k, top_p):
    """Raise a clear error for a knob that is out of range."""
    if not temperature >= 0:
        raise ValueError(
            f"temperature is {temperature}; choose 0 for the likeliest token or a positive number"
        )
    if top_k is not None and (top_k < 1 or top_k != int(top_k)):
        raise ValueError(f"top_k is {top_k}; choose a whole number from 1 on, or None for no limit")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(
            f"top_p is {top_p}; choose a share above 0 and up to 1, or None for no limit"
        )


def distribution(logits, *, temperature=1.0, top_k=None, top_p=None):
    """The probabilities a sampler draws from: (..., vocab) logits -> (..., vocab), rows sum to 1.

    The knobs act in the order temperature, top_k, top_p. Raises ValueError if one is out of range.
    """
    check_knobs(temperature, top_k, top_p)
    vocab_size = logits.shape[-1]
    if temperature == 0:
        temperature, top_k = 1.0, 1
    largest = logits.amax(-1, keepdim=True)  # taken off, so that no temperature is too low
    if top_k is None and top_p is None:
        return ((logits - largest) / temperature).softmax(-1)
    best, tokens = logits.topk(min(top_k or vocab_size, vocab_size))  # likeliest first
    probs = ((best - largest) / temperature).softmax(-1)
    if top_p is not None:
        before = probs.cumsum(-1) - probs  # what the likelier tokens already hold
        probs = probs * (before < top_p)
        probs = probs / probs.sum(-1, keepdim=True)
    return torch.zeros_like(logits).scatter(-1, tokens, probs)


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
    trace: a list that gets one `utils.trace.Step` per new token, with the model's own probability
        (that is, at temperature 1) of the token and of the five likeliest others. Batch of 1 only.

    Raises TypeError or ValueError, saying what would do, for a prompt the model cannot read or that
    leaves no room for `max_new_tokens`, a knob out of range, a stop token outside the vocabulary, a
    cache that does not fit, a model that is not causal.
    """
    if not model.config.causal:
        raise ValueError(
            "causal=False: this model fills blanks; only a causal one can continue a text"
        )
    check_knobs(temperature, top_k, top_p)
    check_tokens(prompt, model.config)
    stops = _stop_tokens(stop, model.config.vocab_size)
    batch, length = prompt.shape
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens is {max_new_tokens}; choose 0 or more")
    max_len = model.config.max_len
    if length + max_new_tokens > max_len:
        raise ValueError(
            f"a prompt of {length} tokens and max_new_tokens={max_new_tokens} are too many: this "
            f"model's max_len={max_len}; ask for at most {max_len - length} new ones"
        )
    if trace is not None and batch > 1:
        raise ValueError(f"a trace follows one text but the prompt has {batch} rows; pass one row")
    if cache is True:
        cache = KVCache(model.config, batch, length + max_new_tokens)
    elif cache is False:
        cache = None
    elif cache.length >= length:
        raise ValueError(
            f"the cache holds {cache.length} positions and the prompt has {length}: at least its "
            f"last token must be left to read; use cache.crop({length - 1})"
        )

    if cache is not None and cache.max_len < length + max_new_tokens - 1:
        raise ValueError(
            f"the cache has room for max_len={cache.max_len} positions; a prompt of {length} "
            f"tokens and max_new_tokens={max_new_tokens} need {length + max_new_tokens - 1}"
        )
    tokens, ended = prompt, torch.zeros(batch, dtype=torch.bool)
    with torch.inference_mode():  # no gradients will be asked for, which saves time
        for _ in range(max_new_tokens):
            unread = tokens if cache is None else tokens[:, cache.length :]
            logits = model(unread, cache)[:, -1]  # (batch, vocab)
            if temperature == 0:
                new = logits.argmax(-1)
            else:
                probs = distribution(logits, temperature=temperature, top_k=top_k, top_p=top_p)
                new = torch.multinomial(probs, 1, generator=generator)[:, 0]
            new = torch.where(ended, tokens[:, -1], new)
            tokens = torch.cat([tokens, new[:, None]], dim=1)
            if trace is not None:
                trace.append(step(tokens, logits))
            ended |= torch.isin(new, stops)
            if ended.all():
                break
    return tokens.clone()  # a tensor like any other, which may be trained on


def score(model, tokens):
    """How likely the model finds each token after those before it: (batch, length) int64 ->
    (batch, length - 1) log-probabilities in nats. The first token has nothing before it.
    """
    log_probs = model(tokens)[:, :-1].log_softmax(-1)  # (batch, length - 1, vocab)
    return log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)


def _stop_tokens(stop, vocab_size):
    stops = [] if stop is None else [stop] if isinstance(stop, int) else list(stop)
    for token in stops:
        if not 0 <= token < vocab_size:
            raise ValueError(f"stop token {token} is outside the vocabulary (0..{vocab_size - 1})")
    return torch.tensor(stops, dtype=torch.int64)


def step(tokens, logits, n_alternatives=5):
    """One line of a trace: the text so far, its newest token, and the likeliest other tokens.

    tokens: (1, length); logits: (1, vocab), from which the newest token was chosen.
    """
    probs, chosen = logits[0].softmax(-1), int(tokens[0, -1])
    best = probs.topk(min(n_alternatives + 1, len(probs)))
    others = [
        (token, p)
        for p, token in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        if token != chosen
    ]
    return Step(
        tokens=tokens[0].tolist(),
        changed=[tokens.shape[1] - 1],
        probability=[float(probs[chosen])],
        alternatives=[others[:n_alternatives]],
    )
