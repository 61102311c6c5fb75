import math
from dataclasses import dataclass

import pytest
import torch

from utils.experiments import scarce_kjv
from utils.experiments.scarce import Arm
from utils.experiments.scarce_kjv import ASKED, LENGTH, Moment, Reading
from utils.measure.likelihood import exact
from utils.models.transformer import Transformer, TransformerConfig

PIECES = torch.randint(20, (50_000,), generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Pieces:
    """A text of 20 pieces, each of which is one character."""

    tokens = PIECES
    mask_id = 20
    tokenizer = type("Letters", (), {"decode": staticmethod(lambda row: "x" * len(row))})


ROWS = PIECES[:96].view(3, LENGTH)


def test_slices_share_no_piece_and_what_is_kept_out_is_not_read():
    places = torch.arange(1_184_911)
    seen = []
    for seed in (0, 1, 49):
        read, kept_out = scarce_kjv.slice_of(places, seed)
        seen += [*read.flatten().tolist(), *kept_out.flatten().tolist()]
        assert kept_out.shape[1] == LENGTH
        size = read.numel() + kept_out.numel()
        assert len(places) / 52 < size <= len(places) / 50
        assert 0.17 < kept_out.numel() / size < 0.22
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("kind", ["causal", "diffusion"])
def test_a_training_is_measured_at_each_moment_and_stopped_by_its_windows(kind):
    (found,) = scarce_kjv.learn(Pieces, ROWS, [Arm(kind)], (0,), steps=12)
    assert [each.step for each in found.moments][-1] == 12
    assert found.chosen.stopping == min(each.stopping for each in found.moments)
    assert len(found.left) == len(ROWS)
    nats = -sum(found.left) / math.log(2) / (len(ROWS) * ASKED)
    assert nats == pytest.approx(found.chosen.bits, abs=1e-5)
    assert (found.orders is None) == (kind == "causal")


def test_of_a_denoiser_all_is_listed_exactly():
    config = TransformerConfig(21, d_model=8, n_heads=1, max_len=LENGTH, causal=False)
    model = Transformer(config, seed=3).eval()
    found = scarce_kjv.listed(Pieces, model, ROWS)
    for name, order in (("left", "left-to-right"), ("orders", "random")):
        alone = exact(model, ROWS, 20, order=order, given=LENGTH - ASKED)
        assert torch.allclose(torch.tensor(found[name]).float(), alone.float(), atol=1e-4)
    assert all(b <= o for b, o in zip(found["bound"], found["orders"], strict=True))


def reading(seed, stopping, left, orders=None, kind="causal"):
    moments = (Moment(1, 1.0, stopping, 0.0), Moment(2, 2.0, stopping + 1, 0.0))
    return Reading(Arm(kind), seed, moments, left, orders)


def test_windows_that_were_kept_out_choose_the_arm_of_each_seed():
    worse, better = reading(0, 3.0, (0.0,)), reading(0, 2.0, (1.0,))
    other = reading(1, 5.0, (2.0,))
    denoiser = reading(0, 1.0, (0.0,), (0.0,), "diffusion")
    found = scarce_kjv.chosen([worse, better, other, denoiser], "causal")
    assert found == [better, other]


def test_excess_is_in_bits_for_each_character_and_positive_where_the_denoiser_takes_more():
    causal = [reading(0, 1.0, (-2.0, -4.0))]
    denoiser = [reading(0, 1.0, (-9.0, -9.0), (-3.0, -7.0), "diffusion")]
    value, (low, high) = scarce_kjv.excess(denoiser, causal, [10, 20])
    assert value == pytest.approx(4 / math.log(2) / 30)
    assert low <= value + 1e-9 and value <= high + 1e-9
    assert scarce_kjv.excess(denoiser, causal, [10, 20], "left")[0] > value
