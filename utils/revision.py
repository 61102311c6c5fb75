"""Changing one's mind: taking back what is already written, and writing it anew.

A masked diffusion model fills blanks, and what it has filled stays. `revise` gives it a way back:
find the token the model believes in least, hide it again, fill it again. What to doubt is decided
by a *signal*, one number for each position: `confidences` asks about one token at a time with that
token hidden (leave-one-out, a forward pass each); `glance` and `Doubt` make do with a single pass.

None of this needs diffusion. `backtrack` and `gibbs` let a causal model score and rewrite what it
wrote. Sources: hiding written tokens again is ReMDM (Wang et al. 2025, arXiv:2503.00307); a learned
signal of what is wrong is PRISM (Kim et al. 2025, arXiv:2510.01384); drawing one token given all
others is Gibbs sampling (Geman & Geman 1984).
"""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from utils import diffusion
from utils.sampling import generate, score
from utils.trace import Step
from utils.transformer import rms_norm

# -- with a diffusion model ----------------------------------------------------------------------


@torch.no_grad()
def confidences(model, tokens, mask_id, positions):
    """How likely the model finds each token given all the others: one at a time is hidden.

    tokens: (batch, length) int64. positions: k of them. Returns (batch, k) probabilities, for k
    forward passes. Raises ValueError for a position outside the text, or none.
    """
    diffusion.check_model(model, mask_id)
    positions = _checked(tokens, positions)
    found = torch.empty(len(tokens), len(positions))
    for i, position in enumerate(positions.tolist()):
        hidden = tokens.clone()
        hidden[:, position] = mask_id
        said = diffusion.log_probs(model, hidden, mask_id)[:, position]
        found[:, i] = said.gather(-1, tokens[:, position, None])[:, 0].exp()
    return found


@torch.no_grad()
def glance(model, tokens, mask_id, positions):
    """The same question put in one forward pass, with nothing hidden: (batch, k) probabilities.

    The model was never trained to say anything about a token that it can see.
    """
    said = diffusion.log_probs(model, tokens, mask_id).exp()
    return said.gather(-1, tokens[..., None])[..., 0][:, _checked(tokens, positions)]


def revise(model, tokens, mask_id, positions, *, rounds, remask=1, signal=confidences, trace=None):
    """Hide the tokens that deserve the least confidence, fill them again; so many times.

    tokens: (batch, length) int64, nothing hidden. positions: where it may rewrite; all else stays.
    rounds: at most so many; a row that comes out as it went in is left alone from then on.
    remask: how many tokens of a row are hidden in a round, and filled again one a pass.
    signal: `signal(model, tokens, mask_id, positions)` -> (batch, k); what has least is hidden.
    trace: a list that gets the steps, taking back and filling in. Batch of 1 only.

    Raises ValueError, saying what would do, for tokens with a mask in them, positions outside the
    text, rounds below 1, remask below 1 or above the number of positions.
    """
    positions = _checked(tokens, positions)
    if (tokens == mask_id).any():
        raise ValueError(f"tokens still hold the mask {mask_id}; fill it first: diffusion.sample")
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}; choose 1 or more")
    if not 1 <= remask <= len(positions):
        raise ValueError(f"remask is {remask}; choose from 1 to the {len(positions)} positions")
    if trace is not None and len(tokens) > 1:
        raise ValueError(f"a trace follows one text but there are {len(tokens)} rows; pass one")
    tokens, open_rows = tokens.clone(), torch.arange(len(tokens))
    for _ in range(rounds):
        before = tokens[open_rows]
        trust = signal(model, before, mask_id, positions)
        least = trust.argsort(dim=-1, stable=True)[:, :remask]  # (rows, remask)
        hidden = before.scatter(1, positions[least], mask_id)
        if trace is not None:
            taken = positions[least[0]].tolist()
            trust = trust.gather(1, least)[0].clamp(0, 1).tolist()
            trace.append(Step(hidden[0].tolist(), taken, trust, note="taken back"))
        after = diffusion.sample(model, hidden, mask_id, trace=trace)
        tokens[open_rows] = after
        open_rows = open_rows[(after != before).any(1)]
        if not len(open_rows):
            break
    return tokens


@torch.no_grad()
def features(model, tokens):
    """What each layer leaves in the stream, side by side: (batch, length, n_layers * d_model)."""
    kept = []
    hooks = [
        layer.register_forward_hook(lambda layer, given, out: kept.append(out))
        for layer in model.layers
    ]
    try:
        model(tokens)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.cat([rms_norm(stream, model.config.norm_eps) for stream in kept], -1)


class Doubt:
    """A signal learned from mistakes: a small network that reads the stream at each position.

    texts: (n, length) int64, some of their tokens wrong; right: (n, length) bool, where they are
    not. The model is left as it is. Called like `glance`, for one forward pass it gives the
    probability that each token is right.
    """

    def __init__(self, model, texts, right, positions, *, hidden=32, steps=200, seed=0):
        x, y = features(model, texts)[:, positions], right[:, positions].float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Sequential(
                nn.Linear(x.shape[-1], hidden), nn.SiLU(), nn.Linear(hidden, 1)
            )
        optimizer = torch.optim.AdamW(self.head.parameters(), lr=1e-2)
        for _ in range(steps):
            loss = binary_cross_entropy_with_logits(self.head(x)[..., 0], y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.head.requires_grad_(False)

    def __call__(self, model, tokens, mask_id, positions):
        return self.head(features(model, tokens)[:, positions])[..., 0].sigmoid()


@torch.no_grad()
def slips(model, tokens, mask_id, positions, *, generator=None):
    """Texts with one plausible mistake each, to learn from: a token is hidden and replaced by one
    drawn as the model would draw it, were it not for the right one.

    positions: where, drawn evenly. Returns the texts and where they are right: (batch, length).
    """
    positions, rows = _checked(tokens, positions), torch.arange(len(tokens))
    at = positions[torch.randint(len(positions), (len(tokens),), generator=generator)]
    hidden = tokens.clone()
    hidden[rows, at] = mask_id
    said = diffusion.log_probs(model, hidden, mask_id, (rows, at))
    said[rows, tokens[rows, at]] = -torch.inf
    hidden[rows, at] = diffusion.draw(said, 1.0, generator)
    return hidden, hidden == tokens


# -- with a causal model -------------------------------------------------------------------------


@torch.no_grad()
def backtrack(model, tokens, positions, *, rounds):
    """Undo: go back to the token least likely after those before it, and write on from there.

    One forward pass scores all tokens; each token that is written takes another. positions must
    reach to the end of the text. A row that comes out as it went in is left alone from then on.
    """
    positions, tokens = _checked(tokens, positions), tokens.clone()
    open_rows = torch.arange(len(tokens))
    for _ in range(rounds):
        before = tokens[open_rows]
        first = positions[score(model, before)[:, positions - 1].argmin(1)]
        after = before.clone()
        for start in first.unique().tolist():
            rows = (first == start).nonzero()[:, 0]
            after[rows] = generate(model, before[rows, :start], before.shape[1] - start)
        tokens[open_rows] = after
        open_rows = open_rows[(after != before).any(1)]
        if not len(open_rows):
            break
    return tokens


@torch.no_grad()
def gibbs(model, tokens, positions, *, sweeps, candidates, temperature=0.0, generator=None):
    """Redraw one position after the other given all others, with a causal model.

    By Bayes' rule, p(token | all others) is in proportion to the probability of the whole text with
    that token in place. So every candidate costs the reading of a text. candidates: how many of the
    tokens that are likeliest after what stands before are tried, beside the present one.
    """
    positions, tokens = _checked(tokens, positions), tokens.clone()
    for _ in range(sweeps):
        for position in positions.tolist():
            ahead = model(tokens[:, :position])[:, -1]  # (batch, vocab)
            tried = torch.cat([ahead.topk(candidates).indices, tokens[:, position, None]], 1)
            texts = tokens[:, None].repeat(1, tried.shape[1], 1)
            texts[:, :, position] = tried
            joint = score(model, texts.flatten(0, 1)).sum(-1).unflatten(0, tried.shape)
            twice = (tried[:, :-1] == tried[:, -1:]).nonzero(as_tuple=True)
            joint[twice] = -torch.inf  # the present token counts once
            chosen = diffusion.draw(joint.log_softmax(-1), temperature, generator)
            tokens[:, position] = tried.gather(1, chosen[:, None])[:, 0]
    return tokens


# -- counting ------------------------------------------------------------------------------------


class Counted:
    """A model that counts the texts it reads: `passes` is forward passes, one for each text.

    A causal model with a cache reads one new token in a pass; that counts as a pass, too.
    """

    def __init__(self, model):
        self.model, self.config, self.passes = model, model.config, 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def __call__(self, tokens, *cache):
        self.passes += len(tokens)
        return self.model(tokens, *cache)


def _checked(tokens, positions):
    """The positions as a tensor; a clear error unless all are in the text."""
    length = tokens.shape[1]
    positions = torch.as_tensor(positions, dtype=torch.int64).reshape(-1)
    if not len(positions) or not (0 <= int(positions.min()) <= int(positions.max()) < length):
        raise ValueError(
            f"positions is {positions.tolist()}; name at least one of 0 to {length - 1}"
        )
    return positions
