"""The five assignments: the solution gets all, the release nothing, a mistake costs its price."""

import concurrent.futures
import os
import shutil

import nbformat
import pytest

from tests.grading import small_course as small
from tests.grading.assignments import harness, variants
from tests.grading.assignments.cheats import CHEATS
from tests.places import ROOT
from tools.grading import course as courses
from tools.grading import release, sandbox

NAMES = sorted(path.name for path in (ROOT / "assignments" / "source").iterdir())
VARIANTS = {name: list(variants(name).values()) for name in NAMES}
EACH = [
    pytest.param(name, variant, id=f"{name}: {variant.name}")
    for name in NAMES
    for variant in VARIANTS[name]
]


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The book's own course, copied to where grading may leave things."""
    folder = tmp_path_factory.mktemp("book")
    shutil.copytree(ROOT / "assignments" / "source", folder / "source")
    shutil.copy(ROOT / "assignments" / "nbgrader_config.py", folder)
    return courses.open_course(folder)


@pytest.fixture(scope="module")
def examined(course, request):
    """{assignment: {what was handed in: harness.Examined}} of those that any test of this run
    wants to see, two assignments at a time."""
    tests = [one for one in request.session.items if "examined" in getattr(one, "fixturenames", ())]
    names = sorted({one.callspec.params["name"] for one in tests})
    templates = {name: courses.template(course, name) for name in names}

    def examine(name):
        template = templates[name]
        solution = harness.solved(template)
        cells = {variant.name: variant.cells for variant in VARIANTS[name]}
        cells |= {cheat: replaced for cheat, (replaced, _) in CHEATS.get(name, {}).items()}
        answers = [{}, *({**solution, **one} for one in cells.values())]
        titles = ["the solution", "the release", *cells]
        return dict(zip(titles, harness.examine(template, answers), strict=True))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(examine, names), strict=True))


def prices(course, name):
    """{test: points}."""
    return {
        courses.marks(cell)["grade_id"]: courses.marks(cell)["points"]
        for cell in courses.template(course, name).notebook.cells
        if courses.marks(cell).get("grade") and not courses.marks(cell)["solution"]
    }


def lost(course, name, result):
    """{test: points} that did not pass."""
    price = prices(course, name)
    return {test: price[test] for test, said in result.verdicts.items() if said != "passed"}


def test_there_is_one_for_each_of_the_first_five_chapters():
    chapters = sorted(path.stem for path in (ROOT / "chapters").glob("0[1-5]*.ipynb"))
    assert NAMES[: len(chapters)] == chapters and len(NAMES) == 5


@pytest.mark.parametrize("name", NAMES)
def test_the_source_is_valid(course, name):
    template = courses.template(course, name)
    cells = [(courses.marks(cell), cell) for cell in template.notebook.cells]
    assert all(mark["schema_version"] == 3 for mark, _ in cells if mark)
    written = [mark for mark, cell in cells if mark.get("solution") and mark.get("grade")]
    tests = [cell for mark, cell in cells if mark.get("grade") and not mark["solution"]]
    assert written and len(tests) >= 5
    hidden = [cell for cell in tests if "BEGIN HIDDEN TESTS" in cell.source]
    shown = [
        cell for cell in tests if "assert" in template.released[courses.marks(cell)["grade_id"]]
    ]
    assert hidden and shown
    source = nbformat.read(course.folder("source", assignment=name) / f"{name}.ipynb", 4)
    assert not any(cell.get("outputs") for cell in source.cells)


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_gets_all(course, examined, name):
    result = examined[name]["the solution"]
    assert set(result.verdicts) == set(prices(course, name))
    assert lost(course, name, result) == {} and result.errors == {}
    assert result.findings == []


@pytest.mark.parametrize("name", NAMES)
def test_the_release_gets_nothing(course, examined, name):
    assert lost(course, name, examined[name]["the release"]) == prices(course, name)


@pytest.mark.parametrize("name", NAMES)
def test_there_are_enough_ways_to_be_wrong(name):
    wrong = [variant.wrong for variant in VARIANTS[name]]
    assert wrong.count(True) >= 40 and wrong.count(False) >= 4


@pytest.mark.parametrize("name, variant", EACH)
def test_a_variant_loses_what_it_should(course, examined, name, variant):
    result = examined[name][variant.name]
    assert variant.loses <= set(prices(course, name))
    found = set(lost(course, name, result))
    assert found == variant.loses, {test: result.errors.get(test) for test in found}
    told = {f"uses `{variant.told}`"} if variant.told else set()
    in_place = "which changes in place what it is given"
    findings = [one for one in result.findings if not (variant.loses and in_place in one)]
    assert {one.partition(",")[0] for one in findings} == told


@pytest.mark.parametrize(
    "name, cheat", [(name, one) for name in NAMES for one in CHEATS.get(name, ())]
)
def test_a_cheat_gains_nothing(course, examined, name, cheat):
    assert CHEATS[name][cheat][1] <= set(lost(course, name, examined[name][cheat]))


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_way_gives_the_same(course, name):
    """Rebuilt, sandboxed, stored by nbgrader: for the solution and one that is wrong."""
    reason = sandbox.unavailable()
    if reason:
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    template = courses.template(course, name)
    solution, wrong = harness.solved(template), next(v for v in VARIANTS[name] if v.loses)
    small.submit(course, "alice", solution, name=name)
    small.submit(course, "bob", {**solution, **wrong.cells}, name=name)
    assert small.run(course, only=name, limits=sandbox.Limits()) == 0
    price = prices(course, name)
    points = {key: small.points(course, who, name) for key, who in (("a", "alice"), ("b", "bob"))}
    assert points["a"] == price
    assert points["b"] == price | dict.fromkeys(wrong.loses, 0)
    for student in ("alice", "bob"):
        assert small.card(course, student, name).decisions == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_released_shows_no_secret(course, name):
    (path,) = release.release(course, name)  # raises when it would
    assert path.stat().st_size < 5_000_000
