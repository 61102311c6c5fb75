"""Assignment 04, `04_forced_prefix`: plausible wrong solutions, and right ones in other styles."""

from functools import partial

from tests.grading.assignments import Variant
from tests.grading.assignments.instructor import changed

change = partial(changed, "04_forced_prefix")

WRONG = [
    Variant(
        "the model speaks first, the forced token comes behind its own",
        change("write", ("forced.get(step, int(", "forced.get(step - 1, int(")),
        loses={"test-write-forced": 2},
    ),
    Variant(
        "the forced word is exchanged in a finished text",
        {
            "write": """
def write(next_logits, prompt, n_new, forced=None, stop=None):
    forced = forced or {}
    if any(step < 0 or step >= n_new for step in forced):
        raise ValueError("a forced step is outside the text")
    own = list(prompt)
    tokens, probs = [], []
    for step in range(n_new):
        said = torch.softmax(next_logits(own), -1)
        best = int(said.argmax())
        own.append(best)  # the model never reads what was forced
        token = forced.get(step, best)
        tokens.append(token)
        if token == stop:
            break
    for i, token in enumerate(tokens):
        probs.append(float(torch.softmax(next_logits(prompt + tokens[:i]), -1)[token]))
    return tokens, probs
"""
        },
        loses={"test-write-goes-on": 1},
    ),
    Variant(
        "the probability is read after the token instead of before it",
        change(
            "write",
            (
                "probs.append(float(said[token]))",
                "probs.append(float(next_logits(prompt + tokens).softmax(-1)[token]))",
            ),
        ),
        loses={"test-write-probs": 2},
    ),
    Variant(
        "the forced token is given the probability of the model's own choice",
        change("write", ("float(said[token])", "float(said.max())")),
        loses={"test-write-probs": 2},
    ),
    Variant(
        "a forced token counts as certain",
        change("write", ("float(said[token])", "1.0 if step in forced else float(said[token])")),
        loses={"test-write-probs": 2},
    ),
    Variant(
        "forced steps that never come are passed over in silence",
        change("write", ("if not 0 <= step < n_new:", "if False:")),
        loses={"test-write-errors": 1},
    ),
    Variant(
        "the prompt is written to, and returned",
        {
            "write": """
def write(next_logits, prompt, n_new, forced=None, stop=None):
    forced = forced or {}
    if any(step < 0 or step >= n_new for step in forced):
        raise ValueError("a forced step is outside the text")
    probs, start = [], len(prompt)
    while len(prompt) < start + n_new:
        said = next_logits(prompt).softmax(-1)
        token = forced.get(len(prompt) - start, int(said.argmax()))
        probs.append(float(said[token]))
        prompt.append(token)
        if token == stop:
            break
    return prompt, probs
"""
        },
        loses={
            "test-write-greedy": 1,
            "test-write-forced": 2,
            "test-write-goes-on": 1,
            "test-write-probs": 2,
        },
    ),
    Variant(
        "a contradiction is judged against the question instead of the text's own sum",
        change(
            "judge",
            ('(verdict == "yes") == (claim == total)', '(verdict == "yes") == (claim == a + b)'),
        ),
        loses={"test-judge-contradiction": 1},
    ),
    Variant(
        "right is whoever has the right verdict",
        change("judge", ("if total == a + b and (verdict", "if (verdict")),
        loses={"test-judge-right": 1, "test-judge-contradiction": 1},
    ),
    Variant(
        "the first verdict and the first sum count",
        change(
            "judge",
            (
                "verdict, total = verdicts[-1], int(behind[-1])",
                "verdict, total = verdicts[0], int(behind[0])",
            ),
        ),
        loses={"test-judge-last": 1},
    ),
    Variant(
        "the question is read as part of the answer",
        change("judge", ("answer = words[7:]", "answer = words")),
        loses={"test-judge-unfinished": 1},
    ),
    Variant(
        "the wrong verdict is always no",
        change("experiment", ("wrong = no if right == yes else yes", "wrong = no")),
        loses={"test-experiment-forced": 1},
    ),
    Variant(
        "the model sees the right answer",
        change(
            "experiment", ("prompt, right = row[:7], row[7]", "prompt, right = row[:8], row[7]")
        ),
        loses={"test-experiment-prompt": 1},
    ),
    Variant(
        "texts that cannot be read are left out of n",
        change(
            "experiment",
            (
                "outcomes[name].append(read(prompt + answer(prompt, forced)))",
                "outcome = read(prompt + answer(prompt, forced))\n            "
                'if outcome != "unfinished":\n                outcomes[name].append(outcome)',
            ),
        ),
        loses={"test-experiment-all": 1},
    ),
    Variant(
        "two standard errors to each side",
        {
            "interval": """
def interval(k, n):
    if n < 1 or not 0 <= k <= n:
        raise ValueError("k of n makes no sense")
    rate = k / n
    error = 1.96 * math.sqrt(rate * (1 - rate) / n)
    return rate - error, rate + error
"""
        },
        loses={"test-interval": 1, "test-interval-ends": 1},
    ),
    Variant(
        "the book's own Wilson interval",
        {
            "interval": """
from utils.measure.intervals import wilson


def interval(k, n):
    return wilson(k, n)
"""
        },
        told="utils",
        loses={"test-interval": 1, "test-interval-ends": 1},
    ),
    Variant(
        "5% at each end instead of 2.5%",
        change(
            "interval", ("at_least(k, p), 0.025", "at_least(k, p), 0.05"), ("p), 0.975", "p), 0.95")
        ),
        loses={"test-interval": 1, "test-interval-ends": 1},
    ),
    Variant(
        "the interval collapses when nothing happened",
        change(
            "interval",
            (
                "    low = 0.0 if k == 0",
                "    if k in (0, n):\n        return k / n, k / n\n    low = 0.0 if k == 0",
            ),
        ),
        loses={"test-interval-ends": 1},
    ),
    Variant(
        "temperature on probabilities",
        change(
            "continuations",
            (
                "said = (next_logits(prompt + tokens).double() / temperature).softmax(-1)",
                "said = next_logits(prompt + tokens).double().softmax(-1) / temperature\n"
                "        said = said / said.sum()",
            ),
        ),
        loses={"test-continuations-temperature": 1},
    ),
    Variant(
        "temperature multiplies the logits",
        change("continuations", (".double() / temperature)", ".double() * temperature)")),
        loses={"test-continuations-temperature": 1},
    ),
    Variant(
        "the cutoff is held against each token instead of the whole text",
        change("continuations", ("if probability * share >= cutoff:", "if share >= cutoff:")),
        loses={"test-continuations-cutoff": 1},
    ),
    Variant(
        "everything is listed, then sorted out",
        change(
            "continuations",
            ("if probability * share >= cutoff:", "if share > 0:"),
            (
                "    return found",
                "    return {text: p for text, p in found.items() if p >= cutoff}",
            ),
        ),
        loses={"test-continuations-cutoff": 1},
    ),
    Variant(
        "the forced token is counted as the model's",
        change(
            "continuations",
            (
                "grow([*tokens, forced[len(tokens)]], probability)",
                "said = (next_logits(prompt + tokens).double() / temperature).softmax(-1)\n"
                "            token = forced[len(tokens)]\n"
                "            grow([*tokens, token], probability * float(said[token]))",
            ),
        ),
        loses={"test-continuations-forced": 1},
    ),
    Variant(
        "the stop does not end a text",
        change("continuations", (" or tokens[-1:] == [stop]", "")),
        loses={
            "test-continuations": 2,
            "test-continuations-cutoff": 1,
            "test-continuations-forced": 1,
        },
    ),
    Variant(
        "what was not explored is shared out among the outcomes",
        change(
            "outcome-probs",
            ("probs[read(tokens)] += p", "probs[read(tokens)] += p / sum(found.values())"),
        ),
        loses={"test-outcome-probs": 1},
    ),
    Variant(
        "texts are counted instead of weighed",
        change(
            "outcome-probs", ("probs[read(tokens)] += p", "probs[read(tokens)] += 1 / len(found)")
        ),
        loses={"test-outcome-probs": 1},
    ),
    Variant(
        "the least likely token is cut instead of the first unlikely one",
        {
            "rewind": """
def rewind(prompt, tokens, probs, floor, go_on):
    worst = min(range(len(probs)), key=probs.__getitem__)
    if probs[worst] >= floor:
        return tokens, len(tokens)
    new = go_on(prompt + tokens[:worst])
    return tokens[:worst] + new, len(tokens) + len(new)
"""
        },
        loses={"test-rewind": 2},
    ),
    Variant(
        "the unlikely token itself is kept",
        change(
            "rewind",
            ("go_on(prompt + tokens[:at])", "go_on(prompt + tokens[: at + 1])"),
            ("return tokens[:at] + new", "return tokens[: at + 1] + new"),
        ),
        loses={"test-rewind": 2},
    ),
    Variant(
        "what was thrown away is free",
        change("rewind", ("len(tokens) + len(new)", "at + len(new)")),
        loses={"test-rewind-price": 1},
    ),
]

RIGHT = [
    Variant(
        "numpy, queues and grids",
        {
            "write": """
import numpy as np


def write(next_logits, prompt, n_new, forced=None, stop=None):
    plan = dict(forced or {})
    bad = set(plan) - set(range(n_new))
    if bad:
        raise ValueError(f"never written: {bad}")
    text = list(prompt)
    chances = []
    while len(text) - len(prompt) < n_new:
        scores = np.asarray(next_logits(list(text)), dtype=np.float64)
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        here = len(text) - len(prompt)
        choice = plan[here] if here in plan else int(np.argmax(weights))
        chances.append(weights[choice])
        text.append(choice)
        if stop is not None and choice == stop:
            break
    return text[len(prompt):], chances
""",
            "judge": r"""
import re


def judge(text):
    question, rest = text.split("?", 1)
    a, b, claim = map(int, re.findall(r"\d+", question))
    if " ." not in rest:
        return "unfinished"
    rest = rest.split(" .", 1)[0] + " "
    verdicts = re.findall(r"\b(?:yes|no)\b", rest)
    last = rest.rsplit("=", 1)
    number = re.match(r" (\d+) ", last[1]) if len(last) == 2 else None
    if not verdicts or number is None:
        return "unfinished"
    says_yes, total = verdicts[-1] == "yes", int(number.group(1))
    if says_yes is (claim == a + b) and total == a + b:
        return "right"
    if says_yes is not (total == claim):
        return "contradiction"
    return "consistent"
""",
            "experiment": """
def experiment(rows, answer, read, yes, no):
    def outcome(row, forced):
        question = list(row[:7])
        return read(question + list(answer(question, forced)))

    swapped = {yes: no, no: yes}
    return {
        "wrong": [outcome(row, {0: swapped[row[7]]}) for row in rows],
        "right": [outcome(row, {0: row[7]}) for row in rows],
        "nothing": [outcome(row, None) for row in rows],
    }
""",
            "interval": """
def interval(k, n):
    if not (n >= 1 and 0 <= k <= n):
        raise ValueError("impossible counts")
    kept = []
    for step in range(2001):
        p = step / 2000
        pmf = [math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]
        if sum(pmf[k:]) >= 0.025 and sum(pmf[: k + 1]) >= 0.025:
            kept.append(p)
    return min(kept), max(kept)
""",
            "continuations": """
from collections import deque


def continuations(next_logits, prompt, n_new, stop, temperature=1.0, cutoff=0.0, forced=None):
    plan, done, waiting = forced or {}, {}, deque([((), 0.0)])
    limit = math.log(cutoff) if cutoff > 0 else -math.inf
    while waiting:
        text, log_p = waiting.popleft()
        if len(text) == n_new or (text and text[-1] == stop):
            done[text] = math.exp(log_p)
        elif len(text) in plan:
            waiting.append(((*text, plan[len(text)]), log_p))
        else:
            logits = next_logits(list(prompt) + list(text)) / temperature
            for token, share in enumerate(torch.log_softmax(logits, 0).tolist()):
                if log_p + share >= limit:
                    waiting.append(((*text, token), log_p + share))
    return done
""",
            "outcome-probs": """
def outcome_probs(found, read):
    result, left = {}, 1.0
    for text in found:
        left -= found[text]
        result[read(text)] = result.get(read(text), 0.0) + found[text]
    return result | {"unexplored": left}
""",
            "rewind": """
def rewind(prompt, tokens, probs, floor, go_on):
    kept = []
    for token, p in zip(tokens, probs):
        if p < floor:
            break
        kept.append(token)
    if len(kept) == len(tokens):
        return list(tokens), len(tokens)
    added = list(go_on(list(prompt) + kept))
    return kept + added, len(tokens) + len(added)
""",
        },
        loses={},
    ),
    Variant(
        "tensors, recursion and scipy",
        {
            "write": """
def write(next_logits, prompt, n_new, forced=None, stop=None):
    forced = {} if not forced else forced
    assert_steps = [0 <= step < n_new for step in forced]
    if not all(assert_steps):
        raise ValueError("one of the forced steps is never written")
    if n_new == 0:
        return [], []
    log_probs = torch.log_softmax(next_logits(prompt).double(), dim=0)
    token = torch.tensor(forced[0]) if 0 in forced else log_probs.argmax()
    first, p = token.item(), log_probs[token].exp()
    if first == stop:
        return [first], [p]
    later = {step - 1: token for step, token in forced.items() if 0 < step}
    rest, chances = write(next_logits, prompt + [first], n_new - 1, later, stop)
    return [first] + rest, [p] + chances
""",
            "interval": """
from scipy.stats import beta


def interval(k, n):
    if n < 1 or k < 0 or k > n:
        raise ValueError("impossible counts")
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return low, high
""",
            "continuations": """
def continuations(next_logits, prompt, n_new, stop, temperature=1.0, cutoff=0.0, forced=None):
    forced = forced or {}
    if n_new == 0:
        return {(): 1.0}
    if 0 in forced:
        options = {forced[0]: 1.0}
    else:
        weights = torch.softmax(next_logits(prompt) * (1 / temperature), -1)
        options = {i: float(w) for i, w in enumerate(weights)}
    later = {step - 1: token for step, token in forced.items()}
    result = {}
    for token, p in options.items():
        if p < cutoff or p == 0:
            continue
        if token == stop:
            result[(token,)] = p
            continue
        tails = continuations(
            next_logits, prompt + [token], n_new - 1, stop, temperature, cutoff / p, later
        )
        result.update({(token, *tail): p * q for tail, q in tails.items() if p * q >= cutoff})
    return result
""",
        },
        loses={},
    ),
]
