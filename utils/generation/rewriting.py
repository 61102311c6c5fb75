"""Changing one's mind without diffusion: how a causal model can score and rewrite what it wrote.

`backtrack` goes back to the weakest word and writes on from there. `gibbs` redraws one word after
the other given all the others, which by Bayes' rule a causal model can do, too (Gibbs sampling:
Geman & Geman 1984).
"""

import torch

from utils.generation.rounds import checked_positions, until_settled
from utils.generation.sampling import draw, generate, score
from utils.models.temperature import check_temperature
from utils.text.numbers import whole


@torch.no_grad()
def backtrack(model, tokens, positions, *, rounds):
    """Undo: go back to the token least likely after those before it, and write on from there.

    One forward pass scores all tokens; each token that is written takes another. positions must
    reach to the end of the text. A row that comes out as it went in is left alone from then on.
    """
    positions = checked_positions(tokens, positions)

    def once(before):
        first = positions[score(model, before)[:, positions - 1].argmin(1)]
        after = before.clone()
        for start in first.unique().tolist():
            rows = (first == start).nonzero()[:, 0]
            after[rows] = generate(model, before[rows, :start], before.shape[1] - start)
        return after

    return until_settled(tokens, once, rounds)


@torch.no_grad()
def gibbs(model, tokens, positions, *, sweeps, candidates, temperature=0.0, generator=None):
    """Redraw one position after the other given all others, with a causal model.

    By Bayes' rule, p(token | all others) is in proportion to the probability of the whole text with
    that token in place. So every candidate costs the reading of a text. candidates: how many of the
    tokens that are likeliest after what stands before are tried, beside the present one.
    """
    sweeps = whole("sweeps", sweeps, "choose 0 or more", least=0)
    most = model.config.vocab_size
    candidates = whole("candidates", candidates, f"try 1 to {most} tokens", least=1, most=most)
    temperature = check_temperature(temperature)
    positions, tokens = checked_positions(tokens, positions), tokens.clone()
    for _ in range(sweeps):
        for position in positions.tolist():
            ahead = model(tokens[:, :position])[:, -1]  # (batch, vocab)
            tried = torch.cat([ahead.topk(candidates).indices, tokens[:, position, None]], 1)
            texts = tokens[:, None].repeat(1, tried.shape[1], 1)
            texts[:, :, position] = tried
            joint = score(model, texts.flatten(0, 1)).sum(-1).unflatten(0, tried.shape)
            twice = (tried[:, :-1] == tried[:, -1:]).nonzero(as_tuple=True)
            joint[twice] = -torch.inf  # the present token counts once
            chosen = draw(joint.log_softmax(-1), temperature=temperature, generator=generator)
            tokens[:, position] = tried.gather(1, chosen[:, None])[:, 0]
    return tokens
