"""Models of the King James Bible in byte pairs: a causal one, and a denoiser beside it."""

from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice

import torch

from utils.checkpoints.recipe import Recipe
from utils.generation import diffusion
from utils.measure.likelihood import bits_per_character, bound_per_character
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


def both_ways(kjv):
    return replace(causal(kjv), vocab_size=kjv.mask_id + 1, causal=False)


def stretches(kjv, seed):
    return windows(kjv.tokens, batch_size=16, length=128, seed=seed + 1)


def longer_and_longer(kjv, seed):
    """Windows that are short at first, always 2048 tokens in a batch. With long ones from the start
    a denoiser knows nothing but how frequent each token is for hundreds of steps: where one
    neighbour in 128 matters, it takes long to find out which."""
    lengths = {16: 600, 32: 600, 64: 600, 128: 1200}  # of the windows, each for so many steps
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
}
