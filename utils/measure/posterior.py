"""What a text is like that must obey a constraint: the exact posterior, and the exact look-ahead.

Of all texts that an automaton accepts, p(text | accepted) = p(text) / P(accepted): the language as
it is, and nothing else. That is what control aims at here, and what every method is held to. To
write from it, left to right, one needs to know after each token how likely acceptance still is:

    p(token | what stands, accepted)  is in proportion to  p(token | what stands) * future(token)

where `future` is P(accepted | what stands, token). `Listed` has it by adding up all texts, of a
world or of a model; `Hidden` for texts of any length, by going through states of the automaton and
hidden states of the language together, from the end backwards (as Ctrl-G does with a hidden Markov
model in place of a language model: Zhang et al. 2024, arXiv:2406.13892).
"""

from __future__ import annotations

import torch

from utils.text.numbers import whole


class Listed:
    """A language of which all texts are listed, and what an automaton makes of it.

    texts: (texts, length) int64. log_probs: (texts,) nats, of a world or of a model. automaton
    reads the texts without the first `given` tokens, which all of them share.

    probability: P(accepted). posterior: (texts,) float64, p(text | accepted).
    """

    def __init__(self, texts, log_probs, automaton, given: int = 1):
        most = texts.shape[1]
        given = whole("given", given, f"choose 0 to {most}", least=0, most=most)
        self.texts, probs = texts, log_probs.double().exp()
        self.accepted = automaton.accepted(texts[:, given:])
        self.joint, self.probs = probs * self.accepted, probs
        self.probability = float(self.joint.sum() / probs.sum())
        if not self.probability:
            raise ValueError(
                "the automaton accepts no text of this language; loosen the constraint"
            )
        self.posterior = self.joint / self.joint.sum()

    def future(self, tokens: torch.Tensor) -> torch.Tensor:
        """P(accepted | what stands, token), for every token that could come next:
        (rows, t) int64 -> (rows, vocab) float64; 0 for a token that cannot. vocab: up to the
        largest token of any text."""
        t = tokens.shape[1]
        both = torch.cat([self.texts[:, :t], tokens])
        begun, which = both.unique(dim=0, return_inverse=True)  # beginnings, and whose each is
        of_texts, of_rows = which.split([len(self.texts), len(tokens)])
        empty = self.joint.new_zeros(len(begun), int(self.texts[:, t].max()) + 1)
        may, all_ = (
            empty.index_put((of_texts, self.texts[:, t]), p, accumulate=True)
            for p in (self.joint, self.probs)
        )
        return torch.where(all_ > 0, may / all_, 0.0)[of_rows]


class Hidden:
    """A language written by a hidden state, such as `Topics`: `world.moves` (k, k), `world.doubt`
    (k,) before the first token, `world.emits` (places, k, vocab), and `world.beliefs`.

    probability: P(accepted), of texts with all places after their start token.
    """

    def __init__(self, world, automaton):
        self.world, self.automaton = world, automaton
        # Acceptance when, after the token at a place, the hidden state is z and the automaton in q:
        # (k, states), for the last place first.
        last = automaton.accepts.double().repeat(len(world.doubt), 1)
        self.ahead = [last]
        for emits in world.emits.flip(0):  # (k, vocab) of the place that comes next
            after = self.ahead[0][:, automaton.moves]  # (k, states, vocab)
            now = (emits[:, None] * after).sum(-1)  # the hidden state there is z
            self.ahead.insert(0, world.moves @ now)
        self.probability = float(world.doubt @ self.ahead[0][:, 0])

    def joint(self, tokens: torch.Tensor) -> torch.Tensor:
        """p(token, accepted | what stands) for every next token: (rows, t) -> (rows, vocab). The
        first token is the start token. Each row sums to P(accepted | what stands)."""
        return self._joint(tokens, self.world.beliefs(tokens)[:, -1])

    def _joint(self, tokens, beliefs):
        place = tokens.shape[1] - 1
        now = beliefs @ self.world.moves  # (rows, k), of the next place
        state = self.automaton.read(tokens[:, 1:])
        after = self.ahead[place + 1][:, self.automaton.moves[state]]  # (k, rows, vocab)
        return torch.einsum("rk,kv,krv->rv", now, self.world.emits[place], after)

    def future(self, tokens: torch.Tensor) -> torch.Tensor:
        """P(accepted | what stands, token), as in `Listed.future`."""
        beliefs = self.world.beliefs(tokens)[:, -1:]
        alone = self.world.next_probs(beliefs, tokens.shape[1] - 1)[:, 0]
        return torch.where(alone > 0, self._joint(tokens, beliefs[:, 0]) / alone, 0.0)
