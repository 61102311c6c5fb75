"""Writing in blocks: the text grows from left to right, and each block of it is filled at once.

A block begins as noise and is read as often as it takes, by a model that looks both ways in it and
back at all that is finished. What is finished stays, so its keys and values are computed once and
kept. That cache is exact, since here finished text is read as a causal model reads it: nothing in
it looks at what comes later. It is how DiffusionGemma is built (Google 2026, in `transformers`),
with one set of weights for both ways of reading; in BD3-LM (Arriola et al. 2025, arXiv:2503.09573)
a finished block keeps looking both ways inside itself, which a cache allows as well.

Between the two camps lies only the size of a block: with blocks of one token the model writes from
left to right, with one block as long as the text it is plain text diffusion.

`write` fills the blocks, one after the other, by a *rule* from `refining.py`: what is put down in a
pass, what may be changed again, and when a block is done. `loss` and `noise_loss` train a model for
it; all blocks of a text are learned in one pass over twice its length.
"""

from contextlib import contextmanager

import torch
from torch.nn.functional import cross_entropy

from utils.generation import canvas, diffusion, uniform
from utils.generation.diffusion import hide, spread_rates
from utils.generation.rounds import check_one_text
from utils.models.kv_cache import KVCache
from utils.text.ids import check_texts, checked_mask, token_ids
from utils.text.numbers import whole
from utils.text.trace import check_list, written


@contextmanager
def seeing(model, mask, places=None):
    """While it lasts, a position of the model sees what the mask lets it, whatever its config says.

    mask: (length, cached + length) bool, True where the row's position may look at the column's;
    None is everywhere. places: where in the text each position stands, (length,); None, in order.
    """

    def otherwise(_, inputs):  # what each layer is given: the stream, the rotary table, the mask
        x, rotary, _, *rest = inputs
        return x, rotary if places is None else rotary[places], mask, *rest

    hooks = [layer.register_forward_pre_hook(otherwise) for layer in model.layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class Reader:
    """A causal model, what it has read of finished text, and its look at a block of unfinished.

    model: a `Transformer` with causal=True. rows: texts side by side. room: positions at most; None
    is the model's own max_len. Raises ValueError for what is out of range.
    """

    def __init__(self, model, rows=1, room=None):
        rows, most = whole("rows", rows, "take at least 1", least=1), model.config.max_len
        if room is not None:
            advice = f"choose 1 to {most}, the model's own, or None"
            room = whole("room", room, advice, least=1, most=most)
        self.model, self.layers, self.output = model, model.layers, model.output
        self.cache = KVCache.like(model, rows, room)

    def keep(self, tokens):
        """Read what is finished, (rows, n), from left to right, and remember it."""
        self.model(tokens, self.cache)

    def look(self, block, guess=None):
        """What should stand in each place of a block that follows: (rows, n) -> (rows, n, vocab)
        logits. Nothing is remembered. guess: what it said last, as in `canvas.read`."""
        with seeing(self.model, None):
            return canvas.read(self, block, guess)

    def __call__(self, block):
        length = self.cache.length
        logits = self.model(block, self.cache)
        self.cache.crop(length)
        return logits


class Rereading:
    """The same for a model that knows no blocks, such as a world's own conditional probabilities:
    it reads the whole text in every pass, with blanks to the right of the block.

    say: `say(tokens)` -> (rows, length, vocab) logits. mask_id: a blank. length: of a text.
    """

    def __init__(self, say, mask_id, length):
        self.length = whole("length", length, "a text has at least 1 token", least=1)
        self.say, self.mask_id, self.text = say, checked_mask(mask_id), None

    def keep(self, tokens):
        self.text = tokens if self.text is None else torch.cat([self.text, tokens], 1)

    def look(self, block, guess=None):
        begun = torch.cat([self.text, block], 1)
        blanks = begun.new_full((len(begun), self.length - begun.shape[1]), self.mask_id)
        said = self.say(torch.cat([begun, blanks], 1))
        return said[:, self.text.shape[1] : begun.shape[1]]


@torch.inference_mode()
def write(reader, prompt, new, rule, *, size, generator=None, trace=None, history=None):
    """Continue each row of the prompt by `new` tokens: (rows, n) int64 -> (rows, n + new).

    reader: a fresh `Reader` or `Rereading`. rule: `Masks`, `Noise` or `Entropy` of `refining.py`.
    size: tokens in a block; the last may be shorter. A row whose block is done is left as it is
    until those of all rows are.
    trace: as in `diffusion.sample`. history: a list that gets how many rows each pass was still
    about; its length is the number of passes, without those that read finished blocks.

    Raises ValueError for a size below 1, fewer new tokens than 1, and a trace of several rows.
    """
    new = whole("new", new, "write at least 1 token", least=1)
    size = whole("size", size, "a block has at least 1 token", least=1)
    check_texts(prompt)
    check_one_text(prompt, trace)
    check_list("history", history)
    tokens, finished, end = prompt, prompt, prompt.shape[1] + new
    while tokens.shape[1] < end:
        reader.keep(finished)
        state = rule.begin(len(prompt), min(size, end - tokens.shape[1]), prompt.device, generator)
        while not state.done.all():
            if history is not None:
                history.append(int((~state.done).sum()))
            logits = reader.look(state.block, state.guess)
            state = rule.turn(state, logits, generator)
            if trace is not None:
                at = state.changed[0].nonzero()[:, 0]
                text = torch.cat([tokens[0], state.block[0]])
                trace.append(written(text, at + tokens.shape[1], logits[0, at].softmax(-1)))
        finished = state.block
        tokens = torch.cat([tokens, finished], 1)
    return tokens


# -- learning ------------------------------------------------------------------------------------


def loss(model, tokens, mask_id, *, size, given=1, generator=None):
    """The negative ELBO in nats per token of a text written in blocks by filling masks: a scalar.

    tokens: (batch, length) int64; the first `given` are no part of any block, and what follows is
    a whole number of blocks of this size. Each block is hidden in part, on its own, as a text is in
    `diffusion.loss`, and read with the true text before it.

    Raises ValueError for a length that is no whole number of blocks, and for a model that is not
    causal or has no room for the text and, behind it, a second copy of its blocks.
    """
    mask_id = checked_mask(mask_id, model.config.vocab_size)
    blocks, given = _cut(model, tokens, size, given)  # (batch * blocks, size)
    noisy, masked = hide(blocks, spread_rates(blocks, generator), mask_id, generator=generator)
    logits = _all_blocks(model, tokens, noisy, given)
    said = diffusion.log_probs(lambda _: logits, noisy, mask_id, masked)  # (hidden, vocab)
    right = said.gather(-1, blocks[masked][:, None])[:, 0]
    row = masked.nonzero(as_tuple=True)[0]
    return -(right / masked.sum(-1)[row]).sum() / len(blocks)


def noise_loss(model, tokens, choices, *, size, given=1, generator=None):
    """The same for uniform noise: mean surprise at the true tokens of disturbed blocks, in nats, as
    in `uniform.loss`. choices: the ids from which noise is drawn."""
    choices = token_ids("choices", choices, model.config.vocab_size)
    blocks, given = _cut(model, tokens, size, given)
    rates = spread_rates(blocks, generator)
    noisy = uniform.disturb(blocks, rates, choices, generator=generator)
    return cross_entropy(_all_blocks(model, tokens, noisy, given).flatten(0, 1), blocks.flatten())


def _all_blocks(model, tokens, noisy, given):
    """What a model says of all blocks of a text, each read with the true text before it:
    (batch * blocks, size, vocab) logits. noisy: (batch * blocks, size).

    It reads the text and, behind it, its blocks once more with noise in them, each at its place.
    """
    length, size = tokens.shape[1], noisy.shape[1]
    both = torch.cat([tokens, noisy.view(len(tokens), -1)], 1)
    places = torch.cat([torch.arange(length), torch.arange(given, length)]).to(tokens.device)
    block = (places - given).div(size, rounding_mode="floor")  # the one each position is in
    true = torch.arange(len(places), device=tokens.device) < length
    before = torch.where(true[:, None], places <= places[:, None], block < block[:, None])
    mask = torch.where(true, before, ~true[:, None] & (block == block[:, None]))
    with seeing(model, mask, places):
        logits = model(both)[:, length:]
    return logits.reshape(*noisy.shape, -1)


def _cut(model, tokens, size, given):
    """The blocks of each text, side by side: (batch * blocks, size); and where they begin."""
    check_texts(tokens, model.config.vocab_size)
    length = tokens.shape[1]
    advice = f"choose 1 to {length - 1}: the texts have {length} tokens"
    given = whole("given", given, advice, least=1, most=length - 1)
    advice = f"choose one that divides the {length - given} tokens to be written"
    size = whole("size", size, advice, least=1, most=length - given)
    if (length - given) % size:
        raise ValueError(f"size is {size}; {advice}")
    if not model.config.causal:
        raise ValueError("causal=False: finished text is read from left to right; make it True")
    if model.config.max_len < 2 * length - given:
        raise ValueError(
            f"max_len is {model.config.max_len}; a text of {length} tokens and its blocks once "
            f"more take {2 * length - given}: make a model with so much"
        )
    return tokens[:, given:].reshape(-1, size), given
