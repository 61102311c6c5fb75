"""How varied texts are: what likelihood does not see. The likeliest text of a language is a dull
one, so a sampler that only ever plays safe scores better than people do. Two counts tell on it.
"""

import torch

from utils.text.ids import check_texts
from utils.text.numbers import whole


def distinct(texts, n=2):
    """The share of the runs of n tokens in these texts that differ from all the others before them
    (Li et al. 2016, arXiv:1510.03055): 1 where none comes twice. texts: (batch, length) int64."""
    check_texts(texts)
    advice = f"choose 1 to the {texts.shape[1]} tokens of a text"
    runs = texts.unfold(1, whole("n", n, advice, least=1, most=texts.shape[1]), 1).flatten(0, 1)
    return len(runs.unique(dim=0)) / len(runs)


def entropy(texts):
    """The entropy of how often each token comes, in bits: how many yes-or-no questions it takes, on
    average, to guess a token drawn from these texts. texts: any shape, int64."""
    share = texts.flatten().bincount().double() / texts.numel()
    return float(-torch.xlogy(share, share).sum() / torch.log(torch.tensor(2.0)))
