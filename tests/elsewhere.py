"""A second device for machines that have none: tensors that say they are elsewhere, and insist.

`ELSEWHERE` stands in for a GPU. A tensor there keeps its numbers in ordinary memory, so everything
can be computed; but an operation that mixes it with an ordinary tensor fails, as it would on a GPU.
That catches what a function makes without asking where its tokens are.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

ELSEWHERE = torch.device("lazy")  # a device that PyTorch knows and that is nowhere


class Elsewhere(torch.Tensor):
    @staticmethod
    def __new__(cls, numbers):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            numbers.stride(),
            numbers.storage_offset(),
            dtype=numbers.dtype,
            device=ELSEWHERE,
            requires_grad=False,
        )

    def __init__(self, numbers):
        self.numbers = numbers.resolve_conj()  # a wrapper has no room for that flag

    def __repr__(self):
        return f"Elsewhere({self.numbers})"

    def tolist(self):
        return self.numbers.tolist()

    def new_tensor(self, data, **how):
        return Elsewhere(self.numbers.new_tensor(data, **how))

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """While it is active, `device=ELSEWHERE` makes such tensors and `.to` moves them."""

    def __enter__(self):
        self.makers = {name: getattr(torch, name) for name in ("tensor", "as_tensor")}
        for name, make in self.makers.items():  # what these do, no mode gets to see
            setattr(torch, name, _moved(make))
        return super().__enter__()

    def __exit__(self, *error):
        for name, make in self.makers.items():
            setattr(torch, name, make)
        return super().__exit__(*error)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


def _moved(make):
    def made(data, *, device=None, **how):
        if isinstance(data, torch.Tensor):
            return data.to(device=device or data.device, dtype=how.get("dtype") or data.dtype)
        found = make(data, **how)
        return found if device is None else found.to(device)

    return made


def _run(operation, args, kwargs):
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    there = [each for each in tensors if isinstance(each, Elsewhere)]
    moving = operation._schema.name in ("aten::_to_copy", "aten::copy_")
    for each in tensors:
        if there and not isinstance(each, Elsewhere) and each.dim() and not moving:
            raise RuntimeError(
                f"{operation}: a tensor of shape {tuple(each.shape)} on the CPU, others elsewhere"
            )
    device = kwargs.get("device")
    if device is not None:
        to_there = torch.device(device) == ELSEWHERE
        kwargs = {**kwargs, "device": torch.device("cpu")}
    else:
        to_there = bool(there) and (
            operation._schema.name != "aten::copy_" or isinstance(args[0], Elsewhere)
        )
    generator = kwargs.get("generator")
    if to_there and generator is not None:
        raise RuntimeError(f"{operation}: the generator is on the CPU, the numbers elsewhere")
    inner = tree_map(
        lambda each: each.numbers if isinstance(each, Elsewhere) else each, (args, kwargs)
    )
    found = operation(*inner[0], **inner[1])
    if operation._schema.is_mutable and args and isinstance(args[0], torch.Tensor):
        return args[0]  # it was changed in place
    if not to_there:
        return found
    return tree_map(lambda each: Elsewhere(each) if isinstance(each, torch.Tensor) else each, found)
