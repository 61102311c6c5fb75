"""ReMDM: masked diffusion that may take back what it has written, while it writes.

Ordinary masked diffusion goes from nothing but masks, t = 1, to none, t = 0, and at time t a share
t is hidden. From t to s < t it reveals; what is revealed stays. ReMDM also hides each written token
again, with probability sigma, and reveals so many more that at time s a share s is hidden, as
before. So the denoiser meets texts as it was trained on, and needs no new training.

Source: Wang et al. 2025 (arXiv:2503.00307), section 3, with alpha = 1 - t, the share that is
written. A written token is hidden with probability sigma, a hidden one revealed with probability

    (alpha_s - (1 - sigma) alpha_t) / (1 - alpha_t)

where sigma is at most (1 - alpha_s) / alpha_t, or else there would not be enough to reveal. Here it
is that limit or `most`, whichever is less (their schedule "cap").
"""

import torch

from utils.generation import diffusion
from utils.generation.sampling import draw
from utils.models.temperature import check_temperature
from utils.text import chance
from utils.text.ids import check_texts, size_for
from utils.text.numbers import real, whole


def chances(step, steps, most):
    """(sigma, reveal): with which probability a written token is hidden in this step, 0 to
    steps - 1, and a hidden one revealed. In the last all are revealed and none is hidden."""
    written, after = step / steps, (step + 1) / steps  # alpha_t, alpha_s
    sigma = min(most, (1 - after) / written) if written else 0.0
    return sigma, (after - (1 - sigma) * written) / (1 - written)


@torch.inference_mode()
def sample(model, tokens, mask_id, *, steps, most, temperature=1.0, generator=None):
    """Fill every mask; what was not hidden at the start stays: (batch, length) int64 -> the same.

    steps: forward passes. most: the probability with which a written token is hidden again, at
    most; 0 is ordinary masked diffusion, in which many tokens may be revealed at once.

    With true conditional probabilities at temperature 1 and `most` = 0, more steps bring the texts
    as near to the true distribution as one likes. With more an error is left, however many the
    steps: what is hidden together is revealed together, and does not know of each other.

    Raises ValueError for steps below 1, `most` outside [0, 1], a temperature below 0, and a model
    that cannot fill blanks.
    """
    mask_id = diffusion.check_model(model, mask_id)
    check_texts(tokens, size_for(model))
    steps = whole("steps", steps, "take at least 1", least=1)
    most = real("most", most, "choose a probability from 0 to 1", least=0, most=1)
    temperature = check_temperature(temperature)
    tokens, free = tokens.clone(), tokens == mask_id
    dice = {"device": tokens.device, "generator": generator}
    for step in range(steps):
        hide, reveal = chances(step, steps, most)
        masked = tokens == mask_id
        if masked.any():
            said = diffusion.log_probs(model, tokens, mask_id, masked)
            proposed = tokens.masked_scatter(
                masked, draw(said, temperature=temperature, generator=generator)
            )
        else:
            proposed = tokens
        lots = chance.uniform(tokens.shape, **dice)
        revealed = torch.where(masked & (lots < reveal), proposed, tokens)
        tokens = torch.where(free & ~masked & (lots < hide), mask_id, revealed)
    return tokens
