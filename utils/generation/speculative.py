"""Speculative decoding: guess several tokens cheaply, and let the model check them in one pass.

A causal model reads many tokens in one pass, and says after each of them what should come next. So
whoever has a guess at the next tokens can have all of it checked for the price of one pass. A
guessed token is accepted with probability min(1, p / q), where q is how likely the drafter was to
guess it and p how likely the model is to write it; the first that is not is replaced by a draw from
what p has more than q, in proportion to max(0, p - q); and where all are accepted, one more token
comes free. What is written so has exactly the distribution of the model, whoever guessed and
however badly: bad guesses cost time and nothing else (Leviathan et al. 2022, arXiv:2211.17192,
algorithm 1; Chen et al. 2023, arXiv:2302.01318). At temperature 0 it is the greedy
text, up to the rounding of sums.

Rows of a batch go in step: all of them by as many tokens as the least lucky row has accepted, and
one more. That is exact too, since no row's luck says anything about another's tokens, and it is why
speculation gains less with a batch.

A drafter is anything with `propose(tokens, n, generator)` -> the guesses, (rows, n) int64, and what
each was drawn from, (rows, n, vocab); or None for a drafter that leaves nothing to chance.
"""

import torch

from utils.generation.sampling import check_knobs, distribution, draw
from utils.models.kv_cache import KVCache
from utils.models.transformer import LAST, check_tokens, logits_at
from utils.text import chance
from utils.text.numbers import whole
from utils.text.trace import check_list


@torch.inference_mode()
def generate(
    model,
    prompt,
    max_new_tokens,
    drafter,
    *,
    ahead=4,
    temperature=0.0,
    top_k=None,
    top_p=None,
    cache=True,
    generator=None,
    history=None,
):
    """Continue each row of the prompt: (rows, length) int64 -> (rows, length + max_new_tokens).

    ahead: how many tokens the drafter guesses before each pass. temperature, top_k, top_p: of the
    model, as in `sampling.generate`. cache: False reads everything again in each pass.
    history: a list that gets, for each forward pass of the model, how many tokens came of it.

    Raises ValueError like `sampling.generate`, and for a number ahead below 0.
    """
    max_new_tokens = _check(model, prompt, max_new_tokens)
    check_list("history", history)
    ahead = whole("ahead", ahead, "guess 0 tokens or more", least=0)
    temperature, top_k, top_p = check_knobs(temperature, top_k, top_p)
    knobs = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    tokens, end = prompt, prompt.shape[1] + max_new_tokens
    cache = KVCache.like(model, len(prompt), end) if cache else None
    while (length := tokens.shape[1]) < end:
        n = min(ahead, end - length - 1)  # the last token always comes of the model itself
        drafted, likely = drafter.propose(tokens, n, generator) if n else (tokens[:, :0], None)
        text = torch.cat([tokens, drafted], 1)
        unread = text[:, 0 if cache is None else cache.length :]
        logits = logits_at(model, unread, (slice(None), slice(-n - 1, None)), cache)
        new = verify(distribution(logits, **knobs), drafted, likely, generator)
        tokens = torch.cat([tokens, new], 1)
        if cache is not None:
            cache.crop(tokens.shape[1] - 1)
        if history is not None:
            history.append(new.shape[1])
    return tokens


def verify(probs, drafted, likely, generator=None):
    """What is written of a guess: (rows, k + 1), where each row has accepted k tokens or more.

    probs: (rows, n + 1, vocab), what the model would draw each guessed token from, and the one
    after. drafted: (rows, n). likely: (rows, n, vocab), what they were drawn from; None, certain.
    """
    n, vocab = drafted.shape[1], probs.shape[-1]
    if likely is None:
        likely = torch.nn.functional.one_hot(drafted, vocab)
    likely = likely.to(probs.dtype)
    p, q = (each.gather(-1, drafted[..., None])[..., 0] for each in (probs[:, :n], likely))
    dice = chance.uniform(p.shape, device=p.device, generator=generator, dtype=p.dtype)
    accepted = (dice * q < p).cumprod(-1).sum(-1)  # (rows,), in a row from the first on
    k = int(accepted.min())
    if k == n:
        return torch.cat([drafted, draw(probs[:, n].log(), generator=generator)[:, None]], 1)
    more = (probs[:, k] - likely[:, k]).clamp(min=0)
    more = torch.where(more.sum(-1, keepdim=True) > 0, more, probs[:, k])  # p = q, but for rounding
    instead = draw(more.log(), generator=generator)
    last = torch.where(accepted > k, drafted[:, k], instead)
    return torch.cat([drafted[:, :k], last[:, None]], 1)


# -- drafters ------------------------------------------------------------------------------------


class Small:
    """A smaller causal model over the same tokens. temperature: of its guesses; 0 and 1 guess the
    likeliest and draw as it says. It keeps a cache of its own, so it serves one text."""

    def __init__(self, model, temperature=0.0):
        self.model, self.temperature, self.cache = (
            model,
            check_knobs(temperature, None, None)[0],
            None,
        )

    def propose(self, tokens, n, generator=None):
        if self.cache is None:
            self.cache = KVCache.like(self.model, len(tokens))
        length, likely = tokens.shape[1], []
        self.cache.crop(min(self.cache.length, length - 1))  # what it guessed wrong is forgotten
        for _ in range(n):
            unread = tokens[:, self.cache.length :]
            logits = logits_at(self.model, unread, LAST, self.cache)
            likely.append(distribution(logits, temperature=self.temperature))
            new = draw(logits, temperature=self.temperature, generator=generator)
            tokens = torch.cat([tokens, new[:, None]], 1)
        return tokens[:, length:], torch.stack(likely, 1)


class Counts:
    """A Markov chain of `models/markov.py`, which costs little; temperature as in `Small`."""

    def __init__(self, chain, temperature=0.0):
        self.chain, self.temperature = chain, check_knobs(temperature, None, None)[0]

    def propose(self, tokens, n, generator=None):
        length, likely = tokens.shape[1], []
        for _ in range(n):
            recent = tokens[:, max(0, tokens.shape[1] - self.chain.order) :]
            logits = self.chain.next_probs(recent.cpu()).to(tokens.device).log()
            likely.append(distribution(logits, temperature=self.temperature))
            new = draw(logits, temperature=self.temperature, generator=generator)
            tokens = torch.cat([tokens, new[:, None]], 1)
        return tokens[:, length:], torch.stack(likely, 1)


class Lookup:
    """No model at all: the last tokens have stood in this text before, so guess that what followed
    them then follows now (prompt lookup decoding: Saxena 2023,
    https://github.com/apoorvumang/prompt-lookup-decoding).

    most: how many of the last tokens are looked for; if they are not found, one fewer, and so on.
    Of several places the latest counts. Where nothing is found the last token is guessed again.
    """

    def __init__(self, most=3):
        self.most = whole("most", most, "look for at least 1 token", least=1)

    def propose(self, tokens, n, generator=None):
        rows = [self._after(row.tolist(), n) for row in tokens]
        return tokens.new_tensor(rows).view(len(tokens), n), None

    def _after(self, row, n):
        for k in range(min(self.most, len(row) - 1), 0, -1):
            for start in range(len(row) - k - 1, -1, -1):
                if row[start : start + k] == row[-k:]:
                    found = row[start + k : start + k + n]
                    return found + [row[-1]] * (n - len(found))
        return [row[-1]] * n


def _check(model, prompt, max_new_tokens):
    config = getattr(model, "config", None)
    max_new_tokens = whole("max_new_tokens", max_new_tokens, "choose 0 or more", least=0)
    if config is None:
        return max_new_tokens
    if not config.causal:
        raise ValueError(
            "causal=False: this model fills blanks; only a causal one can continue a text"
        )
    check_tokens(prompt, config)
    if prompt.shape[1] + max_new_tokens > config.max_len:
        raise ValueError(
            f"a prompt of {prompt.shape[1]} tokens and max_new_tokens={max_new_tokens} are too "
            f"many: this model's max_len={config.max_len}"
        )
    return max_new_tokens
