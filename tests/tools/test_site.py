"""tools/site.py on the command line; the site itself is tested in tests/book."""

import contextlib
import html
import re
import shlex
import subprocess
import sys
import types

import pytest

from tests.disks import filling_up, killed_at
from tests.places import ROOT
from tools import site


@pytest.mark.parametrize(("given", "code"), [(["build", "--help"], 0), (["biuld"], 2), ([], 2)])
def test_what_is_asked_wrongly_builds_nothing(tmp_path, given, code):
    command = [sys.executable, ROOT / "tools" / "site.py", *given]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == code
    assert "build" in ended.stdout + ended.stderr
    assert not list(tmp_path.iterdir())


# -- what is there when something goes wrong ---------------------------------------------------


@pytest.fixture
def rendered(tmp_path, monkeypatch):
    """`rendered(**pages)` builds a site of these pages, as `make` does."""

    def build(failed=0, **pages):
        def build_sphinx(source, out, **how):
            out.mkdir(parents=True)
            for name, text in pages.items():
                (out / f"{name}.html").write_text(text)
            return failed

        fake = types.SimpleNamespace(build_sphinx=build_sphinx)
        monkeypatch.setitem(sys.modules, "jupyter_book.sphinx", fake)
        site.main()

    monkeypatch.setattr(sys, "argv", ["site.py", "build", str(tmp_path)])
    return build


def there(folder):
    return {path.name for path in (folder / "_build" / "html").iterdir()}


def test_a_site_replaces_the_one_before_as_a_whole(rendered, tmp_path):
    rendered(a="1", b="1")
    rendered(b="2", c="2")
    assert there(tmp_path) == {"b.html", "c.html", "index.html"}
    assert [path.name for path in (tmp_path / "_build").iterdir()] == ["html"]


@pytest.mark.parametrize("what", ["a warning", "a full disk"])
def test_a_site_that_is_not_finished_leaves_the_one_before(rendered, tmp_path, capsys, what):
    rendered(a="1")
    failing = filling_up(100) if what == "a full disk" else contextlib.nullcontext()
    with failing, pytest.raises(SystemExit, match=r"^The site was not finished: "):
        rendered(failed=int(what == "a warning"), b="2")
    assert "Rendering the site" in capsys.readouterr().out  # a full disk takes no captured file
    assert there(tmp_path) == {"a.html", "index.html"}
    rendered(b="2")
    assert there(tmp_path) == {"b.html", "index.html"}


def test_killed_it_leaves_the_one_before(rendered, tmp_path):
    rendered(a="1")
    killed_at("rename", lambda: rendered(b="2"))
    assert there(tmp_path) == {"a.html", "index.html"}
    rendered(b="2")
    assert there(tmp_path) == {"b.html", "index.html"}
    assert [path.name for path in (tmp_path / "_build").iterdir()] == ["html"]


def test_killed_between_two_names_it_has_the_one_before_when_it_is_next_asked(rendered, tmp_path):
    rendered(a="1")
    (tmp_path / "_build" / "html").rename(tmp_path / "_build" / "html.old")
    (tmp_path / "_build" / "html.new").mkdir()
    with pytest.raises(SystemExit, match=r"^The site was not finished"):
        rendered(failed=1, b="2")
    assert there(tmp_path) == {"a.html", "index.html"}
    rendered(b="2")
    assert there(tmp_path) == {"b.html", "index.html"}


# -- what it is given --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("", ""),
        (" https://example.org ", "https://example.org/"),
        ("http://a.org:8000/b/c/", "http://a.org:8000/b/c/"),
        ("http://[::1]/b", "http://[::1]/b/"),
    ],
)
def test_an_address_ends_in_a_slash(monkeypatch, given, base):
    monkeypatch.setenv("BASE", given)
    assert site.base_address() == base


@pytest.mark.parametrize(
    "given",
    ["example.org", "https://", "https:///x", "http://a b", "http://a/?x", "http://a/#x", "//a"],
)
def test_what_is_no_address_is_said_to_be_none(monkeypatch, given):
    monkeypatch.setenv("BASE", given)
    with pytest.raises(SystemExit, match="give the site's whole address, such as https://"):
        site.base_address()


def test_a_branch_of_any_name_is_in_addresses_and_commands(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    import run_yourself

    monkeypatch.setenv("REPO", "https://github.com/someone/a-book")
    monkeypatch.setenv("BRANCH", "new/50% #1 & 'more'")
    box = run_yourself.box("chapters/00_start_here", ROOT)
    assert "/a-book/new%2F50%25%20%231%20%26%20%27more%27?urlpath=" in box
    assert "/blob/new/50%25%20%231%20%26%20%27more%27/chapters/00_start_here.ipynb" in box
    (command,) = re.findall(r"!(git clone .*)", html.unescape(box))
    assert shlex.split(command)[-3:-1] == [
        "new/50% #1 & 'more'",
        "https://github.com/someone/a-book",
    ]
