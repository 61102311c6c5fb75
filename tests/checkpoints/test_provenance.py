"""What a result was made by: a change that matters is told by name, and one that does not is not.

Most of it is shown on a small package of its own, `ours`, written anew with each change.
"""

import ast
import importlib
import itertools
import shutil
import subprocess
import sys
import tokenize
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.places import ROOT
from utils.checkpoints import provenance
from utils.checkpoints.provenance import changes
from utils.checkpoints.recipes import RECIPES

OURS = {
    "__init__.py": "",
    "rooms/__init__.py": "from ours.rooms.words import WORDS\n",
    "rooms/words.py": """
        WORDS = ["a", "b"]
        UNUSED = 1


        def unrelated():
            return UNUSED
        """,
    "tools.py": '''
        """Tools."""

        from math import sqrt

        from ours import constants

        RATE = 0.5


        def near(batch):
            """What it does."""
            return far(batch) * constants.SCALE  # a comment


        def far(batch):
            return sqrt(batch) + RATE


        def mended(batch, *, by):
            return [by, batch]
        ''',
    "constants.py": """
        SCALE = 2
        LOOSE = 3
        """,
    "models.py": """
        from ours.base import Base
        from ours.tools import near


        class Model(Base):
            def forward(self, batch):
                return self.step(batch)

            def step(self, batch):
                return near(batch)

            @property
            def size(self):
                return 1
        """,
    "base.py": """
        class Base:
            def again(self):
                return 1
        """,
    "recipes.py": """
        from ours import constants, tools
        from ours.models import Model
        from ours.rooms import WORDS


        def train(recipe):
            return Model().forward(recipe)


        def batches(world, *, keep=None):
            from ours.tools import mended

            return mended(WORDS, by=tools.RATE)


        def lesson(world):
            text = f"{world} of {constants.LOOSE:>{len(WORDS)}}"
            return text, 1, 2


        def loss(model):
            return -model


        nameless = lambda model: model  # noqa: E731
        """,
}


@pytest.fixture
def ours(tmp_path, monkeypatch):
    """Write the package with these (file, old, new) changes, and import its recipes."""
    folders = itertools.count()

    def write(*edits):
        files = {name: clean(text) for name, text in OURS.items()}
        for name, old, new in edits:
            assert files[name].count(old) == 1, (name, old)
            files[name] = files[name].replace(old, new)
        folder = tmp_path / str(next(folders))
        for name, text in files.items():
            path = folder / "ours" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr(provenance, "ROOT", folder / "ours")
        forget()
        return importlib.import_module("ours.recipes")

    def forget():
        read_anew()
        for name in [name for name in sys.modules if name.partition(".")[0] == "ours"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    yield write
    monkeypatch.undo()
    forget()


def read_anew():
    provenance._module.cache_clear()
    provenance._uses.cache_clear()


def clean(text):
    """A text as it would stand in a file of its own."""
    lines = text.strip("\n").splitlines()
    return "".join(f"{line.removeprefix(' ' * 8)}\n" for line in lines)


def made_by(recipes):
    """All that the tests below change is reached from here; `tools.far`, say, over three calls."""
    batches = partial(recipes.batches, keep=recipes.lesson)
    return provenance.provenance({"train": recipes.train, "batches": batches, "steps": 100})


# -- what is noticed, by name --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "names"),
    [
        ("tools.py", "sqrt(batch) + RATE", "sqrt(batch) - RATE", "tools.far"),
        ("tools.py", "RATE = 0.5", "RATE = 0.25", "tools.RATE"),
        ("constants.py", "SCALE = 2", "SCALE = 3", "constants.SCALE"),
        ("rooms/words.py", '["a", "b"]', '["a", "c"]', "rooms.words.WORDS"),
        ("tools.py", "return [by, batch]", "return [batch, by]", "tools.mended"),
        ("models.py", "return self.step(batch)", "return near(batch)", "models.Model"),
        ("models.py", "    @property\n", "", "models.Model"),
        ("base.py", "return 1", "return 2", "base.Base"),
        ("recipes.py", "world, *, keep=None", "world, *, keep=1", "recipes.batches"),
        ("recipes.py", '"{world} of', '"{world} off', "recipes.lesson"),
        ("recipes.py", "LOOSE:>", "LOOSE:<", "recipes.lesson"),
        ("recipes.py", "return text, 1, 2", "return text, 2, 1", "recipes.lesson"),
        (
            "recipes.py",
            "Model().forward(recipe)",
            "tools.far(recipe)",
            "base.Base constants.SCALE models.Model recipes.train tools.near",
        ),
    ],
)
def test_a_change_is_told_by_name(ours, file, old, new, names):
    before = made_by(ours())
    expected = [f"ours.{name}" for name in names.split()]
    assert changes(before, made_by(ours((file, old, new)))) == expected


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("rooms/words.py", "UNUSED = 1", "UNUSED = 2"),
        ("rooms/words.py", "    return UNUSED", "    return None"),
        ("recipes.py", "    return -model", "    return model"),
        ("tools.py", "  # a comment", ""),
        ("tools.py", "  # a comment", "  # another comment, and a longer one"),
        ("tools.py", '"""What it does."""', '"""It does something\n\n    else."""'),
        ("tools.py", '    """What it does."""\n', ""),
        ("tools.py", '"""Tools."""', '"""Other tools."""'),
        ("tools.py", "RATE = 0.5\n", "\n\n# The rate.\nRATE = 0.5  # of change\n"),
        ("tools.py", "def near(batch):", "def near(\n    batch,\n):"),
        ("tools.py", "return [by, batch]", "return [\n        by,\n        batch,\n    ]"),
        ("models.py", "    def step", "\n    # Next.\n\n    def step"),
    ],
)
def test_what_is_not_reached_and_what_only_looks_different_is_not(ours, file, old, new):
    assert changes(made_by(ours()), made_by(ours((file, old, new)))) == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"steps": 101}, ["steps"]),
        ({"steps": 100.0}, ["steps"]),
        ({"more": [1, {"x": True}]}, ["more.0", "more.1.x"]),
        ({"share": 0.4}, ["batches().0.share"]),
        (
            {"keep": "loss"},
            [
                "batches().0.keep",
                "ours.constants.LOOSE",
                "ours.recipes.lesson",
                "ours.recipes.loss",
            ],
        ),
        ({"keep": None}, ["batches().0.keep", "ours.constants.LOOSE", "ours.recipes.lesson"]),
    ],
)
def test_a_changed_value_is_told_by_its_place(ours, change, names):
    recipes = ours()

    def described(*, steps=100, keep="lesson", share=0.5, **more):
        keep = keep and getattr(recipes, keep)
        batches = partial(recipes.batches, share=share, keep=keep)
        return provenance.provenance({"batches": batches, "steps": steps} | more)

    assert changes(described(), described(**change)) == names


def test_what_has_no_name_is_refused(ours):
    recipes = ours()
    for nameless in (recipes.nameless, lambda model: model, made_by_hand()):
        with pytest.raises(
            TypeError, match=r"loss\(\)\.keep is .*<l.*; give a function that has a"
        ):
            provenance.provenance({"loss()": {"keep": nameless}})
    with pytest.raises(TypeError, match="give a function that has a name"):
        provenance.provenance({"loss": recipes.Model.step})  # it would be sought as a module's own


def test_what_only_an_address_tells_apart_is_refused():
    """The repr of such an object is another one in each process."""
    with pytest.raises(TypeError, match=r"world is <object object.*give plain values"):
        provenance.provenance({"world": object()})


def test_a_function_whose_results_are_kept_is_read_all_the_same():
    """The King James Bible is made ready once; what it is made ready by counts."""
    found = RECIPES["kjv-ar"].made_by(None)
    assert found["world"] == "utils.checkpoints.recipes.kjv.king_james"
    assert {"utils.text.corpus.split", "utils.text.tokenizer.byte_pair_tokenizer"} <= set(found)


def made_by_hand():
    def inner():
        pass

    return inner


def test_code_of_others_is_told_by_its_name_alone(ours):
    ours()
    assert provenance.provenance({"loss": shutil.copy}) == {"loss": "shutil.copy"}


# -- f-strings -----------------------------------------------------------------------------------

# The tokens of `x = f"{a:>{w}} é" f'{b}'  # c` as Python 3.12 and newer cut them up.
CUT_UP = [
    ("NAME", "x", 0),
    ("OP", "=", 2),
    ("FSTRING_START", 'f"', 4),
    ("OP", "{", 6),
    ("NAME", "a", 7),
    ("OP", ":", 8),
    ("FSTRING_MIDDLE", ">", 9),
    ("OP", "{", 10),
    ("NAME", "w", 11),
    ("OP", "}", 12),
    ("OP", "}", 13),
    ("FSTRING_MIDDLE", " é", 14),
    ("FSTRING_END", '"', 16),
    ("FSTRING_START", "f'", 18),
    ("OP", "{", 20),
    ("NAME", "b", 21),
    ("OP", "}", 22),
    ("FSTRING_END", "'", 23),
    ("COMMENT", "# c", 26),
    ("NEWLINE", "\n", 29),
]
LINE = "x = f\"{a:>{w}} é\" f'{b}'  # c\n"


def test_an_f_string_is_one_word_in_every_python(monkeypatch):
    kinds = {name: 1000 + i for i, name in enumerate(dict.fromkeys(k for k, _, _ in CUT_UP))}
    tokens = [
        tokenize.TokenInfo(kinds[kind], text, (1, at), (1, at + len(text)), LINE)
        for kind, text, at in CUT_UP
    ]
    whole = ["x", "=", 'f"{a:>{w}} é"', "f'{b}'"]
    assert [text for text, _ in provenance._words([LINE])] == whole  # in this Python
    monkeypatch.setattr(tokenize, "generate_tokens", lambda readline: iter(tokens))
    monkeypatch.setattr(tokenize, "tok_name", {number: kind for kind, number in kinds.items()})
    monkeypatch.setattr(provenance, "LAYOUT", {kinds["COMMENT"], kinds["NEWLINE"]})
    assert list(provenance._words([LINE])) == list(
        zip(whole, [(1, 0), (1, 2), (1, 4), (1, 18)], strict=True)
    )


def test_f_strings_within_f_strings_and_over_lines_stay_whole(ours):
    nested = "f'''{world} {f\"{LOOSE} {{x}}\"}\n    of  {world!r}'''"
    before = made_by(ours(("recipes.py", 'f"{world} of {constants.LOOSE:>{len(WORDS)}}"', nested)))
    wider = nested.replace("of  ", "of ")  # inside a string, spaces are no layout
    after = made_by(ours(("recipes.py", 'f"{world} of {constants.LOOSE:>{len(WORDS)}}"', wider)))
    assert changes(before, after) == ["ours.recipes.lesson"]


PRINT_ALL = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("provenance", sys.argv[1])
provenance = importlib.util.module_from_spec(spec)
spec.loader.exec_module(provenance)
for path in sorted(pathlib.Path(sys.argv[2]).rglob("*.py")):
    source = path.read_text("utf-8")
    for node in provenance.ast.parse(source).body:
        print(path.name, node.lineno, provenance._fingerprint(source, node))
"""


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_fingerprints_are_the_same_in_other_pythons(version):
    """Of every piece of the library, where such a Python is installed: it needs no package."""
    other = shutil.which(f"python{version}")
    if other is None or subprocess.run([other, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"there is no python{version} on this machine")
    found = [
        subprocess.run(
            [python, "-c", PRINT_ALL, provenance.__file__, ROOT / "utils"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for python in (sys.executable, other)
    ]
    assert found[0] == found[1] and found[0].count("\n") > 200


# -- the book's own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def before():
    return {name: recipe.made_by(None) for name, recipe in RECIPES.items()}


@pytest.fixture
def edited(monkeypatch, tmp_path):
    """Let a module of the library read otherwise, as if somebody had edited its file."""
    real = importlib.util.find_spec

    def edit(module, old, new):
        source = Path(real(module).origin).read_text("utf-8")
        assert source.count(old) == 1, (module, old)
        path = tmp_path / "edited.py"
        path.write_text(source.replace(old, new), encoding="utf-8")
        spec = SimpleNamespace(origin=path)
        monkeypatch.setattr(importlib.util, "find_spec", lambda n: spec if n == module else real(n))
        read_anew()

    yield edit
    monkeypatch.undo()
    read_anew()


@pytest.mark.parametrize(
    ("module", "old", "new", "name", "recipes"),
    [
        ("worlds.gap", '"doctor", "doctors")', '"doctor", "boys")', "GAP", "sentences-gap"),
        ("worlds.pets", "1 old", "2 old", "PETS", "pets-diffusion pets-ar"),
        ("worlds.mistakes", '== world.vocab.id("<undo>")', "== 0", "taken_back", "verdicts-undo"),
        (
            "training.batches",
            "[:, : longest + 1]",
            "",
            "sentence_batches",
            "sentences-ar sentences-gap sentences-slips sentences-twin sentences-bare "
            "sentences-one-layer",
        ),
        (
            "training.losses",
            "NO_TARGET = -100",
            "NO_TARGET = -1",
            "NO_TARGET",
            "verdicts-undo verdicts-corrected verdicts-edit sentences-slips squares-ar "
            "squares-canvas pairs-middle pairs-middle-long tangle-middle tangle-middle-long "
            "tangle-ten-middle graphs-forward graphs-long graphs-backward graphs-several "
            "graphs-forward-two graphs-forward-four graphs-forward-five "
            "graphs-backward-two graphs-backward-four graphs-several-two "
            "graphs-several-four graphs-several-long graphs-first-head-long graphs-backward-five "
            "graphs-several-five graphs-forward-four-long graphs-backward-four-long "
            "graphs-several-four-long",
        ),
    ],
)
def test_an_edit_is_noticed_by_the_recipes_it_concerns(
    before, edited, module, old, new, name, recipes
):
    edited(f"utils.{module}", old, new)
    found = {each: changes(before[each], RECIPES[each].made_by(None)) for each in RECIPES}
    concerned = {each: names for each, names in found.items() if names}
    assert concerned == {each: [f"utils.{module}.{name}"] for each in recipes.split()}


def test_two_lessons_swapped_are_noticed():
    undo, corrected = RECIPES["verdicts-undo"], RECIPES["verdicts-corrected"]
    names = changes(undo.made_by("a"), replace(undo, batches=corrected.batches).made_by("a"))
    assert "batches().0.edit" in names and "utils.worlds.mistakes.with_undo" in names
    names = changes(undo.made_by("a"), replace(undo, loss=corrected.loss).made_by("a"))
    assert "loss().0.slips" in names and "utils.worlds.mistakes.begun_wrong" in names


def test_no_two_recipes_are_made_by_the_same(before):
    """Else one could take the place of the other without notice."""
    made = [frozenset(pieces.items()) for pieces in before.values()]
    assert len(set(made)) == len(made)


def test_nothing_that_a_recipe_reaches_is_defined_twice(before):
    """Of two definitions of a name in one module only the last would be read."""
    names = {name for pieces in before.values() for name in pieces}
    modules = {name.rpartition(".")[0] for name in names if name.startswith("utils.")}
    assert len(modules) > 10
    for module in modules:
        body = ast.parse(Path(importlib.util.find_spec(module).origin).read_text("utf-8")).body
        found = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        for node in body:
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                found += [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        assert len(set(found)) == len(found), module
