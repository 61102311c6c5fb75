"""The rules against the published ones: on the same logits and with the same dice, pass for pass,
they do the same; and a whole text comes out as `transformers` writes it with a model of its own."""

import os

import pytest
import torch

from utils.generation import blocks
from utils.generation.refining import Entropy, Masks, Noise

ROWS, SIZE, VOCAB, MASK = 3, 8, 12, 11


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def logits(number, peaked=2.0):
    return torch.randn(ROWS, SIZE, VOCAB, generator=dice(100 + number)) * peaked


@pytest.fixture(scope="module")
def published():
    os.environ["HF_HUB_OFFLINE"] = "1"
    from diffusers import BlockRefinementScheduler

    return BlockRefinementScheduler


KINDS = [
    pytest.param(
        passes, threshold, edit, temperature, id=f"{passes}-{threshold}-{edit}-{temperature}"
    )
    for passes in (3, 8, 11)
    for threshold, edit in ((0.95, None), (0.5, 0.4), (1.0, 0.3))
    for temperature in (0.0, 0.7)
]


@pytest.mark.parametrize(("passes", "threshold", "edit", "temperature"), KINDS)
def test_masks_are_filled_and_edited_as_published(published, passes, threshold, edit, temperature):
    theirs = published(block_length=SIZE, threshold=threshold, editing_threshold=edit)
    theirs.set_timesteps(passes)
    rule = Masks(MASK, passes, threshold, edit, temperature=temperature)
    state = rule.begin(ROWS, SIZE, "cpu")
    block, mine, other, late = state.block, dice(), dice(), 0
    for step in range(passes + 3):
        given = logits(step)
        given[..., MASK] = -torch.inf
        said = theirs.step(
            given, min(step, passes - 1), block, mask_token_id=MASK, temperature=temperature,
            generator=other,
        )  # fmt: skip
        working = ~state.done
        state = rule.turn(state, given, mine)
        assert torch.equal(state.block[working], said.prev_sample[working])
        changed = (said.transfer_index | said.editing_transfer_index)[working]
        assert torch.equal(state.changed[working], changed)
        block = torch.where(working[:, None], said.prev_sample, block)
        late += int(said.editing_transfer_index[working].sum())
    assert (state.block != MASK).all() and (edit is None or late > 0)


@pytest.mark.parametrize(("passes", "threshold", "edit", "temperature"), KINDS)
def test_noise_is_put_down_and_edited_as_published(published, passes, threshold, edit, temperature):
    theirs = published(block_length=SIZE, threshold=threshold, editing_threshold=edit)
    theirs.set_timesteps(passes)
    rule, mine, other = Noise(range(VOCAB), passes, threshold, edit, temperature), dice(), dice()
    state = rule.begin(ROWS, SIZE, "cpu", mine)
    block = torch.randint(VOCAB, (ROWS, SIZE), generator=other)
    assert torch.equal(state.block, block)
    for step in range(passes):
        said = theirs.step(logits(step), step, block, temperature=temperature, generator=other)
        working = ~state.done
        state = rule.turn(state, logits(step), mine)
        assert torch.equal(state.block[working], said.prev_sample[working])
        block = torch.where(working[:, None], said.prev_sample, block)
    assert state.kept.all() and state.done.all()


@pytest.mark.parametrize("bound", [0.1, 3.0, 9.0])
def test_what_an_entropy_bound_lets_through_is_as_published(published, bound):
    """Token for token, at the temperature of each pass."""
    from diffusers import EntropyBoundScheduler

    passes = 6
    theirs = EntropyBoundScheduler(entropy_bound=bound, t_max=0.8, t_min=0.4)
    theirs.set_timesteps(passes)
    rule, mine, other = Entropy(range(VOCAB), passes, bound), dice(), dice()
    state = rule.begin(ROWS, SIZE, "cpu", mine)
    block, shares = torch.randint(VOCAB, (ROWS, SIZE), generator=other), []
    for step in range(passes):
        said = theirs.step(logits(step), step, block, generator=other)
        state = rule.turn(state, logits(step), mine)
        assert torch.equal(state.kept, said.accepted_index)
        shares.append(said.accepted_index.float().mean())
        block = said.prev_sample
        if step < passes - 1:
            assert torch.equal(state.block, block)
    assert torch.equal(state.block, logits(passes - 1).argmax(-1)) and state.done.all()
    assert 0 < min(shares) < 1, "some are let through and some are not"


# -- a whole text, by a published model ------------------------------------------------------------


@pytest.fixture(scope="module")
def gemma():
    """A DiffusionGemma with weights drawn at random, with canvases of six tokens."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers
    from transformers.models.diffusion_gemma import modeling_diffusion_gemma as module

    torch.manual_seed(0)
    text = module.DiffusionGemmaTextConfig(
        vocab_size=VOCAB, hidden_size=16, intermediate_size=16, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, global_head_dim=8,
        num_experts=2, top_k_experts=1, moe_intermediate_size=8, max_position_embeddings=64,
        sliding_window=64, initializer_range=1.0, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    vision = transformers.Gemma4VisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    config = transformers.DiffusionGemmaConfig(
        text_config=text, vision_config=vision, canvas_length=6
    )
    return transformers.DiffusionGemmaForBlockDiffusion(config).eval()


class Theirs:
    """Their model in our loop: `keep` is its encoder, `look` its decoder."""

    def __init__(self, model):
        from transformers import DynamicCache

        self.model, self.length = model, 0
        self.cache = DynamicCache(config=model.config.get_text_config(decoder=True))

    def keep(self, tokens):
        places = torch.arange(self.length, self.length + tokens.shape[1])[None]
        self.length += tokens.shape[1]
        self.model.model.encoder(
            input_ids=tokens, past_key_values=self.cache, position_ids=places,
            attention_mask=torch.ones(len(tokens), self.length, dtype=torch.bool),
        )  # fmt: skip

    def look(self, block, guess=None):
        places = torch.arange(self.length, self.length + block.shape[1])[None]
        shown = torch.ones(len(block), self.length + block.shape[1], dtype=torch.bool)
        mask = self.model.model.decoder.create_diffusion_decoder_attention_mask(
            config=self.model.config, inputs_embeds=block[..., None],
            past_key_values=self.cache, decoder_attention_mask=shown,
        )  # fmt: skip
        return self.model(
            decoder_input_ids=block, past_key_values=self.cache, decoder_position_ids=places,
            decoder_attention_mask=mask,
            self_conditioning_logits=None if guess is None else guess.log(),
        ).logits  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
def test_a_text_is_written_as_transformers_writes_it(gemma, rows, monkeypatch):
    # a note to torch's compiler, which is not at work here and takes seconds to be imported
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: None)
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
        DiffusionGemmaGenerationConfig,
        EntropyBoundSamplerConfig,
    )

    prompt, passes = torch.arange(1, 1 + 4 * rows).view(rows, 4) % VOCAB, 5
    how = DiffusionGemmaGenerationConfig(
        max_new_tokens=12, max_denoising_steps=passes, t_min=0.4, t_max=0.8,
        sampler_config=EntropyBoundSamplerConfig(entropy_bound=1.5),
        stability_threshold=1, confidence_threshold=0.005,
    )  # fmt: skip
    torch.manual_seed(7)
    theirs = gemma.generate(prompt, generation_config=how)
    torch.manual_seed(7)
    rule, history = Entropy(range(VOCAB), passes, 1.5, self_condition=True), []
    text = blocks.write(Theirs(gemma), prompt, 12, rule, size=6, history=history)
    assert torch.equal(text, theirs.sequences)
    used = 12 / theirs.tokens_per_forward
    assert sum(history) == pytest.approx(float(used.sum()))
    torch.manual_seed(8)
    other = blocks.write(Theirs(gemma), prompt, 12, rule, size=6)
    assert not torch.equal(text, other), "chance decides, so that they agree says something"


# -- what no published rule has --------------------------------------------------------------------


def sure_of(*wanted):
    rows = torch.zeros(len(wanted), VOCAB)
    for row, token in zip(rows, wanted, strict=True):
        if token is not None:
            row[token] = 30.0
    return rows[None]


def test_edits_end_with_the_first_pass_that_makes_none_and_after_so_many():
    rule = Masks(MASK, 2, edit=0.5, more=3)
    state = rule.begin(1, 2, "cpu")
    for said, done in [((1, 2), False), ((1, 3), False), ((1, 3), True)]:
        state = rule.turn(state, sure_of(*said))
        assert state.block.tolist() == [list(said)] and state.done.item() is done
    state = rule.begin(1, 2, "cpu")
    for word in range(4):
        state = rule.turn(state, sure_of(word, word))
    assert state.done.item() and state.block.tolist() == [[3, 3]] and state.late.item() == 3


def test_a_row_that_is_done_stays_as_it_is():
    said = torch.cat([sure_of(1, 2), sure_of(3, None)])
    later = torch.cat([sure_of(4, 5), sure_of(3, 6)])
    for rule in (Masks(MASK, 2), Entropy(range(VOCAB), 5)):
        state = rule.begin(2, 2, "cpu", dice())
        for given in (said, said, later, later):
            state = rule.turn(state, given, dice())
        assert state.block.tolist() == [[1, 2], [3, state.block[1, 1]]] and state.done.all()
        assert state.passes[0] < state.passes[1] or isinstance(rule, Masks)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Masks(MASK, 0), "passes is 0; take at least 1"),
        (lambda: Masks(MASK, 2, threshold=2), "threshold is 2; choose a probability"),
        (lambda: Masks(MASK, 2, edit=-1), "edit is -1; choose a probability"),
        (lambda: Masks(MASK, 2, edit=0.5, more=0), "more is 0; choose 1 or more"),
        (lambda: Masks(MASK, 2, sure_of="x"), "sure_of is 'x'; choose one of 'drawn'"),
        (lambda: Noise(range(3), 2, temperature=-1), "temperature is -1; choose 0"),
        (lambda: Entropy(range(3), 2, bound=-1), "bound is -1; give an entropy"),
        (lambda: Entropy(range(3), 2, temperatures=(0, 1)), "temperatures is 0; give two above"),
        (lambda: Entropy(range(3), 2, temperatures=[1]), r"temperatures is \[1\]; give two above"),
    ],
)
def test_a_rule_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
