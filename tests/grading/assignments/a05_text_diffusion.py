"""Assignment 05, `05_text_diffusion`: plausible wrong solutions, and right ones in other styles."""

from functools import partial

from tests.grading.assignments import Variant
from tests.grading.assignments.instructor import changed

change = partial(changed, "05_text_diffusion")

WRONG = [
    Variant(
        "the book's own noise, frame by frame",
        change(
            "forget",
            (
                "    times = torch.rand(tokens.shape, generator=generator)  # when each token is "
                "hidden, in [0, 1)\n    hidden = times < levels[:, :, None]\n",
                "    from utils.generation import diffusion\n\n"
                "    state = generator.get_state() if generator is not None else None\n"
                "    frames = []\n    for level in levels:\n"
                "        if state is not None:\n            generator.set_state(state)\n"
                "        how = {'generator': generator}\n"
                "        frames.append(diffusion.corrupt(tokens, level, mask_id, **how)[1])\n"
                "    hidden = torch.stack(frames)\n",
            ),
        ),
        told="utils",
        loses={},
    ),
    Variant(
        "chance anew for each frame",
        change(
            "forget",
            (
                "torch.rand(tokens.shape, generator",
                "torch.rand((len(levels), *tokens.shape), generator",
            ),
        ),
        loses={"test-forget-nested": 2},
    ),
    Variant(
        "all tokens of a row are hidden together",
        change(
            "forget",
            ("torch.rand(tokens.shape, generator", "torch.rand((len(tokens), 1), generator"),
            (
                "times < levels[:, :, None]",
                "(times < levels[:, :, None]).expand(-1, -1, tokens.shape[1])",
            ),
        ),
        loses={"test-forget-independent": 1},
    ),
    Variant(
        "a fixed share of each row is hidden",
        change(
            "forget",
            (
                "hidden = times < levels[:, :, None]",
                "ranks = times.argsort(1).argsort(1)\n"
                "    hidden = ranks < (levels[:, :, None] * tokens.shape[1]).round()",
            ),
        ),
        loses={"test-forget-independent": 1},
    ),
    Variant(
        "frozen positions are masked",
        change("forget", ("hidden = hidden & ~frozen", "pass")),
        loses={"test-forget-frozen": 1},
    ),
    Variant(
        "one level for the whole batch",
        change("forget", ("times < levels[:, :, None]", "times < levels[:, :1, None]")),
        loses={"test-forget-rate": 1},
    ),
    Variant(
        "the level is the share that stays",
        change("forget", ("times < levels[:, :, None]", "times >= levels[:, :, None]")),
        loses={"test-forget-rate": 1, "test-forget-frozen": 1, "test-forget-nested": 2},
    ),
    Variant(
        "chance that no seed controls",
        change(
            "forget", ("torch.rand(tokens.shape, generator=generator)", "torch.rand(tokens.shape)")
        ),
        loses={"test-forget-chance": 1},
    ),
    Variant(
        "the book's own noise, anew for each frame",
        {
            "forget": """
from utils.generation import diffusion


def forget(tokens, levels, mask_id, frozen=None, generator=None):
    frames = [
        diffusion.corrupt(tokens, level, mask_id, frozen=frozen, generator=generator)
        for level in levels
    ]
    noisy, hidden = zip(*frames, strict=True)
    return torch.stack(noisy), torch.stack(hidden)
"""
        },
        told="utils",
        loses={"test-forget-nested": 2},
    ),
    Variant(
        "loss over all tokens instead of the hidden ones",
        change("weighted-loss", ("-torch.where(hidden, own, 0.0).sum(1)", "-own.sum(1)")),
        loses={"test-loss-hidden": 2},
    ),
    Variant(
        "visible tokens are multiplied away",
        change(
            "weighted-loss", ("-torch.where(hidden, own, 0.0).sum(1)", "-(own * hidden).sum(1)")
        ),
        loses={"test-loss-hidden": 2},
    ),
    Variant(
        "the weight 1/t is missing",
        change("weighted-loss", ("surprise / t / ", "surprise / ")),
        loses={"test-loss-weight": 2},
    ),
    Variant(
        "multiplied by t",
        change("weighted-loss", ("surprise / t / ", "surprise * t / ")),
        loses={"test-loss-weight": 2},
    ),
    Variant(
        "the weight outside: one for the whole batch",
        change("weighted-loss", ("surprise / t / ", "surprise / t.mean() / ")),
        loses={"test-loss-weight": 2},
    ),
    Variant(
        "1/t, and the mean over the hidden tokens as well",
        change("weighted-loss", ("/ (~frozen).sum()", "/ hidden.sum(1).clamp(min=1)")),
        loses={"test-loss-sum": 1},
    ),
    Variant(
        "frozen tokens count in n",
        change("weighted-loss", ("(~frozen).sum()", "tokens.shape[1]")),
        loses={"test-loss-scale": 1},
    ),
    Variant(
        "the sign is missing",
        change("weighted-loss", ("-torch.where", "torch.where")),
        loses={"test-loss-scale": 1},
    ),
    Variant(
        "nothing is revealed between the passes",
        change("along", ("        state[positions] = tokens[positions]\n", "")),
        loses={"test-along-chain": 2},
    ),
    Variant(
        "a pass is revealed before it is scored",
        change(
            "along",
            (
                "        said = say(state)\n",
                "        state[positions] = tokens[positions]\n        said = say(state)\n",
            ),
        ),
        loses={"test-along-chain": 2, "test-along-together": 1},
    ),
    Variant(
        "later passes are visible from the start",
        change(
            "along",
            (
                "= mask_id\n    for positions in schedule:\n",
                "= mask_id\n",
            ),
        ),
        loses={"test-along-chain": 2},
    ),
    Variant(
        "the tokens of a pass see each other",
        {
            "along": """
def along(say, tokens, schedule, mask_id):
    order = [i for positions in schedule for i in positions]
    state, total = tokens.clone(), 0.0
    state[order] = mask_id
    for i in order:
        total += float(say(state)[i, tokens[i]])
        state[i] = tokens[i]
    return total
"""
        },
        loses={"test-along-together": 1},
    ),
    Variant(
        "the text itself is masked",
        change("along", ("tokens.clone(), 0.0", "tokens, 0.0")),
        loses={"test-along-chain": 2, "test-along-together": 1},
    ),
    Variant(
        "probabilities of the orders added up instead of averaged",
        change("bound-and-exact", (" - math.log(len(values))", "")),
        loses={"test-exact": 1},
    ),
    Variant(
        "exp of -1000",
        change(
            "bound-and-exact",
            ("values.logsumexp(0) - math.log(len(values))", "values.exp().mean().log()"),
        ),
        loses={"test-exact": 1},
    ),
    Variant(
        "average and logarithm in the same order for both",
        change(
            "bound-and-exact",
            ("float(values.mean())", "float(values.logsumexp(0) - math.log(len(values)))"),
        ),
        loses={"test-bound": 1},
    ),
    Variant(
        "the prompt is overwritten",
        change(
            "fill",
            (
                "        schedule.append",
                "        given = [i for i in range(len(tokens)) if i not in places]\n"
                "        tokens[given] = probs[given].argmax(-1)\n"
                "        schedule.append",
            ),
            (
                "tokens.clone(), []",
                "tokens.clone(), []\n    places = (tokens == mask_id).nonzero()[:, 0].tolist()",
            ),
        ),
        loses={"test-fill-given": 1, "test-fill-once": 1},
    ),
    Variant(
        "visible positions compete, so the same place is filled in for ever",
        change("fill", (".masked_fill(tokens != mask_id, -1.0)", "")),
        loses={
            "test-fill-given": 1,
            "test-fill-once": 1,
            "test-fill-count": 1,
            "test-fill-lead": 1,
            "test-fill-reread": 1,
            "test-fill-mask": 1,
            "test-fill-draw": 1,
        },
    ),
    Variant(
        "what has been filled in is drawn again",
        change(
            "fill",
            (
                "        schedule.append",
                "        again = [i for positions in schedule for i in positions]\n"
                "        if again:\n"
                "            dice = {'generator': generator}\n"
                "            tokens[again] = torch.multinomial(probs[again], 1, **dice)[:, 0]\n"
                "        schedule.append",
            ),
        ),
        loses={"test-fill-once": 1},
    ),
    Variant(
        "k taken for the number of passes",
        change(
            "fill",
            (
                "tokens.clone(), []",
                "tokens.clone(), []\n    share = -(-int((tokens == mask_id).sum()) // k)",
            ),
            ("min(k, left)", "min(share, left)"),
        ),
        loses={"test-fill-count": 1},
    ),
    Variant(
        "all tokens in one pass",
        change("fill", ("min(k, left)", "left")),
        loses={"test-fill-count": 1, "test-fill-reread": 1},
    ),
    Variant(
        "left to right",
        change(
            "fill",
            (
                "chosen = lead.topk(min(k, left)).indices",
                "chosen = (tokens == mask_id).nonzero()[:k, 0]",
            ),
        ),
        loses={"test-fill-lead": 1, "test-fill-mask": 1},
    ),
    Variant(
        "the lead as a ratio",
        change("fill", ("(best - second)", "(best / second.clamp(min=1e-9))")),
        loses={"test-fill-lead": 1},
    ),
    Variant(
        "the likeliest token instead of its lead",
        change("fill", ("(best - second)", "best")),
        loses={"test-fill-lead": 1},
    ),
    Variant(
        "confidence taken from the drawn token",
        change(
            "fill",
            (
                "best, second = probs.topk(2).values.T\n        lead = (best - second)",
                "drawn = torch.multinomial(probs, 1, generator=generator)\n"
                "        lead = probs.gather(1, drawn)[:, 0]",
            ),
            ("torch.multinomial(probs[chosen], 1, generator=generator)[:, 0]", "drawn[chosen, 0]"),
        ),
        loses={"test-fill-lead": 1},
    ),
    Variant(
        "the model is asked once, at the beginning",
        change(
            "fill",
            ("tokens.clone(), []", "tokens.clone(), []\n    first = say(tokens)"),
            ("said = say(tokens).clone()", "said = first.clone()"),
        ),
        loses={"test-fill-reread": 1},
    ),
    Variant(
        "the mask is allowed as an answer",
        change("fill", ("        said[:, mask_id] = -torch.inf\n", "")),
        loses={"test-fill-mask": 1},
    ),
    Variant(
        "the mask is excluded from the draw, not from the comparison",
        change(
            "fill",
            ("        said[:, mask_id] = -torch.inf\n", ""),
            ("        tokens[chosen]", "        probs[:, mask_id] = 0\n        tokens[chosen]"),
        ),
        loses={"test-fill-mask": 1},
    ),
    Variant(
        "the likeliest token is taken instead of drawing one",
        change(
            "fill",
            (
                "torch.multinomial(probs[chosen], 1, generator=generator)[:, 0]",
                "probs[chosen].argmax(-1)",
            ),
        ),
        loses={"test-fill-draw": 1},
    ),
    Variant(
        "the text that was given is written to",
        change("fill", ("tokens.clone(), []", "tokens, []")),
        loses={"test-fill-given": 1},
    ),
    Variant(
        "half the sum of differences over the list",
        change(
            "total-variation",
            (
                "1 - float(torch.minimum(log_p, log_q).exp().sum())",
                "float((log_p.exp() - log_q.exp()).abs().sum()) / 2",
            ),
        ),
        loses={"test-total-variation": 1},
    ),
]

RIGHT = [
    Variant(
        "loops and numpy",
        {
            "forget": """
def forget(tokens, levels, mask_id, frozen=None, generator=None):
    for level in levels.flatten().tolist():
        if level < 0 or level > 1:
            raise ValueError(f"{level} is no level")
    lifetime = 1 - torch.rand(tokens.shape, generator=generator, dtype=torch.float64)
    if frozen is not None:
        lifetime[:, frozen] = -1.0
    noisy, hidden = [], []
    for level in levels:
        gone = lifetime > 1 - level.double()[:, None]
        gone = gone & (lifetime > 0)
        frame = tokens.clone()
        frame[gone] = mask_id
        noisy.append(frame)
        hidden.append(gone)
    return torch.stack(noisy), torch.stack(hidden)
""",
            "weighted-loss": """
def weighted_loss(log_probs, tokens, hidden, t, frozen):
    free = sum(1 for given in frozen.tolist() if not given)
    losses = []
    for row in range(len(tokens)):
        nats = torch.zeros(())
        for i in range(tokens.shape[1]):
            if hidden[row, i]:
                nats = nats - log_probs[row, i, tokens[row, i]]
        losses.append(nats / (t[row] * free))
    return torch.stack(losses)
""",
            "along": """
import numpy as np


def along(say, tokens, schedule, mask_id):
    text = np.array(tokens)
    hidden = {i for positions in schedule for i in positions}
    total = 0.0
    for positions in schedule:
        shown = [mask_id if i in hidden else t for i, t in enumerate(text.tolist())]
        said = np.array(say(torch.tensor(shown)), dtype=float)
        for i in positions:
            total = total + said[i][text[i]]
        hidden -= set(positions)
    return total
""",
            "bound-and-exact": """
def bound_and_exact(log_prob_of, positions):
    values = [float(log_prob_of(order)) for order in itertools.permutations(list(positions))]
    largest = max(values)
    mean = sum(math.exp(value - largest) for value in values) / len(values)
    return sum(values) / len(values), largest + math.log(mean)
""",
            "fill": """
def fill(say, tokens, mask_id, k, generator=None):
    text, schedule = tokens.tolist(), []
    blanks = [i for i, token in enumerate(text) if token == mask_id]
    while blanks:
        probs = say(torch.tensor(text)).double().exp().numpy().copy()
        probs[:, mask_id] = 0.0
        lead = {}
        for i in blanks:
            probs[i] /= probs[i].sum()
            second, best = sorted(probs[i])[-2:]
            lead[i] = best - second
        now = sorted(blanks, key=lead.get, reverse=True)[:k]
        for i in now:
            weights = torch.from_numpy(probs[i])
            text[i] = int(torch.multinomial(weights, 1, generator=generator))
        schedule.append(now)
        blanks = [i for i in blanks if i not in now]
    return torch.tensor(text), schedule
""",
            "total-variation": """
def total_variation(log_p, log_q):
    p, q = log_p.exp(), log_q.exp()
    return float(((p - q).abs().sum() + (1 - q.sum())) / 2)
""",
        },
        loses={},
    ),
    Variant(
        "other tensors",
        {
            "forget": """
def forget(tokens, levels, mask_id, frozen=None, generator=None):
    if levels.min() < 0 or levels.max() > 1:
        raise ValueError("a level lies between 0 and 1")
    clock = torch.rand(tokens.shape, generator=generator)
    if frozen is not None:
        clock = clock.masked_fill(frozen, torch.inf)
    hidden = clock.unsqueeze(0).lt(levels.unsqueeze(-1))
    noisy = tokens.unsqueeze(0).repeat(len(levels), 1, 1)
    noisy[hidden] = mask_id
    return noisy, hidden
""",
            "weighted-loss": """
from torch.nn.functional import nll_loss


def weighted_loss(log_probs, tokens, hidden, t, frozen):
    targets = tokens.masked_fill(~hidden, -100)
    flat = nll_loss(log_probs.flatten(0, 1), targets.flatten(), reduction="none")
    return flat.view(tokens.shape).sum(-1) / (t * (frozen.numel() - frozen.sum()))
""",
            "along": """
def along(say, tokens, schedule, mask_id):
    if not schedule:
        return 0.0
    state = tokens.clone()
    state[[i for positions in schedule for i in positions]] = mask_id
    now = torch.tensor(schedule[0])
    own = say(state)[now, tokens[now]].sum()
    return float(own) + along(say, tokens, schedule[1:], mask_id)
""",
            "bound-and-exact": """
import numpy as np


def bound_and_exact(log_prob_of, positions):
    values = np.array([log_prob_of(order) for order in itertools.permutations(positions)])
    return values.mean(), np.logaddexp.reduce(values) - np.log(values.size)
""",
            "fill": """
def fill(say, tokens, mask_id, k, generator=None):
    filled, schedule = tokens.clone(), []
    for _ in range(math.ceil(int((tokens == mask_id).sum()) / k)):
        blanks = torch.nonzero(filled == mask_id).squeeze(1)
        probs = say(filled)[blanks].exp()
        probs = torch.where(torch.arange(probs.shape[1]) == mask_id, 0.0, probs)
        probs = probs / probs.sum(1, keepdim=True)
        ranked = probs.sort(1, descending=True).values
        first = (ranked[:, 0] - ranked[:, 1]).argsort(descending=True)[:k]
        drawn = torch.multinomial(probs, 1, generator=generator).squeeze(1)
        filled[blanks[first]] = drawn[first]
        schedule.append(blanks[first].tolist())
    return filled, schedule
""",
            "total-variation": """
def total_variation(log_p, log_q):
    return float((log_p.exp() - log_q.exp()).clamp(min=0).sum())
""",
        },
        loses={},
    ),
]
