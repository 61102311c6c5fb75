"""Training: one loop for every model and every loss in this book.

`fit` is AdamW with a short warm-up, a learning rate that then falls along a cosine to zero, and
gradients clipped to length 1. What takes longer than a minute is done once and kept: see
`utils/checkpoints.py`, whose loader and command line can be reached from here.

    history = fit(model, batches, next_token_loss, seconds=45, lr=3e-3, seed=0)
    model, card = load_checkpoint("sentences-ar")
    python -m utils.training remake sentences-ar
"""

import math
import sys
import time
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from utils.checkpoints import Card, load_checkpoint, main

__all__ = ["Card", "History", "fit", "load_checkpoint", "next_token_loss"]

WARM_UP = 0.05  # share of the training in which the learning rate rises


@dataclass
class History:
    """What happened at each step: the loss in nats, and the seconds spent and tokens seen so far.

    `measured` holds (step, value) pairs, where `fit` was asked to measure.
    """

    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    measured: list[tuple[int, float]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        return len(self.losses)

    @property
    def final_loss(self) -> float:
        """Mean loss of the last twentieth of the steps: that of one batch alone is noisy."""
        last = self.losses[-max(1, self.steps // 20) :]
        return sum(last) / len(last)


def next_token_loss(model, tokens):
    """How much each token after the first surprises a causal model: mean, in nats per token.

    tokens: (batch, length) int64, length >= 2. Returns a scalar to minimise.
    """
    logits = model(tokens[:, :-1])  # (batch, length - 1, vocab)
    return cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def fit(
    model,
    batches,
    loss_fn,
    *,
    steps=None,
    seconds=None,
    lr,
    seed,
    progress=True,
    measure=None,
    measure_at=(),
) -> History:
    """Train `model` in place for so many `steps` or `seconds`; given both, until the first is over.

    batches: an iterable of LongTensors (batch, length); started again when it is used up.
    loss_fn: `loss_fn(model, batch)` -> scalar, in nats per token.
    lr: the highest learning rate, reached after a twentieth of the training.
    seed: of all that is random on the way and uses PyTorch's global generator, such as the noise of
        a diffusion loss. That generator is put back as it was.
    progress: show a bar with the loss and the time that is left.
    measure, measure_at: `measure(model)` -> float is recorded at these shares of the way, 0 to 1.
        The time it takes does not count.

    Raises ValueError for a training without end, batches that run out or are no tokens, a learning
    rate that is not positive, and a loss that stops being a number.
    """
    if steps is None and seconds is None:
        raise ValueError("neither steps nor seconds is given; a training must end somewhere")
    if not lr > 0:
        raise ValueError(f"lr is {lr}; a learning rate is positive, such as 2e-3")
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    history = History()
    to_measure = sorted(measure_at)
    bar = _bar(steps, seconds) if progress else None
    was_training = model.training
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        source = _endless(batches)
        share, elapsed = 0.0, 0.0  # of the way; in seconds
        while share < 1:
            begun = time.perf_counter()
            batch = next(source)
            optimizer.param_groups[0]["lr"] = lr * _schedule(share)
            loss = loss_fn(model, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

            elapsed += time.perf_counter() - begun
            history.losses.append(loss.item())
            history.seconds.append(elapsed)
            history.tokens.append(batch.numel() + (history.tokens[-1] if history.tokens else 0))
            if not math.isfinite(history.losses[-1]):
                raise ValueError(
                    f"the loss became {history.losses[-1]} at step {history.steps}; "
                    f"lower the learning rate, lr={lr}"
                )
            share = max(history.steps / steps if steps else 0, elapsed / seconds if seconds else 0)
            if bar:
                bar.set_description_str(f"loss {history.final_loss:.3f}", refresh=False)
                bar.update(min(bar.total, history.steps if steps else elapsed) - bar.n)
            while to_measure and share >= to_measure[0]:
                to_measure.pop(0)
                history.measured.append((history.steps, measure(model)))
    if bar:
        bar.close()
    model.train(was_training)
    return history


def _schedule(share):
    """The learning rate at this share of the way, as a fraction of the highest."""
    rising = min(1.0, (share + 1e-3) / WARM_UP)
    return rising * (1 + math.cos(math.pi * share)) / 2


def _endless(batches):
    """The batches over and over; a clear error when there are none left."""
    count = 0
    while True:
        before = count
        for batch in batches:
            shape = tuple(getattr(batch, "shape", ()))
            if len(shape) != 2:
                raise ValueError(f"a batch has shape {shape}; give LongTensors (batch, length)")
            count += 1
            yield batch
        if count == before:
            raise ValueError(
                f"batches ran out after {count}; give a list, which can be started again, or a "
                "generator that never ends"
            )


def _bar(steps, seconds):
    """A progress bar that counts steps, or seconds if only these are given."""
    count = "{n:.0f}/{total:.0f} " + ("steps" if steps else "s")
    layout = "{percentage:3.0f}% {bar:30} " + count + ", {remaining} left, {desc}"
    return tqdm(total=steps or seconds, bar_format=layout, mininterval=0.5)


if __name__ == "__main__":
    sys.exit(main())
