"""Models of `Tangle`, where no order of the places is the natural one: a denoiser, and causal ones
of its size that read from left to right, the middle last, or in any order, trained on as many
predictions."""

from dataclasses import replace
from functools import partial

import torch

from utils.checkpoints.recipe import Recipe
from utils.experiments import gaps
from utils.generation import diffusion
from utils.generation.sampling import score
from utils.measure import enumeration
from utils.models.transformer import TransformerConfig
from utils.training.batches import world_batches
from utils.training.losses import answer_loss, loss_without, next_token_loss
from utils.training.rearranged import in_any_order, middle_last
from utils.worlds.tangle import Tangle


def tiny(world, *, causal):
    return TransformerConfig(
        len(world.vocab), d_model=32, n_layers=2, max_len=world.length, causal=causal
    )


def batches(world, seed):
    return world_batches(world, batch_size=64, seed=1000 * seed + 1)


def next_letters(model, rows, world):
    return next_token_loss(model, rows)


def hidden_letters(model, rows, world):
    start = torch.arange(world.length) < 1
    return diffusion.loss(model, rows, world.vocab.mask_id, frozen=start)


@torch.no_grad()
def answers(model, world):
    """What a model says of every blank in every state, as an `enumeration.Table`: a denoiser is
    asked, a causal model's probabilities of whole texts are added up."""
    if not model.config.causal:
        say = partial(diffusion.log_probs, model, mask_id=world.vocab.mask_id)
        return enumeration.table(say, world.texts, range(1, world.length), world.vocab.mask_id)
    return enumeration.by_bayes(world.grid(score(model, world.texts).sum(1).double().exp()))


def far(model, world):
    """How far a model's answers are from the true ones, mean over all blanks."""
    probs = world.log_prob(world.texts).exp()
    truth = enumeration.elbo(enumeration.by_bayes(world.grid(probs)))
    apart = float(probs @ (truth - enumeration.elbo(answers(model, world))))
    return {"kl_nats_per_blank": apart / (world.length - 1)}


def roomy(world):
    """With room for the tokens that announce a place or a gap."""
    return replace(
        tiny(world, causal=True),
        vocab_size=len(world.vocab) + world.length,
        max_len=2 * world.length,
    )


def any_order(model, rows, world):
    return answer_loss(model, in_any_order(rows, len(world.vocab)))


def middle(model, rows, world):
    """Half of the rows as they are, half with the middle last; the marks are no targets."""
    gap, half = len(world.vocab), len(rows) // 2
    cut = middle_last(rows[half:], gap)
    plain = next_token_loss(model, rows[:half])
    return (plain + loss_without(model, cut, cut >= gap)) / 2


def in_gaps(model, world, *, read):
    """How far a model's answers are from the true ones: mean over all gaps, and in each."""
    found = gaps.all_apart(read, model, world)
    each = {f"kl_nats_{size}_from_{start}": kl for (start, size), kl in found.items()}
    return {"kl_nats_per_gap": sum(found.values()) / len(found)} | each


TEN = partial(Tangle, "ab", 10)
LONGEST = 8  # letters in a gap


def tried(model, world, start, size):
    """As many blind tries as letters, weighed by what follows."""
    return gaps.by_weighing(gaps.letters(model, world), world, start, size)


def by_size(model, world, *, read):
    """The same, over all gaps of one to eight letters, and over those of each size."""
    found = gaps.all_apart(read, model, world, most=LONGEST)
    means = {"kl_nats_per_gap": sum(found.values()) / len(found)}
    for k in range(1, LONGEST + 1):
        nats = [kl for (_, size), kl in found.items() if size == k]
        means[f"kl_nats_{k}_missing"] = sum(nats) / len(nats)
    return means


CAUSAL = Recipe(
    about="A causal model of letters, each of which leans on all others.",
    data="Tangle, 800 batches of 64 texts: 307,200 letters to predict",
    world=Tangle,
    config=partial(tiny, causal=True),
    batches=batches,
    loss=next_letters,
    steps=800,
    lr=4e-3,
    results=far,
    seeds=(0, 1, 2),
)
ANY_ORDER = replace(
    CAUSAL,
    about="A causal model that reads the letters in random order, each behind its place.",
    config=roomy,
    loss=any_order,
    results=partial(in_gaps, read=gaps.any_order),
)
DENOISER = replace(
    CAUSAL,
    about="A denoiser of its size. Of 6 letters it predicts 3.5 on average, so it sees more.",
    data="Tangle, 1371 batches of 64 texts: 307,100 letters to predict",
    config=partial(tiny, causal=False),
    loss=hidden_letters,
    steps=1371,
)
MIDDLE = replace(
    CAUSAL,
    about="A causal model; in half of the texts a stretch was cut out and told at the end.",
    config=roomy,
    loss=middle,
    results=partial(in_gaps, read=gaps.middle_last),
)
CAUSAL_KINDS = {
    "any-order": (ANY_ORDER, gaps.any_order),
    "ar": (CAUSAL, tried),
    "middle": (MIDDLE, gaps.middle_last),
}
RECIPES = {
    "tangle-ar": CAUSAL,
    "tangle-diffusion": DENOISER,
    "tangle-any-order": ANY_ORDER,
    "tangle-any-order-long": replace(
        ANY_ORDER,
        about="The same, trained four times as long.",
        data="Tangle, 3200 batches of 64 texts: 1,228,800 letters to predict",
        steps=3200,
    ),
    "tangle-middle": MIDDLE,
    "tangle-middle-long": replace(
        CAUSAL,
        about="The same, trained four times as long.",
        data="Tangle, 3200 batches of 64 texts: 1,228,800 letters to predict",
        config=roomy,
        loss=middle,
        steps=3200,
        results=partial(in_gaps, read=gaps.middle_last),
    ),
    **{
        f"tangle-ten-{name}": replace(
            recipe,
            about=f"`tangle-{name}` with ten places instead of six, for longer gaps.",
            data='Tangle("ab", 10), 800 batches of 64 texts: 512,000 letters to predict',
            world=TEN,
            results=partial(by_size, read=read),
        )
        for name, (recipe, read) in CAUSAL_KINDS.items()
    },
    "tangle-ten-diffusion": replace(
        DENOISER,
        about="A denoiser of their size. Of 10 letters it predicts 5.5 on average, "
        "so it sees more.",
        data='Tangle("ab", 10), 1455 batches of 64 texts: 512,200 letters to predict',
        world=TEN,
        steps=1455,
        results=partial(by_size, read=gaps.denoiser),
    ),
}
