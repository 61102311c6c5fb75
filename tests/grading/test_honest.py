"""Right answers in unusual Python have all their points, and no word is said about them."""

import json

import pytest

from tests.grading import small_course as small
from tests.grading.small_course import NAME, POINTS, SOLUTION
from tools.grading import course as courses

pytestmark = pytest.mark.slow

DOUBLES = [
    "class Double:\n    def __call__(self, x):\n        return x + x\ndouble = Double()",
    "from dataclasses import dataclass\n@dataclass(frozen=True, slots=True)\nclass Times:\n"
    "    n: int\n    def __call__(self, x):\n        return self.n * x\ndouble = Times(2)",
    "import functools\ndef logged(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n"
    "        print('called', a)\n        return f(*a, **k)\n    return inner\n"
    "@logged\n@functools.cache\ndef double(x):\n    return 2 * x\nassert double(4) == 8",
    "import numpy as np\ndef double(x):\n    if isinstance(x, str):\n        return x + x\n"
    "    return np.einsum('i,i->', np.array([x]), np.array([2]))",
    "def double(x):\n    match x:\n        case str():\n            return x + x\n"
    "        case int() | float() as n:\n            return n * 2",
    "%%time\ncount = 0\ndef double(x):\n    global count\n    count += 1\n    return 2 * x\n"
    "%timeit -n 1 double(3)",
    "import logging, sys\nlogging.basicConfig(level=logging.INFO, stream=sys.stderr)\n"
    "log = logging.getLogger(__name__)\ndef double(x):\n    log.info('%s', x)\n    return 2 * x",
    "from __future__ import annotations\nfrom typing import TypeVar\nT = TypeVar('T')\n"
    "def double(x: T) -> T:\n    return x + x",
    "import functools, operator\ndouble = functools.partial(operator.mul, 2)",
    "class Box:\n    def __init__(self, x):\n        self._x = x\n    @property\n"
    "    def twice(self):\n        return 2 * self._x\ndef double(x):\n    return Box(x).twice",
    "import contextlib\n@contextlib.contextmanager\ndef quiet():\n"
    "    with contextlib.redirect_stdout(None):\n        yield\n"
    "def double(x):\n    with quiet():\n        return 2 * x",
    "import asyncio\nasync def slow(x):\n    await asyncio.sleep(0)\n    return 2 * x\n"
    "def double(x):\n    return asyncio.run(slow(x))",
    "from concurrent.futures import ThreadPoolExecutor\ndef double(x):\n"
    "    with ThreadPoolExecutor(2) as pool:\n        return pool.submit(lambda: 2 * x).result()",
    "class Meta(type):\n    def __call__(cls, x):\n        return x + x\n"
    "class double(metaclass=Meta):\n    pass",
    "class Tools:\n    def twice(self, x):\n        return 2 * x\n"
    "for name in ('twice',):\n    double = getattr(Tools(), name)",
    "import enum, warnings\nclass By(enum.IntEnum):\n    TWO = 2\ndef double(x):\n"
    "    warnings.warn('twice')\n    try:\n        return x.twice()\n"
    "    except AttributeError:\n        return x * By.TWO",
]
SHOUTS = [
    "def shout(words):\n    return [up for word in words if (up := word.upper()) or True]",
    "def shout(words):\n    def each():\n        for word in words:\n"
    "            yield word.upper()\n"
    "    return list(each())",
    "def shout(words):\n    return [words[0].upper()] + shout(words[1:]) if words else []",
    "from collections import deque\ndef shout(words):\n    found = deque()\n"
    "    while len(found) < len(words):\n        found.append(words[len(found)].upper())\n"
    "    return list(found)",
]


def test_right_answers_in_unusual_python_have_all_points_and_no_word(tmp_path):
    """In an assignment for which the code is read, too."""
    path = small.make(tmp_path).folder("source", assignment=NAME) / f"{NAME}.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    notebook["metadata"]["grading"] = {"without": ["utils", "world"]}
    path.write_text(json.dumps(notebook), "utf-8")
    course = courses.open_course(tmp_path)
    answers = {
        f"student-{number}": {"double": double, "shout": SHOUTS[number % len(SHOUTS)]}
        for number, double in enumerate(DOUBLES)
    }
    for student, answer in answers.items():
        small.submit(course, student, SOLUTION | answer)
    small.run(course, limits=small.frozen(cell_seconds=20, seconds=120))
    got = {one: (small.points(course, one), small.sentences(course, one)) for one in answers}
    assert got == dict.fromkeys(answers, (POINTS, []))
