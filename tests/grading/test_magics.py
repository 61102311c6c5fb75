"""What a cell is in Python: IPython's own transformer says it, and no line changes its number."""

import ast

import pytest

from tools.grading.inside import magics, reading

F = "def f():\n    return 4"

READ = {  # a cell: what of it runs
    "x = (10\n % 3)": "x = (10\n % 3)",
    '"""\n%time\n!ls\nwhy?\n"""': '"""\n%time\n!ls\nwhy?\n"""',
    "%matplotlib inline\nx = 1": "None\nx = 1",
    f"{F}\nf?": f"{F}\nNone",
    f"{F}\n# is it fast?\n%timeit f()": f"{F}\n# is it fast?\nNone",
    "def g():\n    %time f()\n    x = %time f()\n    return x": (
        "def g():\n    f()\n    x = f()\n    return x"
    ),
    "def g():\n    %matplotlib inline\n": "def g():\n    None\n",
    "%time x = f(); y = x": "x = f(); y = x",
    "%time for i in range(3): f()": "for i in range(3): f()",
    "x = %time f()  # why?": "x = f()  # why?",
    'a["%"] = %time f()': 'a["%"] = f()',
    "%time f(1, \\\n 2)\nx = 3": "f(1,   2)\n\nx = 3",
    "%time %time f()": "f()",
    "%time": "None",
    "\n\n%%time\nx = 1\n%time y = 2": "\n\n\nx = 1\ny = 2",
    "%%capture --no-stderr\nx = 1": "\nx = 1",
    "%%time\n%%capture\nx = 1": "\n\nx = 1",
    "%%timeit\nx = 1": "",
    "%%html\n<b>so</b>": "",
    "  x = 1\n  y = 2": "x = 1\ny = 2",
    ">>> x = 1\n... \n>>> y = 2": "x = 1\n\ny = 2",
    "In [3]: x = 1\n   ...: y = 2": "x = 1\ny = 2",
    "/f 1 2": "f(1, 2)",
}

NOT_RUN = {  # a cell: words of what the teacher is told
    "!cat /etc/passwd": "uses a shell command",
    "x = 1\nfiles = !ls": "uses a shell command",
    "%time !ls": "uses a shell command",
    "%run helper.py": "uses `%run`, which is not run here",
    "%cd /tmp": "uses `%cd`, which is not run here",
    "%%bash\nls": "uses `%%bash`, which is not run here",
    "%%time\n!ls": "uses a shell command",
    "%%capture said\nx = 1": "uses `%%capture said`",
    f"%%timeit -n 1\n{F}": "uses `%%timeit`, under which nothing gets defined",
    f"\n%%html\n{F}": "uses `%%html`, under which nothing gets defined",
    "t = %timeit -o f()": "uses what `%timeit` gives",
    "x = %time y = 2": "uses `%time` in a way that is not run here",
    "%prun -s cumulative f()": "uses `%prun` in a way that is not run here",
    "import asyncio\nawait asyncio.sleep(0)": "not done here",
    "%time " * 500 + "1": "cannot be read",
}


@pytest.mark.parametrize("source", READ, ids=repr)
def test_what_ipython_adds_becomes_python_line_by_line(source):
    python, phrases = magics.plain(source)
    assert phrases == []
    assert [one.rstrip() for one in python.rstrip().split("\n")] == READ[source].rstrip().split(
        "\n"
    )
    ast.parse(python)


@pytest.mark.parametrize("source", NOT_RUN, ids=lambda source: source[:30])
def test_what_is_not_run_is_said(source):
    _, phrases = magics.plain(source)
    assert any(NOT_RUN[source] in one for one in phrases), phrases


def test_more_magics_than_ipython_reads(monkeypatch):
    monkeypatch.setattr(magics, "AT_MOST", 20)
    assert magics.plain("%pwd\n" * 19)[1] == []
    assert "cannot be read" in magics.plain("%pwd\n" * 21)[1][0]


def test_what_is_no_python_for_ipython_either_is_left_as_it_is():
    for source in (
        "def f()\n    return 1",
        "x = (",
        "%matplotlib inline\nx = = 1",
        "x = 1\n  y = 2",
    ):
        python, phrases = magics.plain(source)
        assert phrases == [] and python.rstrip().endswith(source.splitlines()[-1])
        with pytest.raises(SyntaxError):
            ast.parse(python)


def test_what_a_magic_runs_is_read_like_the_rest():
    for source in ("%time import utils", "%%time\nimport utils", "x = 1\n%time import utils"):
        python, _ = magics.plain(source)
        assert reading.uses(python, {"utils"}) == ["uses `utils`, which is not to be used here"]


@pytest.mark.parametrize(
    "source, hidden",
    [
        ("import sys\nsys.modules['ut' + 'ils']", "sys.modules"),
        ("from sys import modules", "sys.modules"),
        ("import builtins as b\nb.eval('1')", "builtins"),
        ("model.eval()\neval('1')", "eval"),
        ("import gc", "gc"),
        ("import sys as s\ns.modules['ut' + 'ils']", "sys.modules"),
        ("globals()['wor' + 'ld']", "globals"),
        ("given.__globals__['wor' + 'ld']", "__globals__"),
        ("getattr(given, '__globals__')", "__globals__"),
        ("getattr(given, '__glo' + 'bals__')", "__getattribute__"),
        ("from operator import attrgetter", "attrgetter"),
        ("import sys\nsys._getframe().f_code", "_getframe"),
        ("open('/utils/worlds/sentences.py')", "open"),
        ("Path('/utils/worlds/sentences.py').read_text()", "read_text"),
        ("import helper", "helper"),
        ("import os.path\nimport numpy.random\nfrom torch import nn", None),
        ("for name in names:\n    getattr(model, name)\ngetattr(cache, 'length', 0)", None),
        ("list(model.modules())\nmodel.eval()\nre.compile('x')\nsys.stdout", None),
    ],
)
def test_behind_what_anything_may_be(source, hidden):
    told = [f"uses `{hidden}`, behind which anything may be"] if hidden else []
    assert reading.uses(source, {"utils"}) == told and reading.uses(source, set()) == []


def test_what_many_things_may_be_behind_is_said_in_few_words():
    source = "import " + ", ".join(f"m{number}" + "x" * 1000 for number in range(90))
    (told,) = reading.uses(source, {"utils"})
    assert "and 82 more, behind which anything may be" in told and len(told) < 700


def test_what_a_cell_changes_without_binding_it():
    source = "math.pi = 3\nd[1].x = 2\nfound.append(1)\nsetattr(torch, 'x', 1)\nprint(y)\nz = 1"
    assert reading.changes(source) == {"math", "d", "found", "torch"}
    assert reading.changes("x = (") == set()
