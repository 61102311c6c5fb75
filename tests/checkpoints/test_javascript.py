"""A checkpoint as a script: whole, and only where the page can compute it."""

import base64
import hashlib
import json

import pytest

from utils.checkpoints import javascript
from utils.checkpoints.store import read_card
from utils.worlds import Verdicts


@pytest.mark.parametrize("name", ["verdicts-first", "verdicts-diffusion"])
def test_the_script_holds_the_checkpoints_own_file(name):
    vocab = Verdicts().vocab
    script = javascript.script(name, vocab)
    sent = json.loads(script[script.index("{") : script.rindex("}") + 1])
    assert sent["tokens"] == list(vocab.tokens)
    data = base64.b64decode(sent["base64"])
    assert hashlib.sha256(data).hexdigest() == read_card(name).weights_sha256


def test_weights_that_the_page_cannot_compute_are_refused():
    with pytest.raises(ValueError, match="knows 50 tokens, the vocabulary 42"):
        javascript.script("verdicts-first", Verdicts(high=15).vocab)
    with pytest.raises(FileNotFoundError):
        javascript.script("no-such-model", Verdicts().vocab)
