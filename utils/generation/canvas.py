"""Writing on a canvas of random tokens: keep what is sure, draw the rest anew, read again.

This is how DiffusionGemma writes (Google 2026), after its documentation and that of `transformers`:
a block begins as random tokens and is read whole, pass after pass, by a model that was trained with
uniform noise (`uniform.py`). In each pass the model says what should stand in every place. A token
is drawn for each; those of the surest places are put on the canvas, as many as the entropy bound
lets (Ben-Hamu et al. 2025, arXiv:2505.24857); all other places get random tokens again. What is
sure is decided anew in every pass, so nothing is final until the last: a token that was kept may
lose its place. `keep=0` takes this freedom away: what was kept once stays. With `keep=16` that
begins after sixteen passes, in which the model has only been making up its mind. The package
`diffusers` has both, `EntropyBoundScheduler` and, in its `BlockRefinementScheduler`, the other.

Random tokens say nothing of what the model thought a pass ago. So it may be shown its last guess,
a probability for every token at every place (self-conditioning: Chen et al. 2022,
arXiv:2208.04202). Here the guess enters through the output matrix, turned round: what the model
expects is added, weighted, to what it reads. It takes a model with `tie_embeddings=False`, in which
that matrix is another than the one that embeds the tokens of the canvas.
"""

import torch
from torch.nn.functional import cross_entropy

from utils.generation.diffusion import spread_rates
from utils.generation.rounds import check_one_text, checked_positions
from utils.generation.sampling import draw
from utils.generation.uniform import disturb
from utils.text.ids import check_texts, token_ids
from utils.text.numbers import real, whole
from utils.text.trace import check_list, written
from utils.training.losses import NO_TARGET, without

SETTLED = 0.005  # nats: with less entropy than this on average, a text is done


def read(model, tokens, guess=None):
    """What the model says stands at each place, given its last guess: (batch, length, vocab)
    logits. guess: probabilities of the same shape; zeros, or None, where there is none yet."""
    if guess is None:
        return model(tokens)

    def with_guess(layer, inputs):  # the stream as it enters the first layer, and the rest
        return inputs[0] + guess.to(model.output.dtype) @ model.output.T, *inputs[1:]

    hook = model.layers[0].register_forward_pre_hook(with_guess)
    try:
        return model(tokens)
    finally:
        hook.remove()


def loss(model, tokens, choices, *, frozen=None, generator=None):
    """`uniform.loss` with self-conditioning: every second row is read twice, the second time with
    what the model guessed at the first, which is taken as given. A scalar, in nats."""
    if model.config.tie_embeddings:
        raise ValueError("tie_embeddings is True; make it False, and the guess has its own way in")
    check_texts(tokens, model.config.vocab_size)
    choices = token_ids("choices", choices, model.config.vocab_size)
    rates = spread_rates(tokens, generator)
    noisy = disturb(tokens, rates, choices, frozen=frozen, generator=generator)
    guess = torch.zeros(*tokens.shape, model.config.vocab_size, device=tokens.device)
    with torch.no_grad():
        guess[::2] = model(noisy[::2]).softmax(-1)
    targets = tokens if frozen is None else without(tokens, frozen, "frozen")
    logits = read(model, noisy, guess)
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NO_TARGET)


@torch.no_grad()
def write(
    model,
    tokens,
    positions,
    choices,
    *,
    passes,
    bound=0.1,
    temperatures=(0.8, 0.4),
    keep=None,
    self_condition=False,
    generator=None,
    trace=None,
    history=None,
):
    """Write on the canvas: (batch, length) int64 -> the same, with the model's likeliest tokens.

    tokens: what stands there at the start, noise or a text to be mended. positions: where it may
        write; all else stays.
    choices: the ids it may write, from which noise is drawn, too.
    passes: forward passes at most. A row is done when its likeliest tokens are those of the pass
        before, with a mean entropy below 0.005 nats.
    bound: a pass keeps the surest place, and each next one as long as those before it have no more
        entropy than this together, in nats.
    temperatures: of the first pass and of the last; in between it falls evenly.
    keep: after how many passes what is kept stays as it is: 0, from the first on; None, never.
    self_condition: show the model its last guess.
    trace: as in `diffusion.sample`. history: a list that gets, for each pass, the rows still being
        written, (n,), where a token was kept, (n, length) bool, and the canvas then, (n, length).

    Raises ValueError for positions outside the text, passes below 1, a bound below 0, temperatures
    that are not above 0, a keep below 0, choices outside the vocabulary.
    """
    free, choices, warmths, bound = _check(tokens, positions, choices, passes, temperatures, bound)
    keep = _check_keep(keep, passes)
    check_one_text(tokens, trace)
    check_list("history", history)
    canvas, answer, guess = tokens.clone(), tokens.clone(), None
    stays = torch.zeros_like(tokens, dtype=torch.bool)
    rows = torch.arange(len(tokens), device=tokens.device)  # those that are not done
    for done, warmth in enumerate(warmths):
        now, unkept = canvas[rows], free & ~stays[rows]
        said = (_among(choices, read(model, now, guess)) / warmth).log_softmax(-1)
        entropy = torch.special.entr(said.exp()).sum(-1)  # (rows, length)
        kept = _surest(entropy.masked_fill(~unkept, torch.inf), bound)
        drawn = draw(said, generator=generator)
        noise = disturb(now, 1.0, choices, generator=generator)
        canvas[rows] = torch.where(kept, drawn, torch.where(unkept, noise, now))
        likeliest = torch.where(unkept, said.argmax(-1), now)
        if done >= keep:
            likeliest, stays[rows] = torch.where(kept, drawn, likeliest), stays[rows] | kept
        if history is not None:
            history.append((rows, kept, canvas[rows]))
        if trace is not None:
            at = kept[0].nonzero()[:, 0]
            trace.append(written(canvas[0], at, said[0, at].exp()))
        going = (likeliest != answer[rows]).any(1) | (entropy[:, free].mean(1) >= SETTLED)
        answer[rows] = likeliest
        rows, guess = rows[going], said[going].exp() if self_condition else None
        if not len(rows):
            break
    return answer


def _among(choices, logits):
    """The logits, with -inf for all tokens that may not be written."""
    barred = torch.ones(logits.shape[-1], dtype=torch.bool, device=logits.device)
    barred[token_ids("choices", choices, len(barred))] = False
    return logits.masked_fill(barred, -torch.inf)


def _surest(entropy, bound):
    """Which places are kept, (rows, length) -> bool: the one of least entropy, and each next one
    as long as those before it have at most `bound` together. None where it is infinite."""
    ranked, order = entropy.sort(dim=-1, stable=True)
    before = torch.nn.functional.pad(ranked[:, :-1], (1, 0)).cumsum(-1)
    return torch.zeros_like(before, dtype=torch.bool).scatter(
        -1, order, ranked.isfinite() & (before <= bound)
    )


def _check(tokens, positions, choices, passes, temperatures, bound):
    """The arguments in the form that the loop wants; a clear error for one that is out of range."""
    positions = checked_positions(tokens, positions)
    free = torch.zeros_like(tokens[0], dtype=torch.bool)
    free[positions] = True
    passes = whole("passes", passes, "take at least 1", least=1)
    bound = real("bound", bound, "give an entropy in nats, 0 or more", least=0)
    first, last = checked_temperatures(temperatures)
    choices = token_ids("choices", choices, device=tokens.device)
    return free, choices, torch.linspace(first, last, passes).tolist(), bound


def checked_temperatures(temperatures):
    """The temperatures of the first pass and of the last, as floats."""
    advice = "give two above 0"
    given = temperatures.tolist() if hasattr(temperatures, "tolist") else temperatures
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ValueError(f"temperatures is {given}; {advice}")
    return tuple(real("temperatures", each, advice, above=0) for each in given)


def _check_keep(keep, passes):
    """After how many passes what is kept stays; all of them for None."""
    if keep is None:
        return passes
    return whole("keep", keep, "give a number of passes, 0 or more, or None", least=0)
