"""A checkpoint as a script: whole, and only where the page can compute it."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load

from utils.checkpoints import javascript
from utils.checkpoints.store import load_checkpoint, pack, read_card
from utils.worlds import Verdicts


def sent(script):
    """What the script hands over, and the bytes that its letters stand for."""
    text = script.decode("utf-16")
    data = json.loads(text[text.index("{") : text.rindex("}") + 1])
    bits = "".join(f"{ord(letter) - 0x100:015b}" for letter in data["letters"])
    return data, bytes(int(bits[8 * i : 8 * i + 8], 2) for i in range(data["length"]))


@pytest.mark.parametrize("name", ["verdicts-first", "verdicts-diffusion"])
def test_the_script_holds_the_checkpoints_own_file(name):
    vocab, card = Verdicts().vocab, read_card(name)
    data, file = sent(javascript.script(name, vocab))
    assert data["tokens"] == list(vocab.tokens) and data["results"] == card.results
    assert hashlib.sha256(file).hexdigest() == card.weights_sha256


def test_letters_mean_nothing_to_javascript():
    codes = {ord(letter) for letter in javascript.letters(bytes(range(256)) * 99 + b"\xff" * 15)}
    assert min(codes) >= 0x100 and max(codes) == 0x80FF < 0xD800
    assert javascript.letters(b"") == ""


def test_a_byte_a_weight_is_within_half_a_step():
    name = "verdicts-small-first-after-3000"
    whole = load(pack(load_checkpoint(name)[0]))
    kept = load(sent(javascript.script(name, Verdicts().vocab, in_bytes=True))[1])
    for key, weight in whole.items():
        if weight.dim() == 1:
            assert torch.equal(kept[key], weight)
        else:
            step = kept[f"{key}.step"].float()
            apart = (kept[key].float() * step - weight.float()).abs()
            assert bool((apart <= 0.51 * step + 127 * step * 2**-11).all())


def test_weights_that_the_page_cannot_compute_are_refused():
    with pytest.raises(ValueError, match="knows 50 tokens, the vocabulary 42"):
        javascript.script("verdicts-first", Verdicts(high=15).vocab)
    with pytest.raises(FileNotFoundError):
        javascript.script("no-such-model", Verdicts().vocab)
