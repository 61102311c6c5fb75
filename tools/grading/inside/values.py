"""What may pass between the examiner and a student's code: values, rebuilt on the other side.

Numbers, strings and containers become JSON; of tensors and arrays the raw bytes go along, as text,
with shape and dtype; of a random generator its state. Whatever else there is (a cache, a model, a
function) stays where it is, and a number for it is handed over: it can be handed back, and called.
Nothing is pickled, and nothing that a student's code sends is executed or looked into.

In the other direction one thing more may pass. An object of a class that both sides know, because
a cell of the assignment or the book's `utils` defines it, is rebuilt from its attributes.
"""

import base64
import collections
import decimal
import fractions
import functools
import importlib
import itertools
import marshal
import math
import random
import re
import struct
import sys
import types

SCALARS = {type(None), bool, int, float, str}
LISTS = (list, collections.deque, map, filter, zip, types.GeneratorType)
LISTS += tuple(type(view) for view in ({}.keys(), {}.values(), {}.items()))
MANY = 1_000_000  # items of something that makes them as it goes
NUMPY_GENERATORS = {"PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
INDEX = struct.Struct("<625I")  # the state of random.Random


class NoValue(Exception):
    """What came is not a value."""


def plain(values):
    return all(type(one) in SCALARS for one in values)


class Pack:
    """pack = Pack(peer); pack(value) is what JSON can hold."""

    def __init__(self, peer, *, graphs=False, bare=False, whole=False, raw=False):
        """graphs: whether tensors that take part in a gradient are listed in `graphed`. bare:
        whether objects are but numbers. whole: whether they come with all that is in them, although
        the other side may have it already. raw: whether bytes stay bytes, for a value that is
        compared and not sent."""
        self.peer, self.bare, self.whole, self.raw = peer, bare, whole, raw
        self.text = bytes if raw else text
        self.kept, self.numbers = [], {}
        self.graphed = [] if graphs else None

    def __call__(self, value):
        kind = type(value)
        if kind in SCALARS:
            return value
        if kind is tuple:
            return {"tuple": [self(one) for one in value]}
        if id(value) in self.numbers:
            return {"same": self.numbers[id(value)]}
        number = self.peer.number_of_theirs(value)
        if number is not None:
            return {"back": number}
        if pack := packer(kind):
            return pack(self, value)
        for module, pack in (("torch", self.of_torch), ("numpy", self.of_numpy)):
            packed = pack(value, sys.modules[module]) if module in sys.modules else None
            if packed is not None:
                return packed
        return self.peer.lend(self, value)

    def numbered(self, value):
        """Things that can be changed have numbers, so that one that comes twice stays one."""
        self.numbers[id(value)] = len(self.numbers)
        self.kept.append(value)

    def list(self, value):
        items = value
        if not isinstance(value, list | collections.deque):
            items = list(itertools.islice(value, MANY + 1))
            if len(items) > MANY:
                raise NoValue(f"more than {MANY:,} items, and no end")
        self.numbered(value)
        return list(items) if plain(items) else [self(one) for one in items]

    def dict(self, value):
        self.numbered(value)
        return {"dict": [self(one) for pair in dict.items(value) for one in pair]}

    def set(self, value):
        self.numbered(value)
        return {"set": [self(one) for one in value]}

    def random(self, value):
        self.numbered(value)
        version, state, gauss = value.getstate()
        if version != 3:
            raise NoValue("a generator of another kind")
        return {"random": [self.text(INDEX.pack(*state)), gauss]}

    def of_torch(self, value, torch):
        if isinstance(value, torch.Tensor):
            self.numbered(value)
            if self.graphed is not None and value.requires_grad:
                self.graphed.append(value)
                return {"graphed": len(self.graphed) - 1}
            return {"tensor": self.tensor(value, torch)}
        if isinstance(value, torch.Generator):
            self.numbered(value)
            return {"torch random": self.text(value.get_state().numpy().tobytes())}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        return None

    def tensor(self, value, torch):
        if torch._C._functorch.is_functorch_wrapped_tensor(value):
            raise NoValue(
                "a tensor inside torch.func (vmap, grad, jacrev and the like) cannot be handed to "
                "another process; call the function with tensors themselves, or use torch.autograd"
            )
        try:
            data = value.detach().numpy().tobytes()
        except (RuntimeError, TypeError):  # it is elsewhere, sparse, conjugated, or bfloat16
            plain = value.detach().to("cpu").to_dense().resolve_conj().resolve_neg().contiguous()
            data = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
        name = str(value.dtype).removeprefix("torch.")
        parameter = type(value) is not torch.Tensor and isinstance(value, torch.nn.Parameter)
        return [name, list(value.shape), self.text(data), parameter]

    def of_numpy(self, value, numpy):
        if isinstance(value, numpy.random.Generator):
            self.numbered(value)
            state = value.bit_generator.state
            return {"numpy random": [self(state.pop("bit_generator")), self(state)]}
        if not isinstance(value, numpy.ndarray | numpy.generic):
            return None
        if value.dtype.kind not in "biufc":
            return self(value.tolist())
        if isinstance(value, numpy.ndarray):
            self.numbered(value)
        data = numpy.ascontiguousarray(value).tobytes()
        single = isinstance(value, numpy.generic)
        return {"array": [value.dtype.str, list(value.shape), self.text(data), single]}


PACKERS = {  # by type, the first that fits; what is derived from one of these comes as that one
    str: lambda pack, value: str.__str__(value),
    int: lambda pack, value: int.__int__(value),
    float: lambda pack, value: float.__float__(value),
    (dict, types.MappingProxyType): Pack.dict,
    LISTS: Pack.list,
    tuple: lambda pack, value: {"tuple": [pack(one) for one in tuple.__iter__(value)]},
    set: Pack.set,
    frozenset: lambda pack, value: {"frozenset": [pack(one) for one in value]},
    (bytes, bytearray, memoryview): lambda pack, value: {"bytes": pack.text(bytes(value))},
    complex: lambda pack, value: {"complex": [value.real, value.imag]},
    range: lambda pack, value: {"range": [value.start, value.stop, value.step]},
    slice: lambda pack, value: {"slice": [pack(value.start), pack(value.stop), pack(value.step)]},
    random.SystemRandom: lambda pack, value: pack.peer.lend(pack, value),
    random.Random: Pack.random,
    fractions.Fraction: lambda pack, value: {"fraction": str(value)},
    decimal.Decimal: lambda pack, value: {"decimal": str(value)},
}


@functools.cache
def packer(kind):
    """How things of a type are packed; None if they are none of these."""
    return next((pack for kinds, pack in PACKERS.items() if issubclass(kind, kinds)), None)


class Unpack:
    """unpack = Unpack(peer); unpack(what a Pack has made) is a value of our own making."""

    def __init__(self, peer, graphed=(), known=()):
        """known: by what number the other side knows each thing that can be changed, or None."""
        self.peer, self.graphed, self.things = peer, graphed, []
        self.known = known

    def __call__(self, packed):
        kind = type(packed)
        if kind is dict:
            if len(packed) != 1:
                raise NoValue("an object that is none of ours")
            ((name, content),) = packed.items()
            if not (rebuild := UNPACKERS.get(name)):
                raise NoValue(f"{name[:40]!r} is no kind of value")
            try:
                return rebuild(self, content)
            except (NoValue, RecursionError):
                raise
            except Exception as error:
                raise NoValue(f"a {name[:40]} that is none ({type(error).__name__})") from None
        if kind is not list:
            return packed
        found = self.same(packed)
        found[:] = packed if plain(packed) else [self(one) for one in packed]
        return found

    def same(self, new):
        """`new`, or what it was the last time, if it is a thing that has come before."""
        number = self.known[len(self.things)] if len(self.things) < len(self.known) else None
        old = new if type(number) is not int else self.peer.came.setdefault(number, new)
        return self.numbered(old if type(old) is type(new) else new)

    def numbered(self, thing):
        """Things that can be changed have numbers here, too, in the same order."""
        self.things.append(thing)
        return thing

    def dict(self, content):
        found = self.same({})
        found.clear()
        items = iter(content)
        for key in items:
            key = self(key)
            found[key] = self(next(items))
        return found

    def set(self, content):
        found = self.numbered(set())
        found.update(map(self, content))
        return found

    def random(self, content):
        found = random.Random()
        found.setstate((3, INDEX.unpack(data(content[0])), content[1]))
        return self.numbered(found)

    def torch_random(self, content):
        import torch

        found = torch.Generator()
        found.set_state(torch.frombuffer(bytearray(data(content)), dtype=torch.uint8))
        return self.numbered(found)

    def numpy_random(self, content):
        import numpy

        name, state = content
        if name not in NUMPY_GENERATORS:
            raise NoValue("a generator of another kind")
        found = self.numbered(numpy.random.Generator(getattr(numpy.random, name)()))
        state = self(state)
        buffer, own = state.get("buffer_pos", 0), state["state"].get("pos", 0)
        if not (0 <= buffer <= 4 and 0 <= own <= 624):  # it would read there
            raise NoValue("a generator that reads beyond its numbers")
        found.bit_generator.state = {"bit_generator": name, **state}
        return found

    def dtype(self, content):
        import torch

        found = getattr(torch, content)
        return found if isinstance(found, torch.dtype) else None

    def tensor(self, content):
        import torch

        name, shape, packed, parameter = content
        dtype, raw = self.dtype(name), bytearray(data(packed))
        if dtype is None or not all(type(one) is int and one >= 0 for one in shape):
            raise NoValue("a tensor that is none")
        if math.prod(shape) * dtype.itemsize != len(raw) or len(shape) > 32:
            raise NoValue("a tensor whose numbers are not all there")
        if not raw:
            found = torch.empty(shape, dtype=dtype)
        elif dtype is torch.bool:  # any other byte would be neither true nor false
            found = torch.frombuffer(raw, dtype=torch.uint8).ne(0).reshape(shape)
        else:
            found = torch.frombuffer(raw, dtype=dtype).reshape(shape)
        if parameter and self.peer.trusting:
            found = torch.nn.Parameter(found)
        return self.numbered(found)

    def array(self, content):
        import numpy

        dtype, shape, packed, single = content
        if not re.fullmatch(r"[<>|=]?[biufc]\d{1,2}", dtype):
            raise NoValue("an array of something else")
        dtype = numpy.dtype(dtype)
        stored = numpy.uint8 if dtype.kind == "b" else dtype
        raw = numpy.frombuffer(bytearray(data(packed)), dtype=stored)
        found = raw.astype(dtype, copy=False).reshape(shape)
        return found[()] if single else self.numbered(found)

    def object(self, content):
        if not self.peer.trusting:
            raise NoValue("an object")
        number, module, name, state, gone = content  # gone: attributes, if only changes come
        found = self.peer.copies.get(number)
        if found is None:
            kind = self.peer.namespace if module == "__main__" else importlib.import_module(module)
            for part in name.split("."):
                kind = kind[part] if isinstance(kind, dict) else getattr(kind, part)
            found = self.peer.remember(number, kind.__new__(kind))
        if gone is None:
            vars(found).clear()
        for one in gone or ():
            vars(found).pop(one, None)
        vars(found).update(Unpack(self.peer)(state))
        return found


UNPACKERS = {  # by the name that its packer has given it
    "tuple": lambda unpack, content: tuple(map(unpack, content)),
    "same": lambda unpack, content: at(unpack.things, content),
    "back": lambda unpack, content: at(unpack.peer.mine, content),
    "handle": lambda unpack, content: unpack.peer.borrowed(*content),
    "object": Unpack.object,
    "dict": Unpack.dict,
    "set": Unpack.set,
    "frozenset": lambda unpack, content: frozenset(map(unpack, content)),
    "bytes": lambda unpack, content: data(content),
    "complex": lambda unpack, content: complex(*content),
    "range": lambda unpack, content: range(*content),
    "slice": lambda unpack, content: slice(*map(unpack, content)),
    "fraction": lambda unpack, content: fractions.Fraction(short(content)),
    "decimal": lambda unpack, content: decimal.Decimal(short(content)),
    "random": Unpack.random,
    "torch random": Unpack.torch_random,
    "numpy random": Unpack.numpy_random,
    "dtype": Unpack.dtype,
    "graphed": lambda unpack, content: unpack.numbered(at(unpack.graphed, content)),
    "tensor": Unpack.tensor,
    "array": Unpack.array,
}


def at(things, number):
    if type(number) is not int or number < 0:
        raise NoValue("a number of nothing")
    return things[number]


def text(data):
    return base64.b64encode(data).decode("ascii")


def data(text):
    return base64.b64decode(text, validate=True)


def short(text):
    if len(text) > 1000:
        raise NoValue("a number of so many digits")
    return text


def fingerprint(peer, value):
    """Something that is another when a value has been changed."""
    pack = Pack(peer, bare=True, raw=True)
    return as_bytes(pack(value))


def as_bytes(packed):
    """What a raw Pack has made, to be compared."""
    return marshal.dumps(packed, 2)  # in later formats equal things may differ


def spoiled(peer, given, after, theirs):
    """Whether an argument was changed in place that is no generator of chance, which all change,
    and not theirs: what the other side has made, such as a cache that is a dictionary."""
    old, new = ([*arguments, *keywords.values()] for arguments, keywords in (given, after))
    for one, other in zip(old, new, strict=True):
        chance = isinstance(one, random.Random) or type(one).__name__ == "Generator"
        if id(one) in theirs or chance:
            continue
        if fingerprint(peer, one) != fingerprint(peer, other):
            return True
    return False


def assign(old, new):
    """Make what can be changed in `old` equal to `new`, the same after it was changed elsewhere."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")

    def both(kind):
        return isinstance(old, kind) and isinstance(new, kind)

    if both(tuple):
        for one, other in zip(old, new, strict=False):
            assign(one, other)
    elif both(list):
        old[:] = [kept(one, other) for one, other in zip(old, new, strict=False)] + new[len(old) :]
    elif both(dict):
        items = [(key, kept(old.get(key), value)) for key, value in new.items()]
        old.clear()
        old.update(items)
    elif both(set):
        old.clear()
        old.update(new)
    elif both(random.Random):
        old.setstate(new.getstate())
    elif numpy and both(numpy.ndarray):
        if old.shape == new.shape:
            old[...] = new
    elif numpy and both(numpy.random.Generator):
        old.bit_generator.state = new.bit_generator.state
    elif torch and both(torch.Tensor):
        old.data = new.data.to(old.dtype)
    elif torch and both(torch.Generator):
        old.set_state(new.get_state())


def kept(old, new):
    """`old`, made equal to `new`, if it is of a kind that can be; else `new`. An array of another
    shape or type of number is another array."""
    form = [(getattr(one, "shape", None), getattr(one, "dtype", None)) for one in (old, new)]
    same = type(old) is type(new) and form[0] == form[1]
    if same and not isinstance(old, str | int | float | None):
        assign(old, new)
        return old if not isinstance(old, tuple) else new
    return new
