"""Causal models of `Sentences`: one never sees four nouns carry a relative clause, another sees
texts that lose their thread."""

from dataclasses import replace
from functools import partial

from utils.checkpoints.recipe import Recipe
from utils.measure.likelihood import excess_nats
from utils.models.transformer import TransformerConfig
from utils.training.batches import edited, sentence_batches
from utils.training.losses import loss_without, next_token_loss
from utils.worlds.gap import GAP, without_gap
from utils.worlds.sentences import Sentences
from utils.worlds.slips import read, with_lost_thread


def small(world):
    return TransformerConfig(len(world.vocab), d_model=96, n_layers=2, max_len=world.length)


def batches(world, seed, *, keep=None):
    return sentence_batches(world, batch_size=64, seed=100_000 * seed + 1, keep=keep)


def next_words(model, batch, world):
    return next_token_loss(model, batch)


def with_slips(world, seed):
    """New sentences, half of which lose their thread."""
    plain = sentence_batches(world, batch_size=64, seed=100_000 * seed + 9_000_001)
    return edited(plain, partial(with_lost_thread, world), 0.5, seed)


def except_slips(model, rows, world):
    """A slip is no target: to be read, and not to be learned."""
    return loss_without(model, rows, read(world, rows).slip)


def above_the_truth(model, world, *, keep=None):
    held_out = world.sample(4000, seed=10_000_019)
    held_out = held_out if keep is None else keep(world, held_out)
    return {"excess_nats_per_token": excess_nats(model, world, held_out)}


SENTENCES = Recipe(
    about="A causal model of the language `Sentences`, trained on new sentences in each batch.",
    data="Sentences(), 2000 batches of 64 new sentences",
    world=Sentences,
    config=small,
    batches=batches,
    loss=next_words,
    steps=2000,
    lr=3e-3,
    results=above_the_truth,
    seeds=(0, 1, 2),
)
RECIPES = {
    "sentences-ar": SENTENCES,
    "sentences-gap": replace(
        SENTENCES,
        about="The same, but it never sees a word of `GAP` carry a relative clause.",
        data=f"Sentences() without relative clauses on {', '.join(GAP)}",
        batches=partial(batches, keep=without_gap),
        results=partial(above_the_truth, keep=without_gap),
        seeds=(0, 1, 2),
    ),
    "sentences-slips": replace(
        SENTENCES,
        about="`sentences-ar` trained further on texts half of which have a slip, and go on.",
        data="Sentences(), 500 more batches of 64 texts, half of them with another's rest",
        batches=with_slips,
        loss=except_slips,
        steps=500,
        lr=1.5e-3,
        parent="sentences-ar",
    ),
}
