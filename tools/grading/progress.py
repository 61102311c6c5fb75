"""How far a command is: a bar on a terminal, elsewhere a line every half minute."""

import time

from tqdm import tqdm

EVERY = 30  # seconds


class Progress:
    """with Progress("01_small", 28, "graded") as progress: …; progress.step() for each done, and
    progress.tell() now and then while one waits."""

    def __init__(self, name, total, done):
        """done: what has become of each that is, such as "graded"."""
        self.name, self.total, self.done, self.count = name, total, done, 0
        self.start = self.told = time.monotonic()

    def __enter__(self):
        self.bar = tqdm(total=self.total, desc=self.name, unit=f" {self.done}", disable=None)
        return self

    def __exit__(self, *_):
        self.bar.close()

    def step(self):
        self.count += 1
        self.bar.update()
        self.tell()

    def wait(self):
        """Seconds until there is something to tell."""
        return max(0.1, self.told + EVERY - time.monotonic())

    def tell(self):
        if time.monotonic() < self.told + EVERY:
            return
        self.told = time.monotonic()
        if self.bar.disable:
            seconds = self.told - self.start
            line = f"{self.name}: {self.count} of {self.total} {self.done}, {seconds:.0f} s"
            print(line, flush=True)
