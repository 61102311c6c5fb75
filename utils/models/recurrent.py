"""A gated recurrent network: one vector that is handed on from word to word, and nothing else (Cho
et al. 2014, arXiv:1406.1078). What the transformer replaced, and here its opponent."""

import torch
from torch import nn

from utils.models.arithmetic import widened
from utils.text.ids import check_texts
from utils.text.numbers import SEED, whole


class Recurrent(nn.Module):
    """Tokens in, logits of the next token out, like a causal transformer: (batch, length) int64 ->
    (batch, length, vocab) float32."""

    def __init__(self, vocab_size, d_model, d_state, *, seed):
        super().__init__()
        advice = "it must be at least 1"
        vocab_size = whole("vocab_size", vocab_size, advice, least=1)
        d_model = whole("d_model", d_model, advice, least=1)
        d_state = whole("d_state", d_state, advice, least=1)
        seed = whole("seed", seed, **SEED)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embedding = nn.Embedding(vocab_size, d_model)
            self.gru = nn.GRU(d_model, d_state, batch_first=True)
            self.output = nn.Linear(d_state, vocab_size)

    def forward(self, tokens):
        return widened(self.output(self.states(tokens)))

    def states(self, tokens, start=None):
        """The vector after each token, (batch, length, d_state); before the first it is `start`, or
        zero."""
        check_texts(tokens, self.embedding.num_embeddings)
        return self.gru(self.embedding(tokens), start)[0]

    def changed(self, tokens, places, change):
        """The logits where the states at these places, a slice, are changed on the way:
        `change(0, states)` -> states. What comes after starts from the last of them."""
        states = change(0, self.states(tokens[:, : places.stop]))
        if places.stop < tokens.shape[1]:
            rest = self.states(tokens[:, places.stop :], states[:, -1][None].contiguous())
            states = torch.cat([states, rest], 1)
        return widened(self.output(states))
