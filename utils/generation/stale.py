"""A cache for a denoiser, which is not exact: what the others looked like a moment ago.

In a model that looks both ways each new token changes the keys and values of all positions, so none
can be kept. But from one pass to the next they change little. So read the whole text now and then,
and in between only the stretch that is being written, with all other positions as they were then
(Fast-dLLM: Wu et al. 2025, arXiv:2505.22618; dKV-Cache: Ma et al. 2025, arXiv:2505.15781). What it
saves is certain; what it costs has to be measured. In the first layer nothing is lost, since there
a key depends on its own token alone.
"""


class Stale:
    """A denoiser, and the keys and values of a text when it was last read in full.

    model: a `Transformer` with causal=False.
    """

    def __init__(self, model):
        if model.config.causal:
            raise ValueError(
                "causal=True: for a causal model KVCache is exact; this is for one that looks "
                "both ways"
            )
        self.model, self.length, self.kept = model, 0, {}

    def read(self, tokens):
        """Read all of it, (rows, length) -> (rows, length, vocab) logits, and remember it."""
        self.length, self.kept = 0, {}
        return self.model(tokens, self)

    def look(self, tokens, start, stop):
        """The logits of a stretch, (rows, stop - start, vocab): only that is read, the rest is as
        it was. tokens: the whole text as it is now, of the same shape as before."""
        if not self.kept:
            raise ValueError("nothing has been read yet; begin with read(tokens)")
        self.length = start
        return self.model(tokens[:, start:stop], self)

    # -- what the model asks of a cache ----------------------------------------------------------

    def check(self, *_):
        pass  # the rows are those of the last reading, else the tensors do not fit

    def store(self, layer, keys, values):
        if layer not in self.kept:
            self.kept[layer] = keys.detach().clone(), values.detach().clone()
        for kept, new in zip(self.kept[layer], (keys, values), strict=True):
            kept[:, :, self.length : self.length + new.shape[2]] = new
        return self.kept[layer]
