"""Assignment 01 as students might solve it: common mistakes, and other styles that are right."""

from tests.grading.assignments import Variant


def _count(loop, counted):
    return {
        "count-followers": f"""
def count_followers(sentences, order):
    table = defaultdict(Counter)
    for sentence in sentences:
        padded = [START] * (order + 1) + sentence
        {loop}
            {counted}
    return table
"""
    }


def _perplexity(scored):
    return {
        "perplexity": f"""
def perplexity(predict, sentences):
    surprise = []
    for sentence in sentences:
        for i, word in enumerate(sentence):
            p = predict(sentence[:i]).get(word, 0)
            {scored}
    return math.exp(sum(surprise) / len(surprise))
"""
    }


def _temper(power):
    return {
        "temper": f"""
def temper(probs, temperature):
    if temperature < 0:
        raise ValueError("too cold")
    best = max(probs, key=probs.get)
    if temperature == 0:
        return {{word: float(word == best) for word in probs}}
    powers = {{word: {power} for word, p in probs.items()}}
    total = sum(powers.values())
    return {{word: power / total for word, power in powers.items()}}
"""
    }


def _write(loop, words):
    return {
        "write": f"""
def write(predict, max_words, rng):
    words = []
    {loop}
        probs = predict(words)
        {words}
    return words
"""
    }


WRONG = [
    Variant(
        "counts across the ends of sentences",
        {
            "count-followers": """
def count_followers(sentences, order):
    words = [START] * order + [word for sentence in sentences for word in sentence]
    table = defaultdict(Counter)
    for i in range(order, len(words)):
        table[tuple(words[i - order : i])][words[i]] += 1
    return table
"""
        },
        {"test-boundaries": 2},
    ),
    Variant(
        "the beginning of a sentence is counted as a word",
        _count(
            "for i in range(order, len(padded)):",
            "table[tuple(padded[i - order : i])][padded[i]] += 1",
        ),
        {"test-count": 2, "test-boundaries": 2},
    ),
    Variant(
        "the first words of a sentence are not counted",
        {
            "count-followers": """
def count_followers(sentences, order):
    table = {}
    for sentence in sentences:
        for i in range(order, len(sentence)):
            row = table.setdefault(tuple(sentence[i - order : i]), {})
            row[sentence[i]] = row.get(sentence[i], 0) + 1
    return table
"""
        },
        {"test-boundaries": 2},
    ),
    Variant(
        "an order too many in the context",
        _count(
            "for i, word in enumerate(sentence):",
            "table[tuple(padded[i : i + order + 1])][word] += 1",
        ),
        {"test-count": 2, "test-boundaries": 2},
    ),
    Variant(
        "a shorter memory forgets the newest word",
        {
            "next-probs": """
def next_probs(tables, before, vocabulary, share):
    longest = len(tables) - 1
    context = ([START] * longest + before)[len(before) :]
    probs = {word: 1 / len(vocabulary) for word in vocabulary}
    for order, table in enumerate(tables):
        row = table.get(tuple(context[:order]), {})
        total = sum(row.values())
        if total:
            for word in vocabulary:
                probs[word] = (1 - share) * row.get(word, 0) / total + share * probs[word]
    return probs
"""
        },
        {"test-mixture": 3},
    ),
    Variant(
        "a context never seen counts as zeros, and its share is lost",
        {
            "next-probs": """
def next_probs(tables, before, vocabulary, share):
    probs = {word: 1 / len(vocabulary) for word in vocabulary}
    for order, table in enumerate(tables):
        context = tuple(([START] * order + before)[len(before) :])
        row = table.get(context, {})
        total = max(1, sum(row.values()))
        probs = {w: (1 - share) * row.get(w, 0) / total + share * probs[w] for w in vocabulary}
    return probs
"""
        },
        {"test-unseen": 1},
    ),
    Variant(
        "the shorter memory is added and nothing taken away: sums to more than one",
        {
            "next-probs": """
def next_probs(tables, before, vocabulary, share):
    probs = {word: 1 / len(vocabulary) for word in vocabulary}
    for order, table in enumerate(tables):
        row = table.get(tuple(([START] * order + before)[len(before) :]))
        if row:
            total = sum(row.values())
            probs = {w: row.get(w, 0) / total + share * probs[w] for w in vocabulary}
    return probs
"""
        },
        {"test-mixture": 3},
    ),
    Variant(
        "backs off only when nothing was seen, and never mixes",
        {
            "next-probs": """
def next_probs(tables, before, vocabulary, share):
    for order in reversed(range(len(tables))):
        row = tables[order].get(tuple(([START] * order + before)[len(before) :]))
        if row:
            total = sum(row.values())
            return {
                w: (1 - share) * row.get(w, 0) / total + share / len(vocabulary)
                for w in vocabulary
            }
    return {w: 1 / len(vocabulary) for w in vocabulary}
"""
        },
        {"test-mixture": 3},
    ),
    Variant(
        "bits put into exp",
        _perplexity("surprise.append(-math.log2(p) if p else math.inf)"),
        {"test-perplexity": 2},
    ),
    Variant(
        "averages probabilities instead of logarithms",
        {
            "perplexity": """
def perplexity(predict, sentences):
    ps = [predict(s[:i]).get(word, 0) for s in sentences for i, word in enumerate(s)]
    return math.inf if min(ps) == 0 else len(ps) / sum(ps)
"""
        },
        {"test-perplexity": 2},
    ),
    Variant(
        "the mean of the sentences' perplexities",
        {
            "perplexity": """
def perplexity(predict, sentences):
    each = []
    for sentence in sentences:
        nats = 0
        for i, word in enumerate(sentence):
            p = predict(sentence[:i]).get(word, 0)
            nats += -math.log(p) if p > 0 else math.inf
        each.append(math.exp(nats / len(sentence)))
    return sum(each) / len(each)
"""
        },
        {"test-weighting": 1},
    ),
    Variant(
        "the first word is not scored",
        {
            "perplexity": """
def perplexity(predict, sentences):
    nats, n = 0, 0
    for sentence in sentences:
        for i in range(1, len(sentence)):
            p = predict(sentence[:i]).get(sentence[i], 0)
            if p == 0:
                return math.inf
            nats, n = nats - math.log(p), n + 1
    return math.exp(nats / n)
"""
        },
        {"test-perplexity": 2, "test-weighting": 1},
    ),
    Variant(
        "the impossible is skipped",
        _perplexity("surprise += [-math.log(p)] if p > 0 else []"),
        {"test-impossible": 1},
    ),
    Variant(
        "temperature divides probabilities",
        _temper("p / temperature"),
        {"test-temperature": 2, "test-cold": 1},
    ),
    Variant(
        "temperature in a softmax of probabilities",
        _temper("math.exp((p - probs[best]) / temperature)"),
        {"test-temperature": 2, "test-cold": 1},
    ),
    Variant(
        "temperature upside down",
        _temper("p**temperature if p else 0.0"),
        {"test-temperature": 2, "test-cold": 1},
    ),
    Variant(
        "a temperature of zero divides by zero",
        {
            "temper": """
def temper(probs, temperature):
    powers = {word: p ** (1 / temperature) for word, p in probs.items()}
    total = sum(powers.values())
    return {word: power / total for word, power in powers.items()}
"""
        },
        {"test-cold": 1},
    ),
    Variant(
        "temperature by the book's module",
        {
            "temper": """
from utils.models.temperature import at_temperature


def temper(probs, temperature):
    row = torch.tensor(list(probs.values()), dtype=torch.float64)
    return dict(zip(probs, at_temperature(row, temperature).tolist(), strict=True))
"""
        },
        {"test-temperature": 2, "test-cold": 1},
        told="utils",
    ),
    Variant(
        "the predictor is shown the last word only",
        {
            "write": """
def write(predict, max_words, rng):
    words = []
    while len(words) < max_words:
        probs = predict(words[-1:])
        words.append(rng.choices(list(probs), weights=list(probs.values()))[0])
        if words[-1] == ".":
            break
    return words
"""
        },
        {"test-write": 2},
    ),
    Variant(
        "goes on behind the full stop",
        _write(
            "for _ in range(max_words):",
            "words += rng.choices(list(probs), weights=list(probs.values()))",
        ),
        {"test-write": 2},
    ),
    Variant(
        "always the likeliest word",
        _write(
            'while len(words) < max_words and "." not in words:',
            "words.append(max(probs, key=probs.get))",
        ),
        {"test-dice": 2},
    ),
    Variant(
        "the dice are the global ones",
        _write(
            'while len(words) < max_words and words[-1:] != ["."]:',
            "words += random.choices(list(probs), weights=list(probs.values()))",
        ),
        {"test-dice": 2},
    ),
    Variant(
        "more keys than allowed",
        {"remember": "def remember(before):\n    return tuple(before[-2:])"},
        {"test-remember": 3},
    ),
    Variant(
        "remembers no more than the last word",
        {"remember": "def remember(before):\n    return before[-1] if before else None"},
        {"test-remember": 3},
    ),
    Variant(
        "asks the language for its own states",
        {
            "remember": """
def remember(before):
    row = world.vocab.encode(" ".join([START, *before]))[None]
    return int(world.states(row)[0, -1])
"""
        },
        {},
        told="world",
    ),
    Variant(
        "words are counted in small letters",
        _count(
            "for i, word in enumerate(w.lower() for w in sentence):",
            "table[tuple(w.lower() for w in padded[i + 1 : i + 1 + order])][word] += 1",
        ),
        {"test-count": 2},
    ),
    Variant(
        "one table for all calls: a default that was made at the definition",
        {
            "count-followers": """
def count_followers(sentences, order, table=defaultdict(Counter)):
    for sentence in sentences:
        padded = [START] * order + sentence
        for i, word in enumerate(sentence):
            table[tuple(padded[i : i + order])][word] += 1
    return table
"""
        },
        {"test-count": 2, "test-boundaries": 2},
    ),
    Variant(
        "every word is equally likely",
        {
            "next-probs": """
def next_probs(tables, before, vocabulary, share):
    return dict.fromkeys(vocabulary, 1 / len(vocabulary))
"""
        },
        {"test-mixture": 3, "test-unseen": 1},
    ),
    Variant(
        "a product of probabilities, which is 0 for a long text",
        {
            "perplexity": """
def perplexity(predict, sentences):
    product, n = 1.0, 0
    for sentence in sentences:
        for i, word in enumerate(sentence):
            product *= predict(sentence[:i]).get(word, 0)
            n += 1
    return product ** (-1 / n) if product > 0 else math.inf
"""
        },
        {"test-perplexity": 2},
    ),
    Variant(
        "asks once for each place, whatever the words before it are",
        {
            "perplexity": """
def perplexity(predict, sentences):
    known, nats = {}, []
    for sentence in sentences:
        for i, word in enumerate(sentence):
            if i not in known:
                known[i] = predict(sentence[:i])
            p = known[i].get(word, 0)
            nats.append(-math.log(p) if p > 0 else math.inf)
    return math.exp(sum(nats) / len(nats))
"""
        },
        {"test-perplexity": 2},
    ),
    Variant(
        "very cold is taken for greedy",
        {
            "temper": """
def temper(probs, temperature):
    if temperature < 0:
        raise ValueError("negative")
    best = max(probs, key=probs.get)
    if temperature < 0.01:
        return {word: float(word == best) for word in probs}
    powers = {word: (p / probs[best]) ** (1 / temperature) for word, p in probs.items()}
    return {word: power / sum(powers.values()) for word, power in powers.items()}
"""
        },
        {"test-cold": 1},
    ),
    Variant(
        "stops at any word that ends in a full stop",
        _write(
            "while len(words) < max_words and not (words and words[-1].endswith('.')):",
            "words += rng.choices(list(probs), weights=list(probs.values()))",
        ),
        {"test-write": 2},
    ),
]

RIGHT = [
    Variant(
        "plain loops and plain dictionaries, logarithms instead of powers",
        {
            "count-followers": """
def count_followers(sentences, order):
    result = {}
    for s in sentences:
        history = (START,) * order
        for w in s:
            if history not in result:
                result[history] = {}
            if w not in result[history]:
                result[history][w] = 0
            result[history][w] = result[history][w] + 1
            history = (history + (w,))[1:] if order > 0 else ()
    return result
""",
            "next-probs": """
def next_probs(tables, before, vocabulary, share):
    def chance(w, k):
        if k < 0:
            return 1.0 / len(vocabulary)
        past = tuple(before[-k:]) if k else ()
        past = (START,) * (k - len(past)) + past
        lower = chance(w, k - 1)
        if past not in tables[k]:
            return lower
        seen = tables[k][past]
        return (1 - share) * (seen[w] if w in seen else 0) / sum(seen.values()) + share * lower

    answer = {}
    for w in vocabulary:
        answer[w] = chance(w, len(tables) - 1)
    return answer
""",
            "perplexity": """
def perplexity(predict, sentences):
    bits = []
    for s in sentences:
        so_far = []
        for w in s:
            p = predict(so_far)
            if w not in p or p[w] <= 0:
                return float("inf")
            bits.append(-math.log2(p[w]))
            so_far = so_far + [w]
    return 2 ** (sum(bits) / len(bits))
""",
            "temper": """
def temper(probs, temperature):
    if temperature < 0:
        raise ValueError("a temperature is not negative")
    if temperature == 0:
        top = max(probs.values())
        winners = [w for w in probs if probs[w] == top]
        return {w: (1 / len(winners) if w in winners else 0.0) for w in probs}
    logs = {w: math.log(p) / temperature for w, p in probs.items() if p > 0}
    most = max(logs.values())
    total = sum(math.exp(l - most) for l in logs.values())
    return {w: math.exp(logs[w] - most) / total if w in logs else 0.0 for w in probs}
""",
            "write": """
def write(predict, max_words, rng):
    sentence = []
    for _ in range(max_words):
        left = rng.random()
        for w, p in predict(list(sentence)).items():
            left -= p
            if p > 0 and left < 0:
                break
        sentence.append(w)
        if w == ".":
            break
    return sentence
""",
        },
        {},
    ),
    Variant(
        "numpy and torch, single precision where one may",
        {
            "next-probs": """
import numpy as np


def next_probs(tables, before, vocabulary, share):
    p = np.full(len(vocabulary), 1 / len(vocabulary))
    longest = len(tables) - 1
    context = tuple([START] * longest + before)[len(before) :]
    for k, table in enumerate(tables):
        row = table.get(context[longest - k :])
        if row is not None:
            counts = np.array([row.get(word, 0) for word in vocabulary], dtype=float)
            p = (1 - share) * counts / counts.sum() + share * p
    return dict(zip(vocabulary, p, strict=True))
""",
            "perplexity": """
def perplexity(predict, sentences):
    ps = [predict(s[:i]).get(s[i], 0.0) for s in sentences for i in range(len(s))]
    return float(torch.tensor(ps, dtype=torch.float64).log().neg().mean().exp())
""",
            "temper": """
def temper(probs, temperature):
    if temperature < 0:
        raise ValueError("negative")
    logits = torch.tensor(list(probs.values())).log()
    if temperature == 0:
        values = torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()
    else:
        values = ((logits - logits.max()) / temperature).softmax(0)
    return dict(zip(probs, values.tolist(), strict=True))
""",
            "write": """
def write(predict, max_words, rng):
    dice = np.random.default_rng(rng.getrandbits(64))
    words = []
    while len(words) < max_words and (not words or words[-1] != "."):
        probs = predict(words)
        p = np.array(list(probs.values()))
        words.append(list(probs)[dice.choice(len(p), p=p / p.sum())])
    return words
""",
        },
        {},
    ),
    Variant(
        "a memory of another kind: the last word, and whether its clause has had a verb",
        {
            "remember": """
VERBS = (
    "sees likes knows finds paints visits runs sleeps walks sings waits jumps eats reads feeds is "
    "see like know find paint visit run sleep walk sing wait jump eat read feed are"
).split()


def remember(before):
    verb = False
    for word in before:  # a comma or "because" begins a clause that has had no verb yet
        verb = word not in (",", "because", "while", "but", "and", "when") and (
            verb or word in VERBS
        )
    return f"{before[-1]} {verb}" if before else "nothing"
"""
        },
        {},
    ),
    Variant(
        "recursion in the writer, a perplexity in double precision",
        {
            "write": """
def write(predict, max_words, rng, so_far=()):
    so_far = list(so_far)
    if len(so_far) == max_words or so_far[-1:] == ["."]:
        return so_far
    probs = predict(so_far)
    word = rng.choices(list(probs), weights=list(probs.values()))[0]
    return write(predict, max_words, rng, [*so_far, word])
""",
            "perplexity": """
import numpy as np


def perplexity(predict, sentences):
    ps = [predict(s[:i]).get(word, 0) for s in sentences for i, word in enumerate(s)]
    with np.errstate(divide="ignore"):
        return np.exp(-np.log(ps).mean())
""",
        },
        {},
    ),
    Variant(
        "what can be a key: an object that equals another of the same words",
        {
            "remember": """
from dataclasses import dataclass


@dataclass(frozen=True)
class Memory:
    last: str
    verb: bool


def remember(before):
    verb = False
    for word in before:
        verb = word not in (",", "because", "while", "but", "and", "when") and (
            verb or word in VERBS
        )
    return Memory(before[-1] if before else "", verb)


VERBS = (
    "sees likes knows finds paints visits runs sleeps walks sings waits jumps eats reads feeds is "
    "see like know find paint visit run sleep walk sing wait jump eat read feed are"
).split()
"""
        },
        {},
    ),
]
