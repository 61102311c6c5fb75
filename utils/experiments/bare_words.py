"""A past of bare words: what would it cost to rebuild everything from nothing at each token?

In a transformer the keys and values of an earlier position hold what that position has worked out
so far. Here they may not: an earlier position offers, in every layer, what it makes of its own
token alone. The newest position gathers from all of them, in every layer, and has to do all the
thinking by itself; the next one begins again. What it still has is a memory network (Sukhbaatar et
al. 2015, arXiv:1503.08895): several looks at a list of words.

One pass for a whole text, with the weights of an ordinary `Transformer`. Each token stands twice.
The *offering* stream is what later positions see of it; the *reading* stream predicts:

                     offers of the past      its own
    offering stream  its last `reach` only   (the same)
    reading stream   all                     its own reading

With `reach` as long as the text both streams are the ordinary model's, number for number.
"""

from contextlib import ExitStack

import torch
import torch.nn.functional as F
from torch.nn.functional import cross_entropy

from utils.models.arithmetic import threaded_matmul, widened
from utils.models.transformer import check_tokens, rms_norm
from utils.text.numbers import real, whole


def bare(model, tokens, reach=1):
    """Logits of a causal model at each position, whose past consists of bare words: (batch, length)
    int64 -> (batch, length, vocab) float32.

    reach: how many tokens an earlier position may look at while it is computed, itself among them.
    Raises ValueError if the model is not causal or reach is below 1, and what `Transformer` raises.
    """
    if not model.config.causal:
        raise ValueError("causal=False: only a causal model has a past; choose one that is causal")
    check_tokens(tokens, model.config)
    length = tokens.shape[1]
    mask = two_streams(length, whole("reach", reach, "choose 1 or more tokens", least=1))
    turns = torch.view_as_complex(widened(model.rotary[:length]))
    rotary = torch.cat([turns, turns])[:, None]  # both streams of a token stand at its place
    embedding = model.output.T if model.config.tie_embeddings else model.embedding
    x = F.embedding(torch.cat([tokens, tokens], 1), embedding)  # (batch, 2 * length, d_model)
    for layer in model.layers:
        x = layer(x, rotary, mask.to(tokens.device))
    x = rms_norm(x[:, length:], model.config.norm_eps) * model.scale
    return widened(threaded_matmul(x, model.output))


def two_streams(length, reach):
    """What each position of the two streams may look at: (2 * length, 2 * length) bool, the
    offering stream first."""
    back = torch.arange(length)[:, None] - torch.arange(length)  # how far back the column stands
    offering = torch.cat([(0 <= back) & (back < reach), torch.zeros_like(back, dtype=bool)], 1)
    reading = torch.cat([back > 0, back == 0], 1)
    return torch.cat([offering, reading])


def bare_loss(model, tokens, reach=1):
    """`next_token_loss` of a model whose past consists of bare words: a scalar, nats per token."""
    logits = bare(model, tokens[:, :-1], reach)
    return cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@torch.no_grad()
def surprise(read, rows, given):
    """Nats per token of each row, of the tokens after the first `given`: (n,).

    read: tokens -> logits, such as a model or `partial(bare, model)`. rows: (n, length) int64.
    """
    log_probs = torch.cat([read(few).log_softmax(-1) for few in rows[:, :-1].split(50)])
    nats = -log_probs.gather(2, rows[:, 1:, None])[..., 0]  # (n, length - 1)
    return nats[:, given:].mean(1)


def last_word_alone(rows, vocab_size, *, weight=5.0):
    """Whoever sees the last word only, and has counted what follows it: tokens -> log-probs.

    rows: (n, length) int64, to count in. weight: of the frequency of a word as such, in sightings,
    where few followers were counted. It is the floor: what the words before the last are worth is
    what a model predicts better than this. Raises ValueError for tokens outside the vocabulary.
    """
    most = int(rows.max()) + 1
    advice = f"the rows hold tokens up to {most - 1}; choose at least {most}"
    vocab_size = whole("vocab_size", vocab_size, advice, least=most)
    weight = real("weight", weight, "choose a number of sightings above 0, such as 5", above=0)
    pairs = rows[:, :-1] * vocab_size + rows[:, 1:]
    counts = pairs.flatten().bincount(minlength=vocab_size**2).view(vocab_size, vocab_size).double()
    frequency = (counts.sum(0) + 1e-3) / (counts.sum(0) + 1e-3).sum()
    probs = (counts + weight * frequency) / (counts.sum(1, keepdim=True) + weight)
    return lambda tokens: probs.log()[tokens]


def looking(model, mask):
    """While this context is open, the model's positions see what `mask` allows in every layer:
    (queries, keys) bool. So a mask is tried on a model that was trained without it."""

    def swap(attention, inputs):
        x, rotary, _, cache = inputs
        return x, rotary, mask, cache

    hooks = ExitStack()
    for layer in model.layers:
        hooks.enter_context(layer.attention.register_forward_pre_hook(swap))
    return hooks
