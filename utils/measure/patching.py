"""Patching: the state that one text has inside a model, put into another text's run.

What is read off a state, as by a probe, the model need not use. So put the state of another text
in its place and see what the model does (activation patching: Vig et al. 2020, arXiv:2004.12265;
Meng et al. 2022, arXiv:2202.05262).
"""

from contextlib import ExitStack, contextmanager

import torch

from utils.text.numbers import whole


@contextmanager
def after_layers(model, see):
    """Within this, `see(layer, stream)` is called with what each layer, counted from 0, leaves in
    the stream; what it returns, if anything, takes the stream's place."""
    with hooked(
        module.register_forward_hook(lambda module, given, out, layer=layer: see(layer, out))
        for layer, module in enumerate(model.layers)
    ):
        yield


@contextmanager
def hooked(hooks):
    """Hooks of PyTorch are taken off at the end of this, whatever happens in it."""
    with ExitStack() as until_then:
        for hook in hooks:
            until_then.enter_context(hook)
        yield


@torch.no_grad()
def streams(model, tokens):
    """What each layer leaves in the stream: (n_layers, batch, length, d_model)."""
    kept = []
    with after_layers(model, lambda layer, stream: kept.append(stream)):
        model(tokens)
    return torch.stack(kept)


@torch.no_grad()
def states(model, tokens, layer, position):
    """The stream at one position after so many layers, 0 to n_layers: (batch, d_model). A slice of
    positions will do, too. Raises ValueError for one that the text does not have."""
    kept = []
    with _watched(model, layer, lambda x: kept.append(x[:, _place(position, x)])):
        model(tokens)
    return kept[0]


@contextmanager
def patched(model, layer, position, given):
    """Within this, every pass of the model over whole texts has the states `given`, (batch,
    d_model), at this position after so many layers, whatever it would have had there. Such a pass
    raises ValueError for a position that its text does not have."""

    def put(x):
        x = x.clone()
        x[:, _place(position, x)] = given
        return x

    with _watched(model, layer, put):
        yield


def _place(position, x):
    """One of the positions of a stream, (batch, length, d_model), or a slice of them."""
    if isinstance(position, slice):
        return position
    length = x.shape[1]
    return whole("position", position, f"choose 0 to {length - 1}", least=0, most=length - 1)


@contextmanager
def _watched(model, layer, see):
    """`see(stream)` is called with the stream after so many layers; what it returns, if anything,
    takes the stream's place."""
    depth = len(model.layers)
    layer = whole(
        "layer", layer, f"choose 0, before the first layer, to {depth}", least=0, most=depth
    )
    if layer < depth:
        block = model.layers[layer]

        def before(block, given):
            x = see(given[0])
            return None if x is None else (x, *given[1:])

        hook = block.register_forward_pre_hook(before)
    else:
        hook = model.layers[-1].register_forward_hook(lambda block, given, out: see(out))
    with hook:
        yield
