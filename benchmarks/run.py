"""How fast the book's code is beside what a reader would otherwise use: `python benchmarks/run.py`.

Each comparison runs the two candidates by turns and takes the ratio of their times in each round:
whatever else the machine is doing then slows both. Printed, and kept in `benchmarks/results.json`
and as a table in `benchmarks/results.md`, are the median of the ratios and their middle half.
Ratios carry over to other machines better than times do.

Name comparisons to run only those; the others keep the results they have.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from plain_gpt import PlainGPT

from utils.generation import diffusion
from utils.models import smollm
from utils.generation.sampling import generate
from utils.training.losses import next_token_loss
from utils.models.transformer import Transformer, TransformerConfig

HERE = Path(__file__).resolve().parent


@dataclass
class Comparison:
    """Two things to race, the ratio of their times that ours should reach, and how many rounds."""

    what: str
    ours: str
    theirs: str
    target: float
    rounds: int
    run_ours: Callable[[], object]
    run_theirs: Callable[[], object]


def decoding() -> Comparison:
    """SmolLM2 in float32 answers in 200 tokens, greedily, with a cache on both sides."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    model, tokenizer = smollm.load()
    file = smollm.find_wheel()
    peer = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    ).eval()
    peer.generation_config.eos_token_id = None  # ours is given no stop token either
    prompt = tokenizer.encode(smollm.chat_prompt("Tell me about the sea."))[None]
    with torch.no_grad():
        difference = (model(prompt) - peer(prompt).logits).abs().max()
    assert difference < 1e-3, f"the logits differ by {difference}"
    everything = torch.ones_like(prompt)

    def run_theirs():
        return peer.generate(prompt, attention_mask=everything, max_new_tokens=200, do_sample=False)

    return Comparison(
        what="SmolLM2-135M writes 200 tokens",
        ours="generate",
        theirs=f"transformers {transformers.__version__}, its generate with its cache",
        target=1.6,
        rounds=7,
        run_ours=lambda: generate(model, prompt, 200),
        run_theirs=run_theirs,
    )


def caching() -> Comparison:
    """A small model writes 256 tokens, with the cache and without it."""
    model = Transformer(TransformerConfig(vocab_size=256, max_len=257))
    prompt = torch.zeros(1, 1, dtype=torch.int64)
    return Comparison(
        what=f"a model of {size(model)} writes 256 tokens",
        ours="with the KV cache",
        theirs="reading the whole text for each token",
        target=5.0,
        rounds=21,
        run_ours=lambda: generate(model, prompt, 256),
        run_theirs=lambda: generate(model, prompt, 256, cache=False),
    )


def training() -> Comparison:
    """One step: 32 texts of 128 tokens, forward, backward, gradients clipped, AdamW."""
    ours = Transformer(TransformerConfig(vocab_size=68, max_len=128))
    theirs = PlainGPT(vocab_size=68, max_len=128)
    return Comparison(
        what="a training step on 32 x 128 tokens",
        ours=f"the transformer, {size(ours)}",
        theirs=f"a plain GPT, {size(theirs)}",
        target=1.0,
        rounds=81,
        run_ours=training_step(ours),
        run_theirs=training_step(theirs),
    )


def training_step(model):
    """A function that does one step of training, the same for any model."""
    tokens = torch.randint(68, (32, 129), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def run():
        loss = next_token_loss(model, tokens)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return run


def diffusing() -> Comparison:
    """A denoiser fills 16 texts of 64 masks, likeliest first, one a pass."""
    mask_id = 255
    config = TransformerConfig(vocab_size=256, max_len=64, causal=False)
    model = Transformer(config)
    blank = torch.full((16, 64), mask_id)
    return Comparison(
        what=f"a denoiser of {size(model)} fills 16 texts in 64 passes",
        ours="diffusion.sample",
        theirs="a plain loop: softmax everywhere, the surest mask of each text",
        target=1.0,
        rounds=11,
        run_ours=lambda: diffusion.sample(model, blank, mask_id),
        run_theirs=lambda: fill_plainly(model, blank.clone(), mask_id),
    )


@torch.no_grad()
def fill_plainly(model, tokens, mask_id):
    """Fill all masks, for each text one a pass: what one would write first."""
    rows = torch.arange(len(tokens))
    while (tokens == mask_id).any():
        logits = model(tokens)
        logits[..., mask_id] = -torch.inf
        confidence, best = logits.softmax(-1).max(-1)
        confidence[tokens != mask_id] = -1.0
        at = confidence.argmax(-1)
        blank = tokens[rows, at] == mask_id
        tokens[rows[blank], at[blank]] = best[rows[blank], at[blank]]
    return tokens


def size(model) -> str:
    return f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M parameters"


COMPARISONS = {function.__name__: function for function in (decoding, caching, training, diffusing)}


def race(ours: Callable, theirs: Callable, rounds: int) -> list[float]:
    """Their seconds divided by ours, round by round; they take turns at going first."""
    torch.empty(8_000_000)  # freeing 32 MB teaches the C library to keep memory it is given back
    ours(), theirs()  # once each, to warm up
    ratios = []
    for i in range(rounds):
        seconds = {}
        for run in (ours, theirs) if i % 2 else (theirs, ours):
            begun = time.perf_counter()
            run()
            seconds[run] = time.perf_counter() - begun
        ratios.append(seconds[theirs] / seconds[ours])
    return ratios


def measure(comparison: Comparison) -> dict:
    """Run the race: the comparison's words, with ratio (median), low and high (middle half)."""
    ratios = race(comparison.run_ours, comparison.run_theirs, comparison.rounds)
    low, ratio, high = (round(x, 2) for x in statistics.quantiles(ratios, n=4))
    words = {key: value for key, value in vars(comparison).items() if not callable(value)}
    settings = {"threads": torch.get_num_threads(), "torch": torch.__version__.split("+")[0]}
    return words | {"ratio": ratio, "low": low, "high": high} | settings


def table(results: dict[str, dict]) -> str:
    lines = [
        "| what | ours | against | times as fast | middle half | rounds | at least |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for r in results.values():
        row = f"| {r['what']} | {r['ours']} | {r['theirs']} | {r['ratio']:.2f} | "
        row += f"{r['low']:.2f} to {r['high']:.2f} | {r['rounds']} | {r['target']} |"
        lines.append(row)
    settings = sorted({f"{r['threads']} threads, torch {r['torch']}" for r in results.values()})
    return "\n".join([*lines, "", f"Median over rounds, float32, {'; '.join(settings)}.", ""])


def main() -> str | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    names = parser.parse_args().names or list(COMPARISONS)
    unknown = [name for name in names if name not in COMPARISONS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; choose from {', '.join(COMPARISONS)}")
    kept = HERE / "results.json"
    results = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for name in names:
        print(f"{name}: {COMPARISONS[name].__doc__}", flush=True)
        results[name] = measure(COMPARISONS[name]())
    results = {name: results[name] for name in COMPARISONS if name in results}
    kept.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    (HERE / "results.md").write_text(table(results), "utf-8")
    print(table(results))
    missed = [name for name, r in results.items() if r["high"] < r["target"]]
    return f"slower than it should be: {', '.join(missed)}" if missed else None


if __name__ == "__main__":
    sys.exit(main())
