import pytest

from utils.experiments import yes_or_no
from utils.experiments.yes_or_no import Question, outcome, side


def test_questions_are_balanced_and_all_different():
    asked = yes_or_no.load()
    assert len(asked) >= 64 and len({q.text for q in asked}) == len(asked)
    kinds = {q.kind for q in asked}
    assert len(kinds) >= 4
    for kind in kinds:
        answers = [q.answer for q in asked if q.kind == kind]
        assert len(answers) >= 12 and answers.count("yes") == answers.count("no")


@pytest.mark.parametrize("q", yes_or_no.load(), ids=lambda q: q.text)
def test_each_question_fits_its_statements(q):
    assert q.text.endswith("?") and q.yes.endswith(".") and q.no.endswith(".")
    assert q.no.replace(" is not ", " is ") == q.yes != q.no
    assert q.true == (q.yes if q.answer == "yes" else q.no)
    asserted = set(q.yes.lower().strip(".").replace(",", "").split())
    assert asserted <= set(
        q.text.lower().replace("?", "").replace(".", "").replace(",", "").split()
    )
    assert side(q, q.yes) == "yes" and side(q, q.no) == "no"


def test_arithmetic_questions_are_answered_right():
    for q in yes_or_no.load():
        if q.kind == "arithmetic":
            a, b, c = (int(word) for word in q.text.strip("?").split() if word.isdigit())
            assert (a + b == c) == (q.answer == "yes")


@pytest.mark.parametrize("line", ["arithmetic | yes | Is 1 + 1 equal to 2?", "a|maybe|b|c|d|e|f"])
def test_a_broken_question_is_named(tmp_path, line):
    path = tmp_path / "questions.txt"
    path.write_text(f"# comment\n\n{line}\n")
    with pytest.raises(ValueError, match=r"questions\.txt, line 3"):
        yes_or_no.load(path)


SUM = Question("", "yes", "Is 1 + 1 equal to 2?", "", "", "2", "#")


SUN = Question("", "no", "Is the Sun a planet?", "", "", "sun planet; planet sun", "star")


SIZE = Question("", "yes", "Is an ox bigger than a cat?", "", "", "ox bigger cat", "cat bigger ox")


@pytest.mark.parametrize(
    "question, sentence, expected",
    [
        (SUM, "1 + 1 equals 2.", "yes"),
        (SUM, "1 + 1 is not equal to 2.", "no"),
        (SUM, "1 + 1 ≠ 2.", "no"),
        (SUM, "1 + 1 equals 3.", "no"),
        (SUM, "1 + 1 isn't 3.", "yes"),
        (SUM, "2 is less than 3.", ""),
        (SUM, "It is so.", ""),
        (SUN, "The Sun is a planet.", "yes"),
        (SUN, "The Sun is a star.", "no"),
        (SUN, "The Sun is a star and a planet.", ""),
        (SIZE, "An ox is bigger than a cat.", "yes"),
        (SIZE, "A cat is bigger than an ox.", "no"),
        (SIZE, "A cat is never bigger than an ox.", "yes"),
    ],
)
def test_the_side_of_a_sentence(question, sentence, expected):
    assert side(question, sentence) == expected


@pytest.mark.parametrize(
    "forced, text, expected",
    [
        ("no", " 1 + 1 is not equal to 2.", "defends"),
        ("no", " 1 + 1 is 2.", "contradicts"),
        ("no", " I like it. 1 + 1 is 2.", "contradicts"),
        ("no", " 1 + 1 is 2, but not because I say so.", "contradicts"),
        ("no", " it is not so: 1 + 1 is 3, not 2.", "defends"),
        ("no", " 1 + 1 is 3. I am sorry, it is 2.", "reverses"),
        ("no", " 1 + 1 is 2. Yes, it is.", "reverses"),
        ("yes", " the answer is no.", "reverses"),
        ("yes", " 1 + 1 is 2.", "defends"),
        ("yes", " I like numbers.", "other"),
        ("yes", "", "other"),
    ],
)
def test_outcomes(forced, text, expected):
    assert outcome(SUM, forced, text) == expected


def test_an_outcome_needs_a_verdict():
    with pytest.raises(ValueError, match="forced is 'Yes,'"):
        outcome(SUM, "Yes,", "")
