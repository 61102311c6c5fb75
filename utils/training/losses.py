"""What a causal model minimises: the surprise at the next token, at all of them or at some.

The losses of diffusion models stand with their noise, in `generation/diffusion.py` and
`generation/uniform.py`.
"""

from functools import partial

from torch.nn.functional import cross_entropy, pad

from utils.text.ids import check_texts, size_for

NO_TARGET = -100  # a token that is read and not learned, as `cross_entropy` has it


def without(tokens, left_out, name):
    """The tokens as targets, all but those `left_out`, bool of their shape or of a row's. Raises
    ValueError, with that argument's name, where nothing is left to learn."""
    if left_out.all():
        raise ValueError(f"{name} leaves nothing to learn; leave at least one token free")
    return tokens.masked_fill(left_out.to(tokens.device), NO_TARGET)


def next_token_loss(model, tokens):
    """How much each token after the first surprises a causal model: mean, in nats per token.

    tokens: (batch, length) int64, length >= 2. Returns a scalar to minimise.
    """
    check_texts(tokens, size_for(model))
    logits = model(tokens[:, :-1])  # (batch, length - 1, vocab)
    return cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def loss_without(model, rows, slips):
    """`next_token_loss`, except that the tokens at `slips`, (batch, length) bool, are no targets:
    a model is to learn how to mend mistakes, not how to make them.
    """
    targets = without(rows[:, 1:], slips[:, 1:], "slips")
    logits = model(rows[:, :-1]).flatten(0, 1)
    return cross_entropy(logits, targets.flatten(), ignore_index=NO_TARGET)


def multi_token_loss(model, rows, slips):
    """The same of a `MultiToken`: the sum over its heads, each of which has a target of its own."""
    targets = without(rows[:, 1:], slips[:, 1:], "slips")
    targets = pad(targets, (0, model.heads - 1), value=NO_TARGET)
    targets = targets.unfold(1, model.heads, 1)  # (batch, length - 1, heads)
    first = int((targets != NO_TARGET).any(-1).any(0).nonzero()[0])  # before it nothing is asked
    logits = model(rows[:, :-1], (slice(None), slice(first, None)))
    said, asked = logits.flatten(0, 1).unbind(1), targets[:, first:].flatten(0, 1).unbind(1)
    return sum(map(partial(cross_entropy, ignore_index=NO_TARGET), said, asked))


def answer_loss(model, rows):
    """`next_token_loss` on the answers of `Totals` alone; the digits between them are given."""
    logits = model(rows)[:, 1::2]  # (batch, n, vocab), where a digit has just been read
    return cross_entropy(logits.flatten(0, 1), rows[:, 2::2].flatten())
