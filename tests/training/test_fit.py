import re

import pytest
import torch

from tests.small_models import tokens
from utils.models.transformer import Transformer, TransformerConfig
from utils.training.fit import _schedule, fit
from utils.training.losses import next_token_loss

TINY = TransformerConfig(vocab_size=10, d_model=16, n_layers=1, n_heads=2, max_len=16)


def counting_up(batch=16, length=8):
    """Texts that count up from anywhere, modulo 10: only the first token is a surprise."""
    generator = torch.Generator().manual_seed(0)
    while True:
        yield (torch.randint(10, (batch, 1), generator=generator) + torch.arange(length)) % 10


def train(model=None, loss=next_token_loss, batches=None, **options):
    options = {"steps": 5, "lr": 1e-2, "seed": 0, "progress": False} | options
    return fit(
        model or Transformer(TINY), counting_up() if batches is None else batches, loss, **options
    )


# -- the loop ------------------------------------------------------------------------------------


def test_a_model_learns_what_there_is_to_learn():
    model = Transformer(TINY)
    history = train(model, steps=150)
    assert history.losses[0] == pytest.approx(2.3, abs=0.1)  # log 10: it knows nothing
    assert history.final_loss < 0.05  # after the first token all is determined
    assert (model(torch.tensor([[3, 4, 5]]))[0].argmax(-1) == torch.tensor([4, 5, 6])).all()


def test_history_counts_steps_seconds_and_tokens():
    history = train(steps=7)
    assert history.steps == len(history.losses) == 7
    assert history.tokens == [16 * 8 * step for step in range(1, 8)]
    assert 0 < history.seconds[0] and history.seconds == sorted(history.seconds)


def test_the_same_seed_gives_the_same_training():
    def noisy(model, batch):  # random in the loss, as in diffusion
        noise = torch.rand(batch.shape) < 0.2
        return next_token_loss(model, torch.where(noise, 0, batch))

    first, same, other = (train(loss=noisy, seed=seed).losses for seed in (1, 1, 2))
    assert first == same and first != other


def test_the_global_generator_is_left_as_it_was():
    before = torch.get_rng_state()
    train(loss=lambda model, batch: next_token_loss(model, batch) + 0 * torch.rand(()))
    assert torch.equal(torch.get_rng_state(), before)


def test_seconds_end_a_training_too():
    history = train(steps=None, seconds=0.3)
    assert history.seconds[-2] < 0.3 <= history.seconds[-1]
    assert train(steps=3, seconds=60).steps == 3


def test_the_learning_rate_warms_up_and_falls_to_zero():
    rates = [_schedule(step / 1000) for step in range(1001)]
    top = rates.index(max(rates))
    assert 40 <= top <= 60 and max(rates) == pytest.approx(1, abs=0.02)
    assert 0 < rates[0] < 0.05 and rates[-1] == pytest.approx(0, abs=1e-6)
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)


def test_gradients_are_clipped():
    """A loss a million times as steep takes a step no longer than the clipped one."""
    moves = []
    for scale in (1e3, 1e9):
        model = Transformer(TINY)
        train(model, loss=lambda m, b, s=scale: s * next_token_loss(m, b), steps=3, lr=1e-3)
        moves.append(float((model.output - Transformer(TINY).output).detach().norm()))
    assert moves[0] == pytest.approx(moves[1], rel=1e-3)


@pytest.mark.parametrize("steps, lr", [(1, 1e300), (2, 1e38)])
def test_weights_that_the_last_step_has_spoilt_are_not_returned(steps, lr):
    with pytest.raises(ValueError, match="no longer numbers; lower the learning rate"):
        train(steps=steps, lr=lr)


def test_measures_on_the_way():
    history = train(steps=10, measure=lambda model: 7.0, measure_at=[1.0, 0.3, 0.55])
    assert history.measured == [(3, 7.0), (6, 7.0), (10, 7.0)]


def test_a_list_of_batches_is_started_again():
    assert train(batches=[tokens(2, 8, 10)], steps=5).steps == 5


def test_the_bar_shows_loss_and_time_left(capsys):
    train(steps=20, progress=True)
    shown = capsys.readouterr().err
    assert re.search(r"100% .*20/20 steps, 00:00 left, loss \d\.\d{3}", shown)
    train(steps=None, seconds=0.2, progress=True)
    assert re.search(r"100% .*0/0 s, 00:00 left, loss \d", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": None}, "neither steps nor seconds"),
        ({"lr": 0}, "lr is 0; a learning rate is positive"),
        ({"batches": []}, "batches ran out after 0"),
        ({"batches": iter([tokens(2, 8, 10)] * 2)}, "batches ran out after 2; give a list"),
        ({"batches": [torch.zeros(8, dtype=torch.int64)]}, r"shape \(8,\); give LongTensors"),
        ({"loss": lambda m, b: next_token_loss(m, b) * torch.nan}, "loss became nan at step 1"),
    ],
)
def test_trainings_that_cannot_work(options, message):
    with pytest.raises(ValueError, match=message):
        train(**options)
