"""What passes between the examiner and a student's code, and what does not."""

import decimal
import fractions
import math
import random
import socket
import sys
import threading
import time
import types

import numpy as np
import pytest
import torch

from tools.grading import bubblewrap


@pytest.fixture(scope="module")
def inside():
    """The modules that run in the sandbox, imported as they are there."""
    sys.path.insert(0, str(bubblewrap.INSIDE))
    try:
        import calls
        import cells
        import gradients  # noqa: F401
        import values
        import wire
    finally:
        sys.path.remove(str(bubblewrap.INSIDE))
    return types.SimpleNamespace(calls=calls, cells=cells, values=values, wire=wire)


@pytest.fixture
def ask(inside):
    """ask(source): the examiner's end of a conversation with that code, by name."""
    open_ones = []

    def start(source, given=None):
        namespace, (ours, theirs) = dict(given or {}), socket.socketpair()
        exec(source, namespace)
        printed = inside.cells.Printed()
        student = inside.calls.Answerer(
            inside.wire.Channel(theirs), namespace, printed, lambda error: []
        )

        def answer():
            try:
                while True:
                    student.serve(student.channel.receive())
            except inside.wire.Closed:
                theirs.close()

        thread = threading.Thread(target=answer)
        thread.start()
        examiner = inside.calls.Asker(inside.wire.Channel(ours), dict(given or {}))
        open_ones.append((ours, thread))
        return lambda name: examiner.name(name)[1], examiner

    yield start
    for ours, thread in open_ones:
        ours.close()
        thread.join(10)


VALUES = [
    None, True, 3, -(10**40), 2.5, math.inf, "ü\udc80\0", b"\0\xff", 1 + 2j, (), (1, ("a", [2])),
    {"a": 1, (1, 2): [3.0]}, {1, 2}, frozenset({3}), range(3), slice(1, None, 2),
    fractions.Fraction(1, 3), decimal.Decimal("0.1"), [[], {}, [[1]]], torch.float64,
]  # fmt: skip


def test_values_come_back_as_they_were(ask):
    same, _ = ask("def same(x):\n    return x")
    for value in VALUES:
        got = same("same")(value)
        assert got == value and type(got) is type(value)
    assert math.isnan(same("same")(math.nan))
    for tensor in (
        torch.randn(2, 3, dtype=torch.float64), torch.tensor(3), torch.zeros(0, 4).bool(),
        torch.randn(4).bfloat16(), torch.arange(6).view(2, 3).T, torch.tensor([True, False]),
    ):  # fmt: skip
        got = same("same")(tensor)
        assert torch.equal(got, tensor) and got.dtype == tensor.dtype and got.shape == tensor.shape
    for array in (np.arange(6.0).reshape(2, 3), np.array([True]), np.float32(2.5), np.int64(3)):
        got = same("same")(array)
        assert np.array_equal(got, array) and got.dtype == array.dtype and type(got) is type(array)
    both = same("same")((x := [1], x))
    assert both[0] is both[1]


def test_what_is_made_as_it_goes_comes_as_a_list_and_what_is_derived_as_what_it_derives_from(ask):
    code = """
import collections, enum
class Text(str):
    __eq__ = lambda *_: True
    __hash__ = str.__hash__
class Number(float):
    __lt__ = lambda *_: True
class Kind(enum.IntEnum):
    ONE = 1
Pair = collections.namedtuple("Pair", "a b")
def many():
    return [iter([1]), (i for i in [1]), {1: 2}.keys(), collections.Counter("aab"),
            collections.deque([1]), Text("x"), Kind.ONE, Pair(1, 2)]
def number():
    return Number(2.0)
"""
    name, _ = ask(code)
    got = name("many")()
    assert got[1:] == [[1], [1], {"a": 2, "b": 1}, [1], "x", 1, (1, 2)]
    assert [type(one) for one in got[3:]] == [dict, list, str, int, tuple]
    assert type(name("number")()) is float


def test_generators_of_chance_go_there_and_back(ask):
    code = """
import torch
def draw(dice):
    return [dice.random() for _ in range(3)]
def draw_torch(dice):
    return torch.rand(3, generator=dice)
"""
    name, examiner = ask(code)
    dice, same = random.Random(5), random.Random(5)
    assert name("draw")(dice) == [same.random() for _ in range(3)]
    assert dice.random() == same.random()
    dice, same = np.random.default_rng(5), np.random.default_rng(5)
    assert name("draw")(dice) == [same.random() for _ in range(3)]
    assert dice.random() == same.random()
    dice, same = (torch.Generator().manual_seed(5) for _ in range(2))
    assert torch.equal(name("draw_torch")(dice), torch.rand(3, generator=same))
    assert torch.equal(torch.rand(1, generator=dice), torch.rand(1, generator=same))
    assert not examiner.changed


def test_what_is_changed_in_place_is_changed_here(ask):
    code = """
def spoil(words, table, tensor, array):
    words[0].append("x")
    table["new"] = {1}
    tensor.zero_()
    array += 1
def keep(words, table, tensor, array):
    return len(words)
"""
    name, examiner = ask(code)
    words, table, tensor, array = [["a"]], {"old": [1]}, torch.ones(2), np.zeros(2)
    inner = words[0]
    name("keep")(words, table, tensor, array)
    assert not examiner.changed
    assert (words, table) == ([["a"]], {"old": [1]}) and tensor.sum() == 2 and array.sum() == 0
    name("spoil")(words, table, tensor, array)
    assert words == [["a", "x"]] and words[0] is inner and table == {"old": [1], "new": {1}}
    assert tensor.sum() == 0 and array.sum() == 2 and examiner.changed


def test_what_a_call_has_changed_before_it_raised_is_changed_here(ask):
    code = """
def spoil(words, tensor):
    words.append("x")
    tensor.zero_()
    raise KeyError("afterwards")
def keep(words, tensor):
    raise KeyError("at once")
def use(function, words):
    try:
        function(words)
    except ValueError as error:
        return words, str(error)
"""
    name, examiner = ask(code)
    words, tensor = ["a"], torch.ones(2)
    with pytest.raises(KeyError, match="at once"):
        name("keep")(words, tensor)
    assert words == ["a"] and not examiner.changed
    with pytest.raises(KeyError, match="afterwards"):
        name("spoil")(words, tensor)
    assert words == ["a", "x"] and tensor.sum() == 0 and examiner.changed

    def fails(words):
        words.clear()
        raise ValueError("of the test's")

    assert name("use")(fails, ["a"]) == ([], "of the test's")  # and in the other direction


def test_an_array_that_was_replaced_by_one_of_another_form_is_replaced_here(ask):
    code = """
def grow(parts):
    parts[0] = parts[0].repeat(2)
    parts[1] = parts[1].double()
    parts[2] = parts[2][:1]
"""
    name, _ = ask(code)
    parts = [np.ones(2), torch.ones(2), torch.ones(2)]
    before = list(parts)
    name("grow")(parts)
    assert parts[0].shape == (4,) and parts[1].dtype == torch.float64 and parts[2].shape == (1,)
    assert [one.shape for one in before] == [(2,)] * 3 and before[1].dtype == torch.float32


def test_errors_are_of_their_kind_and_no_others(ask):
    code = """
class Own(ValueError):
    pass
class Odd(BaseException):
    pass
def fail(kind):
    raise {"value": ValueError("so"), "own": Own("so"), "odd": Odd("so"), "exit": SystemExit(0),
           "unicode": UnicodeDecodeError("utf-8", b"", 0, 1, "so"), "stop": StopIteration()}[kind]
"""
    name, _ = ask(code)
    for kind in ("value", "own"):
        with pytest.raises(ValueError, match="so"):
            name("fail")(kind)
    for kind in ("odd", "exit", "stop"):
        with pytest.raises(Exception) as caught:
            name("fail")(kind)
        assert isinstance(caught.value, Exception)
        assert not isinstance(caught.value, AssertionError | StopIteration)
    with pytest.raises(Exception, match="so"):
        name("fail")("unicode")


def test_functions_of_the_test_are_called_back_and_their_asserts_hold(ask):
    code = """
def use(function, words):
    words.append(function(words))
    return function(words)
def swallow(function):
    try:
        function()
    except BaseException:
        pass
    return "fine"
"""
    name, _ = ask(code)
    seen, words = [], ["a"]
    assert name("use")(lambda words: seen.append(list(words)) or len(words), words) == 2
    assert seen == [["a"], ["a", 1]] and words == ["a", 1]

    def asserts():
        raise AssertionError("asked too often")

    with pytest.raises(AssertionError, match="asked too often"):
        name("swallow")(asserts)
    assert name("swallow")(lambda: 1 / 0) == "fine"
    assert name("swallow")(lambda: 1) == "fine"


def test_what_is_no_value_can_be_handed_back_and_called(ask):
    code = """
class Cache:
    def __init__(self):
        self.items = []
    def __len__(self):
        return len(self.items)
    def __eq__(self, other):
        return True
    __hash__ = None
def new():
    return Cache()
def add(cache, one):
    cache.items.append(one)
    return lambda more: cache.items + more
"""
    name, _ = ask(code)
    one, other = name("new")(), name("new")()
    assert name("add")(one, 5)([6]) == [5, 6]
    assert one != other and one != 5 and not (one == [5])
    for question in (len, float, list, lambda one: one.items, lambda one: one[0]):
        with pytest.raises((TypeError, AttributeError)):
            question(one)  # the answer could be what is wanted
    assert not hasattr(name("new"), "__code__")
    memory, _ = ask("from fractions import Fraction\nclass A:\n    pass\ndef f(x):\n    return A")
    assert memory("f")(1) == memory("f")(2) and len({memory("f")(1), memory("f")(2)}) == 1


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.layers = torch.nn.Parameter(torch.ones(2)), torch.nn.ModuleList()
        self.layers.append(torch.nn.Linear(2, 2))

    def forward(self, x):
        return self.layers[0](x * self.weight)


def test_objects_that_both_sides_know_are_rebuilt_there(ask):
    code = """
def use(model, x):
    model.seen = getattr(model, "seen", 0) + 1
    return model(x), isinstance(model, Tiny), list(model.state_dict()), model.seen
"""
    Tiny.__module__ = "__main__"
    name, _ = ask(code, {"Tiny": Tiny})
    model, x = Tiny(), torch.randn(3, 2)
    got, is_one, weights, seen = name("use")(model, x)
    assert torch.equal(got, model(x)) and is_one and seen == 1
    assert weights == list(model.state_dict()) and not hasattr(model, "seen")
    assert name("use")(model, x)[-1] == 2  # it is the same one there
    with torch.no_grad():
        model.weight.zero_()
    assert torch.equal(name("use")(model, x)[0], model(x))
    asked = []
    model.forward = lambda x: asked.append(1) or x
    assert torch.equal(name("use")(model, x)[0], x) and asked == [1]
    del model.forward
    assert torch.equal(name("use")(model, x)[0], model(x)) and asked == [1]


def test_of_an_object_that_both_sides_know_only_what_has_changed_is_sent(ask):
    code = "def use(model):\n    return model.calls, model.weight[0].item(), list(vars(model))"
    Tiny.__module__ = "__main__"
    name, examiner = ask(code, {"Tiny": Tiny})
    model, sizes, send = Tiny(), [], examiner.channel.send
    examiner.channel.send = lambda message: sizes.append(len(str(message))) or send(message)
    use = name("use")
    model.large, model.calls, model.more = torch.nn.Linear(100, 100), 0, 1
    for model.calls in range(3):
        assert use(model) == (model.calls, 1, list(vars(model)))
    with torch.no_grad():
        model.weight[0] = 2
    del model.more
    assert use(model) == (2, 2, list(vars(model)))
    assert sizes[1] > 40_000 and max(sizes[2:]) < 4000
    model.both = [model.weight]  # what stands in two places is one thing: then all of it is sent
    assert use(model) == (2, 2, list(vars(model))) and sizes[-1] > 40_000


def test_gradients_are_followed_through(ask):
    code = """
import torch
def square(x, w):
    return (x * w) ** 2, x.detach()
def reach(function, x):
    x = x.detach().clone().requires_grad_()
    y = function(x)
    return torch.stack([torch.autograd.grad(y[i], x, retain_graph=True)[0] for i in range(len(y))])
def jacobian(function, x):
    return torch.autograd.functional.jacobian(function, x)
"""
    name, _ = ask(code)
    x, w = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 4.0])
    y, cut = name("square")(x, w)
    (y.sum() + cut.sum()).backward()
    assert torch.equal(x.grad, 2 * x.detach() * w**2) and not cut.requires_grad
    with torch.no_grad():
        assert not name("square")(x, w)[0].requires_grad
    for way in ("reach", "jacobian"):
        got = name(way)(lambda x: x.cumsum(0) ** 2, torch.tensor([1.0, 2.0]))
        assert torch.equal(got, torch.tensor([[2.0, 0.0], [6.0, 6.0]]))


@pytest.mark.filterwarnings("ignore:.torch.jit.script")  # of torch's own, in jvp
@pytest.mark.parametrize("way", ["vmap", "grad", "jacrev", "jvp"])
def test_what_torch_func_wraps_is_refused_in_words(ask, way):
    """On either side: a function of the test's under a student's transform, and the reverse."""
    code = """
import torch
def use(way, function, x):
    if way == "jvp":
        return torch.func.jvp(function, (x,), (x,))
    return getattr(torch.func, way)(function)(x)
def square(x):
    return (x ** 2).sum()
"""
    name, _ = ask(code)
    x = torch.ones(3)
    with pytest.raises(Exception, match=r"torch\.func .*cannot be handed.*use torch\.autograd"):
        name("use")(way, lambda x: (x**2).sum(), x)
    with pytest.raises(Exception, match=r"torch\.func .*cannot be handed.*use torch\.autograd"):
        if way == "jvp":
            torch.func.jvp(name("square"), (x,), (x,))
        else:
            getattr(torch.func, way)(name("square"))(x)
    assert name("square")(x) == 3  # and the conversation goes on


def test_right_parts_in_place_of_a_students_own(ask):
    name, examiner = ask("def part(x):\n    return -x\ndef whole(x):\n    return part(x) + 1")
    whole = name("whole")
    assert whole(3) == -2 and examiner.with_parts(whole, part=lambda x: x)(3) == 4
    assert whole(3) == -2


def test_many_are_asked_at_once(ask):
    name, examiner = ask("def first(x):\n    return x[0]")
    assert list(examiner.map(name("first"), [[i] for i in range(12_000)])) == list(range(12_000))
    assert list(examiner.map(len, ["a", "bb"])) == [1, 2]
    with pytest.raises(IndexError):
        examiner.map(name("first"), [[]])


EIGHT = "AAAAAAAAAAA="  # so many bytes, as text
FOUR = "AAAAAA=="
NO_VALUES = [
    {"tensor": ["float32", [1000, 1000], FOUR, False]},
    {"tensor": ["float32", [-1], FOUR, False]},
    {"tensor": ["load", [1], FOUR, False]},
    {"tensor": ["float32", [1], EIGHT, False]},
    {"tensor": ["float32", [1], "%%%", False]},
    {"tensor": ["float32", [1], 4, False]},
    {"tensor": ["float32", [True], FOUR, False]},
    {"array": ["O", [1], EIGHT, False]},
    {"array": ["<f4", [-1, 3], EIGHT, False]},
    {"array": ["V8", [1], EIGHT, False]},
    {"bytes": "ü"},
    {"random": [EIGHT, None]},
    {"torch random": EIGHT},
    {"numpy random": ["__class__", {"dict": []}]},
    {"numpy random": ["Philox", {"dict": ["buffer_pos", 5, "state", {"dict": []}]}]},
    {"numpy random": ["MT19937", {"dict": ["state", {"dict": ["pos", 625]}]}]},
    {"object": [0, "os", "environ", {"dict": []}, None]},
    {"dict": [[1, 2], 3]},
    {"dict": [1]},
    {"set": [[]]},
    {"tuple": 3},
    {"same": 7},
    {"same": -1.5},
    {"handle": ["x", True]},
    {"back": 99},
    {"decimal": "9" * 5000},
    {"fraction": "1/0"},
    {"graphed": 0},
    {"call": ["os.system", "true"]},
    {"__class__": 1},
    {},
    {"tuple": [], "dict": []},
]


@pytest.mark.parametrize("packed", NO_VALUES, ids=str)
def test_what_is_no_value_is_refused(inside, packed):
    peer = inside.calls.Asker(None, {})
    with pytest.raises(inside.values.NoValue):
        inside.values.Unpack(peer)(packed)


def test_a_truth_value_is_one_or_the_other(inside):
    unpack = inside.values.Unpack(inside.calls.Asker(None, {}))
    got = unpack({"tensor": ["bool", [3], inside.values.text(b"\2\0\xff"), False]})
    assert got.view(torch.uint8).tolist() == [1, 0, 1]
    got = unpack({"array": ["|b1", [3], inside.values.text(b"\2\0\xff"), False]})
    assert got.view(np.uint8).tolist() == [1, 0, 1]


def test_messages_are_bounded(inside):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = inside.wire.Channel(ours)
        for data in (
            b"\xff" * 8,
            b"\0" * 7 + b"\2no",
            b"\0" * 7 + b"\2[]",
        ):
            theirs.sendall(data)
            with pytest.raises(inside.wire.Garbled):
                channel.receive(time.monotonic() + 5)
        with pytest.raises(inside.wire.TooLate):
            channel.receive(0)
        with pytest.raises(inside.wire.Garbled):
            channel.send({"value": "x" * 101_000_000})
        with pytest.raises(inside.wire.Garbled):
            channel.send({"value": {1, 2}})


def test_own_words_have_no_values_in_them():
    from tools.grading.inside import reading

    source = (
        'hint = "of the " + "teacher"\n'
        "for x in range(3):\n"
        "    assert double(x) == 2 * x, (\n"
        '        f"twice {x} is not {double(x)!r}: "\n'
        '        "think again"\n'
        "    )\n"
        "assert double(5), hint\n"
        "assert double(6), (1, double(6))\n"
        'raise AssertionError(f"never {hint}")\n'
    )
    said = [reading.own_words(source, number) for number in (3, 7, 8, 9)]
    assert said == ["twice … is not …: think again", "of the teacher", "", "never …"]


SHARING = """
KEPT, ROWS = {}, []

def new(x):
    KEPT.clear()
    KEPT["x"] = x
    return KEPT

def rows():
    return {"rows": ROWS}

def fresh():
    return [1]
"""


def test_what_two_results_share_is_shared_here(ask):
    name, _ = ask(SHARING)
    first, second = name("new")(1), name("new")(2)
    assert first is second and first == {"x": 2}
    one, other = name("rows")(), name("rows")()
    assert one is not other and one["rows"] is other["rows"]
    one["rows"].append(3)
    assert other == {"rows": [3]}
    assert name("fresh")() is not name("fresh")()


@pytest.mark.parametrize("known", [None, "x", [], [-1], ["a", {}], [0, 0, 0], [10**30, True, [1]]])
def test_lies_about_what_came_before_change_only_that(inside, known):
    peer = inside.calls.Asker(None, {})
    message = {"value": [[3], {"dict": ["a", [4]]}], "graphed": [], "known": known}
    peer.came[0] = theirs = {}
    try:
        peer.unpacked(message)
    except Exception as error:
        assert isinstance(error, inside.values.NoValue)
    assert theirs in ({}, {"a": [4]})
    inside.values.fingerprint(peer, list(peer.came.values()))  # even if it is in itself
