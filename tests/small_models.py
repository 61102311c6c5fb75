"""Small models and texts that several tests share."""

import torch

from utils.models.transformer import Transformer


def lively(config, seed=0):
    """A model with weights large enough that every part of it shows in the logits."""
    model = Transformer(config, seed=seed).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 2:
                weight.mul_(0.5 / weight.std())
            else:
                weight.copy_(torch.linspace(0.5, 1.5, len(weight)))
    return model.requires_grad_(False)


def tokens(batch, length, vocab_size=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab_size, (batch, length), generator=generator)
