"""`Sentences`: a small grammar of everyday English, about which everything can be computed.

What is exact: the probability of a sentence, the distribution of the next word, how many
sentences can still follow a prefix, the entropy left, and what stands in any blank given the rest.

How it can be exact. The grammar is unambiguous and can be read from left to right: in each
situation the next word decides which rule was used (grammarians say LL(1); Aho, Lam, Sethi and
Ullman, *Compilers*, section 4.4). So all that matters about the past is the list of grammar symbols
still to be written. Those lists are finite in number here; each is a *state*, each word leads from
one state to one other, and every question becomes a sum along the arrows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from utils.text.numbers import SEED, whole
from utils.text.vocab import Vocab
from utils.worlds.common import checked, until_impossible

PAD, START, MASK = "<pad>", "<s>", "<mask>"


def _falling(words: str) -> str:
    """Words as alternatives with weights 1/2, 1/3, 1/4, …: a few are common, most are rare."""
    return " | ".join(f"{1 / (rank + 2):.6f} {word}" for rank, word in enumerate(words.split()))


# Each rule: alternatives separated by "|", each with its weight and the symbols it stands for.
# Symbols that have a rule of their own are written in capitals; the others are words. `ONE` and
# `MANY` mark number: the verb must agree with its subject, however far back that stands.
EVERYDAY = {
    "SENTENCE": "8 STATEMENT ENDING | 2 OPENING , STATEMENT ENDING",
    "ENDING": "7 . | 3 LINK CLAUSE .",
    "OPENING": "3 today | 2 every MOMENT | 2 in the SEASON | 1 sometimes",
    "MOMENT": _falling("morning evening night week"),
    "SEASON": _falling("summer winter spring"),
    "LINK": _falling("because while but and when"),
    # a statement: its subject may carry a relative clause or a place, which parts it from the verb
    "STATEMENT": "8 the MAYBE_ADJ NOUN_PHRASE | 3 a MAYBE_ADJ ONE | 1 each MAYBE_ADJ ONE"
    " | 2 two MAYBE_ADJ MANY | 1 many MAYBE_ADJ MANY | 1 some MAYBE_ADJ MANY",
    "NOUN_PHRASE": "6 ONE | 4 MANY",
    "ONE": "7 PERSON RELATIVE_ONE DOES | 3 ANIMAL PLACE_AFTER MOVES",
    "MANY": "7 PEOPLE RELATIVE_MANY DO | 3 ANIMALS PLACE_AFTER MOVE",
    "RELATIVE_ONE": "6 | 2 who DOES_TO | 1 that SOMEBODY | 1 PREPOSITION the PLACE",
    "RELATIVE_MANY": "6 | 2 who DO_TO | 1 that SOMEBODY | 1 PREPOSITION the PLACE",
    "SOMEBODY": "the MAYBE_ADJ SOMEBODY_KNOWS",
    "SOMEBODY_KNOWS": "5 PERSON KNOWS | 5 PEOPLE KNOW",
    "PLACE_AFTER": "7 | 3 PREPOSITION the PLACE",
    # the second clause of a joined sentence is short
    "CLAUSE": "6 the MAYBE_ADJ CLAUSE_CORE | 2 it is WEATHER | 2 they HAVE_TO",
    "CLAUSE_CORE": "4 PERSON DOES | 3 PEOPLE DO | 2 ANIMAL MOVES | 1 ANIMALS MOVE",
    "WEATHER": _falling("raining cold sunny late snowing dark"),
    "HAVE_TO": _falling("agree laugh know wait forget"),
    # what subjects do, in the singular and in the plural
    "DOES": "1 MAYBE_OFTEN DOES_NOW",
    "DO": "1 MAYBE_OFTEN DO_NOW",
    "DOES_NOW": "6 DOES_TO MAYBE_PLACE | 3 MOVES | 1 is MOOD",
    "DO_NOW": "6 DO_TO MAYBE_PLACE | 3 MOVE | 1 are MOOD",
    "DOES_TO": "4 KNOWS OBJECT | 2 eats FOOD_PHRASE | 2 reads TEXT_PHRASE | 2 feeds PET_PHRASE",
    "DO_TO": "4 KNOW OBJECT | 2 eat FOOD_PHRASE | 2 read TEXT_PHRASE | 2 feed PET_PHRASE",
    "MOVES": "1 MOVES_VERB MAYBE_HOW MAYBE_PLACE",
    "MOVE": "1 MOVE_VERB MAYBE_HOW MAYBE_PLACE",
    "MAYBE_OFTEN": "8 | 1 often | 0.6 never | 0.4 always",
    "MAYBE_HOW": "7 | 1.5 quietly | 1 slowly | 0.5 together",
    "MAYBE_PLACE": "6 | 4 PREPOSITION the PLACE",
    # objects
    "OBJECT": "5 the MAYBE_ADJ ANYTHING | 3 a MAYBE_ADJ ANY_ONE | 2 some MAYBE_ADJ ANY_MANY",
    "ANYTHING": "6 ANY_ONE | 4 ANY_MANY",
    "ANY_ONE": "4 THING | 3 PERSON | 3 ANIMAL",
    "ANY_MANY": "4 THINGS | 3 PEOPLE | 3 ANIMALS",
    "FOOD_PHRASE": "5 FOOD | 3 the MAYBE_ADJ FOOD | 2 some MAYBE_ADJ FOOD",
    "TEXT_PHRASE": "6 the MAYBE_ADJ TEXT | 4 a MAYBE_ADJ TEXT",
    "PET_PHRASE": "6 the MAYBE_ADJ PET | 4 a MAYBE_ADJ ANIMAL",
    "PET": "5 ANIMAL | 5 ANIMALS",
    # words
    "MAYBE_ADJ": "7 | 3 ADJECTIVE",
    "ADJECTIVE": _falling("small young happy big quiet brown lazy kind tired clever"),
    "PERSON": _falling("girl boy teacher farmer doctor woman man baker neighbour painter"),
    "PEOPLE": _falling("girls boys teachers farmers doctors women men bakers neighbours painters"),
    "ANIMAL": _falling("dog cat horse bird goat"),
    "ANIMALS": _falling("dogs cats horses birds goats"),
    "THING": _falling("house boat clock ball garden chair"),
    "THINGS": _falling("houses boats clocks balls gardens chairs"),
    "FOOD": _falling("bread soup cheese fruit cake"),
    "TEXT": _falling("book letter story poem"),
    "KNOWS": _falling("sees likes knows finds paints visits"),
    "KNOW": _falling("see like know find paint visit"),
    "MOVES_VERB": _falling("runs sleeps walks sings waits jumps"),
    "MOVE_VERB": _falling("run sleep walk sing wait jump"),
    "MOOD": _falling("hungry busy ready lost"),
    "PREPOSITION": _falling("in near behind outside"),
    "PLACE": _falling("village kitchen forest school market church"),
}


def words_of(rule: str, grammar: Mapping[str, str] = EVERYDAY) -> list[str]:
    """The words among which a rule of the grammar chooses, likeliest first.

    rule: one with a single word in each alternative, such as "PERSON"; ValueError for any other.
    """
    found = [symbols for _, symbols in sorted(_parse(grammar)[rule], key=lambda each: -each[0])]
    if any(len(symbols) != 1 or symbols[0] in grammar for symbols in found):
        raise ValueError(f"{rule} does not choose among single words: {grammar[rule]}")
    return [word for (word,) in found]


def _parse(grammar: Mapping[str, str]) -> dict[str, list[tuple[float, tuple[str, ...]]]]:
    """Rules as lists of (probability, symbols)."""
    rules = {}
    for name, text in grammar.items():
        alternatives = []
        for alternative in text.split("|"):
            first, *rest = alternative.split() or [""]
            try:
                weight, symbols = float(first), tuple(rest)
            except ValueError:
                weight, symbols = 1.0, tuple(alternative.split())
            if not weight > 0:
                raise ValueError(f"grammar rule {name}: weight {weight} must be above 0")
            alternatives.append((weight, symbols))
        total = sum(weight for weight, _ in alternatives)
        rules[name] = [(weight / total, symbols) for weight, symbols in alternatives]
    return rules


class Sentences:
    """A probabilistic grammar of everyday English, with exact answers.

    grammar: rules by name, as in `EVERYDAY`; the first rule is the start. Every alternative must be
    told from the others by its first word. Raises ValueError otherwise.

    A sentence is a row of `length` tokens: `<s>`, its words, then `<pad>` to the end.

    vocab:  the words, with `<pad>`, `<s>` and `<mask>`
    length: tokens in a row, enough for the longest sentence
    """

    def __init__(self, grammar: Mapping[str, str] = EVERYDAY):
        self._rules = _parse(grammar)
        start = (next(iter(self._rules)),)
        arrows = self._explore(start)
        words = list(dict.fromkeys(w for moves in arrows.values() for w in moves))
        self.vocab = Vocab([PAD, START, *words, MASK], joiner=" ", hidden=[PAD, START])

        # States in an order in which every arrow leads to a higher number; the last is "finished".
        self._height = {}
        self._longest(start, arrows)
        stacks = sorted(arrows, key=lambda stack: -self._height[stack])
        number = {stack: i for i, stack in enumerate(stacks)}
        self.n_states = len(stacks)
        self.length = self._height[start] + 1
        self._finished = number[()]

        shape = (self.n_states, len(self.vocab))
        self._prob = np.zeros(shape)  # of each word in each state
        self._next = np.full(shape, self._finished)  # the state each word leads to
        for stack, moves in arrows.items():
            for word, (p, after) in moves.items():
                self._prob[number[stack], self.vocab.id(word)] = p
                self._next[number[stack], self.vocab.id(word)] = number[after]
        self._prob[self._finished, self.vocab.pad_id] = 1.0  # after the end, only padding
        self._count, self._entropy = self._look_ahead()

    # -- building the table of states ------------------------------------------------------------

    def _explore(self, start):
        """Every reachable state with its arrows: {stack: {word: (probability, next stack)}}."""
        arrows, waiting = {}, [start]
        while waiting:
            stack = waiting.pop()
            if stack in arrows:
                continue
            if len(arrows) > 20_000 or len(stack) > 200:
                raise ValueError("this grammar has no end of states: remove its recursion")
            arrows[stack] = self._first_words(stack, 0)
            total = sum(p for p, _ in arrows[stack].values())
            if stack and abs(total - 1) > 1e-9:
                raise ValueError(
                    "a sentence could end without a word that says so: let every sentence end in "
                    "a word of its own, such as a full stop"
                )
            waiting += [after for _, after in arrows[stack].values()]
        return arrows

    def _first_words(self, stack, depth):
        """The words that can come next: {word: (probability, symbols still to be written)}."""
        if not stack:
            return {}
        symbol, rest = stack[0], stack[1:]
        if symbol not in self._rules:
            return {symbol: (1.0, rest)}
        if depth > 100:
            raise ValueError(
                f"rule {symbol} can begin with itself: rewrite it to start with a word"
            )
        found = {}
        for p, symbols in self._rules[symbol]:
            for word, (q, after) in self._first_words(symbols + rest, depth + 1).items():
                if word in found:
                    raise ValueError(
                        f"rule {symbol} is ambiguous: two of its alternatives can begin with "
                        f"{word!r}; move the common beginning into one alternative"
                    )
                found[word] = (p * q, after)
        return found

    def _longest(self, start, arrows):
        """The most words each state can take to finish; refuses a grammar that has no end."""
        entered, stack = set(), [(start, False)]
        while stack:
            state, leaving = stack.pop()
            if leaving:
                entered.discard(state)
                steps = [1 + self._height[after] for _, after in arrows[state].values()]
                self._height[state] = max(steps, default=0)
            elif state in entered:
                raise ValueError("this grammar can go round in circles: remove its recursion")
            elif state not in self._height:
                entered.add(state)
                stack.append((state, True))
                stack += [(s, False) for _, s in arrows[state].values() if s not in self._height]

    def _look_ahead(self):
        """For each state: how many ways to finish it, and the entropy of how it is finished."""
        count = [0] * self.n_states
        entropy = np.zeros(self.n_states)
        count[self._finished] = 1
        for state in range(self.n_states - 2, -1, -1):
            words = np.flatnonzero(self._prob[state])
            p, after = self._prob[state, words], self._next[state, words]
            count[state] = sum(count[s] for s in after)
            entropy[state] = -(p * np.log(p)).sum() + (p * entropy[after]).sum()
        return count, entropy

    # -- exact answers ---------------------------------------------------------------------------

    def sample(self, n: int, *, seed: int) -> torch.Tensor:
        """n independent sentences: (n, length) int64."""
        n = whole("n", n, "it must not be negative", least=0)
        seed = whole("seed", seed, **SEED)
        random = np.random.default_rng(seed)
        tokens = np.full((n, self.length), self.vocab.pad_id)
        tokens[:, 0] = self.vocab.start_id
        cumulative = self._prob.cumsum(1)
        state = np.zeros(n, dtype=int)
        for t in range(1, self.length):
            u = random.random(n) * cumulative[state, -1]
            tokens[:, t] = (cumulative[state] <= u[:, None]).sum(1)
            state = self._next[state, tokens[:, t]]
        return torch.from_numpy(tokens)

    def log_prob(self, tokens: torch.Tensor) -> torch.Tensor:
        """The exact log-probability of each row, in nats: (n, length) -> (n,) float64.

        A row that is no sentence of the language has log-probability -inf. Rows may stop short of
        `length`: the score is then that of the prefix, summed over all its endings.
        """
        return self.token_log_probs(tokens).sum(-1)

    def token_log_probs(self, tokens: torch.Tensor) -> torch.Tensor:
        """log p(token | all before it) at every position, in nats: (n, t) -> (n, t) float64."""
        array, states = self._states(tokens)
        with np.errstate(divide="ignore"):
            log_probs = np.log(self._prob[states[:, :-1], array[:, 1:]])
            first = np.log((array[:, :1] == self.vocab.start_id).astype(float))
        scores = until_impossible(np.concatenate([first, log_probs], axis=1))
        return scores.to(tokens.device)

    def next_probs(self, tokens: torch.Tensor) -> torch.Tensor:
        """The true distribution of what follows each position: (n, t) -> (n, t, vocab) float64.

        Zero everywhere once the row has left the language.
        """
        array, states = self._states(tokens)
        probs = self._prob[states].copy()
        probs[np.isinf(self.token_log_probs(torch.from_numpy(array)).numpy().cumsum(1))] = 0.0
        return torch.from_numpy(probs).to(tokens.device)

    def count(self, prefix: torch.Tensor) -> int:
        """How many different sentences begin with this prefix, `<s>` first: (t,) -> int, exact."""
        return self._count[self._state_after(prefix)]

    def entropy(self, prefix: torch.Tensor | None = None) -> float:
        """Entropy in nats of what is still to come after a prefix; of a whole sentence if none."""
        return float(self._entropy[0 if prefix is None else self._state_after(prefix)])

    def fill_probs(self, tokens: torch.Tensor) -> torch.Tensor:
        """p(token | all else that is known) for a row with blanks: (length,) -> (length, vocab).

        Blanks are `<mask>`. Exact, by summing over all ways to fill the others (the
        forward-backward algorithm; Rabiner 1989, section III.A). Raises ValueError when no sentence
        fits what is written.
        """
        if tokens.ndim != 1:
            raise ValueError(f"tokens has shape {tuple(tokens.shape)}; fill_probs takes one row")
        device, tokens = tokens.device, checked(tokens[None], self)[0]
        if len(tokens) != self.length:
            raise ValueError(f"tokens has {len(tokens)} positions; a row has {self.length}")
        allowed = np.zeros((self.length, len(self.vocab)), dtype=bool)
        allowed[np.arange(self.length), tokens] = True
        allowed[tokens == self.vocab.mask_id] = True
        if not allowed[0, self.vocab.start_id]:
            raise ValueError("tokens must begin with <s>")

        behind = np.zeros((self.length, self.n_states))  # p(written so far, state)
        ahead = np.ones((self.length, self.n_states))  # p(what is written later | state)
        behind[0, 0] = 1.0
        for t in range(1, self.length):
            flow = behind[t - 1][:, None] * self._prob * allowed[t]
            np.add.at(behind[t], self._next.ravel(), flow.ravel())
        for t in range(self.length - 1, 0, -1):
            ahead[t - 1] = (self._prob * allowed[t] * ahead[t][self._next]).sum(1)

        probs = np.zeros((self.length, len(self.vocab)))
        probs[0, self.vocab.start_id] = 1.0
        for t in range(1, self.length):
            joint = behind[t - 1][:, None] * self._prob * allowed[t] * ahead[t][self._next]
            probs[t] = joint.sum(0)
        if not probs[-1].sum() > 0:
            raise ValueError("no sentence of this language fits what is written around the blanks")
        return torch.from_numpy(probs / probs.sum(1, keepdims=True)).to(device)

    def states(self, tokens: torch.Tensor) -> torch.Tensor:
        """The number of the state after each position: (n, t) -> (n, t) int64.

        All that the past has to say about the future. Past an impossible word it means nothing.
        """
        return torch.from_numpy(self._states(tokens)[1]).to(tokens.device)

    # -- walking along the arrows ----------------------------------------------------------------

    def _states(self, tokens: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """The tokens, checked, and the number of the state after each position."""
        array = checked(tokens, self)
        states = np.zeros(array.shape, dtype=int)
        for t in range(1, array.shape[1]):
            states[:, t] = self._next[states[:, t - 1], array[:, t]]
        return array, states

    def _state_after(self, prefix: torch.Tensor) -> int:
        scores = self.token_log_probs(prefix.reshape(1, -1))
        if math.isinf(scores.sum()):
            at = int(torch.isinf(scores[0]).nonzero()[0])
            word = self.vocab.tokens[int(prefix[at])]
            raise ValueError(
                f"prefix leaves the language at position {at}: {word!r} cannot stand there"
                + ("; a prefix begins with <s>" if at == 0 else "")
            )
        return int(self._states(prefix.reshape(1, -1))[1][0, -1])
