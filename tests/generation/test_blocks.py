"""Block diffusion: the cache is exact, blocks of one token and of a whole text are what they should
be, all blocks are learned in one pass, and with true probabilities true texts are written."""

import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation import blocks, diffusion, uniform
from utils.generation.blocks import Reader, Rereading
from utils.generation.refining import Entropy, Masks, Noise
from utils.measure.passes import Counted
from utils.models.transformer import TransformerConfig
from utils.worlds.chains import Chains

SHAPE = {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_len": 25}
MASK, EVERY = 9, tuple(range(9))
MODEL = lively(TransformerConfig(10, **SHAPE)).double()
TEXT = tokens(3, 13, 9)
RULES = {
    "masks": Masks(MASK, 3, 0.4, temperature=1.0),
    "masks, edited": Masks(MASK, 3, 0.4, edit=0.3, more=4, temperature=1.0),
    "noise": Noise(EVERY, 3, 0.4, edit=0.3, temperature=1.0),
    "entropy": Entropy(EVERY, 4),
    "entropy, shown its guess": Entropy(EVERY, 4, self_condition=True),
}


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


class Uncached:
    """The same model without a cache: everything is read again in every pass, through a mask that
    is written out."""

    def __init__(self, model):
        self.model, self.text = model, None

    def keep(self, tokens):
        self.text = tokens if self.text is None else torch.cat([self.text, tokens], 1)

    def look(self, block, guess=None):
        k, n = self.text.shape[1], block.shape[1]
        mask = torch.ones(k + n, k + n, dtype=torch.bool).tril()
        mask[k:] = True
        shown = self.model.output.T[block]
        if guess is not None:
            shown = shown + guess @ self.model.output.T
        stream = torch.cat([self.model.output.T[self.text], shown], 1)

        def instead(_, inputs):
            return stream, *inputs[1:]

        hook = self.model.layers[0].register_forward_pre_hook(instead)
        with blocks.seeing(self.model, mask):
            said = self.model(torch.cat([self.text, block], 1))[:, k:]
        hook.remove()
        return said


def test_a_look_at_a_block_is_exact_and_leaves_the_cache_as_it_was():
    kept, again = Reader(MODEL, 3), Uncached(MODEL)
    for reader in (kept, again):
        reader.keep(TEXT[:, :4])
        reader.keep(TEXT[:, 4:7])
    block, guess = TEXT[:, 7:11], torch.rand(3, 4, 10, dtype=torch.float64)
    first = kept.look(block)
    assert kept.cache.length == 7
    assert (first - again.look(block)).abs().max() < 1e-12
    assert (kept.look(block, guess) - again.look(block, guess)).abs().max() < 1e-12
    assert torch.equal(kept.look(block), first)
    ahead = kept.look(torch.cat([block[:, :3], 8 - block[:, 3:]], 1))[:, 0]
    assert not torch.allclose(ahead, first[:, 0]), "a place sees those to its right"


@pytest.mark.parametrize("rule", RULES)
def test_what_is_written_with_the_cache_is_what_is_written_without(rule):
    texts, passes = [], []
    for reader in (Reader(MODEL, 3), Uncached(MODEL)):
        how = {"size": 4, "generator": dice(), "history": []}
        texts.append(blocks.write(reader, TEXT[:, :2], 10, RULES[rule], **how))
        passes.append(how["history"])
    assert torch.equal(*texts) and texts[0].shape == (3, 12) and passes[0] == passes[1]
    assert torch.equal(texts[0][:, :2], TEXT[:, :2]) and (texts[0] != MASK).all()


def test_reading_two_ways_leaves_the_model_causal():
    Reader(MODEL, 3).look(TEXT[:, :4])
    assert not any(layer._forward_pre_hooks for layer in MODEL.layers)
    early = MODEL(TEXT)[:, :5]
    assert torch.allclose(MODEL(TEXT[:, :5]), early)


def test_a_block_of_one_blank_asks_of_one_place_and_all_blocks_are_written():
    """With a block of one token a pass reads one blank; the text grows like a causal model's."""
    read = []

    class Says:
        def keep(self, tokens):
            read.append(tokens.tolist())

        def look(self, block, guess=None):
            read.append(block.tolist())
            return torch.nn.functional.one_hot(torch.tensor([[len(read) % 9]]), 10) * 9.0

    rule, history = Masks(MASK, 5), []
    text = blocks.write(Says(), torch.tensor([[7]]), 3, rule, size=1, history=history)
    assert text.tolist() == [[7, 2, 4, 6]] and history == [1, 1, 1]
    assert read == [[[7]], [[MASK]], [[2]], [[MASK]], [[4]], [[MASK]]]


def test_a_pass_costs_a_forward_pass_and_so_does_a_finished_block():
    model, history = Counted(MODEL), []
    blocks.write(Reader(model, 1), TEXT[:1, :2], 8, Masks(MASK, 4, 1.0), size=4, history=history)
    assert len(history) == 8
    assert model.passes == 8 + 2, "and one for the prompt, one for the first block"


WORLD = Chains("ab", 4)
TRUE, BLANK = WORLD.log_prob(WORLD.texts).exp(), WORLD.vocab.mask_id


def truth(tokens):
    """What the world says of each place, given all that is not blank."""
    asked, which = tokens.unique(dim=0, return_inverse=True)
    joint = ((asked[:, None] == BLANK) | (asked[:, None] == WORLD.texts)).all(-1) * TRUE
    said = torch.zeros(*asked.shape, len(WORLD.vocab), dtype=torch.float64)
    for token in range(2):
        said[..., token] = joint @ (WORLD.texts == token).double()
    return (said / joint.sum(-1)[:, None, None]).log()[which]


def off(expected, *, size, passes, sure_of):
    """How far what is written is from the shares expected of the 16 texts: chi squared. Of 15
    degrees of freedom, 44.3 is exceeded once in ten thousand."""
    start = torch.full((5_000, 1), WORLD.vocab.start_id)
    rule = Masks(BLANK, passes, 1.0, temperature=1.0, sure_of=sure_of)
    how = {"size": size, "generator": dice()}
    texts = blocks.write(Rereading(truth, BLANK, WORLD.length), start, 4, rule, **how)
    seen = (texts[:, None] == WORLD.texts).all(-1).double().sum(0)
    return float(((seen - 5_000 * expected) ** 2 / (5_000 * expected)).sum())


def all_at_once(size):
    """How often each text comes of blocks that are filled in one pass each: the product of what is
    said of each place of a block when nothing of it stands."""
    found, places = torch.ones(16, dtype=torch.float64), torch.arange(1, 5)
    for block in places.split(size):
        before = WORLD.texts.clone()
        before[:, block[0] :] = BLANK
        said = truth(before)[:, block].exp()
        found *= said.gather(-1, WORLD.texts[:, block, None])[..., 0].prod(-1)
    return found


def test_with_true_probabilities_and_one_token_a_pass_texts_are_true_whatever_the_block():
    for size in (1, 2, 4):
        assert off(TRUE, size=size, passes=size, sure_of="likeliest") < 44.3


def test_who_keeps_what_was_likeliest_to_be_drawn_is_biased_even_with_the_truth():
    assert off(TRUE, size=1, passes=1, sure_of="drawn") < 44.3, "nothing to choose from"
    assert off(TRUE, size=4, passes=4, sure_of="drawn") > 100


def test_a_block_filled_at_once_misses_what_its_places_know_of_each_other_and_no_more():
    for size in (2, 4):
        expected = all_at_once(size)
        assert (expected - TRUE).abs().sum() / 2 > 0.02
        assert off(expected, size=size, passes=1, sure_of="drawn") < 44.3


# -- learning ------------------------------------------------------------------------------------


def test_all_blocks_are_read_in_one_pass_as_they_would_be_one_by_one():
    noisy = tokens(9, 4, 10, seed=1)
    together = blocks._all_blocks(MODEL, TEXT, noisy, 1).view(3, 12, 10)
    for start in (1, 5, 9):
        reader = Reader(MODEL, 3)
        reader.keep(TEXT[:, :start])
        alone = reader.look(noisy.view(3, 12)[:, start - 1 : start + 3])
        assert (together[:, start - 1 : start + 3] - alone).abs().max() < 1e-12


def looking(size):
    """A denoiser of the blocks of TEXT: each is looked at after what stands before it."""

    def say(noisy):
        said = []
        for text, mine in zip(TEXT, noisy.view(3, -1, size), strict=True):
            for i, block in enumerate(mine):
                reader = Reader(MODEL)
                reader.keep(text[None, : 1 + i * size])
                said.append(reader.look(block[None]))
        return torch.cat(said)

    return say


def test_the_losses_are_those_of_text_diffusion_in_each_block():
    for size in (12, 4):
        apart = TEXT[:, 1:].reshape(-1, size)
        made = blocks.loss(MODEL, TEXT, MASK, size=size, generator=dice(3))
        expected = diffusion.loss(looking(size), apart, MASK, generator=dice(3))
        assert made.item() == pytest.approx(expected.item(), abs=1e-12)
        made = blocks.noise_loss(MODEL, TEXT, EVERY, size=size, generator=dice(3))
        expected = uniform.loss(looking(size), apart, EVERY, generator=dice(3))
        assert made.item() == pytest.approx(expected.item(), abs=1e-12)


def test_the_losses_reach_every_weight():
    model = lively(TransformerConfig(10, **SHAPE, tie_embeddings=False)).requires_grad_(True)
    for made in (
        blocks.loss(model, TEXT, MASK, size=4, generator=dice()),
        blocks.noise_loss(model, TEXT, EVERY, size=4, generator=dice()),
    ):
        model.zero_grad()
        made.backward()
        assert all(w.grad.isfinite().all() and w.grad.any() for w in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 5}, "size is 5; choose one that divides the 12 tokens"),
        ({"given": 13}, "given is 13; choose 1 to 12"),
        ({"model": lively(TransformerConfig(10, **SHAPE, causal=False))}, "causal=False: finished"),
        ({"model": lively(TransformerConfig(10, **(SHAPE | {"max_len": 24})))}, "max_len is 24; a"),
    ],
)
def test_a_lesson_that_cannot_be(options, message):
    arguments = {"model": MODEL, "tokens": TEXT, "mask_id": MASK, "size": 4} | options
    with pytest.raises(ValueError, match=message):
        blocks.loss(**arguments)


def test_a_trace_follows_one_text():
    trace = []
    how = {"size": 2, "trace": trace}
    text = blocks.write(Reader(MODEL), TEXT[:1, :2], 4, Masks(MASK, 2, 1.0), **how)
    assert [len(step.tokens) for step in trace] == [4, 4, 6, 6]
    assert sorted(at for step in trace for at in step.changed) == [2, 3, 4, 5]
    assert trace[-1].tokens == tuple(text[0].tolist())
    with pytest.raises(ValueError, match="a trace follows one text"):
        blocks.write(Reader(MODEL, 3), TEXT[:, :2], 4, Masks(MASK, 2), **how)
