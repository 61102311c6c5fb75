"""Training: one loop for every model and every loss in this book.

`fit` is AdamW with a short warm-up, a learning rate that then falls along a cosine to zero, and
gradients clipped to length 1. What takes longer than a minute is done once and kept: see
`utils/checkpoints/store.py`.

    history = fit(model, batches, next_token_loss, seconds=45, lr=3e-3, seed=0)
"""

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn
from tqdm import tqdm

from utils.text.numbers import SEED, real, whole

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
    rate that is not positive, and a loss or weights that stop being numbers.
    """
    steps, seconds, lr, seed, to_measure = _check(steps, seconds, lr, seed, measure_at)
    device = next(model.parameters()).device
    fused = device.type in ("cpu", "cuda")  # one pass over the weights, where there is one
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.98), weight_decay=0.01, fused=fused
    )
    history = History()
    share, elapsed = 0.0, 0.0  # of the way; in seconds
    with _seeded(seed, device), _training(model), _bar(steps, seconds, progress) as bar:
        source = _endless(batches)
        while share < 1:
            begun = time.perf_counter()
            batch = next(source).to(device)
            optimizer.param_groups[0]["lr"] = lr * _schedule(share)
            loss = loss_fn(model, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            history.losses.append(_finite(loss, history.steps, lr, model))

            elapsed += time.perf_counter() - begun
            history.seconds.append(elapsed)
            history.tokens.append(batch.numel() + (history.tokens[-1] if history.tokens else 0))
            share = max(history.steps / steps if steps else 0, elapsed / seconds if seconds else 0)
            bar.set_description_str(f"loss {history.final_loss:.3f}", refresh=False)
            bar.update(min(bar.total, history.steps if steps else elapsed) - bar.n)
            while to_measure and share >= to_measure[0]:
                to_measure.pop(0)
                history.measured.append((history.steps, measure(model)))
    _check_weights(model, lr)
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


def _check(steps, seconds, lr, seed, measure_at):
    """The same numbers as Python's own, the shares in order; a clear error if one is no use."""
    if steps is None and seconds is None:
        raise ValueError("neither steps nor seconds is given; a training must end somewhere")
    if steps is not None:
        steps = whole("steps", steps, "take at least 1", least=1)
    if seconds is not None:
        seconds = real("seconds", seconds, "give a positive number", above=0)
    lr = real("lr", lr, "a learning rate is positive, such as 2e-3", above=0)
    shares = [
        real("measure_at", share, "give shares of the way, from 0 to 1", least=0, most=1)
        for share in measure_at
    ]
    return steps, seconds, lr, whole("seed", seed, **SEED), sorted(shares)


def _finite(loss, steps, lr, model):
    """The loss itself as a float; a clear error when it is no longer a number."""
    loss = loss.item()
    if not math.isfinite(loss):
        advice = f"lower the learning rate, lr={lr}"
        if any(weight.dtype == torch.float16 for weight in model.parameters()):
            advice = "float16 takes the squares of small gradients for 0; train model.float()"
        raise ValueError(f"the loss became {loss} at step {steps + 1}; {advice}")
    return loss


def _check_weights(model, lr):
    """A clear error if the last step leaves weights that are no numbers: no loss has seen them."""
    if not all(weight.isfinite().all() for weight in model.parameters()):
        raise ValueError(
            f"after the last step weights are no longer numbers; lower the learning rate, lr={lr}"
        )


@contextmanager
def _seeded(seed, device):
    """PyTorch's global generators start from this seed, and are put back as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def _training(model):
    """The model in training mode, and then as it was."""
    before = model.training
    model.train()
    try:
        yield
    finally:
        model.train(before)


def _bar(steps, seconds, progress):
    """A progress bar that counts steps, or seconds if only these are given."""
    count = "{n:.0f}/{total:.0f} " + ("steps" if steps else "s")
    layout = "{percentage:3.0f}% {bar:30} " + count + ", {remaining} left, {desc}"
    hidden = not progress
    return tqdm(total=steps or seconds, bar_format=layout, mininterval=0.5, disable=hidden)
