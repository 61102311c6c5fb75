import errno
import json
import os
import tempfile
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from tests.checkpoints import counting
from tests.checkpoints.conftest import contents
from tests.disks import filling_up, nobody
from tests.small_models import lively, tokens
from utils.checkpoints import store
from utils.checkpoints.making import NAMES, recipe_of
from utils.checkpoints.store import FOLDER, MAX_BYTES, load_checkpoint, load_seeds, read_card
from utils.models.transformer import Transformer, TransformerConfig
from utils.training.losses import next_token_loss


def another(card, seed):
    """A card of the same name and the weights that it describes."""
    weights = store.pack(lively(card.config, seed=seed))
    return replace(card, seed=seed, weights_sha256=store.sha256(weights)), weights


# -- what is kept comes back ---------------------------------------------------------------------


def test_a_checkpoint_gives_back_its_model(folder):
    model, card = load_checkpoint("tiny")
    again, _ = load_checkpoint("tiny")
    assert model.config == card.config == counting.shape(None) and not model.training
    assert torch.equal(model(tokens(2, 8, 10)), again(tokens(2, 8, 10)))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert card.parameters == sum(weight.numel() for weight in model.parameters())
    model.train()
    next_token_loss(model, tokens(2, 8, 10)).backward()  # it can be trained further


def test_a_card_comes_back_whole(folder):
    card = read_card("tiny")
    store.write_card(card)
    assert asdict(read_card("tiny")) == asdict(card)
    assert set(json.loads((folder / "tiny.json").read_text())) == set(asdict(card))


def test_seeds_are_told_apart_by_name(folder):
    card = read_card("tiny")
    for seed in (1, 2):
        other, weights = another(card, seed)
        store.write_checkpoint(replace(other, name=f"tiny-{seed}"), weights)
    assert [store.at_seed("tiny", seed) for seed in (0, 1)] == ["tiny", "tiny-1"]
    sums = [counting.total(model, None) for model in load_seeds("tiny")]
    assert sums == [counting.total(load_checkpoint("tiny", s)[0], None) for s in (0, 1, 2)]
    assert len(set(sums)) == 3 and load_checkpoint("tiny", 2)[1].name == "tiny-2"


def test_what_is_measured_is_what_is_stored(folder):
    """Packing rounds the model itself, so that its results are those of the kept weights."""
    model = lively(counting.shape(None)).requires_grad_(True)
    exact = model.output.detach().clone()
    weights = store.pack(model)
    assert not torch.equal(model.output, exact)
    assert torch.equal(model.output, exact.half().float())
    other, _ = another(read_card("tiny"), 0)
    store.write_checkpoint(replace(other, weights_sha256=store.sha256(weights)), weights)
    assert torch.equal(load_checkpoint("tiny")[0].output, model.output)


def test_a_model_too_large_for_the_repository():
    large = Transformer(TransformerConfig(vocab_size=20_000, d_model=128, n_layers=1))
    with pytest.raises(
        ValueError, match=r"the weights take 5,\d+,\d+ bytes; the limit is 4,000,000"
    ):
        store.pack(large)


# -- what is damaged is refused ------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "other"])
def test_damaged_weights_are_refused(folder, damage):
    path = folder / "tiny.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-5] ^= 1
    path.write_bytes({"cut": data[:-100], "empty": b"", "other": data * 2}.get(damage, data))
    with pytest.raises(ValueError, match=r"tiny.safetensors is damaged or .*remake tiny"):
        load_checkpoint("tiny")


def test_missing_weights_and_unknown_names(folder):
    (folder / "tiny.safetensors").unlink()
    with pytest.raises(ValueError, match=r"tiny.safetensors is missing.*remake tiny"):
        load_checkpoint("tiny")
    with pytest.raises(FileNotFoundError, match=r"no checkpoint 'huge' in .*there are: tiny"):
        load_checkpoint("huge")
    with pytest.raises(FileNotFoundError, match=r"no checkpoint 'tiny-1' in .*there are: tiny"):
        load_checkpoint("tiny", 1)


@pytest.mark.parametrize("text", ['{"name": "tiny"}', "{", "[]", '{"config": {"width": 3}}'])
def test_broken_cards_are_refused(folder, text):
    (folder / "tiny.json").write_text(text)
    with pytest.raises(ValueError, match=r"tiny.json is not a card.*remake tiny"):
        load_checkpoint("tiny")


# -- whatever interrupts it, what loads is all old or all new ------------------------------------

CALLS = [(tempfile, "mkstemp"), (os, "fdopen"), (os, "fsync"), (os, "chmod"), (os, "replace")]


def killed(moment, write):
    """Run `write` in a process of its own that dies at the nth call to the file system, without a
    chance to tidy up. Returns whether it was killed; False means that it came to its end."""
    with warnings.catch_warnings():  # newer Pythons warn that a fork has none of its threads
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            calls = 0

            def deadly(real):
                def call(*arguments, **more):
                    nonlocal calls
                    calls += 1
                    if calls == moment:
                        os._exit(9)
                    return real(*arguments, **more)

                return call

            for module, name in CALLS:
                setattr(module, name, deadly(getattr(module, name)))
            write()
            os._exit(0)
        finally:
            os._exit(1)  # what is raised in here must not go on in the tests
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9)
    return status == 9


def seed_of_weights(card):
    """The seed of `another` that made the weights that are loaded with this card."""
    model, _ = load_checkpoint("tiny")
    for seed in (1, 2, 3):
        if torch.equal(model.output, lively(card.config, seed=seed).output.half().float()):
            return seed
    return None


def put(folder, files):
    for path in folder.iterdir():
        path.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


@pytest.mark.slow
def test_killed_at_any_moment_twice_over_it_still_loads(folder):
    """After each kill the weights are those of the card; a second try, killed in turn at each
    moment, does not lose what the first had reached; and a third one succeeds."""
    card = read_card("tiny")
    store.write_checkpoint(*another(card, 1))
    whole, moments, reached = contents(folder), 0, []
    while True:
        put(folder, whole)
        if not killed(moments + 1, lambda: store.write_checkpoint(*another(card, 2))):
            break
        moments += 1
        found = read_card("tiny").seed
        assert found == seed_of_weights(card), f"killed at call {moments}"
        reached.append(found)
        half_way, second = contents(folder), 0
        while killed(second + 1, lambda: store.write_checkpoint(*another(card, 3))):
            second += 1
            again = read_card("tiny").seed
            assert again == seed_of_weights(card), f"killed at call {moments}, then at {second}"
            assert again in (found, 3)
            put(folder, half_way)
        assert read_card("tiny").seed == seed_of_weights(card) == 3
    assert moments == 11 and reached == sorted(reached) and set(reached) == {1, 2}
    assert sorted(contents(folder)) == ["tiny.json", "tiny.safetensors"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_an_error_while_writing_leaves_the_old_checkpoint(folder, monkeypatch, moment, error):
    """Of three files' worth of calls: the weights, the card, and the weights' own name."""
    before, calls = contents(folder), []

    def full(*arguments, real=os.replace):
        calls.append(arguments)
        if len(calls) == moment:
            raise error
        real(*arguments)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(type(error)):
        store.write_checkpoint(*another(read_card("tiny"), 1))
    monkeypatch.undo()
    monkeypatch.setitem(store.read_card.__kwdefaults__, "folder", folder)
    monkeypatch.setitem(store.load_checkpoint.__kwdefaults__, "folder", folder)
    assert seed_of_weights(read_card("tiny")) == (1 if moment == 3 else None)
    assert not list(folder.glob(".new-*"))
    if moment == 1:
        assert contents(folder) == before


def test_a_disk_that_fills_up_leaves_the_old_checkpoint(folder):
    """The system refuses to write more than a thousand bytes, fewer than the weights have."""
    before, card = contents(folder), read_card("tiny")
    new = another(card, 1)
    assert len(new[1]) > 1000
    with filling_up(1000), pytest.raises(OSError, match="File too large"):
        store.write_checkpoint(*new)
    assert contents(folder) == before
    load_checkpoint("tiny")


def test_a_folder_that_may_not_be_written_to_is_named(folder):
    new = another(read_card("tiny"), 1)
    with tempfile.TemporaryDirectory() as locked:
        os.chmod(locked, 0o555)
        with nobody(), pytest.raises(PermissionError, match=f"{locked}"):
            store.write_checkpoint(*new, folder=Path(locked))
        assert os.listdir(locked) == []


# -- those of the book ---------------------------------------------------------------------------


WHOLE = [name for name in NAMES if recipe_of(name)[0].keeps(NAMES[name][1])]


@pytest.mark.parametrize("name", NAMES)
def test_each_card_of_the_book_is_that_of_its_name(name):
    card = read_card(name)
    assert card.name == name and card.seed == NAMES[name][1]
    assert len(card.first_losses) == 20 and card.results
    assert (card.weights_sha256 is not None) == (name in WHOLE)


@pytest.mark.parametrize("name", WHOLE)
def test_each_checkpoint_of_the_book_loads(name):
    model, card = load_checkpoint(name)
    assert card.parameters == sum(weight.numel() for weight in model.parameters())
    assert (FOLDER / f"{name}.safetensors").stat().st_size <= MAX_BYTES
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_there_is_nothing_else_beside_them():
    """No checkpoint without a recipe, and nothing that an interruption has left."""
    wanted = {f"{name}.json" for name in NAMES} | {f"{name}.safetensors" for name in WHOLE}
    assert {path.name for path in FOLDER.iterdir()} == wanted
