import pytest
import torch

from tests.small_models import lively, tokens
from utils.generation.ragged import continue_each
from utils.generation.sampling import generate
from utils.models.transformer import TransformerConfig

MODEL = lively(TransformerConfig(50, d_model=32, n_layers=2, n_heads=4, n_kv_heads=2, max_len=40))
PROMPTS = [tokens(1, length, seed=length)[0] for length in (11, 3, 17, 3)]


def alone(prompt, n, stop):
    """What the model writes after this prompt when there is no other, without the stop token."""
    new = generate(MODEL, prompt[None], n, stop=stop)[0, len(prompt) :]
    ends = torch.isin(new, torch.tensor(stop)).nonzero()[:, 0].tolist()
    return new[: ends[0]] if ends else new


@pytest.mark.parametrize("n", [1, 4, 20])
def test_prompts_of_different_lengths_are_continued_as_if_alone(n):
    free = [alone(prompt, 20, [49]) for prompt in PROMPTS]
    stop = [int(free[0][6]), int(free[2][2])]  # so that the rows end at different times
    together = continue_each(MODEL, PROMPTS, n, stop)
    for prompt, after in zip(PROMPTS, together, strict=True):
        assert torch.equal(after, alone(prompt, n, stop))
    if n == 20:
        assert len(set(map(len, together))) > 1 and min(map(len, together)) < 7


def test_a_stop_token_within_a_prompt_ends_nothing():
    stop = int(PROMPTS[2][8])  # stands where the shorter rows already write
    assert torch.equal(continue_each(MODEL, PROMPTS, 3, [stop])[2], alone(PROMPTS[2], 3, [stop]))


def test_the_prompts_stay_as_they_are():
    before = [prompt.clone() for prompt in PROMPTS]
    continue_each(MODEL, PROMPTS, 5, [49])
    assert all(map(torch.equal, before, PROMPTS))
