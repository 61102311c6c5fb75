"""How each checkpoint was made: one function a checkpoint, everything it depends on inside.

A recipe takes nothing and returns a `Made`: model, history, one line on the data, the seed, and a
function that measures the model. Run it with `python -m utils.training remake NAME`. Change it, and
a test asks for the checkpoint to be made again.
"""

import math
from functools import wraps
from itertools import chain, islice

import torch
from torch.nn.functional import cross_entropy

from utils import any_order, corpus, derailment, diffusion, editing
from utils.checkpoints import Made, load_checkpoint
from utils.sampling import score
from utils.training import fit, next_token_loss
from utils.transformer import Transformer, TransformerConfig
from utils.worlds import Sentences, Totals, Verdicts


def sentences_ar(seed=0) -> Made:
    """A causal model of the language `Sentences`, trained on new sentences in each batch."""
    world = Sentences()
    config = TransformerConfig(len(world.vocab), d_model=96, n_layers=2, max_len=world.length)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        sentence_batches(world, batch_size=64, seed=100_000 * seed + 1),
        next_token_loss,
        steps=2000,
        lr=3e-3,
        seed=seed,
    )
    held_out = world.sample(4000, seed=10_000_019)

    def measure(model):
        return {"excess_nats_per_token": excess_nats(model, world, held_out)}

    return Made(model, history, "Sentences(), 2000 batches of 64 new sentences", seed, measure)


def sentences_gap(seed=0) -> Made:
    """The same as `sentences_ar`, but it never sees a word of `GAP` carry a relative clause."""
    world = Sentences()
    config = TransformerConfig(len(world.vocab), d_model=96, n_layers=2, max_len=world.length)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        sentence_batches(world, batch_size=64, seed=100_000 * seed + 1, keep=without_gap),
        next_token_loss,
        steps=2000,
        lr=3e-3,
        seed=seed,
    )
    held_out = without_gap(world, world.sample(4000, seed=10_000_019))

    def measure(model):
        return {"excess_nats_per_token": excess_nats(model, world, held_out)}

    data = f"Sentences() without relative clauses on {', '.join(GAP)}"
    return Made(model, history, data, seed, measure)


def kjv_ar() -> Made:
    """A causal model of the King James Bible, in byte pairs, tested on its last tenth."""
    seed = 0
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = corpus.byte_pair_tokenizer(text, 1024)
    tokens, unseen = tokenizer.encode(text), tokenizer.encode(held_out)
    config = TransformerConfig(len(tokenizer), d_model=192, n_layers=4, n_heads=6, max_len=128)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        windows(tokens, batch_size=16, length=128, seed=seed + 1),
        next_token_loss,
        steps=3000,
        lr=1.5e-3,
        seed=seed,
        measure=lambda model: bits_per_character(model, unseen, len(held_out)),
        measure_at=[0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    )

    def measure(model):
        return {"bits_per_character": bits_per_character(model, unseen, len(held_out))}

    return Made(model, history, "King James Bible, the first nine tenths", seed, measure)


def verdicts_first(seed=0):
    """A causal model of `Verdicts`: it has to say yes or no before it gives the sum."""
    world = Verdicts()
    config = TransformerConfig(len(world.vocab), d_model=64, n_layers=3, max_len=24)
    model = Transformer(config, seed=seed)
    batches = world_batches(world, batch_size=128, seed=100_000 * seed + 1)
    history = fit(model, batches, next_token_loss, steps=1500, lr=4e-3, seed=seed)
    data = "Verdicts(), 1500 batches of 128 texts, verdict first"
    return Made(model, history, data, seed, lambda model: verdict_rates(model, world))


def verdicts_last(seed=0):
    """The same as `verdicts-first`, the same sentences in the other order: first the sum."""
    world = Verdicts(verdict="last")
    config = TransformerConfig(len(world.vocab), d_model=64, n_layers=3, max_len=24)
    model = Transformer(config, seed=seed)
    batches = world_batches(world, batch_size=128, seed=100_000 * seed + 1)
    history = fit(model, batches, next_token_loss, steps=1500, lr=4e-3, seed=seed)
    data = "Verdicts(verdict='last'), 1500 batches of 128 texts"
    return Made(model, history, data, seed, lambda model: verdict_rates(model, world))


def verdicts_further(seed=0, *, lesson):
    """`verdicts-first`, trained further on texts some of which show how to mend a mistake.

    lesson: "longer", the baseline, shows none; "undo" shows wrong tokens that are at once taken
    back, "corrected" wrong verdicts that are overruled in the end. What is wrong in them is no
    target, except in "corrected-all".
    """
    world = Verdicts()
    # With corrections in a tenth of the texts, only one seed of three learned them in these steps.
    edit, share, slips, text = {
        "longer": (corrections, 0.0, no_slips, "all of them right"),
        "undo": (derailment.with_undo, 0.5, taken_back, "half of them with a slip and <undo>"),
        "corrected": (corrections, 0.5, begun_wrong, "half of them wrong first and corrected"),
        "corrected-all": (corrections, 0.5, no_slips, "half of them wrong first and corrected"),
    }[lesson]

    def loss(model, rows):
        return loss_without(model, rows, slips(world, rows))

    model, _ = load_checkpoint(f"verdicts-first-{seed}" if seed else "verdicts-first")
    plain = world_batches(world, batch_size=128, seed=100_000 * seed + 9_000_001)
    batches = edited(plain, lambda rows, dice: edit(world, rows, dice), share, seed)
    history = fit(model, batches, loss, steps=500, lr=2e-3, seed=seed)
    data = f"Verdicts(), 500 more batches of 128 texts, {text}"
    return Made(model, history, data, seed, lambda model: verdict_rates(model, world))


def totals(seed=0, *, carry):
    """A causal model of lists of additions: running totals, or sums that build on no other."""
    world = Totals(carry=carry)
    config = TransformerConfig(len(world.vocab), d_model=64, n_layers=2, max_len=world.length)
    model = Transformer(config, seed=seed)
    batches = world_batches(world, batch_size=32, seed=100_000 * seed + 1)
    history = fit(model, batches, answer_loss, steps=1200, lr=4e-3, seed=seed)
    data = f"Totals(carry={carry}), 1200 batches of 32 lists"
    return Made(model, history, data, seed, lambda model: answer_errors(model, world))


def kjv_diffusion() -> Made:
    """A diffusion model of the King James Bible: `kjv_ar` without the causal mask, and with blanks.

    The same tokens, size and steps, 2048 tokens to fill in at each. The windows are short at first
    and get longer. With long ones from the start it knows nothing but how frequent each token is
    for hundreds of steps: where one neighbour in 128 matters, it takes long to find out which.
    """
    seed = 0
    text, held_out = corpus.split(corpus.kjv())
    tokenizer = corpus.byte_pair_tokenizer(text, 1024)
    tokens, unseen = tokenizer.encode(text), tokenizer.encode(held_out)
    mask_id = len(tokenizer)
    config = TransformerConfig(
        mask_id + 1, d_model=192, n_layers=4, n_heads=6, max_len=128, causal=False
    )
    model = Transformer(config, seed=seed)
    lengths = {16: 600, 32: 600, 64: 600, 128: 1200}  # of the windows, each for so many steps
    stages = (
        islice(windows(tokens, batch_size=2048 // length, length=length - 1, seed=length), steps)
        for length, steps in lengths.items()
    )
    history = fit(
        model,
        chain.from_iterable(stages),
        lambda model, batch: diffusion.loss(model, batch, mask_id),
        steps=3000,
        lr=1.5e-3,
        seed=seed,
        measure=lambda model: bound_per_character(model, unseen, len(held_out), mask_id, samples=1),
        measure_at=[0.6, 0.8],
    )

    def measure(model):
        bound = bound_per_character(model, unseen, len(held_out), mask_id, samples=4)
        return {"bits_per_character_at_most": bound}

    return Made(model, history, "King James Bible, the first nine tenths", seed, measure)


def verdicts_diffusion(seed=0) -> Made:
    """A diffusion model of the answers of `Verdicts`: the question is always given."""
    world = Verdicts()
    mask_id, question = world.vocab.mask_id, the_question(world)
    config = TransformerConfig(len(world.vocab), d_model=96, n_layers=3, max_len=24, causal=False)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        world_batches(world, batch_size=128, seed=100_000 * seed + 1),
        lambda model, rows: diffusion.loss(model, rows, mask_id, frozen=question),
        steps=2000,
        lr=3e-3,
        seed=seed,
    )
    questions = world.sample(2000, seed=10_000_019, held_out=True)
    blank = questions.masked_fill(~question, mask_id)

    def measure(model):
        return rates_of_right(world, questions, diffusion.sample(model, blank, mask_id))

    data = "Verdicts(), answers to 2000 batches of 128 questions"
    return Made(model, history, data, seed, measure)


def verdicts_whole() -> Made:
    """The same as `verdicts-diffusion`, but the question is hidden and guessed like the answer."""
    seed, world = 0, Verdicts()
    mask_id, question = world.vocab.mask_id, the_question(world)
    config = TransformerConfig(len(world.vocab), d_model=96, n_layers=3, max_len=24, causal=False)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        world_batches(world, batch_size=128, seed=100_000 * seed + 1),
        lambda model, rows: diffusion.loss(model, rows, mask_id),
        steps=2000,
        lr=3e-3,
        seed=seed,
    )
    questions = world.sample(2000, seed=10_000_019, held_out=True)
    blank = questions.masked_fill(~question, mask_id)

    def measure(model):
        return rates_of_right(world, questions, diffusion.sample(model, blank, mask_id))

    data = "Verdicts(), 2000 batches of 128 texts, questions and answers"
    return Made(model, history, data, seed, measure)


def verdicts_edit(seed=0) -> Made:
    """The same as `verdicts-diffusion`, with tokens replaced by other tokens instead of hidden."""
    world = Verdicts()
    question, words = the_question(world), range(world.vocab.mask_id)
    config = TransformerConfig(len(world.vocab), d_model=96, n_layers=3, max_len=24, causal=False)
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        world_batches(world, batch_size=128, seed=100_000 * seed + 1),
        lambda model, rows: editing.loss(model, rows, words, frozen=question),
        steps=2000,
        lr=3e-3,
        seed=seed,
    )
    questions = world.sample(2000, seed=10_000_019, held_out=True)
    dice = torch.Generator().manual_seed(seed)
    noise = editing.disturb(questions, 1.0, words, frozen=question, generator=dice)
    free = range(world.positions["answer"], world.length)

    def measure(model):
        return rates_of_right(world, questions, editing.edit(model, noise, free, rounds=10))

    data = "Verdicts(), answers to 2000 batches of 128 questions, disturbed"
    return Made(model, history, data, seed, measure)


PETS = {
    "SENTENCE": "6 a MAYBE_ADJ ONE | 4 two MAYBE_ADJ MANY",
    "MAYBE_ADJ": "6 | 3 small | 1 old",
    "ONE": "5 dog DOG_DOES | 3 cat CAT_DOES | 2 bird BIRD_DOES",
    "MANY": "5 dogs DOGS_DO | 3 cats CATS_DO | 2 birds BIRDS_DO",
    "DOG_DOES": "7 runs . | 2 sleeps . | 1 sings .",
    "CAT_DOES": "2 runs . | 7 sleeps . | 1 sings .",
    "BIRD_DOES": "1 runs . | 2 sleeps . | 7 sings .",
    "DOGS_DO": "7 run . | 2 sleep . | 1 sing .",
    "CATS_DO": "2 run . | 7 sleep . | 1 sing .",
    "BIRDS_DO": "1 run . | 2 sleep . | 7 sing .",
}  # so small that all there is to know about a model of it can be listed


def pets_diffusion() -> Made:
    """A diffusion model of a language of 54 sentences."""
    seed, world = 0, Sentences(PETS)
    mask_id, start = world.vocab.mask_id, torch.arange(world.length) < 1
    config = TransformerConfig(
        len(world.vocab), d_model=32, n_layers=2, max_len=world.length, causal=False
    )
    model = Transformer(config, seed=seed)
    history = fit(
        model,
        world_batches(world, batch_size=64, seed=seed + 1),
        lambda model, rows: diffusion.loss(model, rows, mask_id, frozen=start),
        steps=2000,
        lr=4e-3,
        seed=seed,
    )
    texts = world.sample(4000, seed=10_000_019).unique(dim=0)

    def measure(model):
        free = range(1, world.length)
        table = any_order.table(
            lambda tokens: diffusion.log_probs(model, tokens, mask_id), texts, free, mask_id
        )
        truth = world.log_prob(texts)
        excess = (truth.exp() * (truth - any_order.elbo(table))).sum()
        return {"bound_above_entropy_nats_per_text": float(excess)}

    data = "Sentences(PETS), 2000 batches of 64 sentences"
    return Made(model, history, data, seed, measure)


def pets_ar() -> Made:
    """A causal model of the same language, of the same size."""
    seed, world = 0, Sentences(PETS)
    config = TransformerConfig(len(world.vocab), d_model=32, n_layers=2, max_len=world.length)
    model = Transformer(config, seed=seed)
    batches = world_batches(world, batch_size=64, seed=seed + 1)
    history = fit(model, batches, next_token_loss, steps=2000, lr=4e-3, seed=seed)
    texts = world.sample(4000, seed=10_000_019).unique(dim=0)

    def measure(model):
        truth = world.log_prob(texts)
        excess = (truth.exp() * (truth - score(model, texts).sum(-1))).sum()
        return {"surprise_above_entropy_nats_per_text": float(excess)}

    return Made(model, history, "Sentences(PETS), 2000 batches of 64 sentences", seed, measure)


def at_seed(recipe, seed, **choices):
    """The same recipe from other first weights, on other texts. Its code is that of the recipe."""

    @wraps(recipe)
    def seeded():
        return recipe(seed, **choices)

    return seeded


def over_seeds(name, recipe, **choices):
    """{NAME, NAME-1, NAME-2: the recipe with these choices at seeds 0, 1, 2}."""
    return {
        f"{name}-{seed}" if seed else name: at_seed(recipe, seed, **choices) for seed in range(3)
    }


RECIPES = {
    "sentences-ar": sentences_ar,
    "sentences-ar-1": at_seed(sentences_ar, 1),
    **over_seeds("sentences-gap", sentences_gap),
    "kjv-ar": kjv_ar,
    **over_seeds("verdicts-first", verdicts_first),
    **over_seeds("verdicts-last", verdicts_last),
    **over_seeds("verdicts-longer", verdicts_further, lesson="longer"),
    **over_seeds("verdicts-undo", verdicts_further, lesson="undo"),
    **over_seeds("verdicts-corrected", verdicts_further, lesson="corrected"),
    **over_seeds("verdicts-corrected-all", verdicts_further, lesson="corrected-all"),
    **over_seeds("totals-running", totals, carry=True),
    **over_seeds("totals-pairs", totals, carry=False),
    "kjv-diffusion": kjv_diffusion,
    "pets-diffusion": pets_diffusion,
    "pets-ar": pets_ar,
    **over_seeds("verdicts-diffusion", verdicts_diffusion),
    "verdicts-whole": verdicts_whole,
    **over_seeds("verdicts-edit", verdicts_edit),
}


# -- batches -------------------------------------------------------------------------------------


GAP = ("farmer", "farmers", "doctor", "doctors")


def in_the_gap(world, sentences):
    """Which sentences have a relative clause right behind a word of `GAP`: (n, length) -> (n,)."""
    nouns = torch.tensor([world.vocab.id(word) for word in GAP])
    clause = torch.tensor([world.vocab.id(word) for word in ("who", "that")])
    return (torch.isin(sentences[:, :-1], nouns) & torch.isin(sentences[:, 1:], clause)).any(1)


def without_gap(world, sentences):
    return sentences[~in_the_gap(world, sentences)]


def everything(world, sentences):
    return sentences


def sentence_batches(world, *, batch_size, seed, keep=everything):
    """New sentences for ever, in batches (batch_size, length), cut after the end of the longest.

    keep: `keep(world, sentences)` -> those of the sentences that may be seen.
    """
    while True:
        pool = keep(world, world.sample(32 * batch_size, seed=seed))
        for batch in pool.split(batch_size):
            longest = int((batch != world.vocab.pad_id).sum(1).max())
            yield batch[:, : longest + 1]
        seed += 1


def world_batches(world, *, batch_size, seed):
    """New rows of a world for ever, in batches (batch_size, length)."""
    while True:
        yield from world.sample(32 * batch_size, seed=seed).split(batch_size)
        seed += 1


def edited(batches, edit, share, seed):
    """The same batches, where `edit(rows, generator)` has rewritten a share of the rows and the
    others have been filled up to the same length with their last token, the full stop.
    """
    dice = torch.Generator().manual_seed(seed)
    for rows in batches:
        chosen = torch.rand(len(rows), generator=dice) < share
        longer = edit(rows, dice)
        stops = rows[:, -1:].expand(-1, longer.shape[1] - rows.shape[1])
        yield torch.where(chosen[:, None], longer, torch.cat([rows, stops], 1))


def corrections(world, rows, dice):
    return derailment.with_correction(world, rows)  # in which nothing is left to chance


def taken_back(world, rows):
    """Where a token is followed by `<undo>`: (n, length) -> (n, length) bool."""
    return rows.roll(-1, 1) == world.vocab.id("<undo>")


def begun_wrong(world, rows):
    """Where a wrong verdict stands in its place: (n, length) -> (n, length) bool."""
    slips, at = no_slips(world, rows), world.positions["verdict"]
    slips[:, at] = rows[:, at] != world.write(rows[:, 1], rows[:, 3], rows[:, 5])[:, at]
    return slips


def no_slips(world, rows):
    return torch.zeros_like(rows, dtype=torch.bool)


def the_question(world):
    """Where a text of `Verdicts` is the question, which a diffusion model is given: (length,)."""
    return torch.arange(world.length) < world.positions["answer"]


def windows(tokens, *, batch_size, length, seed):
    """Random stretches of a text for ever: (batch_size, length + 1), with `length` to predict."""
    generator = torch.Generator().manual_seed(seed)
    reach = torch.arange(length + 1)
    while True:
        starts = torch.randint(len(tokens) - length, (batch_size, 1), generator=generator)
        yield tokens[starts + reach]


# -- losses --------------------------------------------------------------------------------------


def loss_without(model, rows, slips):
    """`next_token_loss`, except that the tokens at `slips`, (batch, length) bool, are no targets:
    a model is to learn how to mend mistakes, not how to make them.
    """
    targets = rows.masked_fill(slips, -100)[:, 1:]  # which cross_entropy leaves out
    return cross_entropy(model(rows[:, :-1]).flatten(0, 1), targets.flatten())


def answer_loss(model, rows):
    """`next_token_loss` on the answers of `Totals` alone; the digits between them are given."""
    logits = model(rows)[:, ::2]  # (batch, n, vocab), where a digit has just been read
    return cross_entropy(logits.flatten(0, 1), rows[:, 1::2].flatten())


# -- measures ------------------------------------------------------------------------------------


@torch.no_grad()
def excess_nats(model, world, sentences):
    """How far a causal model is from the truth, in nats per word: the Kullback-Leibler divergence
    of its next-token probabilities from the world's exact ones, averaged over the words.

    It is the model's loss less the exact entropy, without the noise of which word happened to come.
    """
    truth = world.next_probs(sentences)[:, :-1]  # (n, length - 1, vocab)
    log_probs = model(sentences[:, :-1]).log_softmax(-1)
    divergence = (torch.xlogy(truth, truth) - truth * log_probs).sum(-1)
    words = sentences[:, 1:] != world.vocab.pad_id
    return float(divergence[words].mean())


@torch.no_grad()
def bits_per_character(model, tokens, n_characters):
    """How many bits a causal model needs for each character of a text, given all its tokens.

    The text is read in windows of the model's `max_len` that overlap by half, and each token is
    scored once, with at least half a window before it (the first half window has less).
    """
    length = model.config.max_len
    half = length // 2
    overlapping = tokens.unfold(0, length, half)  # (windows, length)
    nats = -score(model, overlapping[:1])[:, : half - 1].sum()
    for batch in overlapping.split(32):
        nats -= score(model, batch)[:, half - 1 :].sum()
    left_over = (len(tokens) - length) % half
    if left_over:
        nats -= score(model, tokens[None, -length:])[:, -left_over:].sum()
    return float(nats) / math.log(2) / n_characters


def verdict_rates(model, world):
    """Shares of right verdicts and sums, left alone, on sums that were never in a sample."""
    questions = world.sample(2000, seed=10_000_019, held_out=True)
    judged = derailment.judge(world, derailment.answer(model, world, questions))
    return {
        "right_verdicts": float(judged.verdict_right.double().mean()),
        "right_sums": float(judged.sum_right.double().mean()),
    }


@torch.no_grad()
def answer_errors(model, world):
    """Share of answers of `Totals` that are wrong when all answers before them are right."""
    rows = world.sample(1000, seed=10_000_019)
    wrong = model(rows)[:, ::2].argmax(-1) != rows[:, 1::2]
    return {"errors_behind_right_answers": float(wrong.double().mean())}


def bound_per_character(model, tokens, n_characters, mask_id, *, samples):
    """How many bits a diffusion model needs for each character of a text: at most so many.

    The windows are those of `bits_per_character`. In each, the first half is given and the ELBO of
    the second half taken (of all of it in the first window), so each token is counted once.
    samples: noisy versions of each window; see `diffusion.elbo`.
    """
    length = model.config.max_len
    half = length // 2
    generator = torch.Generator().manual_seed(0)

    def nats(rows, given):
        frozen = torch.arange(length) < given
        found = diffusion.elbo(
            model, rows, mask_id, samples=samples, frozen=frozen, generator=generator
        )
        return -float(found.sum())

    overlapping = tokens.unfold(0, length, half)  # (windows, length)
    total = nats(overlapping[:1], 0)
    for start in range(1, len(overlapping), 32):
        total += nats(overlapping[start : start + 32], half)
    left_over = (len(tokens) - length) % half
    if left_over:
        total += nats(tokens[None, -length:], length - left_over)
    return total / math.log(2) / n_characters


def rates_of_right(world, truth, answers):
    """Shares of `Verdicts` answers, (n, length), with the right verdict and the right sum."""
    right = {part: world.positions[part] for part in ("verdict", "sum")}
    return {
        f"right_{part}s": float((answers[:, at] == truth[:, at]).double().mean())
        for part, at in right.items()
    }
