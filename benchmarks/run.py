"""How fast the book's code is beside what a reader would otherwise use: `make bench`.

Each comparison runs the two candidates by turns and takes the ratio of their times in each round:
whatever else the machine is doing then slows both. Printed, and kept in `benchmarks/results.json`
and as a table in `benchmarks/results.md`, are the median of the ratios and their middle half, with
what ran and on what machine. Ratios carry over to other machines better than times do. A ratio that
falls short is a measurement and no error.

Name comparisons to run only those; the others keep the results they have.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from plain_gpt import PlainGPT

from utils.generation import diffusion
from utils.generation.sampling import generate
from utils.measure.timing import machine
from utils.models import smollm
from utils.models.transformer import Transformer, TransformerConfig
from utils.text import corpus
from utils.text.files import write_whole
from utils.text.printing import run_program
from utils.training.batches import windows
from utils.training.fit import fit
from utils.training.losses import next_token_loss

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OPPONENTS = ROOT / "requirements-bench.txt"
sys.path.append(str(ROOT))  # for `tools`, which is not installed


@dataclass
class Comparison:
    """Two things to race, the ratio of their times that ours should reach, and how many rounds.

    run_ours, run_theirs: do the work once; what they return is the seconds that count, or None for
    all that they took.
    """

    what: str
    ours: str
    theirs: str
    target: float
    rounds: int
    run_ours: Callable[[], float | None]
    run_theirs: Callable[[], float | None]
    note: str = ""


class Missing(Exception):
    """An opponent that is not installed here."""


# -- a real model ----------------------------------------------------------------------------------


def chat():
    """SmolLM2 in float32 and something to answer."""
    model, tokenizer = smollm.load()
    return model, tokenizer.encode(smollm.chat_prompt("Tell me about the sea."))[None]


def decoding() -> Comparison:
    """SmolLM2 in float32 answers in 200 tokens, greedily, with a cache on both sides."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    model, prompt = chat()
    file = smollm.find_wheel()
    peer = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    ).eval()
    peer.generation_config.eos_token_id = None  # ours is given no stop token either
    with torch.no_grad():
        difference = (model(prompt) - peer(prompt).logits).abs().max()
    assert difference < 1e-3, f"the logits differ by {difference}"
    everything = torch.ones_like(prompt)

    def run_theirs():
        peer.generate(prompt, attention_mask=everything, max_new_tokens=200, do_sample=False)

    return Comparison(
        what="SmolLM2-135M writes 200 tokens",
        ours="generate, float32",
        theirs=f"transformers {transformers.__version__}, its generate with its cache",
        target=1.6,
        rounds=7,
        run_ours=lambda: drop(generate(model, prompt, 200)),
        run_theirs=run_theirs,
    )


def four_bits() -> Comparison:
    """The same with the weights in four bits, as they come, against float32."""
    exact, prompt = chat()
    model, _ = smollm.load(bits=4)
    with torch.no_grad():
        apart = model(prompt).float() - exact(prompt)
    return Comparison(
        what="SmolLM2-135M writes 200 tokens",
        ours="its weights in four bits",
        theirs="the same weights in float32",
        target=1.9,
        rounds=7,
        run_ours=lambda: drop(generate(model, prompt, 200)),
        run_theirs=lambda: drop(generate(exact, prompt, 200)),
        note=f"logits {apart.square().mean().sqrt():.2f} apart (root mean square)",
    )


def llama_cpp() -> Comparison:
    """Four bits against llama.cpp, which computes with them in code written for it."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise Missing(f"python -m pip install --no-deps -r {OPPONENTS.name}")
    import xllamacpp

    model, tokenizer = smollm.load(bits=4)
    prompt = smollm.chat_prompt("Tell me about the sea.")
    tokens = tokenizer.encode(prompt)[None]
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.n_parallel = str(smollm.find_wheel()), 512, 1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = torch.get_num_threads()
    settings.verbosity = -1
    server = xllamacpp.Server(settings)
    asked = {"prompt": prompt, "n_predict": 200, "top_k": 1, "ignore_eos": True}

    def run_theirs():
        timings = server.handle_completions(asked | {"cache_prompt": False})["timings"]
        return (timings["prompt_ms"] + timings["predicted_ms"]) / 1000

    version = importlib.metadata.version("xllamacpp")
    return Comparison(
        what="SmolLM2-135M writes 200 tokens",
        ours="its weights in four bits",
        theirs=f"llama.cpp on the same file (xllamacpp {version})",
        target=0.8,
        rounds=7,
        run_ours=lambda: drop(generate(model, tokens, 200)),
        run_theirs=run_theirs,
    )


# -- small models ----------------------------------------------------------------------------------


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
        run_ours=lambda: drop(generate(model, prompt, 256)),
        run_theirs=lambda: drop(generate(model, prompt, 256, cache=False)),
    )


def sampling() -> Comparison:
    """A small model draws 63 characters; a plain GPT, which has no cache, does the same."""
    ours = Transformer(TransformerConfig(vocab_size=65, max_len=64))
    theirs = PlainGPT(vocab_size=65, max_len=64)
    prompt = torch.zeros(1, 1, dtype=torch.int64)
    return Comparison(
        what=f"a model of {size(ours)} draws 63 tokens",
        ours="generate",
        theirs=f"a plain GPT, {size(theirs)}, and a plain loop",
        target=1.85,
        rounds=41,
        run_ours=lambda: drop(generate(ours, prompt, 63, temperature=1.0)),
        run_theirs=lambda: drop(draw_plainly(theirs, prompt, 63)),
    )


@torch.no_grad()
def draw_plainly(model, tokens, n):
    """What one would write first: read everything, draw from the last position, append."""
    for _ in range(n):
        probs = model(tokens)[:, -1].softmax(-1)
        tokens = torch.cat([tokens, torch.multinomial(probs, 1)], 1)
    return tokens


def training() -> Comparison:
    """One step: 64 texts of 64 tokens, forward, backward, gradients clipped, AdamW."""
    ours = Transformer(TransformerConfig(vocab_size=65, max_len=64))
    theirs = PlainGPT(vocab_size=65, max_len=64)
    return Comparison(
        what="a training step on 64 x 64 tokens",
        ours=f"the transformer, {size(ours)}",
        theirs=f"a plain GPT, {size(theirs)}",
        target=0.93,
        rounds=81,
        run_ours=training_step(ours),
        run_theirs=training_step(theirs),
    )


def training_step(model):
    """A function that does one step of training, the same for any model."""
    tokens = torch.randint(65, (64, 65), generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def run():
        loss = next_token_loss(model, tokens)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return run


LEARNING = {"steps": 600, "loss": 1.55}  # nats per character, held out
LEARNING_RATES = {"ours": 4e-3, "theirs": 4e-3}  # ours: 8e-3 was worse; theirs: 2e-3 and 8e-3


class Reached(Exception):
    """Ends a training that has learned enough."""


def learning() -> Comparison:
    """How soon each knows held-out King James, in characters, equally well; both tuned."""
    text, held_out = corpus.split(corpus.kjv())
    vocab = corpus.characters(text)
    tokens, unseen = vocab.encode(text), vocab.encode(held_out)[: 64 * 65].view(64, 65)

    def run(make, lr):
        begun, testing = time.perf_counter(), 0.0

        def test(model):
            nonlocal testing
            start = time.perf_counter()
            loss = float(loss_of(model, unseen))
            if loss <= LEARNING["loss"]:
                raise Reached
            testing += time.perf_counter() - start
            return loss

        batches = windows(tokens, batch_size=64, length=64, seed=0)
        how = {"lr": lr, "steps": LEARNING["steps"], "seed": 0, "progress": False}
        every = [i / 100 for i in range(20, 101)]
        try:
            fit(make(), batches, next_token_loss, **how, measure=test, measure_at=every)
        except Reached:
            return time.perf_counter() - begun - testing
        raise RuntimeError(f"{LEARNING['steps']} steps with lr={lr} were not enough")

    def ours():
        return Transformer(TransformerConfig(vocab_size=len(vocab), max_len=64))

    def theirs():
        return PlainGPT(vocab_size=len(vocab), max_len=64)

    return Comparison(
        what=f"learning the King James Bible by characters to {LEARNING['loss']} nats, held out",
        ours=f"the transformer, {size(ours())}, fit",
        theirs=f"a plain GPT, {size(theirs())}, fit",
        target=1.2,
        rounds=3,
        run_ours=lambda: run(ours, LEARNING_RATES["ours"]),
        run_theirs=lambda: run(theirs, LEARNING_RATES["theirs"]),
        note="learning rates {ours} and {theirs}".format(**LEARNING_RATES),
    )


@torch.no_grad()
def loss_of(model, tokens):
    return next_token_loss(model, tokens)


def diffusing() -> Comparison:
    """A denoiser of characters or bytes fills 16 texts of 64 masks, likeliest first, one a pass."""
    return filling(256)


def diffusing_pairs() -> Comparison:
    """The same with as many byte pairs as chapter 02 has: then logits cost more."""
    return filling(1024)


def filling(vocab_size) -> Comparison:
    mask_id = vocab_size - 1
    config = TransformerConfig(vocab_size=vocab_size, max_len=64, causal=False)
    model = Transformer(config)
    blank = torch.full((16, 64), mask_id)
    return Comparison(
        what=f"a denoiser of {size(model)}, {vocab_size:,} tokens, fills 16 texts in 64 passes",
        ours="diffusion.sample",
        theirs="a loop that works as LLaDA's sampler does, with the same model",
        target=1.2,
        rounds=11,
        run_ours=lambda: drop(diffusion.sample(model, blank, mask_id)),
        run_theirs=lambda: drop(fill_as_llada(model, blank.clone(), mask_id)),
    )


@torch.no_grad()
def fill_as_llada(model, tokens, mask_id):
    """Fill all masks, for each text one a pass, in the steps of the sampler published with LLaDA
    (Nie et al. 2025, arXiv:2502.09992; `generate.py` of its repository): the likeliest token of
    every position, its probability, and row by row the mask that is surest."""
    for _ in range(int((tokens == mask_id).sum(-1).max())):
        masked = tokens == mask_id
        logits = model(tokens)
        best = logits.argmax(-1)
        sure = logits.softmax(-1).gather(-1, best[..., None])[..., 0]
        sure = torch.where(masked, sure, -torch.inf)
        best = torch.where(masked, best, tokens)
        now = torch.zeros_like(masked)
        for row in range(len(tokens)):
            now[row, sure[row].topk(1).indices] = True
        tokens[now] = best[now]
    return tokens


def size(model) -> str:
    return f"{sum(weight.numel() for weight in model.parameters()) / 1e6:.2f} M parameters"


def drop(result) -> None:
    """What was computed is of no interest, only how long it took."""


COMPARISONS = {
    function.__name__: function
    for function in (
        *(decoding, four_bits, llama_cpp),
        *(caching, sampling, training, learning, diffusing, diffusing_pairs),
    )
}

# -- racing ----------------------------------------------------------------------------------------


def race(comparison: Comparison) -> list[float]:
    """Their seconds divided by ours, round by round; they take turns at going first."""
    torch.empty(8_000_000)  # freeing 32 MB teaches the C library to keep memory it is given back
    ours, theirs = comparison.run_ours, comparison.run_theirs
    if comparison.rounds > 3:
        ours(), theirs()  # once each, to warm up
    ratios = []
    for i in range(comparison.rounds):
        seconds = {run: timed(run) for run in ((ours, theirs) if i % 2 else (theirs, ours))}
        ratios.append(seconds[theirs] / seconds[ours])
    return ratios


def timed(run) -> float:
    begun = time.perf_counter()
    own = run()
    return time.perf_counter() - begun if own is None else own


def measure(comparison: Comparison) -> dict:
    """Run the race: the comparison's words, with ratio (median), low and high (middle half)."""
    low, ratio, high = (round(x, 2) for x in statistics.quantiles(race(comparison), n=4))
    words = {key: value for key, value in vars(comparison).items() if not callable(value)}
    found = {"ratio": ratio, "low": low, "high": high}
    where = {"machine": machine(), "day": datetime.date.today().isoformat(), "gflops": gflops()}
    return words | found | where


def gflops() -> int:
    """The speed at which the machine multiplies just now, for names of processors say little."""
    a = torch.ones(1024, 1024)
    a @ a  # to warm up
    return round(2 * 1024**3 / min(timed(lambda: drop(a @ a)) for _ in range(20)) / 1e9)


def table(results: dict[str, dict]) -> str:
    lines = [
        "| what | ours | against | times as fast | middle half | rounds | hoped for |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for r in results.values():
        note = f"; {r['note']}" if r["note"] else ""
        row = f"| {r['what']} | {r['ours']}{note} | {r['theirs']} | {r['ratio']:.2f} | "
        row += f"{r['low']:.2f} to {r['high']:.2f} | {r['rounds']} | {r['target']} |"
        lines.append(row)
    speeds = {}
    for r in results.values():
        speeds.setdefault(f"{r['machine']}, {r['day']}", []).append(r["gflops"])
    where = "; ".join(f"{m}, {min(each)} to {max(each)} GFLOP/s" for m, each in speeds.items())
    return "\n".join([*lines, "", f"Median over rounds. Measured on {where}.", ""])


def install_opponents():
    """Get what is only raced against; without it, what needs it is left out."""
    from tools import environment

    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(OPPONENTS)]
    try:
        environ = environment.pip_variables(str(ROOT), os.environ)
    except environment.SetupError as error:
        print(f"Nothing is installed: {error}", file=sys.stderr)
    else:
        subprocess.run(pip, check=False, env=environ)


def keep(path: Path, content: str) -> None:
    """Write a file of results. Where that fails, raises SystemExit with one line and leaves the old
    one."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise SystemExit(f"The results are not kept: {error}") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--opponents", action="store_true", help=f"first install {OPPONENTS.name}")
    options = parser.parse_args()
    names = options.names or list(COMPARISONS)
    unknown = [name for name in names if name not in COMPARISONS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; choose from {', '.join(COMPARISONS)}")
    if options.opponents:
        install_opponents()
    print(f"{machine()}, {gflops()} GFLOP/s", flush=True)
    kept = HERE / "results.json"
    results = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    for name in names:
        print(f"{name}: {COMPARISONS[name].__doc__}", flush=True)
        try:
            results[name] = measure(COMPARISONS[name]())
        except Missing as how:
            print(f"    left out: the opponent is not installed here; {how}", flush=True)
            continue
        print("    {ratio:.2f} times ({low:.2f} to {high:.2f})".format(**results[name]), flush=True)
        results = {each: results[each] for each in COMPARISONS if each in results}
        keep(kept, json.dumps(results, indent=1) + "\n")
        keep(HERE / "results.md", table(results))
    print(table(results))
    short = [name for name, r in results.items() if r["high"] < r["target"]]
    if short:
        print(f"Slower than hoped for, on this machine: {', '.join(short)}.")


if __name__ == "__main__":
    run_program(main)
