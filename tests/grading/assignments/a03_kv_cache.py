"""Assignment 03 as students might solve it: common mistakes, and other styles that are right."""

from tests.grading.assignments import Variant
from tests.grading.assignments.instructor import replaced

_CACHE = """
def new_cache(model):
    return {"k": [None] * model.n_layers, "v": [None] * model.n_layers, "length": 0}


def step(model, cache, tokens):
    start, n = cache["length"], tokens.shape[1]
    x = model.embed(tokens, torch.arange(start, start + n))
    mask = torch.ones(n, start + n).tril(start).bool()
    for i in range(model.n_layers):
        q, k, v = model.project(i, x)
        if cache["k"][i] is not None:
            k = torch.cat([cache["k"][i], k], dim=2)
            v = torch.cat([cache["v"][i], v], dim=2)
        cache["k"][i], cache["v"][i] = k, v
        x = model.finish(i, x, model.gather(q, k, v, mask))
    cache["length"] = start + n
    return model.read_out(x)


def cached_length(cache):
    return cache["length"]
"""
_CROP = """
def crop(cache, length):
    if length < 0 or length > cache["length"]:
        raise ValueError(f"{length} is not from 0 to {cache['length']}")
    for i, k in enumerate(cache["k"]):
        if k is not None:
            cache["k"][i] = k[:, :, :length]
            cache["v"][i] = cache["v"][i][:, :, :length]
    cache["length"] = length
"""
_DECODE = """
def decode(model, prompt, n):
    tokens = prompt
    if n == 0:
        return tokens
    cache = new_cache(model)
    logits = step(model, cache, tokens)
    for i in range(n):
        new = logits[:, -1].argmax(-1)[:, None]
        tokens = torch.cat([tokens, new], dim=1)
        if i < n - 1:
            logits = step(model, cache, new)
    return tokens
"""
_DRAFT = """
def decode_with_draft(model, prompt, n, draft, k):
    cache = new_cache(model)
    tokens = prompt
    while tokens.shape[1] < prompt.shape[1] + n:
        guess = draft(tokens, k)
        logits = step(model, cache, torch.cat([tokens[:, cached_length(cache) :], guess], dim=1))
        own = logits[0, -(k + 1) :].argmax(-1).tolist()
        m = 0
        while m < k and own[m] == guess[0, m]:
            m += 1
        tokens = torch.cat([tokens, torch.tensor([own[: m + 1]])], dim=1)
        crop(cache, tokens.shape[1] - 1)
    return tokens[:, : prompt.shape[1] + n]
"""


def _cache(*changes, crop=_CROP):
    return {"cache": replaced(_CACHE, *changes), "crop": crop}


def _crop(*changes):
    return {"cache": _CACHE, "crop": replaced(_CROP, *changes)}


def _decode(*changes):
    return {"decode": replaced(_DECODE, *changes)}


def _draft(*changes):
    return {"decode-with-draft": replaced(_DRAFT, *changes)}


WRONG = [
    Variant(
        "no places: every new token stands at place 0",
        _cache(("torch.arange(start, start + n)", "torch.arange(n)")),
        {"test-positions": 2, "test-equal": 2},
    ),
    Variant(
        "places one too far",
        _cache(
            ("torch.arange(start, start + n)", "torch.arange(start, start + n) + (start > 0)"),
        ),
        {"test-positions": 2, "test-equal": 2},
    ),
    Variant(
        "only the newest keys and values are kept",
        _cache(
            ('        if cache["k"][i] is not None:', "        if False:"),
            ("model.gather(q, k, v, mask)", "model.gather(q, k, v, mask[:, start:])"),
        ),
        {"test-keys": 2, "test-chunks": 2, "test-equal": 2},
    ),
    Variant(
        "keys are kept and values are not",
        _cache(
            (
                'v = torch.cat([cache["v"][i], v], dim=2)',
                'v = torch.cat([v[:, :, :1].expand_as(cache["v"][i]), v], dim=2)',
            ),
        ),
        {"test-keys": 2, "test-chunks": 2, "test-equal": 2},
    ),
    Variant(
        "new keys stand before the old ones, which the mask does not know",
        _cache(
            ('torch.cat([cache["k"][i], k], dim=2)', 'torch.cat([k, cache["k"][i]], dim=2)'),
            ('torch.cat([cache["v"][i], v], dim=2)', 'torch.cat([v, cache["v"][i]], dim=2)'),
        ),
        # one at a time the order of keys is all the same; in `crop` it is not
        {"test-chunks": 2, "test-equal": 2, "test-crop": 2},
    ),
    Variant(
        "every layer uses the keys of the first",
        _cache(
            (
                '        cache["k"][i], cache["v"][i] = k, v\n',
                '        cache["k"][i], cache["v"][i] = k, v\n        k = cache["k"][0]\n',
            ),
        ),
        {"test-keys": 2, "test-chunks": 2, "test-equal": 2},
    ),
    Variant(
        "no mask among the new tokens",
        _cache(("model.gather(q, k, v, mask)", "model.gather(q, k, v)")),
        {"test-chunks": 2, "test-equal": 2},
    ),
    Variant(
        "the mask counts from the first new token",
        _cache((".tril(start).bool()", ".tril().bool() if n > 1 else None")),
        {"test-chunks": 2, "test-equal": 2},
    ),
    Variant(
        "reads the whole text again at each step",
        {
            "cache": """
def new_cache(model):
    return {"tokens": None}


def step(model, cache, tokens):
    if cache["tokens"] is not None:
        tokens = torch.cat([cache["tokens"], tokens], dim=1)
    n = tokens.shape[1] - cached_length(cache)
    cache["tokens"] = tokens
    return model(tokens)[:, -n:]


def cached_length(cache):
    return 0 if cache["tokens"] is None else cache["tokens"].shape[1]
""",
            "crop": """
def crop(cache, length):
    if not 0 <= length <= cached_length(cache):
        raise ValueError(length)
    cache["tokens"] = cache["tokens"][:, :length] if length else None
""",
        },
        {"test-step-work": 2},
    ),
    Variant(
        "one cache for all: a new one empties the old one",
        _cache(
            (
                "def new_cache(model):\n    return",
                "KEPT = {}\n\n\ndef new_cache(model):\n    new =",
            ),
            ('"length": 0}\n', '"length": 0}\n    KEPT.update(new)\n    return KEPT\n'),
        ),
        {"test-fresh": 1},
    ),
    Variant(
        "one entry for all rows of a batch",
        _cache(
            (
                'cache["k"][i], cache["v"][i] = k, v\n',
                "k, v = k[:1].expand_as(k), v[:1].expand_as(v)\n"
                '        cache["k"][i], cache["v"][i] = k, v\n',
            ),
        ),
        {"test-equal": 2, "test-fresh": 1},
    ),
    Variant(
        "the book's own cache",
        {
            "cache": """
from utils.models.kv_cache import KVCache
from utils.models.transformer import TransformerConfig


def new_cache(model):
    return {"model": model, "kv": None, "length": 0}


def step(model, cache, tokens):
    if cache["kv"] is None:
        width = model.words.shape[1]
        shape = TransformerConfig(11, width, model.n_layers, model.n_heads, max_len=model.max_len)
        cache["kv"] = KVCache(shape, batch_size=len(tokens))
    start, n = cache["length"], tokens.shape[1]
    x = model.embed(tokens, torch.arange(start, start + n))
    mask = torch.ones(n, start + n).tril(start).bool()
    for layer in range(model.n_layers):
        q, k, v = model.project(layer, x)
        k, v = cache["kv"].store(layer, k, v)
        x = model.finish(layer, x, model.gather(q, k, v, mask))
    cache["kv"].length = cache["length"] = start + n
    return model.read_out(x)


def cached_length(cache):
    return cache["length"]
""",
            "crop": """
def crop(cache, length):
    cache["kv"].crop(length)
    cache["length"] = length
""",
        },
        {},
        told="utils",
    ),
    Variant(
        "crop keeps one too many",
        _crop(
            ("= k[:, :, :length]", "= k[:, :, : length + 1]"),
            ('cache["v"][i][:, :, :length]', 'cache["v"][i][:, :, : length + 1]'),
        ),
        {"test-crop": 2},
    ),
    Variant(
        "crop keeps the newest",
        _crop(
            ("k[:, :, :length]\n", "k[:, :, k.shape[2] - length :]\n"),
            ('cache["v"][i][:, :, :length]', 'cache["v"][i][:, :, k.shape[2] - length :]'),
        ),
        {"test-crop": 2},
    ),
    Variant(
        "crop forgets the keys and not how many there were",
        {
            "cache": replaced(
                _CACHE,
                (
                    'return cache["length"]\n',
                    'k = cache["k"][0]\n    return 0 if k is None else k.shape[2]\n',
                ),
            ),
            "crop": replaced(_CROP, ('    cache["length"] = length\n', "")).replace(
                'length > cache["length"]', "length > cached_length(cache)"
            ),
        },
        {"test-crop": 2},
    ),
    Variant(
        "crop takes what is asked for as how many to drop",
        _crop(
            ("    for i, k in", '    length = cache["length"] - length\n    for i, k in'),
        ),
        {"test-crop": 2},
    ),
    Variant(
        "crop does not mind what cannot be",
        _crop(
            (
                '    if length < 0 or length > cache["length"]:\n'
                "        raise ValueError(f\"{length} is not from 0 to {cache['length']}\")\n",
                '    length = max(0, min(length, cache["length"]))\n',
            ),
        ),
        {"test-crop-error": 1},
    ),
    Variant(
        "the prompt's last token is read twice",
        {
            "decode": """
def decode(model, prompt, n):
    cache, tokens = new_cache(model), prompt
    if n:
        step(model, cache, prompt)
    for _ in range(n):
        logits = step(model, cache, tokens[:, -1:])
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], dim=1)
    return tokens
"""
        },
        {"test-decode": 2, "test-decode-work": 1},
    ),
    Variant(
        "the last new token is read for nothing",
        _decode(("        if i < n - 1:\n            logits", "        logits")),
        {"test-decode-work": 1},
    ),
    Variant(
        "the whole text goes into the cache again at each step",
        _decode(("logits = step(model, cache, new)", "logits = step(model, cache, tokens)")),
        {"test-decode": 2, "test-decode-work": 1},
    ),
    Variant(
        "writes without a cache",
        {
            "decode": """
def decode(model, prompt, n):
    tokens = prompt
    for _ in range(n):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], dim=1)
    return tokens
"""
        },
        {"test-decode-work": 1},
    ),
    Variant(
        "the next token from the first of the logits",
        _decode(("logits[:, -1].argmax", "logits[:, 0].argmax")),
        {"test-decode": 2},
    ),
    Variant(
        "the new tokens without the prompt",
        _decode(
            (
                "            logits = step(model, cache, new)\n    return tokens",
                "            logits = step(model, cache, new)\n    return tokens[:, -n:]",
            )
        ),
        {"test-decode": 2},
    ),
    Variant(
        "every right guess counts, also behind a wrong one",
        {
            "decode-with-draft": replaced(
                _DRAFT,
                (
                    "        while m < k and own[m] == guess[0, m]:\n            m += 1\n",
                    "        m = int((guess[0] == torch.tensor(own[:k])).sum())\n",
                ),
            )
        },
        {"test-draft-equal": 3},
    ),
    Variant(
        "wrong guesses stay in the cache",
        _draft(
            ("        crop(cache, tokens.shape[1] - 1)\n", ""),
            ("tokens[:, cached_length(cache) :]", "(tokens[:, -1:] if m is not None else tokens)"),
            ("    tokens = prompt\n", "    tokens, m = prompt, None\n"),
        ),
        {"test-draft-equal": 3},
    ),
    Variant(
        "one token too many is taken back, and read again",
        _draft(("crop(cache, tokens.shape[1] - 1)", "crop(cache, tokens.shape[1] - 2)")),
        {"test-draft-passes": 2},
    ),
    Variant(
        "the wrong guess is taken instead of the model's own choice",
        _draft(
            (
                "torch.tensor([own[: m + 1]])",
                "torch.cat([guess, torch.tensor([own[k:]])], dim=1)[:, : m + 1]",
            ),
        ),
        {"test-draft-equal": 3},
    ),
    Variant(
        "the model's own token after the last right guess is given away",
        _draft(("own[: m + 1]", "own[: max(m, 1)]")),
        {"test-draft-passes": 2},
    ),
    Variant(
        "the draft is asked and not used",
        {
            "decode-with-draft": """
def decode_with_draft(model, prompt, n, draft, k):
    draft(prompt, k)
    return decode(model, prompt, n)
"""
        },
        {"test-draft-passes": 2},
    ),
    Variant(
        "no end when the first guess is wrong",
        _draft(
            (
                "torch.tensor([own[: m + 1]])",
                "torch.tensor([own[:m]], dtype=torch.int64)",
            ),
            (
                "crop(cache, tokens.shape[1] - 1)",
                "crop(cache, min(cached_length(cache), tokens.shape[1] - 1))",
            ),
        ),
        {"test-draft-equal": 3, "test-draft-passes": 2},
    ),
    Variant(
        "every pass reads the text from the beginning",
        _draft(
            (
                "        guess = draft(tokens, k)\n",
                "        cache = new_cache(model)\n        guess = draft(tokens, k)\n",
            )
        ),
        {"test-draft-passes": 2},
    ),
    Variant(
        "reads the text again and calls `project` for show",
        {
            "cache": """
def new_cache(model):
    return {"tokens": None}


def step(model, cache, tokens):
    new, n = tokens, tokens.shape[1]
    if cache["tokens"] is not None:
        tokens = torch.cat([cache["tokens"], tokens], dim=1)
    cache["tokens"] = tokens
    model.project(0, model.embed(new, torch.zeros(n, dtype=torch.int64)))
    return Tiny.forward(Plain(model), tokens)[:, -n:]


class Plain:
    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        if hasattr(Tiny, name) and not name.startswith("_"):
            return lambda *given: getattr(Tiny, name)(self.model, *given)
        return getattr(self.model, name)


def cached_length(cache):
    return 0 if cache["tokens"] is None else cache["tokens"].shape[1]
""",
            "crop": """
def crop(cache, length):
    if not 0 <= length <= cached_length(cache):
        raise ValueError(length)
    cache["tokens"] = cache["tokens"][:, :length] if length else None
""",
        },
        {"test-step-work": 2},
    ),
    Variant(
        "where the work is counted little is done, and elsewhere all",
        _decode(
            (
                "    if n == 0:\n",
                "    if 'project' in vars(model) and n:\n"
                "        step(model, new_cache(model), tokens)\n"
                "        return torch.cat([tokens, tokens[:, :1].expand(-1, n)], dim=1)\n"
                "    if n == 0:\n",
            ),
            ("logits = step(model, cache, new)", "logits = model(tokens)"),
        ),
        {"test-decode-work": 1},
    ),
]

RIGHT = [
    Variant(
        "dictionaries, and a mask written as a comparison",
        {
            "cache": _CACHE.replace(
                "torch.ones(n, start + n).tril(start).bool()",
                "torch.arange(start + n)[None] <= torch.arange(start, start + n)[:, None]",
            ),
            "crop": _CROP,
            "decode": _DECODE,
            "decode-with-draft": _DRAFT,
        },
        {},
    ),
    Variant(
        "a class with room for all positions, taken once",
        {
            "cache": """
class Room:
    def __init__(self, model):
        self.model, self.kept, self.used = model, None, 0

    def layer(self, i, k, v):
        if self.kept is None:
            batch, heads, _, width = k.shape
            shape = (self.model.n_layers, 2, batch, heads, self.model.max_len, width)
            self.kept = torch.zeros(shape)
        end = self.used + k.shape[2]
        self.kept[i, 0, :, :, self.used : end] = k
        self.kept[i, 1, :, :, self.used : end] = v
        return self.kept[i, 0, :, :, :end], self.kept[i, 1, :, :, :end]


def new_cache(model):
    return Room(model)


def step(model, cache, tokens):
    start, n = cache.used, tokens.shape[1]
    x = model.embed(tokens, torch.arange(start, start + n))
    mask = torch.cat([torch.ones(n, start), torch.ones(n, n).tril()], dim=1) == 1
    for i in range(model.n_layers):
        q, k, v = model.project(i, x)
        x = model.finish(i, x, model.gather(q, *cache.layer(i, k, v), mask=mask))
    cache.used += n
    return model.read_out(x)


def cached_length(cache):
    return cache.used
""",
            "crop": """
def crop(cache, length):
    if length not in range(cache.used + 1):
        raise ValueError("no such place")
    cache.used = length
""",
            "decode": """
def decode(model, prompt, n):
    written, cache = [prompt], new_cache(model)
    while n > 0:
        written.append(step(model, cache, written[-1])[:, -1:].argmax(2))
        n -= 1
    return torch.hstack(written)
""",
            "decode-with-draft": """
def decode_with_draft(model, prompt, n, draft, k):
    cache, text = new_cache(model), prompt[0].tolist()
    goal = len(text) + n
    if len(text) > 1:
        step(model, cache, prompt[:, :-1])  # a pass for the prompt alone
    while len(text) < goal:
        guesses = draft(torch.tensor([text]), k)[0].tolist()
        logits = step(model, cache, torch.tensor([[text[-1], *guesses]]))
        for place, guess in enumerate([*guesses, None]):
            mine = int(logits[0, place].argmax())
            text.append(mine)
            if mine != guess:
                break
        cache.used = len(text) - 1
    return torch.tensor([text[:goal]])
""",
        },
        {},
    ),
    Variant(
        "keys and values of all layers in one tensor, in double precision",
        {
            "cache": """
def new_cache(model):
    return [None]


def step(model, cache, tokens):
    old = cached_length(cache)
    n = tokens.shape[1]
    x, new = model.embed(tokens, old + torch.arange(n)), []
    for layer in range(model.n_layers):
        q, *kv = model.project(layer, x)
        new.append(torch.stack(kv).double())
        k, v = new[-1] if old == 0 else torch.cat([cache[0][layer], new[-1]], dim=3)
        allowed = torch.ones(n, old + n, dtype=torch.bool)
        allowed[:, old:] = torch.tril(allowed[:, old:])
        x = model.finish(layer, x, model.gather(q.double(), k, v, allowed).float())
    new = torch.stack(new)
    cache[0] = new if old == 0 else torch.cat([cache[0], new], dim=4)
    return model.read_out(x)


def cached_length(cache):
    return 0 if cache[0] is None else cache[0].shape[4]
""",
            "crop": """
def crop(cache, length):
    if not 0 <= length <= cached_length(cache):
        raise ValueError(f"{cached_length(cache)} positions are there, not {length}")
    cache[0] = cache[0][:, :, :, :, :length] if length else None
""",
        },
        {},
    ),
]
