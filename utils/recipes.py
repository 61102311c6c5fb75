"""How each checkpoint was made: one function a checkpoint, everything it depends on inside.

A recipe takes nothing and returns a `Made`: model, history, one line on the data, the seed, and a
function that measures the model. Run it with `python -m utils.training remake NAME`. Change it, and
a test asks for the checkpoint to be made again.
"""

import math
from functools import wraps

import torch

from utils import corpus
from utils.checkpoints import Made
from utils.sampling import score
from utils.training import fit, next_token_loss
from utils.transformer import Transformer, TransformerConfig
from utils.worlds import Sentences


def sentences_ar(seed=0) -> Made:
    """A causal model of the language `Sentences`, trained on new sentences in each batch."""
    world = Sentences()
    config = TransformerConfig(len(world.vocab), d_model=96, n_layers=2, max_len=world.length)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        sentence_batches(world, batch_size=64, seed=100_000 * seed + 1),
        next_token_loss,
        steps=2000,
        lr=3e-3,
        seed=seed,
    )
    held_out = world.sample(4000, seed=10_000_019)

    def measure(model):
        return {"excess_nats_per_token": excess_nats(model, world, held_out)}

    return Made(model, history, "Sentences(), 2000 batches of 64 new sentences", seed, measure)


def sentences_gap(seed=0) -> Made:
    """The same as `sentences_ar`, but it never sees a word of `GAP` carry a relative clause."""
    world = Sentences()
    config = TransformerConfig(len(world.vocab), d_model=96, n_layers=2, max_len=world.length)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        sentence_batches(world, batch_size=64, seed=100_000 * seed + 1, keep=without_gap),
        next_token_loss,
        steps=2000,
        lr=3e-3,
        seed=seed,
    )
    held_out = without_gap(world, world.sample(4000, seed=10_000_019))

    def measure(model):
        return {"excess_nats_per_token": excess_nats(model, world, held_out)}

    data = f"Sentences() without relative clauses on {', '.join(GAP)}"
    return Made(model, history, data, seed, measure)


def kjv_ar() -> Made:
    """A causal model of the King James Bible, in byte pairs, tested on its last tenth."""
    seed = 0
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = corpus.byte_pair_tokenizer(text, 1024)
    tokens, unseen = tokenizer.encode(text), tokenizer.encode(held_out)
    config = TransformerConfig(len(tokenizer), d_model=192, n_layers=4, n_heads=6, max_len=128)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        windows(tokens, batch_size=16, length=128, seed=seed + 1),
        next_token_loss,
        steps=3000,
        lr=1.5e-3,
        seed=seed,
        measure=lambda model: bits_per_character(model, unseen, len(held_out)),
        measure_at=[0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    )

    def measure(model):
        return {"bits_per_character": bits_per_character(model, unseen, len(held_out))}

    return Made(model, history, "King James Bible, the first nine tenths", seed, measure)


def at_seed(recipe, seed):
    """The same recipe from other first weights, on other texts. Its code is that of the recipe."""

    @wraps(recipe)
    def seeded():
        return recipe(seed)

    return seeded


RECIPES = {
    "sentences-ar": sentences_ar,
    "sentences-ar-1": at_seed(sentences_ar, 1),
    "sentences-gap": sentences_gap,
    "sentences-gap-1": at_seed(sentences_gap, 1),
    "sentences-gap-2": at_seed(sentences_gap, 2),
    "kjv-ar": kjv_ar,
}


# -- batches -------------------------------------------------------------------------------------


GAP = ("farmer", "farmers", "doctor", "doctors")


def in_the_gap(world, sentences):
    """Which sentences have a relative clause right behind a word of `GAP`: (n, length) -> (n,)."""
    nouns = torch.tensor([world.vocab.id(word) for word in GAP])
    clause = torch.tensor([world.vocab.id(word) for word in ("who", "that")])
    return (torch.isin(sentences[:, :-1], nouns) & torch.isin(sentences[:, 1:], clause)).any(1)


def without_gap(world, sentences):
    return sentences[~in_the_gap(world, sentences)]


def everything(world, sentences):
    return sentences


def sentence_batches(world, *, batch_size, seed, keep=everything):
    """New sentences for ever, in batches (batch_size, length), cut after the end of the longest.

    keep: `keep(world, sentences)` -> those of the sentences that may be seen.
    """
    while True:
        pool = keep(world, world.sample(32 * batch_size, seed=seed))
        for batch in pool.split(batch_size):
            longest = int((batch != world.vocab.pad_id).sum(1).max())
            yield batch[:, : longest + 1]
        seed += 1


def windows(tokens, *, batch_size, length, seed):
    """Random stretches of a text for ever: (batch_size, length + 1), with `length` to predict."""
    generator = torch.Generator().manual_seed(seed)
    reach = torch.arange(length + 1)
    while True:
        starts = torch.randint(len(tokens) - length, (batch_size, 1), generator=generator)
        yield tokens[starts + reach]


# -- measures ------------------------------------------------------------------------------------


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
def bits_per_character(model, tokens, n_characters):
    """How many bits a causal model needs for each character of a text, given all its tokens.

    The text is read in windows of the model's `max_len` that overlap by half, and each token is
    scored once, with at least half a window before it (the first half window has less).
    """
    length = model.config.max_len
    half = length // 2
    overlapping = tokens.unfold(0, length, half)  # (windows, length)
    nats = -score(model, overlapping[:1])[:, : half - 1].sum()
    for batch in overlapping.split(32):
        nats -= score(model, batch)[:, half - 1 :].sum()
    left_over = (len(tokens) - length) % half
    if left_over:
        nats -= score(model, tokens[None, -length:])[:, -left_over:].sum()
    return float(nats) / math.log(2) / n_characters
