"""`Topics`: a text whose words come from a hidden topic, and the topic lasts.

    <s> sail cow wave wave sail tram wave ...      the sea, for thirty words or so; then another

There are three topics, and six words that occur in all of them, two of them more often in each. The
topic stays from word to word with probability 0.97. So no word gives it away, and many words do.
What a reader can know of it is a *belief*, three numbers that sum to 1, and Bayes' rule says what
they are after each word: the forward filter of a hidden Markov model. Whoever predicts the next
word as well as can be needs the belief, and nothing else of all that was read.

With `line=4` every fourth place holds a full stop. Then one needs to know the place as well.
"""

from __future__ import annotations

import torch

from utils.text.numbers import SEED, real, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked, until_impossible

TOPICS = "sea", "farm", "city"
WORDS = "wave", "sail", "cow", "hay", "tram", "shop"
STOP, START = ".", "<s>"
SHARES = (
    0.30,
    0.22,
    0.16,
    0.14,
    0.10,
    0.08,
)  # of the words at sea; two further on for the next topic


class Topics:
    """Texts of so many `places` after `<s>`; `stay`: how likely a topic is to last for another
    word; line: whether, and at which places, there is a full stop instead of a word; 0 for none.

    vocab:  the six words, `.` and `<s>`; length: tokens in a text, places + 1
    moves:  (3, 3) float64, from a topic to that of the next place
    doubt:  (3,) float64, the belief of someone who has read nothing
    emits:  (places, 3, vocab) float64, the probability of each token at each place under each topic
    """

    def __init__(self, places: int = 48, *, stay: float = 0.97, line: int = 0):
        places = whole("places", places, "a text has at least one word", least=1)
        stay = real("stay", stay, "it is a probability", least=0, most=1)
        line = whole("line", line, "choose 0 for no full stops, or every how many", least=0)
        self.vocab = Vocab([*WORDS, STOP, START], joiner=" ", hidden=[START])
        self.length = places + 1
        k = len(TOPICS)
        self.doubt = torch.full((k,), 1 / k, dtype=torch.float64)
        self.moves = torch.full((k, k), (1 - stay) / (k - 1), dtype=torch.float64)
        self.moves.fill_diagonal_(stay)
        table = torch.zeros(k, len(self.vocab), dtype=torch.float64)
        shares = torch.tensor(SHARES, dtype=torch.float64)
        for topic in range(k):
            table[topic, : len(WORDS)] = shares.roll(2 * topic)
        self.emits = table.repeat(places, 1, 1)
        if line:
            stop = torch.zeros_like(table)
            stop[:, self.vocab.id(STOP)] = 1
            self.emits[line - 1 :: line] = stop

    def sample(self, n: int, *, seed: int, topics: bool = False):
        """n independent texts, (n, length) int64; with `topics`, also the topic at each place after
        `<s>`, (n, places) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        generator = torch.Generator().manual_seed(whole("seed", seed, **SEED))
        dice = torch.rand(2, self.length - 1, n, generator=generator, dtype=torch.float64)
        topic = (dice[0, 0] * len(TOPICS)).long()
        rows, hidden = [torch.full((n,), self.vocab.start_id)], []
        for place, (move, word) in enumerate(zip(*dice, strict=True)):
            if place:
                topic = _drawn(self.moves[topic], move)
            rows.append(_drawn(self.emits[place, topic], word))
            hidden.append(topic)
        rows = torch.stack(rows, 1)
        return (rows, torch.stack(hidden, 1)) if topics else rows

    def beliefs(self, tokens: torch.Tensor, *, last: int | None = None) -> torch.Tensor:
        """The exact probability of each topic after each token, (n, t) -> (n, t, 3) float64: Bayes'
        rule, word by word (the forward algorithm). Before the first word all are as likely.

        last: what someone could know who has seen that many last tokens, and forgotten the rest.
        Raises ValueError for a text that cannot be.
        """
        rows = torch.from_numpy(checked(tokens, self))
        if last is not None:
            last = whole("last", last, "look at 1 token or more", least=1)
        found = self.doubt.repeat(*rows.shape, 1)
        for t in range(1, rows.shape[1]):
            seen = range(t if last is None else max(1, t - last + 1), t + 1)
            belief = found[:, seen[0] - 1] if last is None else found[:, 0]
            for place in seen:
                belief = self.updated(belief, rows[:, place], place)
            found[:, t] = belief
        if found.isnan().any():
            raise ValueError("a token stands where it cannot; give texts of this world")
        return found.to(tokens.device)

    def updated(self, belief: torch.Tensor, word: torch.Tensor, place: int) -> torch.Tensor:
        """A belief, (n, 3), after the word at this place, (n,), has been read."""
        now = (belief @ self.moves) * self.emits[place - 1][:, word].T
        return now / now.sum(-1, keepdim=True)

    def next_probs(self, beliefs: torch.Tensor, first: int = 0) -> torch.Tensor:
        """The exact probability of each next token, of someone who believes this after the token at
        place `first` and those that follow: (n, t, 3) -> (n, t, vocab) float64; after the last
        place of a text there is nothing to say, so its belief is left out."""
        emits = self.emits[first : first + beliefs.shape[1]]  # (t, 3, vocab)
        return torch.einsum("ntk,tkv->ntv", beliefs[:, : len(emits)] @ self.moves, emits)

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each row, in nats: (n, t) -> (n,) float64. A row that stops
        short is scored as a beginning; one that cannot be, -inf."""
        rows = torch.from_numpy(checked(tokens, self))
        scores = torch.zeros(rows.shape, dtype=torch.float64)
        scores[:, 0] = (rows[:, 0] == self.vocab.start_id).double().log()
        belief = self.doubt.repeat(len(rows), 1)
        for place in range(1, rows.shape[1]):
            now = (belief @ self.moves) * self.emits[place - 1][:, rows[:, place]].T
            total = now.sum(-1)
            scores[:, place] = total.log()
            belief = torch.where(total[:, None] > 0, now / total[:, None], self.doubt)
        return until_impossible(scores.numpy()).sum(-1).to(tokens.device)


def _drawn(probs, dice):
    """A choice for each row of probabilities, (n, k), by a number from 0 to 1 each."""
    return (dice[:, None] > probs.cumsum(-1)).sum(-1).clamp(max=probs.shape[-1] - 1)
