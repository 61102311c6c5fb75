"""Whether Python is still the Python it was before any student's code ran.

`snapshot` writes down what the tests rely on: which object each function, class and method of the
standard and tensor libraries is, which bytecode it runs, which hooks are set. Identities survive a
fork, so a process in which student's code has run can be compared with the one it was forked from.
`answers_wrongly` asks questions whose answers are known, with numbers nobody could foresee.
"""

import builtins
import hashlib
import json
import math
import random
import re
import sys
import threading
import types

WATCHED = set(
    "builtins math cmath random operator functools itertools collections copy inspect json os io"
    " re signal time types traceback numbers statistics contextlib dataclasses unittest.mock"
    " numpy numpy.testing numpy.testing._private.utils numpy.linalg numpy.random"
    " torch torch._tensor torch.functional torch.random torch.autograd torch.autograd.grad_mode"
    " torch.nn torch.nn.functional torch.nn.modules.module torch.testing torch.testing._comparison"
    " torch.utils._pytree torch.overrides cells state session".split()
)
OWN_CLASSES = {"torch", "utils", "numpy", "cells", "random"}
CHANGING = {  # by themselves
    *("__dict__", "__weakref__", "__doc__", "__annotations__", "_abc_impl"),
    *("__abstractmethods__", "torch.manual_seed"),  # torch wraps it when it loads its compiler
}
OLD_TENSOR = re.compile("[A-Z][A-Za-z0-9]+Tensor")  # kept by torch for old programs


def watched_modules(also=()):
    """{name: module} of what has been imported and is worth watching; also: further names."""
    return {
        name: module
        for name, module in list(sys.modules.items())
        if (name in WATCHED or name in also or name.partition(".")[0] == "utils")
        and isinstance(module, types.ModuleType)
    }


def snapshot(modules):
    """{what: identity} of everything in these modules ({name: module}) that tests could call."""
    found = {}
    for name, module in modules.items():
        found[f"module {name}"] = id(sys.modules.get(name))
        for attribute, value in list(vars(module).items()):
            if f"{name}.{attribute}" in CHANGING or OLD_TENSOR.fullmatch(attribute):
                continue
            if callable(value) or isinstance(value, types.ModuleType):
                found[f"{name}.{attribute}"] = identity(value)
            if isinstance(value, type) and value.__module__.partition(".")[0] in OWN_CLASSES:
                for inner, method in list(vars(value).items()):
                    if inner not in CHANGING:
                        found[f"{name}.{attribute}.{inner}"] = identity(method)
    found["builtins"] = sorted(vars(builtins))
    found["trace function"] = [sys.gettrace() is None, sys.getprofile() is None]
    found["trace function of threads"] = [
        threading._trace_hook is None,
        threading._profile_hook is None,
    ]
    found["import machinery"] = [list(map(id, sys.meta_path)), list(map(id, sys.path_hooks))]
    found["import path"] = list(sys.path)
    found["function modes of torch"] = modes()
    return found


def identity(value):
    """Which object it is and, of a function, which code and which defaults it runs with."""
    function = getattr(value, "__func__", value)
    if isinstance(function, property):
        function = function.fget
    if not isinstance(function, types.FunctionType):
        return id(value) if not isinstance(value, int | float | str) else repr(value)
    return [
        id(value) if function is value else id(function),
        id(function.__code__),
        id(function.__defaults__),
        id(function.__kwdefaults__),
    ]


def modes():
    torch = sys.modules.get("torch")
    return 0 if torch is None else torch._C._len_torch_function_stack()


def digest(snapshot, nonce):
    """A fingerprint of a snapshot that cannot be known before the nonce is."""
    text = nonce + json.dumps(snapshot, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def of_the_same(before, now):
    """A later snapshot as far as the earlier one goes: libraries may load more of themselves."""
    return {name: now.get(name) for name in before}


def changes(before, now):
    """Names of what differs."""
    return sorted(name for name in before if now.get(name) != before[name])


def answers_wrongly(seed):
    """Which ways of noticing a mistake no longer notice one. Empty as long as all is well.

    Every question has fresh numbers. A way that is gone altogether counts as well.
    """
    fresh = random.Random(seed)
    number = fresh.randrange(10**6, 10**9)
    must_be_false = {
        "==": lambda: number == number + 1,
        "isinstance": lambda: isinstance(number, str),
        "all": lambda: all([number, 0]),
        "any": lambda: any([0, 0.0]),
        "abs": lambda: abs(-number) < number,
        "len": lambda: len([number]) == 2,
        "sum": lambda: sum([number, 1]) == number,
        "max": lambda: max(number, number + 1) == number,
        "sorted": lambda: sorted([number + 1, number])[0] > number,
        "math.isclose": lambda: math.isclose(number, 2 * number),
    }
    must_raise = {"assert": lambda: _assert(number == number + 1)}
    if torch := sys.modules.get("torch"):
        left, right = torch.tensor([number]), torch.tensor([number + 1])
        x, y = left.double(), right.double() * 2
        must_be_false |= {
            "torch.equal": lambda: torch.equal(left, right),
            "torch.allclose": lambda: torch.allclose(x, y),
            "torch.isclose": lambda: torch.isclose(x, y).any().item(),
            "tensor.equal": lambda: left.equal(right),
            "tensor.allclose": lambda: x.allclose(y),
            "tensor ==": lambda: (left == right).any().item(),
            "tensor !=": lambda: not (left != right).all().item(),
            "tensor <": lambda: ((x - y).abs() < 1).any().item(),
            "tensor.item": lambda: left.item() == number + 1,
            "tensor.tolist": lambda: left.tolist() == [number + 1],
            "tensor.sum": lambda: left.sum().item() == 0,
        }
        must_raise["torch.testing.assert_close"] = lambda: torch.testing.assert_close(x, y)
    if numpy := sys.modules.get("numpy.testing") and sys.modules["numpy"]:
        must_be_false |= {
            "numpy.allclose": lambda: numpy.allclose([number], [2 * number]),
            "numpy.array_equal": lambda: numpy.array_equal([number], [number + 1]),
            "numpy.isclose": lambda: bool(numpy.isclose(number, 2 * number)),
        }
        testing, one, other = numpy.testing, [number], [2 * number]
        must_raise |= {
            "numpy.testing.assert_allclose": lambda: testing.assert_allclose(one, other),
            "numpy.testing.assert_array_equal": lambda: testing.assert_array_equal(one, other),
            "numpy.testing.assert_equal": lambda: testing.assert_equal(one, other),
        }
    wrong = []
    for name, question in must_be_false.items():
        try:
            if question() is not False:
                wrong.append(name)
        except Exception:
            wrong.append(name)
    for name, question in must_raise.items():
        try:
            question()
        except AssertionError:
            continue
        except Exception:
            pass
        wrong.append(name)
    return wrong


def _assert(condition):
    assert condition
