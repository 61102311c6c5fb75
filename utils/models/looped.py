"""One layer used over and over: as deep as one likes, with the weights of a single layer (Dehghani
et al. 2018, arXiv:1807.03819, the universal transformer)."""

from dataclasses import replace

from torch import nn

from utils.models.transformer import Transformer
from utils.text.numbers import whole


def looped(model, loops):
    """A model that goes through the layers of `model` so many times. It has no weights of its own:
    training it trains `model`. It cannot be used with a cache.

    Raises ValueError for fewer loops than one.
    """
    loops = whole("loops", loops, "go through the layers at least once", least=1)
    again = Transformer(model.config, seed=None)
    again.layers = nn.ModuleList([*model.layers] * loops)
    again.scale, again.output = model.scale, model.output
    if not model.config.tie_embeddings:
        again.embedding = model.embedding
    again.config = replace(model.config, n_layers=len(again.layers))
    return again.train(model.training)
