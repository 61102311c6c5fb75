"""Formulas as TeX would set them, where the converter alone does not."""

import sys

import pytest

from tests.places import ROOT

ROOM = '<mspace width="0.1667em"></mspace>'


@pytest.fixture(scope="module")
def setting():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "book" / "_ext")
        yield __import__("set_mathematics")
        del sys.modules["set_mathematics"]


@pytest.mark.parametrize(
    "tex, rooms",
    [
        (r"-\log_2 p", 1),
        (r"p(x) \log q(x)", 2),
        (r"\log\frac{p}{q}", 1),
        (r"\sum_i \log p_i", 1),
        (r"\log(x)", 0),
        (r"\log\left(x\right)", 0),
    ],
)
def test_a_function_stands_apart_from_what_it_is_of(setting, tex, rooms):
    assert setting.mathml(tex).count(ROOM) == rooms


def test_what_is_said_of_a_brace_stands_under_it(setting):
    set_ = "".join(setting.mathml(r"\underbrace{\frac{n}{2}}_{\text{half}} + a_1").split())
    assert "<mo>⏟</mo></munder><mtext>half</mtext></munder>" in set_
    assert "<msub><mi>a</mi><mn>1</mn></msub>" in set_


def test_double_bars_do_not_grow(setting):
    assert '<mo stretchy="false">‖</mo>' in setting.mathml(r"(p\,\|\,q) = \frac{a}{b}")


def test_the_font_has_the_sign_that_a_root_is_drawn_with(setting):
    assert ord("√") in setting.characters([setting.mathml(r"\sqrt{d}")])
    assert ord("√") not in setting.characters([setting.mathml("d")])
