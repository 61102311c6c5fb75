"""Changing one's mind: taking back what is already written, and writing it anew.

A masked diffusion model fills blanks, and what it has filled stays. `revise` gives it a way back:
find the token the model believes in least, hide it again, fill it again. What to doubt is decided
by a *signal*, one number for each position: `confidences` asks about one token at a time with that
token hidden (leave-one-out, a forward pass each); `glance` makes do with a single pass, and so does
a trained probe (`measure/probes.py`). A *threshold* spares what is believed in enough. Published
samplers that hide written tokens again are in `generation/remasking.py`.

None of this needs diffusion: `generation/rewriting.py` does it with a causal model.
"""

import torch

from utils.generation import diffusion
from utils.generation.rounds import check_one_text, checked_positions, until_settled
from utils.models.temperature import check_temperature
from utils.text.numbers import real, whole
from utils.text.trace import Step


@torch.no_grad()
def confidences(model, tokens, mask_id, positions):
    """How likely the model finds each token given all the others: one at a time is hidden.

    tokens: (batch, length) int64. positions: k of them. Returns (batch, k) probabilities, for k
    forward passes. Raises ValueError for a position outside the text, or none.
    """
    mask_id = diffusion.check_model(model, mask_id)
    positions = checked_positions(tokens, positions)
    found = []
    for position in positions.tolist():
        hidden = tokens.clone()
        hidden[:, position] = mask_id
        said = diffusion.log_probs(model, hidden, mask_id)[:, position]
        found.append(said.gather(-1, tokens[:, position, None])[:, 0].exp())
    return torch.stack(found, 1)


@torch.no_grad()
def glance(model, tokens, mask_id, positions):
    """The same question put in one forward pass, with nothing hidden: (batch, k) probabilities.

    The model was never trained to say anything about a token that it can see.
    """
    said = diffusion.log_probs(model, tokens, mask_id).exp()
    return said.gather(-1, tokens[..., None])[..., 0][:, checked_positions(tokens, positions)]


def revise(
    model,
    tokens,
    mask_id,
    positions,
    *,
    rounds,
    remask=1,
    signal=confidences,
    threshold=None,
    temperature=0.0,
    generator=None,
    trace=None,
):
    """Hide the tokens that deserve the least confidence, fill them again; so many times.

    tokens: (batch, length) int64, nothing hidden. positions: where it may rewrite; all else stays.
    rounds: at most so many; a row that comes out as it went in is left alone from then on.
    remask: how many tokens of a row are hidden in a round, and filled again one a pass.
    signal: `signal(model, tokens, mask_id, positions)` -> (batch, k); what has least is hidden.
    threshold: what has at least so much is not hidden, however few are left; None hides `remask`.
    temperature, generator: of what is filled in, as in `diffusion.sample`. Above 0 every row goes
        through all rounds: one that came out as it went in has done so by chance. With a signal of
        chance and one token a round at temperature 1 this is Gibbs sampling, which leaves texts of
        the model's own distribution so distributed; with any signal that reads the text it is not.
    trace: a list that gets the steps, taking back and filling in. Batch of 1 only.

    Raises ValueError, saying what would do, for tokens with a mask in them, positions outside the
    text, rounds below 1, remask below 1 or above the number of positions, a threshold outside
    (0, 1], a temperature below 0.
    """
    mask_id = diffusion.check_model(model, mask_id)
    positions = checked_positions(tokens, positions)
    if (tokens == mask_id).any():
        raise ValueError(f"tokens still hold the mask {mask_id}; fill it first: diffusion.sample")
    advice = f"choose from 1 to the {len(positions)} positions"
    remask = whole("remask", remask, advice, least=1, most=len(positions))
    if threshold is not None:
        advice = "choose a probability above 0 and up to 1"
        threshold = real("threshold", threshold, advice, above=0, most=1)
    temperature = check_temperature(temperature)
    check_one_text(tokens, trace)
    how = {"temperature": temperature, "generator": generator, "trace": trace}

    def once(before):
        trust = signal(model, before, mask_id, positions)
        least = trust.argsort(dim=-1, stable=True)[:, :remask]  # (rows, remask)
        trust = trust.gather(1, least)
        hide = torch.ones_like(trust, dtype=torch.bool) if threshold is None else trust < threshold
        if not hide.any():
            return before
        at = positions[least]
        hidden = before.scatter(1, at, torch.where(hide, mask_id, before.gather(1, at)))
        if trace is not None:
            taken = trust[0, hide[0]].clamp(0, 1)
            trace.append(Step(hidden[0], at[0, hide[0]], taken, note="taken back"))
        return diffusion.sample(model, hidden, mask_id, **how)

    if temperature == 0:
        return until_settled(tokens, once, rounds)
    tokens = tokens.clone()
    for _ in range(whole("rounds", rounds, "choose 1 or more", least=1)):
        tokens = once(tokens)
    return tokens
