"""What a cell of a notebook is in Python.

Students write for Jupyter, where IPython adds to Python: `%time f()`, `f?`, `!ls`, prompts that
were pasted along. Its own transformer says what each of these is, and makes a call of IPython's of
it; here that call is replaced by what it means for an answer. What a magic only times runs as it
stands, what only shows something is left out, and of all else the teacher is told: it is not run.

Each line keeps its number: errors are shown by it, and hidden tests hidden. Text becomes text here;
nothing is executed.
"""

import ast
import inspect
import re

SHOWS = set(  # something, or sets how things are shown; or installs what cannot be installed here
    "autoreload colors conda config debug doctest_mode hist history load_ext lsmagic magic mamba"
    " matplotlib memit micromamba mprun pdb pdef pdoc pfile pinfo pinfo2 pip precision psearch pwd"
    " psource quickref reload_ext tb timeit uv who who_ls whos xmode".split()
)
RUNS = {"time", "prun"}  # the Python after it, as it stands
CELL_SHOWS = {"timeit", "html", "HTML", "markdown", "latex", "svg", "SVG", "javascript", "js"}
CELL_RUNS = {"time", "prun", "capture"}
AT_MOST = 500  # magics in a cell; IPython's own limit


def plain(source):
    """(the cell as Python, phrases for the teacher about what of it is not run).

    What is no Python for IPython either comes back as it is, or nearly so.
    """
    try:
        python, phrases = transformed(source)
        if waits(python):
            phrases = [*phrases, "uses `await` outside a function, which is not done here"]
    except SyntaxError:
        return source, []  # IPython's answer, too
    except Exception as error:
        return source, [f"cannot be read as IPython reads it ({type(error).__name__})"]
    return python, list(dict.fromkeys(phrases))


def is_python(text, mode="exec"):
    try:
        ast.parse(text, mode=mode)
    except SyntaxError:
        return False
    return True


def waits(python):
    """Whether Python waits outside any function, as only Jupyter lets it."""
    if "await" not in python and "async" not in python:
        return False
    try:
        code = compile(python, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError:
        return False
    return bool(code.co_flags & inspect.CO_COROUTINE)


def transformed(source):
    """The same as `plain`, for a source that IPython can read."""
    if is_python(source):
        return source, []
    from IPython.core.inputtransformer2 import TransformerManager  # only where it is needed

    manager = TransformerManager()
    given = lines = (source + "\n").splitlines(keepends=True)
    for step in manager.cleanup_transforms:
        lines = step(lines)
    above = ["\n"] * (len(given) - len(lines))  # empty lines that IPython leaves out
    for step in manager.line_transforms:
        called = step(lines)
        if called != lines:
            python, phrases = of_cell_magic(*call(called[0])[1])
            return "".join(above) + python, phrases
    lines, phrases = above + lines, []
    for _ in range(AT_MOST):
        changed, after = manager.do_one_token_transform(lines)
        if not changed:
            return "".join(lines), phrases
        at = first_difference(lines, after)
        python, said = of_line(lines[at], after[at])
        merged = ["\n"] * (len(lines) - len(after))  # lines that were continued with a backslash
        lines = [*after[:at], python, *merged, *after[at + 1 :]]
        phrases += said
    raise RuntimeError(f"more than {AT_MOST} magics")


def first_difference(one, other):
    return next(at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


def call(text):
    """(method, arguments) if the text is a call of IPython's, as its transformer writes them."""
    if not text.startswith("get_ipython().") or not is_python(text.strip(), "eval"):
        return None, ()
    node = ast.parse(text.strip(), mode="eval").body
    return node.func.attr, [ast.literal_eval(one) for one in node.args]


def of_cell_magic(name, line, body):
    """(Python, phrases) of a cell that begins with `%%name line`."""
    if name in CELL_SHOWS:
        lost = re.search(r"^(?:async )?(?:def|class) ", body, re.M)
        return "", [
            f"uses `%%{name}`, under which nothing gets defined, here or in Jupyter"
        ] * bool(lost)
    if name not in CELL_RUNS:
        return "", [f"uses `%%{name[:40]}`, which is not run here"]
    python, phrases = transformed(body)
    if any(not word.startswith("-") for word in line.split()):
        shown = f"%%{name} {line}"[:60]
        phrases = [*phrases, f"uses `{shown}`, which is not run here but for the lines below it"]
    return "\n" + python, phrases


def of_line(before, after):
    """(Python, phrases) in place of a line that IPython has transformed: `%time f()`, `x = !ls`."""
    start = len(after) - len(after.lstrip())
    if not after.startswith("get_ipython().", start):
        start = first_difference(before, after)  # after `x = `
    method, arguments = call(after[start:])
    if method is None:
        return after, []  # `/f 1 2`, which has become f(1, 2)
    python, phrases = of_call(method, arguments, assigned=bool(after[:start].strip()))
    return f"{after[:start]}{python}\n", phrases


def of_call(method, arguments, *, assigned):
    """(Python in place of a call of IPython's, phrases). assigned: whether its value is used."""
    if method in ("system", "getoutput"):
        return "None", ["uses a shell command"]
    if method != "run_line_magic":
        return "None", []  # `?`, which shows the manual
    name, code = arguments
    if name in RUNS:
        python, phrases = transformed(code)
        python = python.strip()
        if is_python(python, "eval" if assigned else "exec"):
            return (python if ast.parse(python).body else "None"), phrases
        return "None", [f"uses `%{name}` in a way that is not run here"]
    if name not in SHOWS:
        return "None", [f"uses `%{name[:40]}`, which is not run here"]
    return "None", [f"uses what `%{name}` gives, which is not run here"] if assigned else []
