"""The bibliography: all entries, as Markdown that any reader of it can show."""

import pytest

from utils.page import bibliography

ENTRIES = """
@misc{second,
  author = {Zeta, Ada and {\\'E}tude, Bob},
  title = {The *rest* of {DNA}_1 [and more]},
  year = {2024},
  url = {https://example.org/a_b*c}
}
@article{first,
  author = {Alpha, Ada},
  title = {Words},
  journal = {Tables},
  volume = {2},
  pages = {1--3},
  year = {1951},
  doi = {10.1/x}
}
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "references.bib").write_text(ENTRIES, encoding="utf-8")
    (tmp_path / "book" / "bibliography.md").write_text("# Sources\n\nWords.\n\n", encoding="utf-8")
    return tmp_path


def test_the_entries_stand_below_the_words_in_order_of_their_authors(root):
    page = bibliography.page(root)
    words, _, entries = page.partition(bibliography.MARK)
    assert words == "# Sources\n\nWords.\n\n"
    assert entries.splitlines() == [
        "",
        "1. Ada Alpha. Words. *Tables*, 2:1–3, 1951. [doi:10.1/x](https://doi.org/10.1/x).",
        r"2. Ada Zeta and Bob Étude. The \*rest\* of DNA\_1 \[and more\]. 2024. "
        r"URL: [https://example.org/a\_b\*c](https://example.org/a_b*c).",
    ]


def test_it_is_written_anew_from_itself(root):
    page = bibliography.page(root)
    (root / "book" / "bibliography.md").write_text(page, encoding="utf-8")
    assert bibliography.page(root) == page


def test_the_site_has_its_own_list_in_the_same_place(root):
    (root / "book" / "bibliography.md").write_text(bibliography.page(root), encoding="utf-8")
    assert bibliography.site_page(root) == (
        "# Sources\n\nWords.\n\n```{bibliography}\n:all:\n```\n"
    )
