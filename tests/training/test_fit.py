import dataclasses
import inspect
import json
import os
import re

import pytest
import torch

from tests.small_models import tokens
from utils.checkpoints.store import making
from utils.checkpoints.recipes import RECIPES
from utils.checkpoints.store import FOLDER, MAX_BYTES, read_card
from utils.generation import diffusion
from utils.measure import enumeration
from utils.measure.likelihood import bits_per_character, bound_per_character, excess_nats
from utils.text import corpus
from utils.text.tokenizer import byte_pair_tokenizer
from utils.training.fit import _schedule, main
from utils.worlds.pets import PETS
from utils.checkpoints.making import Made, remake
from utils.checkpoints.store import code_hash, load_checkpoint, read_card
from utils.training.fit import fit
from utils.training.losses import next_token_loss
from utils.models.transformer import Transformer, TransformerConfig
from utils.worlds import Sentences

TINY = TransformerConfig(vocab_size=10, d_model=16, n_layers=1, n_heads=2, max_len=16)


def counting_up(batch=16, length=8):
    """Texts that count up from anywhere, modulo 10: only the first token is a surprise."""
    generator = torch.Generator().manual_seed(0)
    while True:
        yield (torch.randint(10, (batch, 1), generator=generator) + torch.arange(length)) % 10


def train(model=None, loss=next_token_loss, batches=None, **options):
    options = {"steps": 5, "lr": 1e-2, "seed": 0, "progress": False} | options
    return fit(model or Transformer(TINY), batches or counting_up(), loss, **options)


# -- the loop ------------------------------------------------------------------------------------


def test_a_model_learns_what_there_is_to_learn():
    model = Transformer(TINY)
    history = train(model, steps=150)
    assert history.losses[0] == pytest.approx(2.3, abs=0.1)  # log 10: it knows nothing
    assert history.final_loss < 0.05  # after the first token all is determined
    assert (model(torch.tensor([[3, 4, 5]]))[0].argmax(-1) == torch.tensor([4, 5, 6])).all()


def test_next_token_loss_is_the_mean_surprise():
    model, text = Transformer(TINY), tokens(3, 8, 10)
    log_probs = model(text).log_softmax(-1)
    surprises = [-log_probs[b, t - 1, text[b, t]] for b in range(3) for t in range(1, 8)]
    assert torch.allclose(next_token_loss(model, text), torch.stack(surprises).mean())


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
    if options.get("batches") == []:
        with pytest.raises(ValueError, match=message):
            fit(Transformer(TINY), [], next_token_loss, steps=1, lr=1, seed=0, progress=False)
        return
    with pytest.raises(ValueError, match=message):
        train(**options)


# -- checkpoints ---------------------------------------------------------------------------------


def recipe():
    """A tiny model that counts."""
    model = Transformer(TINY)
    history = train(model, steps=20, measure=lambda model: 1.5, measure_at=[0.5])
    return Made(model, history, "counting", 0, lambda m: {"total": m.output.sum().item()})


@pytest.fixture
def folder(tmp_path):
    remake("tiny", recipe, tmp_path)
    return tmp_path


def test_a_checkpoint_gives_back_its_model(folder):
    model, card = load_checkpoint("tiny", folder)
    again, _ = load_checkpoint("tiny", folder)
    assert model.config == card.config == TINY and not model.training
    assert torch.equal(model(tokens(2, 8, 10)), again(tokens(2, 8, 10)))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    # what the card says was measured on the rounded weights that are stored
    assert card.results["total"] == round(model.output.sum().item(), 4)
    assert card.steps == 20 and card.curve == [[1280, card.curve[0][1], 1.5]]
    assert card.parameters == sum(weight.numel() for weight in model.parameters())
    model.train()
    next_token_loss(model, tokens(2, 8, 10)).backward()  # it can be trained further


def test_nothing_else_is_left_behind(folder):
    assert sorted(os.listdir(folder)) == ["tiny.json", "tiny.safetensors"]


@pytest.mark.parametrize("moment", ["training", "measuring", "writing", "first", "second"])
def test_an_interrupted_remake_leaves_the_old_checkpoint(folder, monkeypatch, moment):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    replaced = []

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    def another():
        if moment == "training":
            interrupted()
        made = recipe()
        with torch.no_grad():
            made.model.output += 1
        return dataclasses.replace(made, measure=interrupted) if moment == "measuring" else made

    def replace(source, target, real=os.replace):
        replaced.append(target)
        if len(replaced) == {"first": 1, "second": 2}.get(moment):
            interrupted()
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    if moment == "writing":
        monkeypatch.setattr(json, "dumps", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remake("tiny", another, folder)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    load_checkpoint("tiny", folder)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_damaged_weights_are_refused(folder, damage):
    path = folder / "tiny.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-5] ^= 1
    path.write_bytes({"cut": data[:-100], "empty": b"", "other": data * 2}.get(damage, data))
    with pytest.raises(ValueError, match=r"tiny.safetensors is .*remake tiny"):
        load_checkpoint("tiny", folder)


def test_missing_weights_unknown_names_and_broken_cards(folder):
    (folder / "tiny.safetensors").unlink()
    with pytest.raises(ValueError, match=r"tiny.safetensors is missing.*remake tiny"):
        load_checkpoint("tiny", folder)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint 'huge' in .*there are: tiny"):
        load_checkpoint("huge", folder)
    (folder / "tiny.json").write_text('{"name": "tiny"}')
    with pytest.raises(ValueError, match=r"tiny.json is not a card.*remake tiny"):
        load_checkpoint("tiny", folder)


def test_a_checkpoint_too_large_for_the_repository(tmp_path):
    def large():
        model = Transformer(TransformerConfig(vocab_size=20_000, d_model=128, n_layers=1))
        return dataclasses.replace(recipe(), model=model)

    with pytest.raises(ValueError, match="the limit is 4,000,000"):
        remake("large", large, tmp_path)
    assert not any(tmp_path.iterdir())


def test_code_hash_sees_code_and_not_its_layout():
    def one(x):
        return x + 1

    first = code_hash(one)

    def one(x):
        # a comment
        return (
            x + 1
        )  # fmt: skip

    second = code_hash(one)

    def one(x):
        return x + 2

    assert len({first, code_hash(one)}) == 2
    assert second != first  # brackets are code, even when they change nothing


@pytest.mark.parametrize("name", RECIPES)
def test_each_card_belongs_to_its_recipe(name):
    card = read_card(name)
    assert card.recipe_sha256 == code_hash(RECIPES[name]), (
        f"the recipe of {name} has changed since its checkpoint was made; "
        f"run: python -m utils.training remake {name}"
    )
    path = FOLDER / f"{name}.safetensors"
    assert path.stat().st_size <= MAX_BYTES
    load_checkpoint(name)


def test_there_is_no_checkpoint_without_a_recipe():
    assert {path.stem for path in FOLDER.iterdir()} == set(RECIPES)


def test_sentences_are_known_to_within_two_hundredths_of_a_nat():
    model, card = load_checkpoint("sentences-ar")
    world = Sentences()
    excess = excess_nats(model, world, world.sample(500, seed=3))
    assert excess == pytest.approx(card.results["excess_nats_per_token"], abs=0.002)
    assert 0 < excess < 0.02


def test_the_king_james_model_beats_the_best_ngram():
    model, card = load_checkpoint("kjv-ar")
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = byte_pair_tokenizer(text, model.config.vocab_size)
    part = tokenizer.encode(held_out)[:20_000]
    bits = bits_per_character(model, part, len(tokenizer.decode(part)))
    assert card.results["bits_per_character"] < 1.72
    assert bits == pytest.approx(card.results["bits_per_character"], abs=0.15)
    values = [value for _, _, value in card.curve]
    assert len(values) >= 12 and values[0] > 2.4 > 1.72 > values[-1]


@pytest.mark.parametrize("n", [8, 9, 11, 12, 13, 20, 31, 40, 131])
def test_bits_per_character_counts_each_token_once(n):
    """A model that finds all 4 tokens equally likely needs 2 bits for each but the first."""
    uniform = Transformer(TransformerConfig(4, d_model=8, n_layers=1, n_heads=1, max_len=8))
    with torch.no_grad():
        uniform.scale.zero_()
    bits = bits_per_character(uniform, tokens(1, n, 4)[0], n_characters=1)
    assert bits == pytest.approx(2 * (n - 1), rel=1e-5)


@pytest.mark.parametrize("n", [8, 9, 11, 12, 13, 20, 31, 40, 300])
def test_bound_per_character_counts_each_token_once(n):
    """A denoiser that finds all 4 tokens equally likely needs 2 bits for each."""
    config = TransformerConfig(5, d_model=8, n_layers=1, n_heads=1, max_len=8, causal=False)
    uniform = Transformer(config)
    with torch.no_grad():
        uniform.scale.zero_()
    bits = bound_per_character(uniform, tokens(1, n, 4)[0], 1, 4, samples=2)
    assert bits == pytest.approx(2 * n, rel=1e-5)


def test_a_language_so_small_that_all_is_known_about_its_denoiser():
    model, card = load_checkpoint("pets-diffusion")
    world = Sentences(PETS)
    texts = world.sample(4000, seed=1).unique(dim=0)
    truth = world.log_prob(texts)
    assert float(truth.exp().sum()) == pytest.approx(1)  # these are all there are
    mask_id, free = world.vocab.mask_id, range(1, world.length)
    table = enumeration.table(lambda t: diffusion.log_probs(model, t, mask_id), texts, free, mask_id)
    excess = float((truth.exp() * (truth - enumeration.elbo(table))).sum())
    assert 0 < excess < 0.05
    assert excess == pytest.approx(card.results["bound_above_entropy_nats_per_text"], abs=0.002)


def test_excess_is_zero_for_the_truth_and_exact_for_a_guess():
    world = Sentences()
    sentences = world.sample(50, seed=0)
    truth = world.next_probs(sentences)

    def perfect(tokens):
        return truth[:, : tokens.shape[1]].log().clamp_min(-1e9)

    assert excess_nats(perfect, world, sentences) == pytest.approx(0, abs=1e-6)

    def uniform(tokens):
        return torch.zeros(*tokens.shape, len(world.vocab), dtype=torch.float64)

    words = sentences[:, 1:] != world.vocab.pad_id
    entropy = -torch.xlogy(truth, truth).sum(-1)[:, :-1]
    expected = (torch.tensor(len(world.vocab)).log() - entropy)[words].mean()
    assert excess_nats(uniform, world, sentences) == pytest.approx(float(expected))


def test_the_cheapest_checkpoint_can_be_made_from_nothing(tmp_path):
    """The weights may differ in their last digits on another machine; what they can do may not."""
    from_nothing = [
        name
        for name, recipe in RECIPES.items()
        if "load_checkpoint" not in inspect.getsource(recipe)  # else it goes on from another
    ]
    cheapest = min(from_nothing, key=lambda name: read_card(name).seconds)
    kept = read_card(cheapest)
    card = remake(cheapest, RECIPES[cheapest], tmp_path)
    load_checkpoint(cheapest, tmp_path)
    assert card.results == pytest.approx(kept.results, abs=0.02)
    assert card.final_loss == pytest.approx(kept.final_loss, abs=0.02)
    same = ("config", "steps", "tokens", "seed", "parameters", "recipe_sha256")
    assert [getattr(card, key) for key in same] == [getattr(kept, key) for key in same]


# -- the command line ----------------------------------------------------------------------------


def test_command_line_lists_and_remakes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    monkeypatch.setattr(recipes, "RECIPES", {"tiny": recipe, "other": recipe})
    monkeypatch.setattr(making.remake, "__defaults__", (tmp_path,))
    monkeypatch.setattr(read_card, "__defaults__", (tmp_path,))
    assert main(["remake", "tiny"]) == 0
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "A tiny model that counts." in shown
    assert (
        re.search(r"tiny .*parameters.*total", shown) and "other            not made yet" in shown
    )
    assert main(["remake", "--all"]) == 0
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["other", "tiny"]


@pytest.mark.parametrize("arguments", [["remake"], ["remake", "huge"]])
def test_command_line_names_what_there_is(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "there are: sentences-ar" in capsys.readouterr().err
