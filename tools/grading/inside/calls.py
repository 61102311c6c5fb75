"""Two processes that call each other's functions: the examiner, and a student's code.

Each side lends numbers for what it keeps. A call sends the arguments as values (values.py), runs
elsewhere, and brings back a value; what was changed in place in the arguments is changed here, too;
and where torch follows a gradient, it is followed through. While one side waits for its answer it
serves the other, so a function of the examiner's can be handed to a student's, and the reverse.
"""

import builtins
import contextlib
import functools
import re
import sys
import types

import cells
import wire
from values import NoValue, Pack, Unpack, as_bytes, assign, fingerprint, spoiled

ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind is not StopIteration
}
NAMES = re.compile(r"SystemExit|KeyboardInterrupt|\w{0,60}(Error|Exception|Warning)", re.ASCII)
AT_ONCE = 5000  # arguments in one message
MOST_KEPT = 10_000  # things of a student's that are known again
SHARED = b"same"  # stands in the bytes of something that has come before
MAX_MESSAGE = 2000  # characters of an error


class Peer:
    """One end of the conversation."""

    trusting = False  # whether what the other side says is taken at its word

    def __init__(self, channel, namespace):
        self.channel, self.namespace = channel, namespace
        self.mine, self.numbers = [], {}  # lent things by number; numbers of things
        self.copies, self.theirs = {}, {}  # theirs by number, as we have them; numbers by identity
        self.graphs = []  # of calls that were answered: (what came out, what it depends on)
        self.came = {}  # lists and dictionaries of theirs, by the numbers that they go by there
        self.made = {}  # by identity: what came as a value, and is theirs to change
        self.changed = False  # whether other arguments of ours were changed in place

    # What crosses.

    def number_of_theirs(self, value):
        return self.theirs.get(id(value))

    def remember(self, number, thing):
        self.copies[number] = thing
        self.theirs[id(thing)] = number
        return thing

    def number_of_mine(self, value):
        number = self.numbers.setdefault(self.key(value), len(self.mine))
        if number == len(self.mine):
            self.mine.append(value)
        return number

    def key(self, value):
        return id(value)

    def lend(self, pack, value):
        return {"handle": [self.number_of_mine(value), callable(value)]}

    def packed(self, value, *, graphs=False):
        """(what a message says of a value, the tensors of it that take part in a gradient)."""
        pack = Pack(self, graphs=graphs)
        head = pack(value)
        found = {"value": head, "graphed": [], "known": self.known(pack.kept)}
        if graphs and pack.graphed:
            torch = sys.modules["torch"]
            found["graphed"] = [pack.tensor(one, torch) for one in pack.graphed]
        return found, pack.graphed or []

    def known(self, things):
        """Numbers of things that, when they come again, are to be the same to the other side."""
        return []

    def unpacked(self, message, graphed=None):
        known = message.get("known")
        unpack = Unpack(self, graphed or [], known if isinstance(known, list) else ())
        value = unpack(message["value"])
        self.made |= {id(thing): thing for thing in unpack.things}
        return value

    def leaves(self, message):
        """The tensors of a message that take part in a gradient, as new ones that do."""
        unpack = Unpack(self)
        return [unpack.tensor(one).requires_grad_() for one in message["graphed"]]

    # Asking.

    def ask(self, message, given=None):
        """What the other side answers, having served it meanwhile. Raises its errors. given: what
        was handed over, which is first made what it has become there."""
        self.channel.send(message)
        while "do" in (answer := self.channel.receive()):
            self.serve(answer)
        if given is not None and answer.get("after") is not None:
            after = Unpack(self)(answer["after"])
            self.changed |= spoiled(self, given, after, self.made)
            assign(given, after)
        if "error" in answer:
            raise self.error(answer)
        return answer

    def call(self, number, arguments, keywords, parts=None):
        """Call what the other side has lent. parts: see `Asker.with_parts`."""
        given = (arguments, keywords)
        sent, inputs = self.packed((given, parts or {}), graphs=following())
        answer = self.ask({"do": "call", "what": number, "grad": following(), **sent}, given)
        graphed = self.leaves(answer)
        if graphed:
            from gradients import Across

            ask = functools.partial(self.gradients, answer["graph"])
            graphed = Across.apply(ask, len(inputs), *inputs, *(one.detach() for one in graphed))
        return self.unpacked(answer, graphed)

    def gradients(self, graph, gradients):
        """Those of the inputs of a call, from those of what came out of it."""
        sent, _ = self.packed(gradients)
        return self.unpacked(self.ask({"do": "gradients", "graph": graph, **sent}))

    def error(self, answer):
        """An exception of ours for one of theirs: of the same kind, if Python has it, or name."""
        kinds = [one for one in answer["error"] if isinstance(one, str)][:20]
        text = str(answer.get("text", ""))[:MAX_MESSAGE]
        known = [one for one in kinds if one in ERRORS]
        name = kinds[0] if kinds and NAMES.fullmatch(kinds[0]) else "Error"
        kind = ERRORS.get(name) or type(name, (ERRORS[known[0]] if known else Exception,), {})
        try:
            error = kind(text)
        except TypeError:  # such as UnicodeDecodeError, which wants more
            error = type(name, (Exception,), {})(text)
        lines = answer.get("lines")
        error.lines = [str(one)[:300] for one in lines[:5]] if isinstance(lines, list) else []
        return error

    # Answering.

    def serve(self, message):
        do = message["do"]
        answers = {"call": self.do_call, "gradients": self.do_gradients, **self.more()}
        try:
            if do not in answers:
                raise NoValue(f"{str(do)[:40]!r} is nothing to do")
            self.channel.send(self.with_more(answers[do](message)))
        except (wire.Closed, wire.TooLate, cells.CellTimeout):
            raise
        except self.caught as error:
            self.noticed(error)
            self.channel.send(self.with_more(self.described(error)))

    caught = Exception

    def more(self):
        return {}

    def with_more(self, answer):
        return answer

    def noticed(self, error):
        pass

    def described(self, error):
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind not in (object, Exception)]
        return {"error": kinds, "text": cells.text_of(error), "lines": []}

    def do_call(self, message):
        leaves = self.leaves(message)
        given, parts = self.unpacked(message, leaves)
        before = fingerprint(self, given)
        with follows(message["grad"]):
            try:
                result = self.really_call(message["what"], *given, parts)
            except (wire.Closed, wire.TooLate, cells.CellTimeout):
                raise
            except self.caught as error:  # what was done before it stays done
                self.noticed(error)
                return {**self.described(error), **self.since(before, given)}
            sent, outputs = self.packed(result, graphs=following() and bool(leaves))
        if outputs:
            sent["graph"] = len(self.graphs)
            self.graphs.append((outputs, leaves))
        return {**sent, **self.since(before, given)}

    def since(self, before, given):
        """What of a message says how arguments were changed in place."""
        return {"after": Pack(self)(given)} if fingerprint(self, given) != before else {}

    def really_call(self, number, arguments, keywords, parts):
        function = self.mine[number]
        if number < 0 or isinstance(function, type):
            raise NoValue("not to be called")
        return function(*arguments, **keywords)

    def do_gradients(self, message):
        torch = sys.modules["torch"]
        outputs, leaves = self.graphs[message["graph"]]
        found = torch.autograd.grad(
            outputs, leaves, self.unpacked(message), retain_graph=True, allow_unused=True
        )
        return self.packed(list(found))[0]


def following():
    """Whether torch follows gradients here and now."""
    return "torch" in sys.modules and sys.modules["torch"].is_grad_enabled()


def follows(whether):
    """A block in which gradients are followed, or not."""
    torch = sys.modules.get("torch")
    return torch.set_grad_enabled(whether) if torch else contextlib.nullcontext()


class Asker(Peer):
    """The examiner's end. It knows a student's things by number."""

    def __init__(self, channel, namespace, hear=lambda text: None):
        """namespace: what the assignment's own cells have defined, whose classes both sides know.
        hear: is told what the student's code prints."""
        super().__init__(channel, namespace)
        self.hear, self.failed, self.states = hear, None, {}

    def ask(self, message, given=None):
        try:
            answer = super().ask(message, given)
        except Exception:
            self.fail()
            raise
        self.fail()
        if isinstance(answer.get("printed"), str):
            self.hear(answer["printed"])
        return answer

    def fail(self):
        """Raise what an `assert` of the test's has raised, whatever became of it there."""
        failed, self.failed = self.failed, None
        if failed is not None:
            raise failed from None

    def noticed(self, error):
        if isinstance(error, AssertionError) and self.failed is None:
            self.failed = error

    def borrowed(self, number, callable_):
        if type(number) is not int:
            raise NoValue("a thing without a number")
        found = self.copies.get(number)
        return found or self.remember(number, Handle(self, number))

    def map(self, function, *iterables):
        """Python's own `map`, but that a student's function is asked all at once."""
        number = self.number_of_theirs(function)
        if number is None or len(iterables) != 1:
            return map(function, *iterables)
        found, waiting = [], list(iterables[0])
        for start in range(0, len(waiting), AT_ONCE):
            sent, _ = self.packed(waiting[start : start + AT_ONCE])
            found += self.unpacked(self.ask({"do": "each", "what": number, **sent}))
        if len(found) != len(waiting):
            raise NoValue("not as many answers as questions")
        return iter(found)

    def name(self, name):
        """(whether the student's code has defined it, what it is)."""
        answer = self.ask({"do": "name", "name": name})
        return answer.get("found") is True, self.unpacked(answer)

    def with_parts(self, function, **parts):
        """A student's function, as it would be with right parts: with these in place of those of
        its names. For tests in which a mistake that has cost its points is not to cost more."""
        number = self.number_of_theirs(function)
        return lambda *arguments, **keywords: self.call(number, arguments, keywords, parts)

    def lend(self, pack, value):
        kind = type(value)
        module, name = kind.__module__, kind.__qualname__
        ours = module == "__main__" and self.namespace.get(name) is kind
        library = module.partition(".")[0] == "utils" or module.startswith("torch.nn.")
        known = ours or library or kind is types.SimpleNamespace
        if pack.bare or not known or not hasattr(value, "__dict__"):
            return super().lend(pack, value)
        number, state, gone = self.number_of_mine(value), dict(vars(value)), None
        before = self.states.pop(number, None)
        if pack.whole:  # a part of another thing: it is not known what of it was sent the last time
            parts = Pack(self, whole=True, raw=pack.raw)(state)
            return {"object": [number, module, name, parts, None]}
        parts = Pack(self, whole=True, raw=True)(state)["dict"][1::2]
        now = self.states[number] = dict(zip(state, map(as_bytes, parts), strict=True))
        if before and not any(SHARED in one for one in now.values()):
            gone = [one for one in before if one not in now]
            state = {one: state[one] for one in now if before.get(one) != now[one]}
        return {"object": [number, module, name, Pack(self, whole=True)(state), gone]}


class Handle:
    """Something of a student's that is no value: it can be handed back and called, and no more.

    It answers no questions about itself. Whoever answers may say to each question what is wanted.
    """

    def __init__(self, peer, number):
        self._peer, self._number = peer, number

    def __call__(self, *arguments, **keywords):
        return self._peer.call(self._number, arguments, keywords)

    def __repr__(self):
        return "<something of the student's own>"


class Answerer(Peer):
    """The student's end. It is in the student's process, and so, in the end, the student's."""

    trusting, caught = True, BaseException

    def __init__(self, channel, namespace, printed, lines_of):
        super().__init__(channel, namespace)
        self.printed, self.lines_of, self.gave = printed, lines_of, {}

    def known(self, things):
        """A list that two results share is one list for a test, too, as in a notebook."""
        if len(self.gave) > MOST_KEPT:
            return []
        for one in things:
            if type(one) in (list, dict):
                self.gave.setdefault(id(one), (len(self.gave), one))
        return [self.gave.get(id(one), (None,))[0] for one in things]

    def key(self, value):
        """What is equal has one number: a memory may be an object that can be a dictionary key."""
        try:
            hash(value)
            return (type(value), value)
        except TypeError:
            return id(value)

    def borrowed(self, number, callable_):
        if number in self.copies:
            return self.copies[number]
        if not callable_:
            return self.remember(number, Theirs())

        def function(*arguments, **keywords):
            return self.call(number, arguments, keywords)

        return self.remember(number, function)

    def more(self):
        return {"name": self.do_name, "each": self.do_each}

    def with_more(self, answer):
        return {**answer, "printed": self.printed.take()}

    def described(self, error):
        return {**super().described(error), "lines": self.lines_of(error)}

    def do_each(self, message):
        function = self.mine[message["what"]]
        return self.packed([function(one) for one in self.unpacked(message)])[0]

    def do_name(self, message):
        name = message["name"]
        return {**self.packed(self.namespace.get(name))[0], "found": name in self.namespace}

    def really_call(self, number, arguments, keywords, parts):
        missing = object()
        before = {name: self.namespace.get(name, missing) for name in parts}
        self.namespace.update(parts)
        try:
            return self.mine[number](*arguments, **keywords)
        finally:
            for name, value in before.items():
                self.namespace[name] = value
                if value is missing:
                    del self.namespace[name]


class Theirs:
    """Something of the examiner's, which can only be handed back."""
