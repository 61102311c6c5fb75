"""The price of a text in forward passes, whoever writes it and however."""


class Counted:
    """A model that counts the texts it reads: `passes` is forward passes, one for each text.

    A causal model with a cache reads one new token in a pass; that counts as a pass, too.
    """

    def __init__(self, model):
        self.model, self.config, self.passes = model, model.config, 0

    def __getattr__(self, name):
        return getattr(self.model, name)

    def __call__(self, tokens, *cache):
        self.passes += len(tokens)
        return self.model(tokens, *cache)
