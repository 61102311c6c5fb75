"""What can be read of a cell without running it: names, hidden lines, the teacher's words."""

import ast
import symtable
import sys

HIDES = set(  # anything, from a reader: names
    "exec eval compile __import__ __builtins__ builtins importlib ctypes gc pickle pkgutil runpy"
    " sys.modules globals locals vars inspect linecache open subprocess".split()
)
LEADS = set(  # attributes: from what is given to what is not, and to files
    "__globals__ __closure__ __subclasses__ __dict__ __self__ __func__ __wrapped__ __code__"
    " __loader__ __spec__ __getattribute__ __builtins__ __import__ _getframe f_globals f_locals"
    " f_builtins f_back gi_frame cr_frame tb_frame cell_contents attrgetter methodcaller"
    " read_text read_bytes fromfile memmap open popen getsource".split()
)

MOST_NAMES, MOST_LETTERS = 8, 60  # in a phrase; a student may think of any number

MUTATORS = {"append", "extend", "insert", "add", "update", "setdefault", "__setattr__"}
KNOWN = sys.stdlib_module_names | {"numpy", "scipy", "torch", "matplotlib", "tqdm", "utils"}


UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


def table(source):
    """The names of a cell; of one that cannot be read, none."""
    try:
        return symtable.symtable(source, "cell", "exec")
    except UNREADABLE:
        return symtable.symtable("", "cell", "exec")


def syntax(source):
    """The syntax of a cell; of one that cannot be read, an empty one."""
    try:
        return ast.parse(source)
    except UNREADABLE:
        return ast.parse("")


def names(source):
    """(names that a cell binds at its top level, other names that it reads)."""
    top = table(source)
    sets = {one.get_name() for one in top.get_symbols() if one.is_assigned() or one.is_imported()}
    return sets, read_outside(top) - sets


def defines(source):
    """Names that a cell binds at its top level by something else than importing."""
    symbols = table(source).get_symbols()
    return {one.get_name() for one in symbols if one.is_assigned() and not one.is_imported()}


def imports(source):
    """The modules that a cell imports, `from a import b` as both a and a.b."""
    found = set()
    for node in ast.walk(syntax(source)):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{one.name}" for one in node.names}
    return found


def read_outside(table):
    """Global names that a cell, or a function or class in it, reads."""
    found = {
        one.get_name()
        for one in table.get_symbols()
        if one.is_referenced() and (one.is_global() or table.get_type() == "module")
    }
    return found.union(*map(read_outside, table.get_children()))


def reads(source):
    """All global names that a cell reads, those it has bound itself included."""
    return read_outside(table(source))


def changes(source):
    """Names of things that a cell changes without binding them: `math.pi = 3`, `d[1] = 2`,
    `found.append(1)`, `setattr(math, "pi", 3)`; a change by another name is not seen."""
    found = set()
    for node in ast.walk(syntax(source)):
        changed = None
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            changed = node
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in MUTATORS:
            changed = node.func
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setattr":
            changed = node.args[0] if node.args else None
        while isinstance(changed, ast.Attribute | ast.Subscript):
            changed = changed.value
        if isinstance(changed, ast.Name):
            found.add(changed.id)
    return found


def uses(source, without):
    """Phrases about what a student's cell uses of `without`: names, attributes, packages.

    It is a reading, for the teacher to go on with: whoever means to hide something from it can.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []  # it does not run either
    except (ValueError, RecursionError, MemoryError):
        return ["is written so oddly that it cannot be read"]
    words, attributes, called = set(), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called.add(node.func)
            attributes |= asked_for(node)
        if isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, ast.Attribute):  # `model.eval()` is not `eval`
            attributes.add(node.attr)
            if node.attr == "modules" and node not in called:  # nor `model.modules()` Python's
                words.add("sys.modules")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            named = [f"{module}.{one.name}".lstrip(".") for one in node.names]
            words |= {*named, *(part for one in named for part in one.split("."))}
    found = (words | attributes) & set(without)
    phrases = [f"uses `{one}`, which is not to be used here" for one in sorted(found)]
    hidden = words & HIDES | (words | attributes) & LEADS
    hidden |= {one.partition(".")[0] for one in imports(source)} - KNOWN
    if hidden and without:
        listed = [f"`{one[:MOST_LETTERS]}`" for one in sorted(hidden)[:MOST_NAMES]]
        more = f" and {len(hidden) - MOST_NAMES} more" if len(hidden) > MOST_NAMES else ""
        phrases.append(f"uses {', '.join(listed)}{more}, behind which anything may be")
    return phrases


def asked_for(call):
    """The attributes that `getattr(…, "name")` asks for; of a name that is put together: getattr
    itself, as `__getattribute__`."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "getattr" and len(call.args) > 1):
        return set()
    name = call.args[1]
    if isinstance(name, ast.Constant):
        return {name.value}
    return set() if isinstance(name, ast.Name) else {"__getattribute__"}


def hidden_lines(source):
    """Numbers of the lines, counted from 1, that stand between the marks of hidden tests."""
    found, inside = set(), False
    for number, line in enumerate(source.splitlines(), start=1):
        inside = inside or "BEGIN HIDDEN TESTS" in line
        if inside:
            found.add(number)
        inside = inside and "END HIDDEN TESTS" not in line
    return found


def parted(source):
    """(the public lines of a test, the hidden ones), each in its place, where all hidden ones stand
    behind and can be run when the others have been; else (the public ones, "")."""
    hidden = hidden_lines(source)
    lines = [*enumerate(source.splitlines(), start=1)]
    public, rest = (
        "\n".join(line if (number in hidden) is inside else "" for number, line in lines)
        for inside in (False, True)
    )
    try:
        first, then, both = ([*map(place, ast.parse(one).body)] for one in (public, rest, source))
    except SyntaxError:
        return public, ""
    return public, rest if then and first + then == both else ""


def place(node):
    return node.lineno, node.end_lineno


def own_words(source, number):
    """What the teacher has written to be said when line `number` of a test fails, without any
    value in it: what was computed on the way to a hidden test is for nobody to see."""
    tree, best = ast.parse(source), None
    constants = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants.setdefault(node.targets[0].id, []).append((node.lineno, node.value))
        inside = isinstance(node, ast.Assert | ast.Raise)
        if inside and node.lineno <= number <= node.end_lineno:
            best = node
    said = best.msg if isinstance(best, ast.Assert) else best.exc if best else None
    if isinstance(said, ast.Call):
        said = said.args[0] if said.args else None
    if isinstance(said, ast.Name):
        before = [value for line, value in constants.get(said.id, []) if line <= number]
        said = before[-1] if before else None
    return words(said)


def words(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(words(one) if isinstance(one, ast.Constant) else "…" for one in node.values)
    if isinstance(node, ast.BinOp):
        return words(node.left) + words(node.right)
    return ""
