import pytest
import torch

from tests.small_models import lively, tokens
from tests.verdicts import WORLD, small
from utils.models.multi_token import MultiToken
from utils.models.transformer import TransformerConfig
from utils.training.losses import (
    answer_loss,
    loss_without,
    multi_token_loss,
    next_token_loss,
)
from utils.worlds import Totals
from utils.worlds.mistakes import taken_back, with_undo


def test_a_slip_is_no_target():
    model, rows = small(), WORLD.sample(40, seed=0)
    undone = with_undo(WORLD, rows, torch.Generator().manual_seed(0))
    log_probs = model(undone[:, :-1]).log_softmax(-1).gather(-1, undone[:, 1:, None])[..., 0]
    slips = torch.zeros_like(log_probs, dtype=torch.bool)
    slips[:, :-1] = undone[:, 2:] == WORLD.vocab.id("<undo>")
    assert int(slips.sum()) == 40
    loss = loss_without(model, undone, taken_back(WORLD, undone))
    assert loss.item() == pytest.approx(-log_probs[~slips].mean().item(), rel=1e-5)
    every = loss_without(model, rows, torch.zeros_like(rows, dtype=torch.bool))
    assert every.item() == pytest.approx(next_token_loss(model, rows).item(), rel=1e-5)


def test_next_token_loss_is_the_mean_surprise():
    model, text = lively(TransformerConfig(10, d_model=16, n_layers=1, n_heads=2)), tokens(3, 8, 10)
    log_probs = model(text).log_softmax(-1)
    surprises = [-log_probs[b, t - 1, text[b, t]] for b in range(3) for t in range(1, 8)]
    assert torch.allclose(next_token_loss(model, text), torch.stack(surprises).mean())


def test_a_slip_at_the_first_token_changes_nothing():
    """It has nothing before it, so it is no target anyway."""
    model, rows = small(), WORLD.sample(5, seed=0)
    first = torch.zeros_like(rows, dtype=torch.bool)
    first[:, 0] = True
    assert torch.equal(loss_without(model, rows, first), next_token_loss(model, rows))


def test_of_totals_only_the_answers_are_learned():
    model = lively(TransformerConfig(11, d_model=16, n_layers=1, n_heads=2))
    rows = Totals(4).sample(3, seed=0)
    log_probs = model(rows).log_softmax(-1)
    surprises = [-log_probs[b, t - 1, rows[b, t]] for b in range(3) for t in (2, 4, 6, 8)]
    assert torch.allclose(answer_loss(model, rows), torch.stack(surprises).mean())


def test_of_several_tokens_at_once_each_head_has_its_own_target():
    """The sum of the heads' mean losses, of those targets alone that are to be learned."""
    shape = {"d_model": 16, "n_layers": 4, "n_heads": 2, "max_len": 16}
    model = MultiToken(lively(TransformerConfig(10, **shape)), 3)
    rows, given = tokens(3, 9, 10), torch.zeros(3, 9, dtype=torch.bool)
    given[:, :6] = True  # the last three tokens are the targets
    log_probs = model(rows).log_softmax(-1)
    loss = sum(
        -torch.stack([log_probs[b, t - 1 - i, i, rows[b, t]] for b in range(3) for t in (6, 7, 8)])
        .mean()
        .item()
        for i in range(3)
    )
    assert multi_token_loss(model, rows, given).item() == pytest.approx(loss, rel=1e-5)
    one = MultiToken(model.model, 1)
    assert torch.allclose(
        multi_token_loss(one, rows, given), loss_without(model.model, rows, given)
    )


def test_of_slips_alone_there_is_nothing_to_learn():
    rows = tokens(2, 5)
    slips = torch.ones_like(rows, dtype=torch.bool)
    slips[:, 0] = False  # the first token has nothing before it, and is no target
    heads = MultiToken(lively(TransformerConfig(50, d_model=16, n_layers=2, n_heads=2)), 1)
    for loss, model in ((loss_without, heads.model), (multi_token_loss, heads)):
        with pytest.raises(ValueError, match=r"^slips leaves nothing to learn; leave at least one"):
            loss(model, rows, slips)
