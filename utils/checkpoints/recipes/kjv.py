"""Models of the King James Bible in byte pairs: a causal one and a denoiser that have read as many
tokens, and very small ones that have made as many predictions."""

import math
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain, islice

import torch

from utils.checkpoints.recipe import Recipe
from utils.generation import diffusion
from utils.measure.likelihood import bits_per_character, bound_per_character, exact
from utils.models.transformer import TransformerConfig
from utils.text import corpus
from utils.text.tokenizer import Tokenizer, byte_pair_tokenizer
from utils.training.batches import windows
from utils.training.losses import next_token_loss


@dataclass(frozen=True)
class KingJames:
    """The text as tokens: the first nine tenths to learn from, the last to be tested on.

    tokens, unseen: (length,) int64 each. unseen_characters: how many `unseen` stands for.
    """

    tokenizer: Tokenizer
    tokens: torch.Tensor
    unseen: torch.Tensor
    unseen_characters: int

    @property
    def mask_id(self) -> int:
        return len(self.tokenizer)  # the first id that no piece of a word has


@cache
def king_james() -> KingJames:
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = byte_pair_tokenizer(text, 1024)
    return KingJames(tokenizer, tokenizer.encode(text), tokenizer.encode(held_out), len(held_out))


def causal(kjv):
    return TransformerConfig(len(kjv.tokenizer), d_model=192, n_layers=4, n_heads=6, max_len=128)


def tiny(kjv):
    return TransformerConfig(len(kjv.tokenizer), d_model=64, n_layers=2, max_len=128)


def both_ways(kjv, shape=causal):
    return replace(shape(kjv), vocab_size=kjv.mask_id + 1, causal=False)


def stretches(kjv, seed):
    return windows(kjv.tokens, batch_size=16, length=128, seed=seed + 1)


LENGTHS = {16: 600, 32: 600, 64: 600, 128: 1200}  # of the windows, each for so many steps
# Of n tokens in a window (n + 1) / 2 are hidden on average, so it takes nearly twice as many steps
# until a denoiser has made as many predictions as a causal model.
AS_MANY_PREDICTIONS = {16: 800, 32: 800, 64: 800, 128: 1500}


def longer_and_longer(kjv, seed, lengths=LENGTHS):
    """Windows that are short at first, always 2048 tokens in a batch. With long ones from the start
    a denoiser knows nothing but how frequent each token is for hundreds of steps: where one
    neighbour in 128 matters, it takes long to find out which."""
    return chain.from_iterable(
        islice(
            windows(kjv.tokens, batch_size=2048 // length, length=length - 1, seed=length + seed),
            steps,
        )
        for length, steps in lengths.items()
    )


def next_pieces(model, batch, kjv):
    return next_token_loss(model, batch)


def hidden_pieces(model, batch, kjv):
    return diffusion.loss(model, batch, kjv.mask_id)


def bits(model, kjv):
    return bits_per_character(model, kjv.unseen, kjv.unseen_characters)


def bits_at_most(model, kjv, samples=1):
    return bound_per_character(
        model, kjv.unseen, kjv.unseen_characters, kjv.mask_id, samples=samples
    )


def causal_results(model, kjv):
    return {"bits_per_character": bits(model, kjv)}


def spread_windows(kjv, length, n):
    """n windows spread evenly over the text that was held out: (n, length)."""
    rows = kjv.unseen[: len(kjv.unseen) // length * length].view(-1, length)
    return rows[:: len(rows) // n][:n]


def bits_from_left_to_right(model, kjv, windows=36):
    """What a denoiser takes for the second half of a window given the first when it fills from left
    to right, exactly: bits per character."""
    rows, half = spread_windows(kjv, model.config.max_len, windows), model.config.max_len // 2
    characters = sum(len(kjv.tokenizer.decode(row[half:])) for row in rows)
    nats = -exact(model, rows, kjv.mask_id, order="left-to-right", given=half).sum()
    return {"halves_left_to_right_bits_per_character": float(nats) / math.log(2) / characters}


def denoiser_results(model, kjv):
    return {"bits_per_character_at_most": bits_at_most(model, kjv, samples=4)}


CAUSAL = Recipe(
    about="A causal model of the King James Bible, in byte pairs, tested on its last tenth.",
    data="King James Bible, the first nine tenths",
    world=king_james,
    config=causal,
    batches=stretches,
    loss=next_pieces,
    steps=3000,
    lr=1.5e-3,
    results=causal_results,
    progress=bits,
    progress_at=(0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
RECIPES = {
    "kjv-ar": CAUSAL,
    "kjv-diffusion": replace(
        CAUSAL,
        about="The same tokens, size and steps without the causal mask, and with blanks to fill.",
        config=both_ways,
        batches=longer_and_longer,
        loss=hidden_pieces,
        results=denoiser_results,
        progress=bits_at_most,
        progress_at=(0.6, 0.8),
    ),
    "kjv-tiny": replace(
        CAUSAL,
        about="A very small causal model of the same text, of which there are three.",
        config=tiny,
        steps=2000,
        lr=4e-3,
        progress=None,
        progress_at=(),
        seeds=(0, 1, 2),
    ),
    "kjv-tiny-diffusion": replace(
        CAUSAL,
        about="A denoiser of that size with as many predictions, so nearly twice the steps.",
        config=partial(both_ways, shape=tiny),
        batches=partial(longer_and_longer, lengths=AS_MANY_PREDICTIONS),
        loss=hidden_pieces,
        steps=sum(AS_MANY_PREDICTIONS.values()),
        lr=4e-3,
        results=bits_from_left_to_right,
        progress=None,
        progress_at=(),
        seeds=(0, 1, 2),
    ),
}
