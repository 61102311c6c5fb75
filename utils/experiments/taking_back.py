"""Does a reward for ending right teach a model of `Verdicts` to take back a verdict that was forced
on it?

Half of the forced verdicts are wrong, half are right, so that neither keeping nor changing them is
always rewarded. A causal model goes on after the forced word and may write what it likes, up to
three tokens more than an answer takes. A denoiser fills in the rest of the answer in one pass,
reads it with nothing hidden, hides one word of the nine, and fills it in again. The word is drawn,
the likelier the less the reader believes in it. Nobody has taught it where to look; that draw is a
step of its own, and can be learned like any other.

The reward is 1 if the answer is finished and its last verdict is right; leaving the first model
costs `BETA` of it for each nat of KL divergence.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch

from utils.experiments import derailment
from utils.generation import diffusion, sampling, trajectories
from utils.text.numbers import real, whole
from utils.text.trace import Step, Trace
from utils.worlds.judging import judge

BETA = 0.02  # of the reward, for a nat
SHARP = 0.5  # a word is looked at with a probability in proportion to p ** -SHARP
QUESTIONS, TRIES = 8, 8  # between two steps; each question is tried so often


@dataclass(frozen=True)
class Asked:
    """rows: questions with their right answers, (n, length) int64. forced: (n,) int64, the verdict
    that is put there; wrong: (n,) bool, whether it is the wrong one."""

    rows: torch.Tensor
    forced: torch.Tensor
    wrong: torch.Tensor


def ask(world, n, *, seed, held_out=False) -> Asked:
    """n questions, of which every other gets the wrong verdict."""
    rows = world.sample(n, seed=seed, held_out=held_out)
    right = rows[:, world.positions["verdict"]]
    wrong = torch.arange(n) % 2 == 0
    other = world.vocab.id("yes") + world.vocab.id("no") - right
    return Asked(rows, torch.where(wrong, other, right), wrong)


def rewarded(world, texts):
    """Whether each answer is finished and ends right: (n,) bool."""
    judged = judge(world, texts)
    return judged.verdict_right & judged.finished


class GoOn:
    """A causal model goes on after the forced verdict."""

    drawn = False

    def tries(self, model, world, asked, *, temperature=1.0, generator=None):
        """What it writes, and what it takes to say how likely that was."""
        how = {"temperature": temperature, "generator": generator}
        texts = derailment.answer(model, world, asked.rows, asked.forced[:, None], **how).clone()
        return texts, None

    def log_prob(self, model, world, texts, _, draw=0):
        """Of what it wrote after the forced verdict up to its full stop: (n,) nats."""
        begun = world.positions["verdict"] + 1
        stops = (texts[:, begun:] == world.vocab.id(".")).long()
        over = stops.cumsum(1) - stops > 0  # after the first full stop nothing is written
        return sampling.score(model, texts)[:, begun - 1 :].masked_fill(over, 0.0).sum(1)


class LookAgain:
    """A denoiser fills in, looks, hides a word and fills it in again.

    by: what stands in for the log-probability of all that: "steps", of each thing it did; "tokens",
    the same without the choice of the word; "1 mask", of the finished answer, by one random mask.
    drawn: whether that question is drawn at random.
    """

    def __init__(self, by="steps"):
        if by not in ("steps", "tokens", "1 mask"):
            raise ValueError(f"by is {by!r}; choose 'steps', 'tokens' or '1 mask'")
        self.by, self.drawn = by, by == "1 mask"

    @torch.no_grad()
    def tries(self, model, world, asked, *, temperature=1.0, generator=None):
        """The answers in the end, and ((n, length) answers before, (n,) words that were hidden)."""
        how = {"temperature": temperature, "generator": generator}
        mask_id, here = world.vocab.mask_id, torch.arange(len(asked.rows))
        blank = _blank(world, asked.rows, asked.forced)
        drawn = sampling.draw(diffusion.log_probs(model, blank, mask_id), **how)
        before = torch.where(blank == mask_id, drawn, blank)
        doubts = _doubts(model, world, before)
        where = sampling.draw(doubts, **how) + world.positions["answer"]
        hidden = before.scatter(1, where[:, None], mask_id)
        said = diffusion.log_probs(model, hidden, mask_id)[here, where]
        after = before.scatter(1, where[:, None], sampling.draw(said, **how)[:, None])
        return after, (before, where)

    def log_prob(self, model, world, texts, steps, draw=0):
        """(n,) nats, with a gradient. draw: which of its questions about these answers is asked,
        where they are drawn; the same for whichever model."""
        mask_id, (before, where) = world.vocab.mask_id, steps
        free = ~world.question.expand(texts.shape)
        if self.by == "1 mask":
            order = free.nonzero()[:, 1].view(len(texts), -1)
            written = trajectories.Written(texts, order)
            dice = torch.Generator().manual_seed(int(before.sum()) + 1_000_000 * draw)
            asked = trajectories.by_masks(written, mask_id, 1, generator=dice)
            return trajectories.stand_in(model, texts, asked, mask_id)
        at = world.positions["verdict"]
        blank = _blank(world, before, before[:, at])
        filled = _own(model, blank, before, mask_id)[:, at + 1 :].sum(1)
        hidden = before.scatter(1, where[:, None], mask_id)
        again = _own(model, hidden, texts, mask_id).gather(1, where[:, None])[:, 0]
        if self.by == "tokens":
            return filled + again
        chosen = _doubts(model, world, before).log_softmax(1)
        looked = chosen.gather(1, where[:, None] - world.positions["answer"])[:, 0]
        return filled + looked + again


def _blank(world, rows, verdict):
    """The questions with the verdict, and masks after it."""
    blank = rows.masked_fill(~world.question, world.vocab.mask_id)
    return blank.index_copy(1, torch.tensor([world.positions["verdict"]]), verdict[:, None])


def _own(model, states, texts, mask_id):
    """The log-probability of each text's own tokens, read in these states: (n, length)."""
    said = diffusion.log_probs(model, states, mask_id)
    return said.gather(-1, texts[..., None])[..., 0]


def _doubts(model, world, texts):
    """How much it has to be looked at each word of a finished answer, in logits: (n, 9). They come
    from a glance, in which nothing is hidden and the model says how likely what it sees is."""
    seen = _own(model, texts, texts, world.vocab.mask_id)[:, world.positions["answer"] :]
    return -SHARP * seen


def learn(model, world, way, *, steps, lr, seed, looks=(), measure=None):
    """Teach a copy of the model by reward. way: a `GoOn` or a `LookAgain`. looks: after so many
    steps `measure(model)` is called. Returns the copy and [(steps, what was measured)].

    A question that is drawn at random is drawn twice, once for the gradient and once for the price,
    as in `reward.surrogate`.
    """
    steps = whole("steps", steps, "take at least 1", least=1)
    lr = real("lr", lr, "a learning rate is positive, such as 3e-4", above=0)
    seed = whole("seed", seed, "choose 0 to 1000", least=0, most=1000)
    first_model, model = model, copy.deepcopy(model).requires_grad_(True)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    seen = [(0, measure(model))] if 0 in looks else []
    for step in range(1, steps + 1):
        asked = _often(ask(world, QUESTIONS, seed=1_000_000 * (seed + 1) + step))
        texts, done = way.tries(model, world, asked, generator=generator)
        mine = way.log_prob(model, world, texts, done)
        with torch.no_grad():
            now = way.log_prob(model, world, texts, done, draw=1) if way.drawn else mine.detach()
            theirs = way.log_prob(first_model, world, texts, done, draw=1)
        gains = rewarded(world, texts).float() - BETA * (now - theirs)
        aim = (_better(gains) * mine).mean()
        optimizer.zero_grad()
        (-aim).backward()
        optimizer.step()
        if step in looks:
            seen.append((step, measure(model)))
    return model, seen


def ends(model, world, way, asked):
    """What becomes of forced verdicts when the likeliest is taken throughout: bool, of those forced
    wrong whether they end right, and of those forced right."""
    texts, _ = way.tries(model, world, asked, temperature=0.0)
    right = rewarded(world, texts)
    return right[asked.wrong], right[~asked.wrong]


def _often(asked):
    """Each question several times, its tries side by side."""
    return Asked(*(part.repeat_interleave(TRIES, 0) for part in vars(asked).values()))


def _better(gains):
    """How much better each try did than the mean of the other tries at its question: (n,)."""
    groups = gains.view(-1, TRIES)
    return ((groups - groups.mean(1, keepdim=True)) * TRIES / (TRIES - 1)).flatten()


def watched(model, world, question, verdict, label) -> Trace:
    """One answer as `LookAgain` comes to it, the likeliest throughout: the forced verdict, what is
    filled in, the word that is hidden, and what comes back. question: (length,) int64."""
    asked = Asked(question[None], torch.tensor([world.vocab.id(verdict)]), torch.tensor([True]))
    after, (before, where) = LookAgain().tries(model, world, asked, temperature=0.0)
    at, place, blank = world.positions["verdict"], int(where), world.vocab.mask_id
    begun = _blank(world, before, before[:, at])[0]
    hidden = before[0].clone()
    hidden[place] = blank
    with torch.no_grad():
        filled = _own(model, begun[None], before, blank)[0, at + 1 :].exp().tolist()
        glanced = float(_own(model, before, before, blank)[0, place].exp())
        again = float(_own(model, hidden[None], after, blank)[0, place].exp())
    trace = Trace(label=label)
    trace.append(Step(begun.tolist(), [at], [0.0], note="forced"))
    rest = list(range(at + 1, world.length))
    trace.append(Step(before[0].tolist(), rest, filled, note="filled in"))
    trace.append(Step(hidden.tolist(), [place], [glanced], note="hidden again"))
    trace.append(Step(after[0].tolist(), [place], [again], note="filled in again"))
    return trace
