"""Twins on `Sentences` and on the King James Bible: an ordinary one, and one whose past consists of
bare words, as `experiments/bare_words.py` has it. Beside them a model of a single layer, which is
both at once: what the positions of a first layer offer depends on their own token alone."""

from dataclasses import replace
from functools import cache, partial

from utils.checkpoints.recipe import Recipe
from utils.checkpoints.recipes.kjv import KingJames
from utils.experiments.bare_words import bare, bare_loss, surprise
from utils.measure.likelihood import excess_nats
from utils.models.transformer import TransformerConfig
from utils.text import corpus
from utils.text.tokenizer import byte_pair_tokenizer
from utils.training.batches import sentence_batches, windows
from utils.training.losses import next_token_loss
from utils.worlds.sentences import Sentences

LENGTH, GIVEN = 64, 16  # tokens in a window, and of these the first, which are not scored


@cache
def short_pieces() -> KingJames:
    """The King James Bible in shorter pieces of words, for models of a few minutes."""
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = byte_pair_tokenizer(text, 384)
    return KingJames(tokenizer, tokenizer.encode(text), tokenizer.encode(held_out), len(held_out))


def unseen_windows(kjv, n, seed=0):
    """So many windows of the held-out text: (n, LENGTH + 1)."""
    return next(windows(kjv.unseen, batch_size=n, length=LENGTH, seed=seed))


def of_sentences(world):
    return TransformerConfig(len(world.vocab), d_model=40, n_layers=3, max_len=world.length)


def of_kjv(kjv):
    return TransformerConfig(len(kjv.tokenizer), d_model=40, n_layers=3, max_len=LENGTH)


def one_layer(world, *, shape):
    return replace(shape(world), n_layers=1)


def sentences(world, seed):
    return sentence_batches(world, batch_size=64, seed=100_000 * seed + 1)


def stretches(kjv, seed):
    return windows(kjv.tokens, batch_size=32, length=LENGTH, seed=seed + 1)


def ordinary(model, batch, world):
    return next_token_loss(model, batch)


def from_bare_words(model, batch, world):
    return bare_loss(model, batch)


def above_the_truth(model, world, *, read=None):
    rows = world.sample(1000, seed=10_000_019)
    return {
        "excess_nats_per_token": excess_nats(partial(read, model) if read else model, world, rows)
    }


def unseen_nats(model, kjv, *, read=None):
    rows = unseen_windows(kjv, 200, seed=10_000_019)
    found = surprise(partial(read, model) if read else model, rows, GIVEN)
    return {"nats_per_token": float(found.mean())}


SENTENCES = Recipe(
    about="A small causal model of `Sentences`, the twin of one with a past of bare words.",
    data="Sentences(), 1000 batches of 64 new sentences",
    world=Sentences,
    config=of_sentences,
    batches=sentences,
    loss=ordinary,
    steps=1000,
    lr=4e-3,
    results=above_the_truth,
    seeds=(0, 1, 2),
)
KJV = replace(
    SENTENCES,
    about="A small causal model of the King James Bible, the twin of one with bare words.",
    data="King James Bible, the first nine tenths, in 384 pieces",
    world=short_pieces,
    config=of_kjv,
    batches=stretches,
    results=unseen_nats,
)
ONE = "The same with a single layer, which has no thinking at earlier positions to build on."
BARE = "The same, but what each position offers to later ones depends on its own token alone."
RECIPES = {
    "sentences-twin": SENTENCES,
    "sentences-bare": replace(
        SENTENCES, about=BARE, loss=from_bare_words, results=partial(above_the_truth, read=bare)
    ),
    "kjv-twin": KJV,
    "kjv-bare": replace(
        KJV, about=BARE, loss=from_bare_words, results=partial(unseen_nats, read=bare)
    ),
    "sentences-one-layer": replace(
        SENTENCES, about=ONE, config=partial(one_layer, shape=of_sentences)
    ),
    "kjv-one-layer": replace(KJV, about=ONE, config=partial(one_layer, shape=of_kjv)),
}
