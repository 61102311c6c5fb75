"""What is printed in columns becomes a table, and nothing else does."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.measure.rates import Rate, print_rates
from utils.text import columns

RATES = """\
                       correct            also new  passes
order 0        0.0% [0.0, 0.2]     0.0% [0.0, 0.2]     1.0
the language                    88.2% [86.8, 89.6]    12.0
n = 2,000"""


def rows(html):
    """Each row of a page's tables, its cells as (tag, text)."""
    cell = r"<(t[hd])[^>]*>(.*?)</t[hd]>"
    return [
        [
            (tag, unescape(text).replace("\N{NO-BREAK SPACE}", " "))
            for tag, text in re.findall(cell, row)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", html)
    ]


def test_a_table_of_rates_has_its_heads_its_cells_and_its_n():
    html = columns.html(RATES)
    assert rows(html) == [
        [("td", ""), ("th", "correct"), ("th", "also new"), ("th", "passes")],
        [("th", "order 0"), ("td", "0.0% [0.0, 0.2]"), ("td", "0.0% [0.0, 0.2]"), ("td", "1.0")],
        [("th", "the language"), ("td", ""), ("td", "88.2% [86.8, 89.6]"), ("td", "12.0")],
    ]
    assert html.count('scope="col"') == 3 and html.count('scope="row"') == 2
    assert "<pre>n = 2,000</pre>" in html


@pytest.mark.parametrize("cell", ["–", "± 10", "-0.3", "1,200", "3.6% to 3.7%"])
def test_a_column_of_numbers_is_set_to_the_right(cell):
    assert f"<td>{cell}</td>" in columns.html(f"one model    12.5\nanother      {cell}")


def test_a_cell_breaks_before_its_interval_and_not_within():
    assert "88.2% [86.8,\N{NO-BREAK SPACE}89.6]" in columns.html(RATES)


@pytest.mark.parametrize(
    "text",
    [
        "is 18 + 18 = 36 ? yes , because 18 + 18 = 36 .",
        "left alone: is 2 + 9 = 11 ? yes .\nforced:     is 2 + 9 = 11 ? no .",
        "one  gap in the first line,\nnone at all in the second",
        "gaps   here\nand there     too",
        "letters  by chance, in\nwhich two  gaps agree\nand a third  does not",
        "  an indented line\n  and another",
        "tensor([[  1,   2,  76, 142],\n        [127,  44,   2,   3]])",
        "",
        "\n\n",
    ],
)
def test_sentences_stay_sentences(text):
    assert not columns.has_table(text)
    assert "\n".join(columns.parts(text)) == text.strip("\n")


def test_a_line_with_single_spaces_belongs_to_the_table_if_its_cells_begin_where_the_others_do():
    text = "words alone:        0.90 nats\nfifteen words back: 0.07 nats\nall:                0.1"
    (table,) = columns.parts(text)
    assert table[1] == ["fifteen words back:", "0.07 nats"] and len(table) == 3


def test_a_line_that_only_stands_near_a_table_does_not():
    (table, line) = columns.parts(
        ". . . .     3 1 2 4\n1 3 4 .     1 3 4 2\n8 to 24 squares, in all"
    )
    assert len(table) == 2 and line == "8 to 24 squares, in all"


def test_what_is_aligned_within_a_cell_stays_as_it_was_printed():
    html = columns.html("verdict  8.3 █████\n,        1.9 █")
    assert html.count('class="ott-aligned"') == 2


def test_text_is_only_ever_text():
    assert "<script" not in columns.html("<script>  1\n<b>       2")


names = st.text("abcxyz0189.,()", min_size=1, max_size=12)


@given(
    st.lists(
        st.lists(names, min_size=3, max_size=3), min_size=1, max_size=5, unique_by=lambda r: r[0]
    )
)
def test_whatever_rates_are_printed_the_table_has_the_same_cells(table):
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "show", shown.append)
        print_rates({name: {"a head": one, "b head": other} for name, one, other in table})
    (found,) = columns.parts(shown[0])
    assert found == [["", "a head", "b head"], *table]


def test_in_a_terminal_the_text_itself_is_printed(capsys):
    print_rates({"one": Rate(1, 2), "another": Rate(2, 2)})
    assert capsys.readouterr().out.splitlines()[0].startswith("one      ")


def test_jupyterlab_gets_both_forms(monkeypatch):
    shown = []
    monkeypatch.setattr(columns, "publish", shown.append)
    columns.show(RATES)
    assert shown == [{"text/html": columns.html(RATES), "text/plain": RATES}]
