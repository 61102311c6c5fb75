"""Reading a student's code before it runs: does it reach for what no answer needs?

Student's code and the tests that judge it share one Python process, and a process cannot guard
itself against code that rewrites it. So we look at the code first. It may compute whatever it
likes. Whoever imports `os`, walks to a frame, assigns to an attribute of `torch` or returns an
object that says it equals everything is put before the teacher, who decides: usually it is
harmless. What slips through here meets the checks at run time (state.py, session.py).

The code is parsed, never executed.
"""

import ast
import re

ALLOWED_MODULES = set(
    "__future__ abc array bisect cmath collections contextlib copy dataclasses datetime decimal"
    " enum fractions functools heapq IPython itertools json math matplotlib numbers numpy operator"
    " pprint queue random re scipy statistics string textwrap time tokenizers torch tqdm types"
    " typing unicodedata utils warnings".split()
)
FORBIDDEN_PARTS = set(  # of allowed modules: they run text as code, load it, or replace others'
    "overrides library ops classes hub package jit fx export onnx compile compiler cpp_extension"
    " bundled_inputs benchmark multiprocessing distributed profiler serialization parametrize"
    " ctypeslib f2py load fromfile memmap runstring rundocs measure core get_type_hints"
    " ForwardRef Formatter LowLevelCallable FunctionType CodeType ModuleType new_class".split()
)
FORBIDDEN_NAMES = set(
    "exec eval compile globals locals vars delattr open breakpoint exit quit memoryview"
    " __import__ __builtins__ __loader__ __spec__ get_ipython attrgetter methodcaller".split()
)
FORBIDDEN_ATTRIBUTES = set(
    "gi_frame gi_code cr_frame cr_code ag_frame ag_code f_back f_globals f_locals f_builtins f_code"
    " tb_frame tb_next co_consts co_code mro os sys ctypes subprocess builtins importlib inspect gc"
    " signal socket shutil posix threading pickle attrgetter methodcaller get_ipython io pathlib"
    " Path tempfile get_field vformat format_map run_line_magic system".split()
)
HARMLESS_PRIVATE = {"_", "_replace", "_asdict", "_fields", "_make"}
HARMLESS_DUNDERS = {f"__{name}__" for name in "name doc all version annotations file".split()}
OWN_METHODS = {  # a class may define these; others can make an object lie about what it is
    f"__{name}__"
    for name in (
        "init post_init call len getitem setitem iter next repr str contains enter exit hash"
        " reversed missing init_subclass"
    ).split()
}
LYING_BASES = {"Tensor", "Parameter", "ndarray", "int", "float", "str", "bool", "complex"} | {
    "BaseException",
    "type",
}
DUNDER = re.compile(r"__[a-z_]+__")


def audit(source, imported=()):
    """What in one cell the teacher should see, as a list of short phrases; empty is usual.

    source: Python, which magics.py makes of a cell. imported: names that other cells have
    imported, whose attributes are not to be assigned to.
    """
    try:
        tree = ast.parse(source)
        found = Reader(set(imported) | imports(tree))
        found.visit(tree)
    except SyntaxError:
        return []  # it will not run either
    except (RecursionError, MemoryError, ValueError):
        return ["is nested so deeply, or written so oddly, that it cannot be read"]
    return list(dict.fromkeys(found.phrases))


def imports(tree):
    """The names a cell binds by importing."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def imported_names(source):
    """The same of source that may be anything."""
    try:
        return imports(ast.parse(source))
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        return set()


class Reader(ast.NodeVisitor):
    def __init__(self, imported):
        self.imported, self.phrases = imported, []

    def see(self, phrase):
        self.phrases.append(phrase)

    def visit_Import(self, node):
        for alias in node.names:
            self.module(alias.name, [])

    def visit_ImportFrom(self, node):
        self.module(node.module or ".", [alias.name for alias in node.names])

    def module(self, name, taken):
        first, *rest = name.split(".")
        forbidden = FORBIDDEN_PARTS if first != "utils" else set()  # ours has none of these
        bad = [part for part in (*rest, *taken) if part in forbidden or private(part)]
        bad += [part for part in taken if part in FORBIDDEN_NAMES | FORBIDDEN_ATTRIBUTES]
        if first not in ALLOWED_MODULES:
            self.see(f"imports `{name}`")
        elif bad:
            self.see(f"imports `{bad[0]}` from `{name}`")

    def visit_Name(self, node):
        if node.id in FORBIDDEN_NAMES:
            self.see(f"uses `{node.id}`")
        elif DUNDER.fullmatch(node.id) and node.id not in HARMLESS_DUNDERS:
            self.see(f"uses `{node.id}`")
        elif node.id in ("getattr", "setattr"):
            self.see(f"hands on `{node.id}`")

    def visit_Attribute(self, node):
        name = node.attr
        root = root_of(node)
        if not isinstance(node.ctx, ast.Load) and (root in self.imported or root is None):
            self.see(f"assigns to `{ast.unparse(node)[:60]}`, which is not its own")
        if DUNDER.fullmatch(name):
            own = name in OWN_METHODS and isinstance(node.value, ast.Call | ast.Name)
            if not own and name not in HARMLESS_DUNDERS:
                self.see(f"reaches for `{name}`")
        elif private(name) and root not in ("self", "cls"):
            self.see(f"reaches for `{name}`, which is private")
        elif name in FORBIDDEN_ATTRIBUTES:
            self.see(f"reaches for `.{name}`")
        elif name in FORBIDDEN_PARTS and root in self.imported:
            self.see(f"uses `{ast.unparse(node)[:60]}`")
        self.generic_visit(node)

    def visit_Call(self, node):
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "getattr" and not named(node, 1):
            self.see("uses `getattr` with a name that is computed")
        if name == "setattr" and not (
            node.args and isinstance(node.args[0], ast.Name) and node.args[0].id == "self"
        ):
            self.see("uses `setattr`")
        if name == "type" and len(node.args) + len(node.keywords) != 1:
            self.see("makes a class with `type`")
        for part in ast.iter_child_nodes(node):
            if part is not node.func or name not in ("getattr", "setattr"):
                self.visit(part)

    def visit_MatchClass(self, node):
        for name in node.kwd_attrs:
            if DUNDER.fullmatch(name) or private(name) or name in FORBIDDEN_ATTRIBUTES:
                self.see(f"reaches for `{name}`")
        self.generic_visit(node)

    def visit_Constant(self, node):
        value = node.value if isinstance(node.value, str) else ""
        if DUNDER.fullmatch(value.strip()) and value.strip() != "__main__":
            self.see(f"names `{value.strip()}` in a string")

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant):  # a docstring may say what it likes
            self.generic_visit(node)

    def visit_FunctionDef(self, node):
        if DUNDER.fullmatch(node.name) and node.name not in OWN_METHODS:
            self.see(f"defines `{node.name}`, with which an object can lie about itself")
        self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Assign(self, node):
        for target in node.targets:
            if isinstance(target, ast.Name) and DUNDER.fullmatch(target.id):
                if target.id not in HARMLESS_DUNDERS:
                    self.see(f"defines `{target.id}`")
        self.generic_visit(node)

    def visit_ClassDef(self, node):
        for base in node.bases:
            name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", None)
            if name is None and not isinstance(base, ast.Subscript):
                self.see(f"derives class `{node.name}` from something computed")
            elif name in LYING_BASES:
                self.see(f"derives class `{node.name}` from `{name}`")
        if node.keywords:
            self.see(f"gives class `{node.name}` a metaclass or other keywords")
        self.generic_visit(node)


def private(name):
    return name.startswith("_") and name not in HARMLESS_PRIVATE and not DUNDER.fullmatch(name)


def root_of(node):
    """The name that a chain of attributes and items starts from; None for anything computed."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def named(call, position):
    """Whether that argument is a plain string."""
    given = call.args[position] if len(call.args) > position else None
    return isinstance(given, ast.Constant) and isinstance(given.value, str)
