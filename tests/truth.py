"""A language of eight texts, three words long, whose every conditional probability is known: with
its truth as the denoiser, what a sampler gets wrong is the sampler's own."""

import torch

TEXTS = torch.cartesian_prod(*[torch.arange(2)] * 3)  # (8, 3); 2 is a blank
P = torch.tensor([0.36, 0.02, 0.02, 0.10, 0.04, 0.06, 0.10, 0.30])


def oracle(tokens):
    """Log-probabilities of the word at each place given all that is not blank: (n, 3, 3)."""
    fits = ((tokens[:, None] == 2) | (tokens[:, None] == TEXTS)).all(-1)  # (n, 8)
    weight = fits * P
    said = torch.zeros(*tokens.shape, 3)
    for word in range(2):
        said[..., word] = torch.einsum("ne,ep->np", weight, (TEXTS == word).float())
    return (said / weight.sum(1)[:, None, None]).log()


def shares(texts):
    """How often each of the eight comes: (n, 3) -> (8,)."""
    return (texts[:, None] == TEXTS).all(-1).float().mean(0)


def drawn(n, seed=0):
    """Texts from the true distribution: (n, 3)."""
    dice = torch.Generator().manual_seed(seed)
    return TEXTS[torch.multinomial(P, n, replacement=True, generator=dice)]
