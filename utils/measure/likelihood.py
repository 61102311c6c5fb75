"""How well a model knows a language or a text: nats above the truth, bits for each character."""

import math
from functools import partial

import torch

from utils.generation import diffusion
from utils.generation.sampling import score
from utils.measure import enumeration
from utils.text.ids import check_text, check_texts
from utils.text.numbers import whole

ORDERS = ("random", "left-to-right")


@torch.no_grad()
def excess_nats(model, world, sentences):
    """How far a causal model is from the truth, in nats per word: the Kullback-Leibler divergence
    of its next-token probabilities from the world's exact ones, averaged over the words.

    It is the model's loss less the exact entropy, without the noise of which word happened to come.
    """
    truth = world.next_probs(sentences)[:, :-1]  # (n, length - 1, vocab)
    log_probs = model(sentences[:, :-1]).log_softmax(-1)
    divergence = (torch.xlogy(truth, truth) - truth * log_probs).sum(-1)
    words = sentences[:, 1:] != world.vocab.pad_id
    return float(divergence[words].mean())


@torch.no_grad()
def exact(model, tokens, mask_id=None, *, order="random", given=1):
    """The log-probability of each text, exactly and no bound: (batch, length) -> (batch,) in nats.

    For a causal model, by the chain rule. For a denoiser, which gives one to each order of filling:
    that of filling "left-to-right", one token a pass with blanks to the right; or in an order drawn
    at "random", the average over all orders (at most 12 tokens, for all 2^n states are asked for).
    given: the first so many tokens are given; a causal model has nothing before its first.
    """
    check_texts(tokens, model.config.vocab_size)
    length = tokens.shape[1]
    advice = f"choose 1 to {length - 1}: the texts have {length} tokens"
    given = whole("given", given, advice, least=1, most=length - 1)
    if model.config.causal:
        return score(model, tokens)[:, given - 1 :].sum(1)
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; choose one of {', '.join(map(repr, ORDERS))}")
    mask_id = diffusion.check_model(model, mask_id)
    if order == "random":
        said = partial(diffusion.log_probs, model, mask_id=mask_id)
        table = enumeration.table(said, tokens, range(given, length), mask_id)
        return enumeration.in_random_order(table)
    total = torch.zeros(len(tokens), device=tokens.device)
    for at in range(given, length):
        noisy, where = tokens.clone(), torch.zeros_like(tokens, dtype=torch.bool)
        noisy[:, at:], where[:, at] = mask_id, True
        said = diffusion.log_probs(model, noisy, mask_id, where)  # (batch, vocab)
        total += said.gather(-1, tokens[:, at, None])[:, 0]
    return total


@torch.no_grad()
def kl(world, model, mask_id=None, *, order="random"):
    """How far a model is from a language whose texts can all be listed: the Kullback-Leibler
    divergence from truth to model, in nats a text, exactly. order: as in `exact`."""
    given = {} if mask_id is None else {"mask_id": mask_id, "order": order}
    return kl_of(world, exact(model, world.texts, **given).double())


def kl_of(world, log_probs):
    """The same for whoever gives the `texts` of a world these log-probabilities, (texts,), nats.
    Of a lower bound on them it is an upper bound."""
    truth = world.log_prob(world.texts)
    return float(truth.exp() @ (truth - log_probs))


@torch.no_grad()
def bits_per_character(model, tokens, n_characters):
    """How many bits a causal model needs for each character of a text, given all its tokens.

    The text is read in windows of the model's `max_len` that overlap by half, and each token is
    scored once, with at least half a window before it (the first half window has less).
    """
    n_characters = _check_characters(n_characters)
    length = _check_length(model, tokens)
    half = length // 2
    overlapping = tokens.unfold(0, length, half)  # (windows, length)
    nats = -score(model, overlapping[:1])[:, : half - 1].sum()
    for batch in overlapping.split(32):
        nats -= score(model, batch)[:, half - 1 :].sum()
    left_over = (len(tokens) - length) % half
    if left_over:
        nats -= score(model, tokens[None, -length:])[:, -left_over:].sum()
    return float(nats) / math.log(2) / n_characters


def bound_per_character(model, tokens, n_characters, mask_id, *, samples):
    """How many bits a diffusion model needs for each character of a text: at most so many.

    The windows are those of `bits_per_character`. In each, the first half is given and the ELBO of
    the second half taken (of all of it in the first window), so each token is counted once.
    samples: noisy versions of each window; see `diffusion.elbo`.
    """
    n_characters = _check_characters(n_characters)
    length = _check_length(model, tokens)
    half = length // 2
    generator = torch.Generator().manual_seed(0)

    def nats(rows, given):
        frozen = torch.arange(length) < given
        found = diffusion.elbo(
            model, rows, mask_id, samples=samples, frozen=frozen, generator=generator
        )
        return -float(found.sum())

    overlapping = tokens.unfold(0, length, half)  # (windows, length)
    total = nats(overlapping[:1], 0)
    for start in range(1, len(overlapping), 32):
        total += nats(overlapping[start : start + 32], half)
    left_over = (len(tokens) - length) % half
    if left_over:
        total += nats(tokens[None, -length:], length - left_over)
    return total / math.log(2) / n_characters


def _check_length(model, tokens):
    """How long a window of the text is; a clear error unless it is one, as long as that."""
    check_text(tokens)
    length = model.config.max_len
    if len(tokens) < length:
        raise ValueError(
            f"tokens are {len(tokens)}; give a text of at least {length}, the model's max_len"
        )
    return length


def _check_characters(n_characters):
    advice = "say how many characters the tokens stand for, at least 1"
    return whole("n_characters", n_characters, advice, least=1)
