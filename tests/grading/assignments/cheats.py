"""Answers that do not do the work and once had points for it.

{assignment: {name: (the solution cells that are replaced, the tests that must be lost)}}. What else
they lose is not said: an answer of this kind may lose anything.
"""

_READS_ALL_AGAIN = """
def new_cache(model):
    return {"tokens": None}


def step(model, cache, tokens):
    old = cache["tokens"]
    cache["tokens"] = tokens if old is None else torch.cat([old, tokens], dim=1)
    batch, n = cache["tokens"].shape
    x = model.embed(cache["tokens"], torch.arange(n))
    mask = torch.ones(n, n).tril().bool()
    for layer in range(model.n_layers):
        q, k, v = model.project(layer, x.reshape(batch * n, 1, -1))  # one position of many texts
        q, k, v = (t.reshape(batch, n, t.shape[1], -1).transpose(1, 2) for t in (q, k, v))
        x = model.finish(layer, x, model.gather(q, k, v, mask))
    return model.read_out(x)[:, -tokens.shape[1] :]


def cached_length(cache):
    return 0 if cache["tokens"] is None else cache["tokens"].shape[1]
"""
_CROP = """
def crop(cache, length):
    if not 0 <= length <= cached_length(cache):
        raise ValueError("no")
    cache["tokens"] = cache["tokens"][:, :length] if length else None
"""
_CONSTANT = """
def decode(model, prompt, n):
    return torch.cat([prompt, torch.zeros(len(prompt), n).long()], dim=1)
"""
_UNCOUNTED = """
def decode(model, prompt, n):
    for _ in range(n):
        length = prompt.shape[1]
        x = model.embed(prompt, torch.arange(length))
        mask = torch.ones(length, length).tril().bool()
        for layer in range(-model.n_layers, 0):
            x = model.finish(layer, x, model.gather(*model.project(layer, x), mask))
        following = model.read_out(x)[:, -1].argmax(-1, keepdim=True)
        prompt = torch.cat([prompt, following], dim=1)
    return prompt
"""
_COUNTER = """
def new_cache(model):
    return {"length": 0}


def step(model, cache, tokens):
    cache["length"] += tokens.shape[1]
    return torch.zeros(*tokens.shape, model.words.shape[0])


def cached_length(cache):
    return cache["length"]
"""
_SET_BACK = """
def crop(cache, length):
    if not 0 <= length <= cache["length"]:
        raise ValueError("no")
    cache["length"] = length
"""
_ALIKE = """
def perplexity(predict, sentences):
    return 2.0
"""
_SILENT = """
def write(next_logits, prompt, n_new, forced=None, stop=None):
    return [], []
"""
_ONE_COLUMN = """
def attention_weights(q, k, bias=None):
    return torch.ones(*q.shape[:-1], 1)
"""
_NOTHING = """
def experiment(rows, answer, read, yes, no):
    return {}
"""
_NEVER = """
def forget(tokens, levels, mask_id, frozen=None, generator=None):
    hidden = torch.zeros(len(levels), *tokens.shape).bool()
    return tokens.expand(hidden.shape), hidden
"""

CHEATS = {
    "01_markov_chains": {
        "all texts are alike": ({"perplexity": _ALIKE}, {"test-weighting"}),
    },
    "02_causal_transformer": {
        "shares of one column": ({"attention-weights": _ONE_COLUMN}, {"test-shares", "test-mask"}),
    },
    "03_kv_cache": {
        "all is read again, as a batch of single positions": (
            {"cache": _READS_ALL_AGAIN, "crop": _CROP},
            {"test-step-work"},
        ),
        "a cache that counts, and keeps nothing": (
            {"cache": _COUNTER, "crop": _SET_BACK},
            {"test-fresh", "test-crop"},
        ),
        "all is read again, in layers by their other numbers": (
            {"decode": _UNCOUNTED},
            {"test-decode-work"},
        ),
        "a text that asks no model": ({"decode": _CONSTANT}, {"test-decode", "test-decode-work"}),
    },
    "04_forced_prefix": {
        "nothing is written": ({"write": _SILENT}, {"test-write-goes-on"}),
        "no conditions": ({"experiment": _NOTHING}, {"test-experiment-all"}),
    },
    "05_text_diffusion": {
        "nothing is ever forgotten": ({"forget": _NEVER}, {"test-forget-nested"}),
    },
}
