import json
import math

import pytest
import torch

from utils.experiments import reversal
from utils.experiments.reversal import checked_pairs, evaluate, load

PAIRS = [("שלום", "peace"), ("你好", "hello!"), ("да", "yes"), ("e\u0301", "é 🙂")]


@pytest.mark.slow
@pytest.mark.parametrize("objective,reverse", [("ar", 0.0), ("diffusion", 1.0)])
def test_pairs_in_any_script_are_learned_and_training_stops_when_they_are(objective, reverse):
    report = evaluate(PAIRS, objective=objective, steps=100_000, seed=1)
    assert report.forward == 1.0 and report.n == 4 and report.steps <= 500
    assert report.reverse == reverse


def test_a_blank_may_be_one_whole_text_beside_the_other():
    told, shown = reversal._Told([("abcdefghi", "klmnopqrs")] * 4000), []

    def model(tokens):
        shown.append(tokens)
        return torch.zeros(*tokens.shape, told.vocab_size)

    loss = reversal._blanks(model, told.rows, told, torch.Generator().manual_seed(0))
    assert float(loss) == pytest.approx(math.log(told.vocab_size - 1), abs=1e-4)
    hidden = shown[0] == reversal.MASK
    first, second = hidden[:, 1:11].sum(1), hidden[:, 12:].sum(1)
    assert not hidden[:, [0, 11]].any()
    asked = 0.75  # of the rows ask for one whole text; in the others each number of blanks is as
    for k in range(11):  # likely, in either text, whatever the other's
        share = (1 - asked) / 11 + (asked / 2 if k in (0, 10) else 0)
        assert float((first == k).double().mean()) == pytest.approx(share, abs=0.03)
    for alone in ((first == 0) & (second == 10), (first == 10) & (second == 0)):
        share = asked / 2 + (1 - asked) / 121
        assert float(alone.double().mean()) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    "pairs,why",
    [
        ([], "there are no pairs"),
        ([("a", "b"), ("a", "c")], "record 2: first is the same as in record 1"),
        ([("a", "b"), ("c", "b")], "record 2: second is the same as in record 1"),
        ([("a", "")], "record 1: second is ''"),
        ([("a", " ")], "record 1: second is ' '"),
        ([("a", 3)], "record 1: second is 3"),
        (["ab"], "record 1 is 'ab'"),
        ([("a" * 201, "b")], "record 1: first has 201 characters"),
        ([("a", "\ud800")], "record 1: second holds half a character"),
    ],
)
def test_what_cannot_be_learned_is_named(pairs, why):
    with pytest.raises(ValueError) as error:
        checked_pairs(pairs)
    assert str(error.value).startswith(why)


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="choose 'ar' or 'diffusion'"):
        evaluate(PAIRS, objective="gan")


@pytest.mark.parametrize(
    "text,why",
    [
        ("", "is no JSON in UTF-8"),
        ("{}", "must be a list"),
        ("[]", "there are no pairs"),
        ("[1]", 'record 1 has no "first" and "second"'),
        ('[{"first": "a"}]', 'record 1 has no "first" and "second"'),
        ('[{"first": "a", "second": "b"}, {"first": null, "second": "c"}]', "record 2: first is"),
        ('[{"first": "a", "second": "\\ud800"}]', "record 1: second holds half"),
    ],
)
def test_a_file_that_will_not_do(tmp_path, text, why, capsys):
    path = tmp_path / "pairs.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=why):
        load(path)
    assert reversal.main([str(path)]) == 1
    assert why in capsys.readouterr().err


@pytest.mark.slow
def test_a_file_with_a_byte_order_mark_from_the_command_line(tmp_path, capsys):
    path = tmp_path / "pairs.json"
    records = [{"first": first, "second": second} for first, second in PAIRS]
    path.write_text(json.dumps(records), "utf-8-sig")
    assert load(path) == PAIRS
    assert reversal.main([str(path), "--seconds", "3"]) == 0
    table = capsys.readouterr().out
    assert "causal" in table and "denoiser" in table and "n = 4" in table
