"""Every number that a reader can give is checked: finite and in range, whatever kind it comes as.

`ARGUMENTS` lists them, each with numbers that will do. What is out of range, or no number, is an
error that begins with the argument's name and the value; what will do does the same whether it
comes from Python, NumPy or torch.
"""

import importlib
import inspect
import math
import pkgutil
import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from operator import itemgetter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import utils
from tests.places import ROOT
from tests.small_models import lively, tokens
from utils.checkpoints.store import at_seed
from utils.experiments import (
    bare_words,
    compounding,
    control,
    derailment,
    drafting,
    estimates,
    exposure,
    filling_order,
    foreign_topics,
    gaps,
    planted,
    proofreading,
    reversal,
    reward,
    scarce,
    serial,
    speed,
    stars,
    states,
    taking_back,
)
from utils.generation import (
    blocks,
    canvas,
    diffusion,
    forcing,
    guided,
    refining,
    remasking,
    revision,
    rewriting,
    sampling,
    speculative,
    trajectories,
    uniform,
)
from utils.generation.ragged import continue_each
from utils.generation.rounds import until_settled
from utils.measure import (
    enumeration,
    intervals,
    likelihood,
    patching,
    posterior,
    probes,
    rates,
    steered,
    timing,
    variety,
)
from utils.measure.patching import patched
from utils.measure.probes import Doubt, Linear, control_labels
from utils.models import markov
from utils.models.kv_cache import KVCache
from utils.models.looped import looped
from utils.models.multi_token import MultiToken
from utils.models.recurrent import Recurrent
from utils.models.temperature import at_temperature, check_temperature
from utils.models.transformer import Transformer, TransformerConfig
from utils.text import corpus
from utils.text.tokenizer import byte_pair_tokenizer
from utils.text.trace import written
from utils.training import batches, rearranged
from utils.training.fit import fit
from utils.training.losses import next_token_loss
from utils.training.stack import Stack, fit_stack
from utils.worlds import automata
from utils.worlds.chains import Chains
from utils.worlds.couplets import Couplets
from utils.worlds.graphs import Graphs
from utils.worlds.groups import Groups
from utils.worlds.pairs import Pairs
from utils.worlds.pets import PETS
from utils.worlds.sentences import Sentences
from utils.worlds.squares import Squares
from utils.worlds.tangle import Tangle
from utils.worlds.topics import Topics
from utils.worlds.totals import Totals
from utils.worlds.verdicts import Verdicts

CONFIG = TransformerConfig(20, d_model=8, n_layers=1, n_heads=1, max_len=16)
CAUSAL = lively(CONFIG)
DENOISER = lively(TransformerConfig(20, d_model=8, n_layers=1, n_heads=1, max_len=16, causal=False))
TEXT, BLANK = tokens(2, 6, 19), torch.full((1, 4), 19)
LOGITS = torch.tensor([[0.5, 2.0, -1.0, 0.0]])
CHAIN = markov.fit(torch.tensor([0, 1, 2, 1, 0, 2]), 2, 3)
WORDS = "the word was with the word " * 20
PAIRS, SMALL = Verdicts(high=3), Verdicts()
TABLE = enumeration.Table(torch.zeros(1, 4, 2), torch.zeros(1, 4, 2))
ANSWERING = lively(
    TransformerConfig(len(SMALL.vocab), d_model=8, n_layers=1, n_heads=1, max_len=20)
)
RHYMES, KINDS = Couplets(), torch.tensor([0, 1, 0, 1])
RATE, SPREAD = rates.Rate(1, 3), rates.Spread((0.2, 0.4), 5)
LARGEST = 2**63 - 1  # of whole numbers, unless more will do, too
SEED = (0, LARGEST)


def dice():
    return torch.Generator().manual_seed(0)


def filled_cache():
    cache = KVCache(CONFIG)
    CAUSAL(TEXT[:1], cache)
    return cache


def trained(**how):
    model = Transformer(CONFIG)
    how = {"steps": 2, "lr": 1e-2, "seed": 0, "progress": False} | how
    return fit(model, [TEXT], next_token_loss, **how).losses


def timed(seconds):
    return len(trained(steps=1, seconds=seconds))


def weighed(tries):
    world = Tangle("ab", 2)
    model = lively(TransformerConfig(len(world.vocab), d_model=8, n_heads=1))
    return gaps.by_weighing(gaps.letters(model, world), world, 1, 1, tries=tries)


def learned(**how):
    return reversal.evaluate([("a", "b"), ("c", "d")], **how)


def shape(**change):
    return TransformerConfig(
        **{"vocab_size": 20, "d_model": 8, "n_heads": 1, "max_len": 9} | change
    )


def written_from(prompt=TEXT, n=3, **how):
    return sampling.generate(CAUSAL, prompt, n, generator=dice(), **how)


def chained(n=4, **how):
    return markov.generate(CHAIN, torch.tensor([0]), n, **{"seed": 0, **how})


def sampled(how, k):
    asked = SMALL.sample(1, seed=0)
    return how(ANSWERING, SMALL, asked, k, temperature=1.0, generator=dice())


def noisy(rate_of=None, **how):
    return diffusion.sample(DENOISER, BLANK, 19, generator=dice(), **how)


def read(k, **how):
    return diffusion.elbo(DENOISER, TEXT, 19, samples=k, generator=dice())


@dataclass(frozen=True)
class Argument:
    """An argument called `name`: `call(value)` uses it. It is from `least` to `most`, and not
    those themselves where it is `open`; a whole number unless `real`. good: some that will do."""

    call: Callable
    good: tuple
    least: float = -math.inf
    most: float = math.inf
    open: str = ""  # "(" and ")" at the ends that do not count
    real: bool = False
    name: str = ""  # where it is not the last word of its key


def a_whole(call, *good, least=0, most=LARGEST, name=""):
    return Argument(call, good, least, most, name=name)


def a_real(call, *good, least=-math.inf, most=math.inf, open="", name=""):
    return Argument(call, good, least, most, open, real=True, name=name)


def a_seed(call):
    return Argument(call, (0, 3), *SEED)


PROOF = proofreading.Proof(
    torch.tensor([True, True]), torch.tensor([True, False]), LOGITS[0, :2], LOGITS[0, 2:], 1
)


def patched_at(layer, position=2):
    with patched(CAUSAL, layer, position, torch.ones(8)):
        return CAUSAL(TEXT)


def len_of(proof):
    return len(proof.found)


def remasked(steps=2, most=0.1, temperature=1.0):
    how = {"steps": steps, "most": most, "temperature": temperature, "generator": dice()}
    return remasking.sample(DENOISER, BLANK, 19, **how)


ARGUMENTS = {
    # text
    "corpus.split held_out": a_real(
        lambda v: corpus.split(WORDS, v), 0.25, least=0, most=1, open="()"
    ),
    "byte_pair_tokenizer vocab_size": a_whole(
        lambda v: len(byte_pair_tokenizer(WORDS, v)), 18, least=1, most=1_000_000
    ),
    "written most": a_whole(
        lambda v: written([1, 2], [1], LOGITS.softmax(-1), most=v).alternatives, 0, 2
    ),
    # models
    "TransformerConfig vocab_size": a_whole(lambda v: shape(vocab_size=v), 7, least=1),
    "TransformerConfig d_model": a_whole(lambda v: shape(d_model=v), 8, least=1),
    "TransformerConfig n_layers": a_whole(lambda v: shape(n_layers=v), 3, least=1),
    "TransformerConfig n_heads": a_whole(lambda v: shape(n_heads=v), 2, least=1),
    "TransformerConfig n_kv_heads": a_whole(lambda v: shape(n_kv_heads=v), 1, least=1),
    "TransformerConfig d_ff": a_whole(lambda v: shape(d_ff=v), 9, least=1),
    "TransformerConfig max_len": a_whole(lambda v: shape(max_len=v), 5, least=1),
    "TransformerConfig rope_theta": a_real(lambda v: shape(rope_theta=v), 2.0, least=1),
    "TransformerConfig norm_eps": a_real(lambda v: shape(norm_eps=v), 0.5, least=0, open="("),
    "Transformer seed": a_seed(lambda v: Transformer(CONFIG, seed=v).output),
    "KVCache batch_size": a_whole(lambda v: KVCache(CONFIG, v).nbytes, 3, least=1),
    "KVCache max_len": a_whole(lambda v: KVCache(CONFIG, 1, v).nbytes, 7, least=1, most=16),
    "KVCache.crop length": a_whole(lambda v: filled_cache().crop(v).length, 0, 6, most=6),
    "markov.fit order": a_whole(lambda v: markov.fit(TEXT[0], v, 20).order, 0, 2),
    "markov.fit vocab_size": a_whole(lambda v: markov.fit(TEXT[0], 1, v).vocab_size, 20, least=1),
    "MarkovChain.contexts_seen order": a_whole(CHAIN.contexts_seen, 0, 2, most=2),
    "MarkovChain.next_probs order": a_whole(lambda v: CHAIN.next_probs([0], order=v), 1, most=2),
    "MarkovChain.log_probs add_k": a_real(
        lambda v: CHAIN.log_probs(torch.tensor([0, 1]), order=0, add_k=v), 0.5, 2, least=0
    ),
    "MarkovChain.next_probs add_k": a_real(
        lambda v: CHAIN.next_probs([0], add_k=v), 0.5, 2, least=0
    ),
    "cross_entropy add_k": a_real(
        lambda v: markov.cross_entropy(CHAIN, torch.tensor([0, 1]), order=0, add_k=v),
        0.5,
        2,
        least=0,
    ),
    "cross_entropy order": a_whole(
        lambda v: markov.cross_entropy(CHAIN, torch.tensor([0, 1]), order=v), 1, most=2
    ),
    "MarkovChain.log_probs order": a_whole(
        lambda v: CHAIN.log_probs(torch.tensor([0, 1]), order=v), 1, most=2
    ),
    "markov.generate order": a_whole(lambda v: chained(order=v), 1, most=2),
    "markov.generate add_k": a_real(lambda v: chained(add_k=v), 0.5, 2, least=0),
    "markov.generate max_new_tokens": a_whole(chained, 0, 3),
    "markov.generate stop": a_whole(lambda v: chained(stop=v), 2, most=2),
    "markov.generate seed": a_seed(lambda v: chained(seed=v)),
    "markov.generate temperature": a_real(lambda v: chained(temperature=v), 0, 0.5, 2, least=0),
    "check_temperature temperature": a_real(check_temperature, 0, 0.5, 2, least=0),
    "at_temperature temperature": a_real(lambda v: at_temperature(LOGITS, v), 0, 0.5, 2, least=0),
    # training
    "world_batches batch_size": a_whole(
        lambda v: next(batches.world_batches(PAIRS, batch_size=v, seed=0)), 3, least=1
    ),
    "sentence_batches batch_size": a_whole(
        lambda v: next(batches.sentence_batches(Sentences(PETS), batch_size=v, seed=0)), 3, least=1
    ),
    "world_batches seed": a_seed(
        lambda v: next(batches.world_batches(PAIRS, batch_size=2, seed=v))
    ),
    "sentence_batches seed": a_seed(
        lambda v: next(batches.sentence_batches(Sentences(PETS), batch_size=2, seed=v))
    ),
    "edited share": a_real(
        lambda v: next(batches.edited([TEXT], lambda rows, d: rows, v, 0)), 0.5, 0, least=0, most=1
    ),
    "edited seed": a_seed(lambda v: next(batches.edited([TEXT], lambda rows, d: rows, 0.5, v))),
    "windows batch_size": a_whole(
        lambda v: next(batches.windows(TEXT[0], batch_size=v, length=2, seed=0)), 3, least=1
    ),
    "windows length": a_whole(
        lambda v: next(batches.windows(TEXT[0], batch_size=2, length=v, seed=0)), 3, least=1, most=5
    ),
    "windows seed": a_seed(
        lambda v: next(batches.windows(TEXT[0], batch_size=2, length=2, seed=v))
    ),
    "fit steps": a_whole(lambda v: trained(steps=v), 1, 3, least=1),
    "fit seconds": a_real(timed, 60, least=0, open="("),
    "fit lr": a_real(lambda v: trained(lr=v), 0.5, least=0, open="("),
    "fit seed": a_seed(lambda v: trained(seed=v)),
    "fit measure_at": a_real(
        lambda v: trained(measure=lambda m: 1.0, measure_at=[v]), 0.5, least=0, most=1
    ),
    # generation
    "sampling.generate max_new_tokens": a_whole(lambda v: written_from(n=v), 0, 3),
    "sampling.generate temperature": a_real(lambda v: written_from(temperature=v), 0, 0.5, least=0),
    "sampling.generate top_k": a_whole(
        lambda v: written_from(temperature=1, top_k=v), 2, 99, least=1, most=math.inf
    ),
    "sampling.generate top_p": a_real(
        lambda v: written_from(temperature=1, top_p=v), 0.5, 1, least=0, most=1, open="("
    ),
    "generate stop": a_whole(lambda v: written_from(stop=v), 3, most=19),
    "draw temperature": a_real(
        lambda v: sampling.draw(LOGITS, temperature=v, generator=dice()), 0, 0.5, least=0
    ),
    "check_knobs temperature": a_real(
        lambda v: sampling.check_knobs(v, None, None), 0, 0.5, least=0
    ),
    "check_knobs top_k": a_whole(
        lambda v: sampling.check_knobs(1, v, None), 2, least=1, most=math.inf
    ),
    "check_knobs top_p": a_real(
        lambda v: sampling.check_knobs(1, None, v), 0.5, 1, least=0, most=1, open="("
    ),
    "draw top_p": a_real(
        lambda v: sampling.draw(LOGITS, temperature=1, top_p=v, generator=dice()),
        0.5,
        least=0,
        most=1,
        open="(",
    ),
    "distribution temperature": a_real(
        lambda v: sampling.distribution(LOGITS, temperature=v), 0, 0.5, least=0
    ),
    "distribution top_k": a_whole(
        lambda v: sampling.distribution(LOGITS, top_k=v), 2, least=1, most=math.inf
    ),
    "forcing.force max_new_tokens": a_whole(
        lambda v: forcing.force(CAUSAL, TEXT, TEXT[:, :2], v), 0, 3
    ),
    "draw top_k": a_whole(
        lambda v: sampling.draw(LOGITS, temperature=0, top_k=v, generator=dice()),
        2,
        least=1,
        most=math.inf,
    ),
    "distribution top_p": a_real(
        lambda v: sampling.distribution(LOGITS, top_p=v), 0.5, least=0, most=1, open="("
    ),
    "continue_each n": a_whole(lambda v: continue_each(CAUSAL, [TEXT[0]], v, [3])[0], 0, 3),
    "elbo samples": a_whole(read, 2, least=1),
    "diffusion.sample steps": a_whole(lambda v: noisy(steps=v), 2, least=1, most=4),
    "diffusion.sample temperature": a_real(lambda v: noisy(temperature=v), 0, 0.5, least=0),
    "diffusion.sample threshold": a_real(
        lambda v: noisy(threshold=v), 0.5, 1, least=0, most=1, open="("
    ),
    "diffusion.sample mask_id": a_whole(
        lambda v: diffusion.sample(DENOISER, BLANK, v), 19, most=19
    ),
    "revise rounds": a_whole(
        lambda v: revision.revise(DENOISER, TEXT, 19, [1], rounds=v), 1, 2, least=1
    ),
    "revise remask": a_whole(
        lambda v: revision.revise(DENOISER, TEXT, 19, [1, 2], rounds=1, remask=v),
        2,
        least=1,
        most=2,
    ),
    "revise threshold": a_real(
        lambda v: revision.revise(DENOISER, TEXT, 19, [1], rounds=1, threshold=v),
        0.5,
        least=0,
        most=1,
        open="(",
    ),
    "revise temperature": a_real(
        lambda v: revision.revise(
            DENOISER, TEXT, 19, [1], rounds=1, temperature=v, generator=dice()
        ),
        0.5,
        least=0,
    ),
    "until_settled rounds": a_whole(
        lambda v: until_settled(TEXT, lambda rows: rows, v), 2, least=1
    ),
    "backtrack rounds": a_whole(
        lambda v: rewriting.backtrack(CAUSAL, TEXT, range(1, 6), rounds=v), 1, least=1
    ),
    "gibbs sweeps": a_whole(
        lambda v: rewriting.gibbs(CAUSAL, TEXT, [2], sweeps=v, candidates=2), 0, 2
    ),
    "gibbs candidates": a_whole(
        lambda v: rewriting.gibbs(CAUSAL, TEXT, [2], sweeps=1, candidates=v),
        2,
        20,
        least=1,
        most=20,
    ),
    "gibbs temperature": a_real(
        lambda v: rewriting.gibbs(
            CAUSAL, TEXT, [2], sweeps=1, candidates=2, temperature=v, generator=dice()
        ),
        0.5,
        least=0,
    ),
    "edit rounds": a_whole(lambda v: uniform.edit(DENOISER, TEXT, [1], rounds=v), 2, least=1),
    "edit most": a_whole(
        lambda v: uniform.edit(DENOISER, TEXT, [1, 2], rounds=1, most=v), 1, least=1
    ),
    "edit threshold": a_real(
        lambda v: uniform.edit(DENOISER, TEXT, [1], rounds=1, threshold=v),
        0.5,
        least=0,
        most=1,
        open=")",
    ),
    "remasking.sample steps": a_whole(lambda v: remasked(steps=v), 1, 3, least=1),
    "remasking.sample most": a_real(lambda v: remasked(most=v), 0, 0.5, 1, least=0, most=1),
    "remasking.sample temperature": a_real(lambda v: remasked(temperature=v), 0.5, least=0),
    # measure
    "variety.distinct n": a_whole(lambda v: variety.distinct(TEXT, v), 2, least=1, most=6),
    "wilson n": a_whole(lambda v: intervals.wilson(0, v), 5, least=1),
    "wilson successes": a_whole(lambda v: intervals.wilson(v, 5), 0, 5, most=5),
    "newcombe m": a_whole(lambda v: intervals.newcombe(1, 2, 0, v), 5, least=1),
    "newcombe others": a_whole(lambda v: intervals.newcombe(1, 2, v, 5), 0, 5, most=5),
    "newcombe n": a_whole(lambda v: intervals.newcombe(0, v, 1, 2), 5, least=1),
    "newcombe successes": a_whole(lambda v: intervals.newcombe(v, 5, 1, 2), 0, 5, most=5),
    "newcombe confidence": a_real(
        lambda v: intervals.newcombe(1, 5, 1, 2, v), 0.5, least=0, most=1, open="()"
    ),
    "wilson confidence": a_real(
        lambda v: intervals.wilson(1, 5, v), 0.5, least=0, most=1, open="()"
    ),
    "bootstrap_mean seed": a_seed(lambda v: intervals.bootstrap_mean([1, 2, 4], seed=v)),
    "bootstrap_mean confidence": a_real(
        lambda v: intervals.bootstrap_mean([1, 2], seed=0, confidence=v),
        0.5,
        least=0,
        most=1,
        open="()",
    ),
    "bootstrap_mean resamples": a_whole(
        lambda v: intervals.bootstrap_mean([1, 2], seed=0, resamples=v), 9, least=1
    ),
    "bootstrap_ratio seed": a_seed(lambda v: intervals.bootstrap_ratio([1, 2], [3, 4], seed=v)),
    "bootstrap_ratio confidence": a_real(
        lambda v: intervals.bootstrap_ratio([1, 2], [3, 4], seed=0, confidence=v),
        0.5,
        least=0,
        most=1,
        open="()",
    ),
    "bootstrap_ratio resamples": a_whole(
        lambda v: intervals.bootstrap_ratio([1, 2], [3, 4], seed=0, resamples=v), 9, least=1
    ),
    "exact given": a_whole(lambda v: likelihood.exact(CAUSAL, TEXT, given=v), 2, least=1, most=5),
    "Rate.text digits": a_whole(lambda v: RATE.text(v), 0, 2, most=15),
    "Spread.text digits": a_whole(lambda v: SPREAD.text(v), 0, 2, most=15),
    "print_rates digits": a_whole(lambda v: rates.print_rates({"a": RATE}, digits=v), 2, most=15),
    "write_probs size": a_whole(
        lambda v: enumeration.write_probs(TABLE, "random", size=v)[1], 2, least=1
    ),
    "write_probs threshold": a_real(
        lambda v: enumeration.write_probs(TABLE, "confidence", threshold=v)[1],
        0.5,
        least=0,
        most=1,
        open="(",
    ),
    "bits_per_character n_characters": a_whole(
        lambda v: likelihood.bits_per_character(CAUSAL, tokens(1, 40, 19)[0], v), 9, least=1
    ),
    "bound_per_character samples": a_whole(
        lambda v: likelihood.bound_per_character(DENOISER, tokens(1, 40, 19)[0], 9, 19, samples=v),
        1,
        least=1,
    ),
    "Doubt hidden": a_whole(
        lambda v: Doubt(DENOISER, TEXT, TEXT > 3, [1], hidden=v, steps=1)(DENOISER, TEXT, 19, [1]),
        2,
        least=1,
    ),
    "Doubt steps": a_whole(
        lambda v: Doubt(DENOISER, TEXT, TEXT > 3, [1], steps=v)(DENOISER, TEXT, 19, [1]),
        2,
        least=1,
    ),
    "bound_per_character n_characters": a_whole(
        lambda v: likelihood.bound_per_character(DENOISER, tokens(1, 40, 19)[0], v, 19, samples=1),
        9,
        least=1,
    ),
    "Doubt seed": a_seed(
        lambda v: Doubt(DENOISER, TEXT, TEXT > 3, [1], seed=v, steps=1)(DENOISER, TEXT, 19, [1])
    ),
    # experiments and checkpoints
    "derailment.samples k": a_whole(lambda v: sampled(derailment.samples, v), 2, least=1),
    "vote k": a_whole(lambda v: sampled(derailment.vote, v).rows, 3, least=1),
    "best_of k": a_whole(lambda v: sampled(derailment.best_of, v).rows, 2, least=1),
    "start_over at_least": a_real(
        lambda v: derailment.start_over(ANSWERING, SMALL, SMALL.sample(1, seed=0), at_least=v).rows,
        -1.5,
    ),
    "bare reach": a_whole(lambda v: bare_words.bare(CAUSAL, TEXT, v), 1, 3, least=1),
    "last_word_alone vocab_size": a_whole(
        lambda v: bare_words.last_word_alone(TEXT, v)(TEXT), 20, 30, least=int(TEXT.max()) + 1
    ),
    "last_word_alone weight": a_real(
        lambda v: bare_words.last_word_alone(TEXT, 20, weight=v)(TEXT), 0.5, 5, least=0, open="("
    ),
    "derailment.answer room": a_whole(
        lambda v: derailment.answer(ANSWERING, SMALL, SMALL.sample(1, seed=0), room=v), 0, 2
    ),
    "write_totals temperature": a_real(
        lambda v: compounding.write_totals(
            CAUSAL, Totals(3), TEXT[:, :3], temperature=v, generator=dice()
        ),
        0.5,
        least=0,
    ),
    "compounding.hazards temperature": a_real(
        lambda v: compounding.hazards(CAUSAL, TEXT, temperature=v), 0.5, least=0
    ),
    "predicted temperature": a_real(
        lambda v: derailment.predicted(
            lambda t: torch.zeros(*t.shape, len(SMALL.vocab)), SMALL, SMALL.sample(2, seed=0), v
        )["all right"],
        0.5,
        least=0,
        open="(",
    ),
    "at_seed seed": a_seed(lambda v: at_seed("name", v)),
    # worlds
    "Totals n": a_whole(lambda v: Totals(v).length, 4, least=1),
    "Totals.sample n": a_whole(lambda v: Totals(3).sample(v, seed=0), 0, 4),
    "Totals.sample seed": a_seed(lambda v: Totals(3).sample(2, seed=v)),
    "Verdicts low": a_whole(lambda v: len(Verdicts(v, 4).seen), 2, most=3),
    "Verdicts high": a_whole(lambda v: len(Verdicts(0, v).seen), 3, least=1),
    "Verdicts held_out": a_real(
        lambda v: len(Verdicts(held_out=v).seen), 0, 0.5, least=0, most=1, open=")"
    ),
    "Verdicts seed": a_seed(lambda v: Verdicts(0, 4, seed=v).seen),
    "Verdicts.sample n": a_whole(lambda v: PAIRS.sample(v, seed=0), 0, 3),
    "Verdicts.sample seed": a_seed(lambda v: PAIRS.sample(3, seed=v)),
    "Sentences.sample n": a_whole(lambda v: Sentences(PETS).sample(v, seed=0), 0, 3),
    "Sentences.sample seed": a_seed(lambda v: Sentences(PETS).sample(3, seed=v)),
}
WRAPS = {
    "np.float64": np.float64,
    "np.float32": np.float32,
    "np.float16": np.float16,
    "np.array": np.array,
    "np.int64": np.int64,
    "np.uint8": np.uint8,
    "torch.tensor": torch.tensor,
    "torch.float64": lambda v: torch.tensor(v, dtype=torch.float64),
    "torch.bfloat16": lambda v: torch.tensor(v, dtype=torch.bfloat16),
    "torch.int64": lambda v: torch.tensor(v, dtype=torch.int64),
}
NO_NUMBERS = {
    "text": "1",
    "bytes": b"1",
    "a list": [1],
    "an array": np.array([1, 2]),
    "a row": torch.tensor([1.0, 2.0]),
    "one in a row": torch.tensor([1]),
    "complex": 1j,
    "a truth value": True,
    "NumPy's truth value": np.True_,
    "torch's truth value": torch.tensor(True),
    "no number": object(),
    "a function": len,
}


def plain(value):
    """What a learner sees as the result, so that two can be compared."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.tolist()
    return value


def will_do(argument, number):
    inside = (
        number not in (10**400, -(10**400))
        and math.isfinite(number)
        and argument.least <= number <= argument.most
    )
    if argument.open.startswith("("):
        inside = inside and number > argument.least
    if argument.open.endswith(")"):
        inside = inside and number < argument.most
    return inside and (argument.real or number == int(number))


# -- that none is missing --------------------------------------------------------------------------

# Numbers that may stay unchecked, and why.
ARGUMENTS |= {  # of proofreading
    "proofreading.plant seed": a_seed(lambda v: proofreading.plant(TEXT, seed=v)[0]),
    "proofreading.by_bayes places": a_whole(
        lambda v: proofreading.by_bayes(CAUSAL, TEXT, places=v, candidates=1).doubt,
        2,
        least=1,
        most=5,
    ),
    "proofreading.by_bayes candidates": a_whole(
        lambda v: proofreading.by_bayes(CAUSAL, TEXT, places=1, candidates=v).doubt,
        2,
        least=1,
        most=19,
    ),
    "proofreading.Proof.threshold harm": a_real(lambda v: PROOF.threshold(v), 0.5, least=0, most=1),
    "proofreading.Proof.repaired harm": a_real(lambda v: PROOF.repaired(v), 0.5, least=0, most=1),
    "proofreading.Proof.harm caught": a_real(
        lambda v: PROOF.harm(v), 0.5, least=0, most=1, open="("
    ),
    "proofreading.bootstrap seed": a_seed(
        lambda v: proofreading.bootstrap(len_of, [PROOF], seed=v, resamples=2)
    ),
    "proofreading.bootstrap resamples": a_whole(
        lambda v: proofreading.bootstrap(len_of, [PROOF], seed=0, resamples=v), 2, least=1
    ),
}
SQUARES, TANGLE, SAYS = Squares(2, 1, held_out=0.5), Tangle("ab", 2), Sentences()
SQUARE = Squares(2, 1, held_out=0.0)
PLANTED = lively(TransformerConfig(len(SQUARE.vocab), d_model=8, n_layers=1, n_heads=1, max_len=10))
SOLVER = lively(
    TransformerConfig(len(SQUARE.vocab), d_model=8, n_layers=1, n_heads=1, max_len=10, causal=False)
)
STAR = Graphs(2, 2)
FINDER = lively(
    TransformerConfig(
        len(STAR.vocab), d_model=8, n_layers=1, n_heads=1, max_len=STAR.length, causal=False
    )
)
SAYING = lively(TransformerConfig(len(SAYS.vocab), d_model=8, n_heads=1, max_len=SAYS.length))
SAID, TORN = SAYS.sample(2, seed=0), torch.full((2,), 2)


def trained_stack(n=5, steps=1):
    """How far a model of two letters is from the truth after its last step."""
    found = scarce.learn(TANGLE, n, [scarce.Arm("causal")], (0,), steps=steps, d_model=8, n_heads=1)
    return [looks[-1].kl for looks, best in found.values()]


def stacked(steps=1, lr=1e-3):
    stack = Stack([Transformer(CONFIG)])

    def loss(stack, rows):
        return stack(rows).square().mean((1, 2, 3))

    fit_stack(stack, lambda: TEXT[None], loss, steps=steps, lr=lr, decay=[0.0])
    return stack.weights[0].detach()


def bayes(places=2, candidates=1):
    rows = SQUARE.sample(2, seed=0)
    return planted.by_bayes(PLANTED, SQUARE, rows, places=places, candidates=candidates)


def on_canvas(passes=2, bound=0.1, first=0.8, keep=None):
    how = {"passes": passes, "bound": bound, "temperatures": (first, 0.4), "keep": keep}
    how["generator"] = dice()
    return canvas.write(DENOISER, TEXT, range(1, 6), range(19), **how)


def warm(how, *rest, part):
    """For the temperature of one of the functions of `exposure`; part: of what it returns."""
    return a_real(lambda v: part(how(SAYING, SAYS, SAID, *rest, temperature=v)), 1.0, least=0)


def warm_draw(how, *rest, part):
    return a_real(
        lambda v: part(how(SAYING, SAYS, SAID, *rest, temperature=v, generator=dice())),
        1.0,
        least=0,
    )


ARGUMENTS |= {  # of squares, of a canvas, and of slips
    "squares.Squares order": a_whole(lambda v: Squares(v, 1).length, 3, least=2, most=5),
    "squares.Squares given": a_whole(lambda v: Squares(2, v).given, 0, 4, least=0, most=4),
    "squares.Squares held_out": a_real(
        lambda v: len(Squares(2, 1, held_out=v).unseen), 0, 0.5, least=0, most=1, open=")"
    ),
    "squares.Squares seed": a_seed(lambda v: Squares(3, 1, seed=v).seen.tolist()),
    "squares.Squares.sample n": a_whole(lambda v: SQUARES.sample(v, seed=0), 2),
    "squares.Squares.sample seed": a_seed(lambda v: SQUARES.sample(2, seed=v)),
    "planted.plant seed": a_seed(
        lambda v: planted.plant(SQUARE, SQUARE.sample(3, seed=0), seed=v)[0]
    ),
    "planted.by_bayes places": a_whole(lambda v: bayes(places=v), 1, 3, least=1, most=4),
    "planted.by_bayes candidates": a_whole(lambda v: bayes(candidates=v), 1, least=1, most=1),
    "canvas.write keep": a_whole(lambda v: on_canvas(keep=v), 0, 1, 5),
    "canvas.write passes": a_whole(lambda v: on_canvas(passes=v), 1, 2, least=1),
    "canvas.write bound": a_real(lambda v: on_canvas(bound=v), 0, 0.5, least=0),
    "canvas.checked_temperatures temperatures": a_real(
        lambda v: canvas.checked_temperatures((v, 0.4)), 0.5, least=0, open="("
    ),
    "canvas.write temperatures": a_real(
        lambda v: on_canvas(first=v), 0.5, least=0, open="(", name="temperatures"
    ),
    "tangle.Tangle places": a_whole(lambda v: Tangle("ab", v).length, 2, 3, least=2, most=10),
    "tangle.Tangle strength": a_real(
        lambda v: Tangle("ab", 2, strength=v).entropy(), 0, 0.7, least=0
    ),
    "couplets.Couplets.sample n": a_whole(lambda v: RHYMES.sample(v, seed=0), 2),
    "couplets.Couplets.sample seed": a_seed(lambda v: RHYMES.sample(2, seed=v)),
    "graphs.Graphs arms": a_whole(lambda v: Graphs(v, 2).length, 3, least=2, most=9),
    "graphs.Graphs steps": a_whole(lambda v: Graphs(2, v).length, 3, least=2, most=9),
    "stars.filled_in passes": a_whole(
        lambda v: stars.filled_in(FINDER, STAR, STAR.sample(2, seed=0), passes=v),
        1,
        2,
        least=1,
        most=int((~STAR.question).sum()),
    ),
    "planted.anew passes": a_whole(
        lambda v: planted.anew(SOLVER, SQUARE, SQUARE.sample(2, seed=0), passes=v),
        1,
        4,
        least=1,
        most=SQUARE.cells,
    ),
    "graphs.Graphs.sample n": a_whole(lambda v: Graphs(2, 2).sample(v, seed=0), 2),
    "graphs.Graphs.sample seed": a_seed(lambda v: Graphs(2, 2).sample(2, seed=v)),
    "patching.states layer": a_whole(lambda v: patching.states(CAUSAL, TEXT, v, 2), 0, 1, most=1),
    "patching.patched layer": a_whole(patched_at, 0, 1, most=1),
    "patching.states position": a_whole(
        lambda v: patching.states(CAUSAL, TEXT, 1, v), 0, 5, most=5
    ),
    "patching.patched position": a_whole(lambda v: patched_at(1, position=v), 0, 5, most=5),
    "Linear penalty": a_real(lambda v: Linear(LOGITS.T, KINDS, penalty=v).weight, 0.5, least=0),
    "control_labels seed": a_seed(lambda v: control_labels(KINDS, KINDS, seed=v)),
    "tangle.Tangle seed": a_seed(lambda v: Tangle("ab", 2, seed=v).entropy()),
    "pairs.Pairs n": a_whole(lambda v: Pairs(v, 2).texts, 3, least=1, most=4096),
    "pairs.Pairs size": a_whole(lambda v: Pairs(3, v).texts, 1, 2, least=1, most=8),
    "pairs.Pairs both": a_real(lambda v: Pairs(4, 2, both=v).texts, 0, 0.5, least=0, most=1),
    "pairs.Pairs seed": a_seed(lambda v: Pairs(3, 2, seed=v).texts),
    "pairs.Pairs.sample n": a_whole(lambda v: Pairs(3, 2).sample(v, seed=0), 2, least=0),
    "pairs.Pairs.sample seed": a_seed(lambda v: Pairs(3, 2).sample(2, seed=v)),
    "gaps.by_weighing tries": a_whole(weighed, 1, 2, least=1),
    "reversal.evaluate steps": a_whole(lambda v: learned(steps=v), 1, 2, least=1),
    "reversal.evaluate seconds": a_real(
        lambda v: learned(steps=1, seconds=v), 5, least=0, open="("
    ),
    "reversal.evaluate seed": a_seed(lambda v: learned(steps=1, seed=v)),
    "listed.Listed.sample n": a_whole(lambda v: TANGLE.sample(v, seed=0), 2),
    "listed.Listed.sample seed": a_seed(lambda v: TANGLE.sample(2, seed=v)),
    "chains.Chains places": a_whole(lambda v: Chains("ab", v).length, 2, 3, least=2, most=10),
    "chains.Chains seed": a_seed(lambda v: Chains("ab", 2, seed=v).entropy()),
    "scarce.learn n": a_whole(lambda v: trained_stack(n=v), 5, 40, least=5),
    "scarce.learn steps": a_whole(lambda v: trained_stack(steps=v), 1, 2, least=1),
    "fit_stack steps": a_whole(lambda v: stacked(steps=v), 1, 2, least=1),
    "fit_stack lr": a_real(lambda v: stacked(lr=v), 0.5, least=0, open="("),
    "exposure.write n": a_whole(
        lambda v: exposure.write(SAYING, SAYS, v, generator=dice()), 1, least=1
    ),
    "exposure.first_slips n": a_whole(
        lambda v: exposure.first_slips(SAYING, SAYS, SAID, v, generator=dice())[1], 2, least=1
    ),
    "exposure.go_on temperature": warm_draw(exposure.go_on, TORN, part=torch.as_tensor),
    "exposure.hazards temperature": warm(exposure.hazards, part=torch.nan_to_num),
    "exposure.first_slips temperature": warm_draw(exposure.first_slips, 2, part=itemgetter(1)),
    "exposure.split temperature": warm_draw(exposure.split, TORN, part=itemgetter("a right word")),
    "exposure.after temperature": warm(exposure.after, TORN, part=torch.nan_to_num),
}
GAPS = "gaps truth apart denoiser middle_last any_order from_the_left by_bayes by_weighing".split()
GAME, SHORT = Groups(n=3), Groups(n=3).sample(4, seed=0)
ROOM = {"d_model": 8, "n_layers": 1, "n_heads": 1, "max_len": 16}
GAMER = lively(TransformerConfig(len(GAME.vocab), **ROOM))
GAMES = lively(TransformerConfig(len(GAME.vocab), **ROOM, causal=False))


def struck(count=1, seed=0):
    return serial.past_struck(GAMER, GAME, SHORT, count=count, kind="wrong", seed=seed)[0]


ARGUMENTS |= {  # of serial steps
    "multi_token.MultiToken heads": a_whole(
        lambda v: MultiToken(CAUSAL, v)(TEXT), 1, least=1, most=CAUSAL.config.n_layers
    ),
    "looped.looped loops": a_whole(lambda v: looped(CAUSAL, v)(TEXT), 1, 3, least=1),
    "groups.Groups n": a_whole(lambda v: Groups(n=v).length, 3, least=1),
    "groups.Groups.sample n": a_whole(lambda v: GAME.sample(v, seed=0), 0, 3),
    "groups.Groups.sample seed": a_seed(lambda v: GAME.sample(3, seed=v)),
    "serial.shortened k": a_whole(lambda v: serial.shortened(GAME, SHORT, v), 2, least=1, most=3),
    "serial.after_one k": a_whole(
        lambda v: serial.after_one(GAMER, GAME, SHORT, v, SHORT[:, -1]), 2, least=1, most=3
    ),
    "serial.onward k": a_whole(lambda v: serial.onward(GAMES, GAME, SHORT, v), 0, 2, most=3),
    "serial.hidden_late k": a_whole(
        lambda v: serial.hidden_late(GAMER, GAME, SHORT, v, SHORT[:, -1], more=0),
        2,
        least=1,
        most=3,
    ),
    "serial.hidden_late more": a_whole(
        lambda v: serial.hidden_late(GAMER, GAME, SHORT, 1, SHORT[:, -1], more=v), 0, 2, most=2
    ),
    "serial.around_one k": a_whole(
        lambda v: serial.around_one(GAMES, GAME, SHORT, v, SHORT[:, -1]), 2, least=1, most=3
    ),
    "serial.filled passes": a_whole(
        lambda v: serial.filled(GAMES, GAME, SHORT, passes=v, order="random", generator=dice()),
        1,
        3,
        least=1,
        most=3,
    ),
    "serial.past_struck count": a_whole(lambda v: struck(count=v), 0, 2, most=3),
    "serial.past_struck seed": a_seed(lambda v: struck(seed=v)),
}
BRIEF = Topics(5)
TOLD = BRIEF.sample(3, seed=0)
GUESSER = lively(TransformerConfig(len(BRIEF.vocab), d_model=8, n_layers=1, n_heads=1, max_len=8))
ALONG = [torch.eye(8)[:, :2]]


def exchanged(place=2, words=2):
    return states.after_swap(GUESSER, BRIEF, TOLD, TOLD.flip(0), ALONG, place, words).moved


def beside(place=2, words=2):
    logits = GUESSER(TOLD)
    return states.compared(GUESSER, BRIEF, TOLD, TOLD.flip(0), logits, place, words).moved


def foreign(place=2, words=2):
    some = torch.arange(6)
    return foreign_topics.swap(GUESSER, TOLD, TOLD.flip(0), ALONG, place, words, some).moved


ARGUMENTS |= {  # of topics, and of what is in a state
    "topics.Topics places": a_whole(lambda v: Topics(v).length, 3, least=1),
    "topics.Topics stay": a_real(lambda v: Topics(3, stay=v).moves, 0.5, 1, least=0, most=1),
    "topics.Topics line": a_whole(lambda v: Topics(3, line=v).emits, 0, 2),
    "topics.Topics.sample n": a_whole(lambda v: BRIEF.sample(v, seed=0), 0, 3),
    "topics.Topics.sample seed": a_seed(lambda v: BRIEF.sample(3, seed=v)),
    "topics.Topics.beliefs last": a_whole(lambda v: BRIEF.beliefs(TOLD, last=v), 1, 9, least=1),
    "recurrent.Recurrent vocab_size": a_whole(
        lambda v: Recurrent(v, 2, 2, seed=0)(TEXT % 2), 3, least=1
    ),
    "recurrent.Recurrent d_model": a_whole(lambda v: Recurrent(20, v, 2, seed=0)(TEXT), 3, least=1),
    "recurrent.Recurrent d_state": a_whole(lambda v: Recurrent(20, 2, v, seed=0)(TEXT), 3, least=1),
    "recurrent.Recurrent seed": a_seed(lambda v: Recurrent(20, 2, 2, seed=v)(TEXT)),
    "states.split lag": a_whole(
        lambda v: states.split(torch.eye(12).view(3, 4, 12), lag=v).slow, 1, 3, least=1, most=3
    ),
    "states.regression ridge": a_real(
        lambda v: states.regression(torch.eye(4), torch.eye(4), ridge=v)(torch.eye(4)),
        0.5,
        2.0,
        least=0,
        open="(",
    ),
    "foreign_topics.swap place": a_whole(lambda v: foreign(v, words=1), 1, 4, least=1, most=4),
    "foreign_topics.swap words": a_whole(lambda v: foreign(words=v), 1, 3, least=1, most=3),
    "states.after_swap place": a_whole(lambda v: exchanged(v, words=1), 1, 4, least=1, most=4),
    "states.after_swap words": a_whole(lambda v: exchanged(words=v), 1, 3, least=1, most=3),
    "states.compared place": a_whole(lambda v: beside(v, words=1), 1, 4, least=1, most=4),
    "states.compared words": a_whole(lambda v: beside(words=v), 1, 3, least=1, most=3),
    "states.right_after n": a_whole(lambda v: states.right_after(GAMER, GAME, v), 3, least=0),
    "states.right_after seed": a_seed(lambda v: states.right_after(GAMER, GAME, 3, seed=v)),
}
HANDED_ON = "handed on to a function that checks it"
EXEMPT = {
    "probes.control_labels words": "the words to be labelled, a tensor",
    "transformer.rotate heads": "vectors, a tensor",
    "couplets.Couplets.write last": "words of the library's own, a tensor",
    "keeping.rehearsed rehearsal": "what the library's own code has just computed",
    "keeping.accept rehearsal": "what the library's own code has just computed",
    "keeping.accept within": "given by the library's own recipes",
    "recipe.Recipe.keeps seed": "looked up among those of the recipe",
    "proofreading.proof place": "places, a tensor",
    "kept_states.recurrent seed": HANDED_ON,
    "kept_states.recurrent d_model": HANDED_ON,
    "kept_states.recurrent d_state": HANDED_ON,
    "kept_states.recurrent steps": HANDED_ON,
    "kept_states.recurrent lr": HANDED_ON,
    "foreign_topics.read_off ridge": HANDED_ON,
    "kept_foreign.of_topics learned": "how many texts, a size of the library's own",
    "kept_foreign.of_topics asked": "how many texts, a size of the library's own",
    "kept_foreign.of_topics pairs": "how many texts, a size of the library's own",
    "kept_states.passages n": "how many passages, a size of the library's own",
    "kept_states.of_smollm n": "how many passages, a size of the library's own",
    "states.swapped places": "a slice",
    "states.swap_trial seed": HANDED_ON,
    "recurrent.Recurrent.changed places": "a slice",
    "topics.Topics.updated place": "a place in a text that its caller has read",
    "topics.Topics.next_probs first": "a place in a text that its caller has read",
    "arithmetic.threaded_matmul weight": "a matrix",
    "spelling.unknown start": "a place in a text of the library's own",
    "kept_proofs.doubter n": "how many windows it learns from, a size of the library's own",
    "learned.by_seed n": "looked up among what is kept",
    "learned.chosen n": "looked up among what is kept",
    "learned.of_arm n": "looked up among what is kept",
    "kept_reading.do steps": HANDED_ON,
    "kept_reading.do tested": "how many windows, a size of the library's own",
    "scarce.look more": "KL divergences of the library's own",
    "scarce.shape size": "sizes, which `TransformerConfig` checks",
    "scarce.learn size": "sizes, which `TransformerConfig` checks",
    "scarce.kept_out_texts n": "checked by `learn`",
    "scarce.texts_of n": "checked by `learn`",
    "scarce.texts_of seed": HANDED_ON,
    "scarce_kjv.slice_of seed": "one of the library's own, below the number of slices",
    "scarce_kjv.learn steps": HANDED_ON,
    "scarce_kjv.bits nats": "a sum of the library's own",
    "scarce_kjv.bits characters": "counted by the library",
    "stack.Stack.model i": "a place among the library's own models",
    "listed.Listed places": "checked under its name in each language",
    "kept_proofs.read_proofs seed": HANDED_ON,
    "kept_proofs.samplers texts": "a size of the library's own",
    "kept_proofs.write_all texts": "a size of the library's own",
    "remasking.chances most": "checked by `sample`",
    "remasking.chances steps": "checked by `sample`",
    "bare_words.bare_loss reach": HANDED_ON,
    "bare_words.two_streams length": "of the tokens that its caller checks",
    "bare_words.two_streams reach": "checked by its caller",
    "couplets.Couplets.options position": "a place in a text of the library's own",
    "horizon.after_cut seed": HANDED_ON,
    "horizon.mixtures ahead": "a size of the library's own",
    "horizon.mixtures n": "a size of the library's own",
    "horizon.mixtures seed": HANDED_ON,
    "horizon.own_text seed": HANDED_ON,
    "planning.donors seed": HANDED_ON,
    "chance.integers below": "a size of the library's own, to draw from",
    "forced_answers.force n": HANDED_ON,
    "cluster.Cluster patience": "seconds to wait for a worker, a constant but for tests",
    "kept_answers.accept n": "how many questions are asked once more, for tests",
    **{f"gaps.{name} size": "a place in a text of the library's own" for name in GAPS},
    **{
        f"learned.{name} n": "how many texts some of the library's own runs had"
        for name in ("versus", "by_step", "by_pass")
    },
    "gaps.all_apart most": "a place in a text of the library's own",
    "absolute.AbsoluteTransformer seed": "checked by `Transformer`",
    "kept_places.learn seed": "checked by `fit`",
    "kept_places.learn steps": "checked by `fit`",
    "kept_passages.accept n": "how many passages are scored once more, for tests",
    "rearranged.cut size": "of the texts that its caller cuts",
    "kv_cache.KVCache.check batch_size": "what a model tells its cache",
    "kv_cache.KVCache.check length": "what a model tells its cache",
    "markov.MarkovChain vocab_size": "made by `fit`, which checks it",
    "recipe.first_losses n": "how many steps are done once more, for tests",
    "recipe.first_losses seed": HANDED_ON,
    "recipe.train seed": HANDED_ON,
    "smollm.load bits": "one of two, and checked as such",
    "store.load_checkpoint seed": HANDED_ON,
    "transformer.check_tokens start": "the length of a cache",
}
RULE = refining.Masks(19, 2)
LONG = lively(TransformerConfig(20, d_model=8, n_layers=1, n_heads=1, max_len=24))
ANYWHERE = automata.at_place(20, 1, range(20))
FLAT, WRITTEN = torch.full((2,) * 4, 1 / 16, dtype=torch.float64), speed.Law(torch.zeros(1), 2.0)
WRONG = speed.Law(FLAT.flatten().log(), 4.0)
LETTERS = lively(TransformerConfig(len(TANGLE.vocab), d_model=8, n_layers=1, n_heads=1, max_len=5))
TRUE = control.truth(TANGLE)
ROOF = timing.Roofline({1: (1.0, 2.0), 4: (2.0, 3.0)}, 1, 1)


def in_blocks(new=2, size=2):
    return blocks.write(blocks.Reader(CAUSAL, 2), TEXT, new, RULE, size=size)


def lesson(how, *what, size=2, given=2):
    return how(LONG, TEXT, *what, size=size, given=given, generator=dice())


def side_by_side(n=2, new=2, resample=0.5, given=6):
    weigh = guided.Mask(ANYWHERE, 8, given)
    how = {"n": n, "resample": resample, "generator": dice()}
    return guided.particles(CAUSAL, TEXT, new, weigh, **how).log_weights


def speculated(n=3, **how):
    how = {"generator": dice(), **how}
    return speculative.generate(CAUSAL, TEXT, n, speculative.Lookup(), **how)


def drafted(by):
    return by.propose(torch.tensor([[0, 1, 0]]), 2, dice())[0]


def timed_by_nothing(**how):
    how = {"counts": (1, 2), "context": 3, "rounds": 1, "clock": lambda: 0.0} | how
    found = timing.measure(CAUSAL, **how)
    return found.rows, len(found.seconds[1]), sorted(found.seconds)


def counting(rows=2, seed=0):
    world = Topics(3)
    model = lively(TransformerConfig(len(world.vocab), d_model=8, n_layers=1, n_heads=1, max_len=4))
    return control.counting(model, world, "wave", 1, rows=rows, seed=seed)[0].texts


def filling(times=1, rows=2, seed=0):
    return control.filling(Topics(3), "wave", times, rows=rows, seed=seed).texts


def letters_of_its_own(batch_size=2, seed=0):
    return next(control.own_texts(TRUE, batch_size=batch_size, seed=seed))


ARGUMENTS |= {  # of blocks, of guesses, and of constraints
    "blocks.write new": a_whole(lambda v: in_blocks(new=v), 1, 3, least=1),
    "blocks.write size": a_whole(lambda v: in_blocks(size=v), 1, 2, least=1),
    "blocks.Reader rows": a_whole(
        lambda v: blocks.Reader(CAUSAL, v).cache.batch_size, 1, 3, least=1
    ),
    "blocks.Reader room": a_whole(
        lambda v: blocks.Reader(CAUSAL, 1, v).cache.max_len, 1, 7, least=1, most=16
    ),
    "blocks.Rereading length": a_whole(
        lambda v: blocks.Rereading(DENOISER, 19, v).length, 5, least=1
    ),
    "blocks.loss size": a_whole(lambda v: lesson(blocks.loss, 19, size=v), 1, 2, least=1, most=4),
    "blocks.loss given": a_whole(
        lambda v: lesson(blocks.loss, 19, size=1, given=v), 2, 4, least=1, most=5
    ),
    "blocks.noise_loss size": a_whole(
        lambda v: lesson(blocks.noise_loss, range(19), size=v), 1, 2, least=1, most=4
    ),
    "blocks.noise_loss given": a_whole(
        lambda v: lesson(blocks.noise_loss, range(19), size=1, given=v), 2, 4, least=1, most=5
    ),
    "refining.Masks mask_id": a_whole(lambda v: refining.Masks(v, 2).mask_id, 3, least=0),
    "refining.Masks passes": a_whole(lambda v: refining.Masks(19, v).passes, 3, least=1),
    "refining.Masks threshold": a_real(
        lambda v: refining.Masks(19, 2, v).threshold, 0.5, least=0, most=1
    ),
    "refining.Masks edit": a_real(
        lambda v: refining.Masks(19, 2, edit=v).edit, 0.5, least=0, most=1
    ),
    "refining.Masks more": a_whole(lambda v: refining.Masks(19, 2, more=v).more, 3, least=1),
    "refining.Masks temperature": a_real(
        lambda v: refining.Masks(19, 2, temperature=v).temperature, 0, 0.5, least=0
    ),
    "refining.Noise passes": a_whole(lambda v: refining.Noise([1], v).passes, 3, least=1),
    "refining.Noise threshold": a_real(
        lambda v: refining.Noise([1], 2, v).threshold, 0.5, least=0, most=1
    ),
    "refining.Noise edit": a_real(
        lambda v: refining.Noise([1], 2, edit=v).edit, 0.5, least=0, most=1
    ),
    "refining.Noise temperature": a_real(
        lambda v: refining.Noise([1], 2, temperature=v).temperature, 0, 0.5, least=0
    ),
    "refining.Entropy passes": a_whole(lambda v: refining.Entropy([1], v).passes, 3, least=1),
    "refining.Entropy bound": a_real(lambda v: refining.Entropy([1], 2, v).bound, 0, 0.5, least=0),
    "refining.Entropy temperatures": a_real(
        lambda v: refining.Entropy([1], 2, 0.1, (v, 0.4)).temperatures, 0.5, least=0, open="("
    ),
    "speculative.generate max_new_tokens": a_whole(lambda v: speculated(v), 0, 4),
    "speculative.generate ahead": a_whole(lambda v: speculated(ahead=v), 0, 2),
    "speculative.generate temperature": a_real(
        lambda v: speculated(temperature=v), 0, 0.5, 2, least=0
    ),
    "speculative.generate top_k": a_whole(
        lambda v: speculated(temperature=1.0, top_k=v), 1, 5, least=1, most=math.inf
    ),
    "speculative.generate top_p": a_real(
        lambda v: speculated(temperature=1.0, top_p=v), 0.5, 1, least=0, most=1, open="("
    ),
    "speculative.Small temperature": a_real(
        lambda v: drafted(speculative.Small(CAUSAL, v)), 0, 0.5, least=0
    ),
    "speculative.Counts temperature": a_real(
        lambda v: drafted(speculative.Counts(CHAIN, v)), 0, 0.5, least=0
    ),
    "speculative.Lookup most": a_whole(lambda v: drafted(speculative.Lookup(v)), 1, 3, least=1),
    "guided.Mask length": a_whole(lambda v: guided.Mask(ANYWHERE, v).given, 2, 5, least=1),
    "guided.Mask given": a_whole(lambda v: guided.Mask(ANYWHERE, 8, v).given, 0, 6, most=8),
    "guided.particles n": a_whole(lambda v: side_by_side(n=v), 1, 3, least=1),
    "guided.particles new": a_whole(lambda v: side_by_side(new=v), 1, 2, least=1),
    "guided.steer new": a_whole(
        lambda v: guided.steer(CAUSAL, TEXT, v, guided.Mask(ANYWHERE, 9, 6), generator=dice()),
        1,
        2,
        least=1,
    ),
    "guided.particles resample": a_real(
        lambda v: side_by_side(resample=v), 0, 0.5, least=0, most=1
    ),
    "guided.Fitting given": a_whole(
        lambda v: guided.Fitting(DENOISER, ANYWHERE, 19, v).given, 0, 2
    ),
    "guided.Fitting mask_id": a_whole(
        lambda v: guided.Fitting(DENOISER, ANYWHERE, v).mask_id, 3, 19, most=19
    ),
    "guided.Guided weight": a_real(lambda v: guided.Guided(1, 2, v).weight, 0, 0.5, 3, least=0),
    "posterior.Listed given": a_whole(
        lambda v: posterior.Listed(TANGLE.texts, -torch.ones(4), ANYWHERE, v).probability,
        0,
        1,
        most=3,
    ),
    "timing.by_turns rounds": a_whole(
        lambda v: len(timing.by_turns({"a": dice}, rounds=v)["a"]), 1, 3, least=1
    ),
    "speed.truth size": a_whole(lambda v: speed.truth(FLAT, v)[0], 1, 2, 4, least=1, most=4),
    "speed.asked size": a_whole(
        lambda v: speed.asked(LETTERS, TANGLE, v)[0], 1, 2, least=1, most=2
    ),
    "speed.write size": a_whole(
        lambda v: speed.write(speed.truth(FLAT, 4), size=v).passes, 1, 2, 5, least=1
    ),
    "speed.write threshold": a_real(
        lambda v: speed.write(speed.truth(FLAT, 4), threshold=v).passes, 0, 0.5, 1, least=0, most=1
    ),
    "speed.Law.wrong rare": a_real(lambda v: WRONG.wrong(FLAT, v), 0, 0.5, 1, least=0, most=1),
    "speed.schedules n": a_whole(lambda v: len(speed.schedules(v, 1)), 1, 3, least=1),
    "speed.schedules size": a_whole(lambda v: len(speed.schedules(4, v)), 1, 2, 4, least=1, most=4),
    "speed.price n": a_whole(lambda v: speed.price(WRITTEN, v, 1), 1, 3, least=1),
    "speed.price size": a_whole(lambda v: speed.price(WRITTEN, 4, v), 1, 2, 4, least=1, most=4),
    "drafting.passages n": a_whole(drafting.passages, 1, 3, least=1, most=20),
    "drafting.requests n": a_whole(drafting.requests, 2, least=1, most=20),
    "timing.Roofline.gain accepted": a_real(lambda v: ROOF.gain(4, v), 0, 2.5, least=0, most=4),
    "timing.measure counts": a_whole(lambda v: timed_by_nothing(counts=(1, v)), 1, 4, least=1),
    "timing.measure context": a_whole(
        lambda v: timed_by_nothing(context=v), 0, 3, least=0, most=14
    ),
    "timing.measure rows": a_whole(lambda v: timed_by_nothing(rows=v), 1, 3, least=1),
    "timing.measure rounds": a_whole(lambda v: timed_by_nothing(rounds=v), 1, 3, least=1),
    "timing.measure seed": a_seed(lambda v: timed_by_nothing(seed=v)),
    "automata.Automaton.alive places": a_whole(ANYWHERE.alive, 0, 3, most=10_000),
    "automata.at_place vocab_size": a_whole(
        lambda v: automata.at_place(v, 1, [0]).moves, 3, least=1
    ),
    "automata.at_place place": a_whole(
        lambda v: automata.at_place(3, v, [0]).moves, 0, 2, most=10_000
    ),
    "automata.in_turn vocab_size": a_whole(lambda v: automata.in_turn(v, [[0]]).moves, 3, least=1),
    "steered.favour n": a_whole(
        lambda v: steered.favour(torch.ones(3), torch.ones(3), v), 1, 3, least=1
    ),
    "steered.favour seed": a_seed(
        lambda v: steered.favour(torch.ones(3), torch.ones(3), 2, seed=v)
    ),
    "steered.in_passes size": a_whole(
        lambda v: steered.in_passes(TANGLE, TRUE.blanks, torch.ones(4) > 0, v), 1, 2, 5, least=1
    ),
    "steered.guided weight": a_real(
        lambda v: steered.guided(TANGLE, TRUE.blanks, TRUE.blanks, v).log_probs, 0, 0.5, least=0
    ),
    "control.guided_to weight": a_real(
        lambda v: control.guided_to(TANGLE, ANYWHERE, v).off, 0.5, 3, least=0, open="("
    ),
    "control.counting rows": a_whole(lambda v: counting(rows=v), 2, 3, least=2),
    "control.counting seed": a_seed(lambda v: counting(seed=v)),
    "control.filling rows": a_whole(lambda v: filling(rows=v), 2, 3, least=2),
    "control.filling times": a_whole(lambda v: filling(times=v), 0, 1, 3, least=0, most=3),
    "control.filling seed": a_seed(lambda v: filling(seed=v)),
    "control.own_texts batch_size": a_whole(
        lambda v: letters_of_its_own(batch_size=v), 1, 3, least=1
    ),
    "control.own_texts seed": a_seed(lambda v: letters_of_its_own(seed=v)),
    "automata.counted vocab_size": a_whole(lambda v: automata.counted(v, 0, 1).moves, 3, least=1),
    "automata.counted token": a_whole(lambda v: automata.counted(3, v, 1).moves, 0, 2, most=2),
    "automata.counted times": a_whole(lambda v: automata.counted(3, 0, v).moves, 0, 2, most=10_000),
}
EXEMPT |= {
    "blocks.seeing places": "places, a tensor",
    "smollm.EightBits weight": "weight, a tensor",
    "blocks.Reader rows": "checked by `KVCache`, under its name there",
    "blocks.Reader room": "checked by `KVCache`, under its name there",
    "refining.Masks.begin size": "counted by its caller",
    "refining.Noise.begin size": "counted by its caller",
    "refining.Entropy.begin size": "counted by its caller",
    "speculative.Small.propose n": "counted by its caller",
    "speculative.Counts.propose n": "counted by its caller",
    "speculative.Lookup.propose n": "counted by its caller",
    "control.last_letter_loss size": "counted by its caller",
    "taking_back.GoOn.log_prob draw": "counted by its caller",
    "taking_back.LookAgain.log_prob draw": "counted by its caller",
    "control.exactly times": HANDED_ON,
    "control.counting times": HANDED_ON,
    "control.guidance seed": HANDED_ON,
    "control.guidance weight": HANDED_ON,
    "steered.off_by_weights log_evidence": "a number of the library's own",
    **{
        f"{function} {name}": HANDED_ON
        for function in (
            "control.Weighed.off",
            "control.Weighed.truly_off",
            "steered.Law.picked",
            "steered.off_by_weights",
        )
        for name in ("n", "seed")
    },
    **{
        f"timing.Roofline.{name} k": "one of those timed"
        for name in ("ratios", "ratio", "spread", "gain")
    },
}
ORDERED = trajectories.Written(torch.tensor([[3, 1, 2]]), torch.tensor([[1, 2]]))
EIGHT, GOOD = Tangle("ab", 3), torch.arange(8.0, dtype=torch.float64)
EVEN = torch.zeros(8, dtype=torch.float64).log_softmax(0)


def eight(causal=False):
    shape = TransformerConfig(len(EIGHT.vocab), 8, 1, 1, max_len=4, causal=causal)
    return reward.Letters(Transformer(shape), EIGHT)


def rewarded(**how):
    arm = reward.Arm("exact", 1e-3)
    how = {"passes": 1, "beta": 0.5, "seed": 0, "looks": 1} | how
    return reward.learn(eight(True), EIGHT, GOOD, arm, **how)[1]


def stood_in(how, *what, **numbers):
    asked = trajectories.by_masks(ORDERED, 19, 2, generator=dice())
    return how(DENOISER, ORDERED.texts, asked, 19, *what, **numbers).tolist()


def corrected(**how):
    how = {"steps": 1, "lr": 1e-3, "seed": 0} | how
    taught, _ = taking_back.learn(ANSWERING, SMALL, taking_back.GoOn(), **how)
    return [weight.tolist() for weight in taught.parameters()]


ARGUMENTS |= {  # of reward
    "enumeration.in_sure_order eagerness": a_real(
        lambda v: enumeration.in_sure_order(TABLE, v).tolist(), 0, 0.5, least=0
    ),
    "trajectories.write eagerness": a_real(
        lambda v: trajectories.write(DENOISER, BLANK, 19, eagerness=v, generator=dice()).texts,
        0,
        2.5,
        least=0,
    ),
    "trajectories.by_steps only": a_whole(
        lambda v: trajectories.by_steps(ORDERED, 19, only=v, generator=dice()).states,
        1,
        2,
        least=1,
        most=2,
    ),
    "trajectories.by_masks k": a_whole(
        lambda v: trajectories.by_masks(ORDERED, 19, v, generator=dice()).states, 1, 3, least=1
    ),
    "trajectories.stand_in eagerness": a_real(
        lambda v: stood_in(trajectories.stand_in, eagerness=v), 0, 0.5, least=0
    ),
    "trajectories.two_bounds power": a_real(
        lambda v: stood_in(trajectories.two_bounds, torch.tensor([False]), power=v), 1, 1.5, least=1
    ),
    "trajectories.two_bounds share": a_real(
        lambda v: stood_in(trajectories.two_bounds, torch.tensor([False]), share=v),
        0,
        0.5,
        least=0,
        most=1,
    ),
    "reward.best beta": a_real(lambda v: reward.best(EVEN, GOOD, v)[1], 0.5, least=0, open="("),
    "reward.Arm lr": a_real(lambda v: reward.Arm("steps", v).lr, 0.5, least=0, open="("),
    "reward.learn passes": a_whole(lambda v: rewarded(passes=v), 1, 3, least=1),
    "reward.learn looks": a_whole(lambda v: rewarded(looks=v), 1, 2, least=1),
    "reward.learn seed": a_seed(lambda v: rewarded(seed=v)),
    "estimates.ratios n": a_whole(
        lambda v: estimates.ratios(eight(), EIGHT, "1 mask", v, generator=dice()), 1, 3, least=1
    ),
    "taking_back.learn steps": a_whole(lambda v: corrected(steps=v), 1, least=1),
    "taking_back.learn lr": a_real(lambda v: corrected(lr=v), 1e-3, least=0, open="("),
    "taking_back.learn seed": Argument(lambda v: corrected(seed=v), (0, 3), 0, 1000),
}
EXEMPT |= {
    "kept_reward.tangled seed": HANDED_ON,
    "kept_reward.learning passes": HANDED_ON,
    "kept_reward.as_many_texts passes": "a size of the library's own",
    "kept_reward.gradients batches": "a size of the library's own",
    "kept_reward.verdicts steps": HANDED_ON,
    "kept_reward.verdicts asked": "a size of the library's own",
    "reward.first letter": "one of the world's letters",
    "reward.even letter": "one of the world's letters",
    "reward.price letters": "how many a text of a world has",
    "estimates.upper_bound power": "one of the library's own",
    "reward.value beta": "checked by `best`",
    "reward.gain beta": "checked by `best`",
    "reward.learn beta": "checked by `best`",
    "reward.surrogate beta": "checked by its caller",
    "reward.write n": HANDED_ON,
    **{
        f"{name} eagerness": "checked by `trajectories.write`"
        for name in (
            "reward.write",
            "reward.learn",
            "reward.surrogate",
            "estimates.sampled_gradient",
            "estimates.ratios",
        )
    },
    **{
        f"{name} eagerness": "checked by `enumeration.in_sure_order`"
        for name in (
            "reward.law",
            "reward.exact_of",
            "estimates.exact_gradient",
            "estimates.expected_gradient",
        )
    },
    "taking_back.ask n": HANDED_ON,
    "taking_back.ask seed": HANDED_ON,
    "taking_back.ask held_out": "yes or no, as in `Verdicts.sample`",
    "taking_back.GoOn.tries temperature": HANDED_ON,
    "taking_back.LookAgain.tries temperature": HANDED_ON,
    "taking_back.LookAgain.log_prob steps": "what was done, not how often",
    "taking_back.learn looks": "after how many steps to measure, a collection",
}
MASKED = {  # what takes the id of a mask, of a vocabulary of 20 or of one that is not known
    "diffusion.check_model": lambda v: diffusion.check_model(DENOISER, v),
    "diffusion.loss": lambda v: diffusion.loss(DENOISER, TEXT, v, generator=dice()),
    "diffusion.elbo": lambda v: diffusion.elbo(DENOISER, TEXT, v, samples=1, generator=dice()),
    "diffusion.log_probs": lambda v: diffusion.log_probs(DENOISER, TEXT, v),
    "remasking.sample": lambda v: remasking.sample(
        DENOISER, BLANK, v, steps=1, most=0, generator=dice()
    ),
    "revision.confidences": lambda v: revision.confidences(DENOISER, TEXT, v, [1]),
    "revision.glance": lambda v: revision.glance(DENOISER, TEXT, v, [1]),
    "revision.revise": lambda v: revision.revise(DENOISER, TEXT, v, [1], rounds=1),
    "blocks.loss": lambda v: lesson(blocks.loss, v),
    "trajectories.write": lambda v: trajectories.write(DENOISER, BLANK, v, generator=dice()).order,
    "trajectories.stand_in": lambda v: asked_of(trajectories.stand_in, v),
    "trajectories.two_bounds": lambda v: asked_of(
        trajectories.two_bounds, v, torch.tensor([False])
    ),
    "likelihood.exact": lambda v: likelihood.exact(DENOISER, TEXT, v),
    "likelihood.bound_per_character": lambda v: likelihood.bound_per_character(
        DENOISER, tokens(1, 40, 19)[0], 9, v, samples=1
    ),
    "probes.slips": lambda v: probes.slips(DENOISER, TEXT, v, [1, 2], generator=dice())[0],
    "proofreading.hide_each": lambda v: (
        proofreading.hide_each(DENOISER, TEXT, v, generator=dice()).present
    ),
    "proofreading.by_signal": lambda v: (
        proofreading.by_signal(DENOISER, TEXT, v, revision.glance).doubt
    ),
}
MASKED_ANYHOW = {
    "diffusion.corrupt": lambda v: diffusion.corrupt(TEXT, 0.5, v, generator=dice())[0],
    "diffusion.hide": lambda v: diffusion.hide(TEXT, torch.ones(2), v, generator=dice())[0],
    "blocks.Rereading": lambda v: blocks.Rereading(DENOISER, v, 8).mask_id,
    "guided.possible": lambda v: guided.possible(ANYWHERE, TEXT, v),
    "trajectories.by_steps": lambda v: trajectories.by_steps(ORDERED, v).states,
    "trajectories.by_one_pass": lambda v: trajectories.by_one_pass(ORDERED, v).states,
    "trajectories.by_masks": lambda v: (
        trajectories.by_masks(ORDERED, v, 1, generator=dice()).states
    ),
    "trajectories.by_pairs": lambda v: trajectories.by_pairs(ORDERED, v, generator=dice()).states,
    "enumeration.table": lambda v: enumeration.table(DENOISER, TEXT, [1, 2], v).peaks,
    "filling_order.when_filled": lambda v: filling_order.when_filled(DENOISER, BLANK, v)[0],
}


def asked_of(how, mask_id, *what):
    asked = trajectories.by_masks(ORDERED, 19, 2, generator=dice())
    return how(DENOISER, ORDERED.texts, asked, mask_id, *what)


ARGUMENTS |= {f"{name} mask_id": a_whole(call, 19, most=19) for name, call in MASKED.items()}
ARGUMENTS |= {f"{name} mask_id": a_whole(call, 19) for name, call in MASKED_ANYHOW.items()}
EXEMPT |= {
    "kept_proofs.read_all mask_id": HANDED_ON,
    "reward.ask mask_id": HANDED_ON,
    "scarce.losses mask_id": HANDED_ON,
    "likelihood.kl mask_id": HANDED_ON,
    "planning.written_after position": HANDED_ON,
    "ids.checked_mask size": "how many tokens the library's own model knows",
    "ids.token_ids size": "how many tokens the library's own model knows",
    "ids.token_ids fewest": "0 or 1, of the library's own",
    "ids.check_texts size": "how many tokens the library's own model knows",
}
KNOWN = {key.split()[-1] for key in ARGUMENTS}
AMBIGUOUS = {
    "stop",
    "order",
    "digits",
    "given",
    "keep",
    "layer",
    "arms",
    "rows",
    "edit",
}  # ids, and words for other things too


def is_numeric(parameter):
    """By what it says of itself: its annotation, its default, or a name that others have."""
    said = {part.strip() for part in str(parameter.annotation).split("|")}
    default = parameter.default
    return (
        bool(said & {"int", "float", "<class 'int'>", "<class 'float'>"})
        or (isinstance(default, int | float) and not isinstance(default, bool))
        or (parameter.name in KNOWN - AMBIGUOUS and parameter.annotation is inspect.Parameter.empty)
    )


def functions(module):
    """(name, function) of what a module has for its readers. What only holds results is left out:
    a dataclass that checks nothing, and is made by the library."""
    for name, found in vars(module).items():
        if name.startswith("_") or getattr(found, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(found):
            yield name, found
        elif inspect.isclass(found):
            holds = is_dataclass(found) and not hasattr(found, "__post_init__")
            for method, function in vars(found).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function
            if "__init__" in vars(found) and not holds:
                yield name, found.__init__


def numeric_arguments():
    """ "module.function argument" for each number that a function of the library takes; not of
    those that draw pages, nor of recipes, whose numbers are written where they are."""
    for found in pkgutil.walk_packages(utils.__path__, "utils."):
        room, *rest = found.name.split(".")[1:]
        if found.ispkg or room == "page" or rest[0] in ("recipes", "__main__", "numbers"):
            continue
        module = importlib.import_module(found.name)
        for name, function in functions(module):
            for parameter in inspect.signature(function).parameters.values():
                if is_numeric(parameter):
                    yield f"{rest[-1]}.{name} {parameter.name}"


def test_every_number_that_a_function_takes_is_listed():
    """A new argument is checked by `utils.text.numbers`, and listed in `ARGUMENTS` with what will
    do; or it is named in `EXEMPT` with a reason."""
    wanted = list(numeric_arguments())
    names = Counter(key.partition(".")[2] for key in wanted)
    missing = [
        key
        for key in wanted
        if key not in ARGUMENTS.keys() | EXEMPT.keys()
        and not (key.partition(".")[2] in ARGUMENTS and names[key.partition(".")[2]] == 1)
    ]
    assert missing == []
    assert EXEMPT.keys() <= set(wanted), "what need not be exempt any more?"


def test_every_number_that_is_checked_is_listed():
    """Under its name, in whatever function; not of what draws, whose own tests do that."""
    checked = re.compile(r"""\b(?:whole|real)\(\s*["'](\w+)["']""")
    for path in (ROOT / "utils").rglob("*.py"):
        names = set(checked.findall(path.read_text("utf-8")))
        names.discard("positions")  # one or many: tests/generation/test_rounds.py tries them
        names.discard("rate")  # one or many: RATES are tried below
        assert names <= KNOWN or path.name == "numbers.py" or path.parent.name == "page", path


# -- that each is checked --------------------------------------------------------------------------

NUMBERS = (
    st.floats()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from(
        [
            0,
            -1,
            0.5,
            -0.0,
            1e-46,
            1e-320,
            1e39,
            1e308,
            2**63,
            10**400,
            math.nan,
            math.inf,
            -math.inf,
        ]
    )
)


@pytest.mark.parametrize("key", ARGUMENTS)
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_out_of_range_is_refused_by_name(key, data):
    argument, number = ARGUMENTS[key], data.draw(NUMBERS)
    wrap = WRAPS.get(data.draw(st.sampled_from(["as it is", *WRAPS])), lambda v: v)
    try:
        with warnings.catch_warnings(action="ignore"):  # of NumPy, where it becomes infinite
            value = wrap(number)
    except (OverflowError, ValueError, RuntimeError, TypeError):
        return  # there is no such number
    if will_do(argument, value.item() if hasattr(value, "item") else value):
        return
    with pytest.raises(ValueError, match=f"^{key.split()[-1]} is "):
        argument.call(value)


@pytest.mark.parametrize("key", ARGUMENTS)
@pytest.mark.parametrize("what", NO_NUMBERS)
def test_what_is_no_number_is_refused_by_name(key, what):
    if key == "generate stop" and what in ("a list", "an array", "a row", "one in a row"):
        return  # there may be several
    with pytest.raises(ValueError, match=f"^{key.split()[-1]} is .*; "):
        ARGUMENTS[key].call(NO_NUMBERS[what])


@pytest.mark.parametrize("key", ARGUMENTS)
def test_the_same_number_does_the_same_from_wherever_it_comes(key):
    for number in ARGUMENTS[key].good:
        expected = plain(ARGUMENTS[key].call(number))
        for name, wrap in [("2.0", float), *WRAPS.items()]:
            try:
                value = wrap(number)
            except OverflowError:  # a kind without numbers below 0
                continue
            if float(value) == number:  # not every kind has a half
                assert plain(ARGUMENTS[key].call(value)) == expected, name


# -- numbers at the edge of what floats can hold ---------------------------------------------------


@given(
    temperature=st.floats(0, allow_infinity=False),
    top_p=st.none() | st.floats(0, 1, exclude_min=True),
    top_k=st.none() | st.integers(1, 2**70),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.float16, torch.bfloat16]),
    scale=st.sampled_from([0, 1e-3, 1, 100, 3e4]),
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_knobs_what_is_drawn_from_is_a_distribution(
    temperature, top_p, top_k, dtype, scale
):
    logits = (torch.linspace(-2, 2, 7) * scale).to(dtype)
    logits[2] = -torch.inf
    probs = sampling.distribution(logits, temperature=temperature, top_p=top_p, top_k=top_k)
    assert probs.isfinite().all() and (probs >= 0).all()
    assert abs(float(probs.sum()) - 1) < 1e-3 and probs[2] == 0
    drawn = sampling.draw(logits, temperature=temperature, top_p=top_p, top_k=top_k)
    assert probs[drawn] > 0


# -- tokens by their ids, and texts of them --------------------------------------------------------

RULES = {"passes": 2}
IDS = {  # what takes ids of a vocabulary of 20, one or several
    "sampling.generate stop": lambda v: written_from(stop=v),
    "continue_each stop": lambda v: continue_each(CAUSAL, [TEXT[0]], 2, v)[0],
    "force tokens": lambda v: forcing.force(CAUSAL, TEXT, v, 1),
    "canvas.write choices": lambda v: canvas.write(
        DENOISER, TEXT, [1, 2], v, passes=2, generator=dice()
    ),
    "canvas.loss choices": lambda v: canvas.loss(UNTIED, TEXT, v, generator=dice()),
    "uniform.loss choices": lambda v: uniform.loss(DENOISER, TEXT, v, generator=dice()),
    "noise_loss choices": lambda v: lesson(blocks.noise_loss, v),
    "at_place wanted": lambda v: automata.at_place(20, 1, v).moves,
    "at_place letters": lambda v: automata.at_place(20, 1, [3], v).moves,
    "counted letters": lambda v: automata.counted(20, 3, 1, v).moves,
    "in_turn wanted": lambda v: automata.in_turn(20, [v, [1]]).moves,
}
IDS_ANYHOW = {  # where the vocabulary is not known
    "uniform.disturb choices": lambda v: uniform.disturb(TEXT, 1.0, v, generator=dice()),
    "refining.Noise choices": lambda v: refining.Noise(v, **RULES).choices,
    "refining.Entropy choices": lambda v: refining.Entropy(v, **RULES).choices,
}
MAY_BE_NONE = ("stop", "letters")  # nothing is no mistake there
UNTIED = lively(
    TransformerConfig(
        20, d_model=8, n_layers=1, n_heads=1, max_len=16, causal=False, tie_embeddings=False
    )
)
NO_IDS = [-1, 2**63, 2**70, 0.5, math.nan, math.inf, True, "1", b"1", object()]


@pytest.mark.parametrize("key", [*IDS, *IDS_ANYHOW])
def test_ids_that_are_none_are_refused_by_name(key):
    call, name = {**IDS, **IDS_ANYHOW}[key], key.split()[-1]
    for wrong in [*NO_IDS, *([20, 10**6] if key in IDS else [])]:
        for ids in ([wrong], [3, wrong], (wrong, 3)):
            with pytest.raises(ValueError, match=f"^{name} is .*; give the ids of tokens"):
                call(ids)
    for ids in (
        torch.tensor([3, -1]),
        torch.tensor([0.5]),
        torch.tensor([True, False]),
        np.array([3.5]),
        "12",
    ):
        with pytest.raises(ValueError, match=f"^{name} is .*; give the ids of tokens"):
            call(ids)
    if name not in MAY_BE_NONE:
        for ids in ([], (), torch.tensor([], dtype=torch.int64)):
            with pytest.raises(ValueError, match=f"{name} (is empty|names no token)"):
                call(ids)


@pytest.mark.parametrize("key", [*IDS, *IDS_ANYHOW])
def test_the_same_ids_do_the_same_in_whatever_form(key):
    call = {**IDS, **IDS_ANYHOW}[key]
    expected = plain(call([3, 4]))
    forms = (3, 4), range(3, 5), [3.0, np.int64(4)], np.array([3, 4]), torch.tensor([3.0, 4.0])
    for ids in (*forms, torch.tensor([3, 4]), [torch.tensor(3), 4]):
        assert plain(call(ids)) == expected


def test_every_argument_that_takes_ids_is_listed():
    known = {key.split()[-1] for key in IDS} - {"stop", "tokens", "wanted", "letters"}
    for found in pkgutil.walk_packages(utils.__path__, "utils."):
        if found.ispkg or ".page" in found.name or "recipes" in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, function in functions(module):
            for one in known & inspect.signature(function).parameters.keys():
                keys = {f"{name} {one}", f"{found.name.split('.')[-1]}.{name} {one}"}
                assert keys & {*IDS, *IDS_ANYHOW}, keys


READ = {  # what takes texts, (batch, length) int64, of a vocabulary of 20
    "generate": lambda t: sampling.generate(CAUSAL, t, 2),
    "score": lambda t: sampling.score(CAUSAL, t),
    "force": lambda t: forcing.force(CAUSAL, t, [1, 2], 2),
    "diffusion.loss": lambda t: diffusion.loss(DENOISER, t, 19, generator=dice()),
    "elbo": lambda t: diffusion.elbo(DENOISER, t, 19, samples=1, generator=dice()),
    "uniform.loss": lambda t: uniform.loss(DENOISER, t, [1, 2], generator=dice()),
    "canvas.loss": lambda t: canvas.loss(UNTIED, t, [1, 2], generator=dice()),
    "edit": lambda t: uniform.edit(DENOISER, t, [1], rounds=1),
    "canvas.write": lambda t: canvas.write(DENOISER, t, [1], [1, 2], passes=2, generator=dice()),
    "revise": lambda t: revision.revise(DENOISER, t, 19, [1], rounds=1),
    "confidences": lambda t: revision.confidences(DENOISER, t, 19, [1]),
    "glance": lambda t: revision.glance(DENOISER, t, 19, [1]),
    "backtrack": lambda t: rewriting.backtrack(CAUSAL, t, [1], rounds=1),
    "gibbs": lambda t: rewriting.gibbs(CAUSAL, t, [1], sweeps=1, candidates=2),
    "remasking.sample": lambda t: remasking.sample(
        DENOISER, with_blanks(t), 19, steps=2, most=0.1, generator=dice()
    ),
    "blocks.write": lambda t: blocks.write(blocks.Reader(CAUSAL, 2), t, 2, RULE, size=2),
    "blocks.loss": lambda t: blocks.loss(LONG, t, 19, size=2, given=2, generator=dice()),
    "blocks.noise_loss": lambda t: blocks.noise_loss(
        LONG, t, range(19), size=2, given=2, generator=dice()
    ),
    "steer": lambda t: guided.steer(CAUSAL, t, 2, guided.Mask(ANYWHERE, 8, 6), generator=dice()),
    "speculative.generate": lambda t: speculative.generate(CAUSAL, t, 3, speculative.Lookup()),
    "trajectories.write": lambda t: trajectories.write(DENOISER, with_blanks(t), 19),
    "exact": lambda t: likelihood.exact(CAUSAL, t),
    "next_token_loss": lambda t: next_token_loss(CAUSAL, t),
    "looped": lambda t: looped(CAUSAL, 1)(t),
    "MultiToken": lambda t: MultiToken(CAUSAL, 1)(t),
    "Recurrent": lambda t: Recurrent(20, 2, 2, seed=0)(t),
    "bare": lambda t: bare_words.bare(CAUSAL, t, 2),
    "patching.states": lambda t: patching.states(CAUSAL, t, 1, 2),
}
READ_ANYHOW = {  # of any vocabulary
    "corrupt": lambda t: diffusion.corrupt(t, 0.5, 19, generator=dice()),
    "hide": lambda t: diffusion.hide(t, torch.ones(2), 19, generator=dice()),
    "disturb": lambda t: uniform.disturb(t, 0.5, [1, 2], generator=dice()),
    "distinct": lambda t: variety.distinct(t, 2),
    "when_filled": lambda t: filling_order.when_filled(DENOISER, with_blanks(t), 19),
    "continue_each": lambda t: continue_each(CAUSAL, [TEXT[0], t], 2, [3]),
    "windows": lambda t: next(batches.windows(t, batch_size=2, length=2, seed=0)),
}


def with_blanks(texts):
    """The same with a mask in each, where it is texts at all."""
    if isinstance(texts, torch.Tensor) and texts.ndim == 2 and texts.shape[1] > 3:
        texts = texts.clone()
        texts[:, 3] = 19
    return texts


@pytest.mark.parametrize("key", [*READ, *READ_ANYHOW])
def test_what_are_no_texts_is_refused(key):
    call, one = {**READ, **READ_ANYHOW}[key], key in ("continue_each", "windows")
    texts = TEXT[0] if one else TEXT
    call(texts)
    kinds = texts.double(), texts > 3, texts.int(), texts.numpy(), texts.tolist(), "abc", None
    for wrong in kinds:
        with pytest.raises(TypeError, match=r"^tokens are .*; give int64 ids"):
            call(wrong)
    for wrong in (texts[..., :0], texts[0] if not one else TEXT, texts[:0]):
        with pytest.raises(ValueError, match=r"^tokens have shape .*; give"):
            call(wrong)
    for token in (-1, -100, *([20] if key in READ else [])):
        wrong = texts.clone()
        wrong[..., 2] = token
        with pytest.raises(ValueError, match=f"^token {token} is outside the vocabulary"):
            call(wrong)


WRITERS = {  # besides those of `READ` that write
    "steps": lambda t: diffusion.sample(DENOISER, with_blanks(t), 19, steps=1),
    "random": lambda t: noisy(order="random", temperature=1.0),
    "threshold": lambda t: noisy(threshold=0.5),
    "top_k": lambda t: written_from(t, temperature=1, top_k=3),
    "top_p": lambda t: written_from(t, temperature=1, top_p=0.5),
    "masks": lambda t: blocks.write(blocks.Reader(CAUSAL, 2), t, 2, RULE, size=2),
    "when_filled": lambda t: filling_order.when_filled(DENOISER, with_blanks(t), 19),
    "continue_each": lambda t: continue_each(CAUSAL, list(t), 2, [3]),
}
WRITE = "generate force edit canvas.write revise backtrack gibbs remasking.sample steer"
WRITE = [*WRITE.split(), "speculative.generate", "trajectories.write", *WRITERS]


@pytest.fixture
def broken():
    """The models have weights that are no numbers."""
    before = {model: model.scale.clone() for model in (CAUSAL, DENOISER)}
    for model in before:
        model.scale[3] = math.nan
    yield
    for model, scale in before.items():
        model.scale.copy_(scale)


@pytest.mark.parametrize("key", WRITE)
def test_a_model_whose_weights_are_no_numbers_writes_nothing(key, broken):
    with pytest.raises(ValueError, match=r"^logits hold NaN .*look at the model"):
        {**READ, **WRITERS}[key](TEXT)


TO_BE_FILLED = {
    "generate trace": lambda v: sampling.generate(CAUSAL, TEXT[:1], 1, trace=v),
    "force trace": lambda v: forcing.force(CAUSAL, TEXT[:1], [1], 1, trace=v),
    "markov.generate trace": lambda v: chained(trace=v),
    "sample trace": lambda v: diffusion.sample(DENOISER, BLANK, 19, trace=v),
    "edit trace": lambda v: uniform.edit(DENOISER, TEXT[:1], [1], rounds=1, trace=v),
    "revise trace": lambda v: revision.revise(DENOISER, TEXT[:1], 19, [1], rounds=1, trace=v),
    "canvas.write history": lambda v: canvas.write(
        DENOISER, TEXT, [1], [1, 2], passes=2, generator=dice(), history=v
    ),
    "blocks.write history": lambda v: blocks.write(
        blocks.Reader(CAUSAL, 2), TEXT, 2, RULE, size=2, history=v
    ),
    "speculative.generate history": lambda v: speculated(history=v),
}


@pytest.mark.parametrize("key", TO_BE_FILLED)
def test_what_is_to_be_filled_is_a_list(key):
    for none in (True, "x", 3, ()):
        with pytest.raises(TypeError, match=f"^{key.split()[-1]} is .*; give a list"):
            TO_BE_FILLED[key](none)
    TO_BE_FILLED[key](found := [])
    assert found


def test_what_is_no_cache_is_refused():
    for none in (None, "x", 1, torch.zeros(2)):
        with pytest.raises(TypeError, match=r"^cache is .*; give True, False or a KVCache"):
            written_from(cache=none)


@pytest.mark.parametrize("none", [[0.5, 0.5], 1.0, None, "x", TEXT, np.ones(3), torch.tensor(0.5)])
def test_what_are_no_logits_is_refused(none):
    for how in (sampling.draw, sampling.distribution, at_temperature):
        for temperature in (0, 1.0):
            with pytest.raises(TypeError, match=r"^logits is .*; give a tensor of floats"):
                how(none, temperature=temperature)


WITH_CHANCE = {
    "draw": lambda g: sampling.draw(LOGITS, temperature=0, generator=g),
    "generate": lambda g: sampling.generate(CAUSAL, TEXT, 1, generator=g),
    "sample": lambda g: diffusion.sample(DENOISER, BLANK, 19, generator=g),
    "loss": lambda g: diffusion.loss(DENOISER, TEXT, 19, generator=g),
    "uniform.loss": lambda g: uniform.loss(DENOISER, TEXT, [1, 2], generator=g),
    "elbo": lambda g: diffusion.elbo(DENOISER, TEXT, 19, samples=1, generator=g),
    "steer": lambda g: guided.steer(CAUSAL, TEXT, 2, guided.Mask(ANYWHERE, 8, 6), generator=g),
    "trajectories.write": lambda g: trajectories.write(DENOISER, BLANK, 19, generator=g),
    "in_any_order": lambda g: rearranged.in_any_order(TEXT, 20, generator=g),
    "middle_last": lambda g: rearranged.middle_last(TEXT, 20, generator=g),
}


@pytest.mark.parametrize("key", WITH_CHANCE)
def test_a_seed_is_no_generator(key):
    for none in (0, "0", np.random.default_rng(0)):
        with pytest.raises(TypeError, match=r"^generator is .*; give one of PyTorch's, such as"):
            WITH_CHANCE[key](none)


RATES = [-0.1, 1.5, math.nan, "3", "0.5", True, [0.5], [0.5, 2], [0.5, True], ["1", "0"], object()]


@pytest.mark.parametrize("rate", [*RATES, torch.tensor([True, False]), torch.tensor([0.5, 2.0])])
def test_rates_that_are_none_are_refused(rate):
    for how in (
        lambda: diffusion.corrupt(TEXT, rate, 19),
        lambda: uniform.disturb(TEXT, rate, [1, 2]),
    ):
        with pytest.raises(ValueError, match=r"^rate is .*; give a share from 0 to 1"):
            how()


def test_the_same_rates_do_the_same_in_whatever_form():
    expected = diffusion.corrupt(TEXT, torch.tensor([0.0, 1.0]), 19, generator=dice())[0]
    for rate in ([0, 1], (0.0, 1.0), np.array([0.0, 1.0]), np.array([0, 1]), torch.tensor([0, 1])):
        assert torch.equal(diffusion.corrupt(TEXT, rate, 19, generator=dice())[0], expected)
