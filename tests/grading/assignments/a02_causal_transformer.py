"""Assignment 02 as students might solve it: common mistakes, and other styles that are right."""

from tests.grading.assignments import Variant

_WEIGHTS = """
def attention_weights(q, k, bias=None):
    scores = q @ k.transpose(-2, -1) {scale}
    if bias is not None:
        scores = scores + bias
    length = scores.shape[-1]
    {mask}
"""


def _weights(mask, scale="/ math.sqrt(q.shape[-1])"):
    return {"attention-weights": _WEIGHTS.format(mask=mask, scale=scale)}


_RIGHT_MASK = (
    "return scores.masked_fill(torch.ones(length, length).triu(1) > 0, -torch.inf).softmax(-1)"
)

WRONG = [
    Variant(
        "the mask one off: a position does not see itself",
        _weights(_RIGHT_MASK.replace("triu(1)", "triu(0)")),
        # the first position then sees nothing, and a softmax of nothing is no number
        {"test-shares": 2, "test-mask": 3},
    ),
    Variant(
        "the mask one off: a position sees the next one",
        _weights(_RIGHT_MASK.replace("triu(1)", "triu(2)")),
        {"test-mask": 3},
    ),
    Variant(
        "masked scores are 0 instead of minus infinity",
        _weights(_RIGHT_MASK.replace("-torch.inf", "0.0")),
        {"test-mask": 3},
    ),
    Variant(
        "scores times the mask",
        _weights("return (scores * torch.ones(length, length).tril()).softmax(-1)"),
        {"test-mask": 3},
    ),
    Variant(
        "no mask",
        _weights("return scores.softmax(-1)"),
        {"test-mask": 3},
    ),
    Variant(
        "the mask after the softmax, which stays in the denominator",
        _weights("return scores.softmax(-1).tril()"),
        {"test-shares": 2, "test-mask": 3},
    ),
    Variant(
        "no square root",
        _weights(_RIGHT_MASK, scale=""),
        {"test-scaling": 2},
    ),
    Variant(
        "divided by the width, not by its root",
        _weights(_RIGHT_MASK, scale="/ q.shape[-1]"),
        {"test-scaling": 2},
    ),
    Variant(
        "divided by the root of the length",
        _weights(_RIGHT_MASK, scale="/ math.sqrt(q.shape[-2])"),
        {"test-scaling": 2},
    ),
    Variant(
        "the softmax over the queries",
        _weights(_RIGHT_MASK.replace("softmax(-1)", "softmax(-2)")),
        # the ratios of shares, by which scaling and bias are judged, are then something else
        {"test-shares": 2, "test-scaling": 2, "test-bias-enters": 1},
    ),
    Variant(
        "the bias before the division",
        {
            "attention-weights": """
def attention_weights(q, k, bias=None):
    scores = q @ k.transpose(-2, -1)
    if bias is not None:
        scores = scores + bias
    scores = scores / q.shape[-1] ** 0.5
    later = torch.ones(scores.shape[-1], scores.shape[-1]).triu(1) == 1
    return torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1)
"""
        },
        {"test-bias-enters": 1},
    ),
    Variant(
        "the bias is forgotten",
        {
            "attention-weights": """
def attention_weights(q, k, bias=None):
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    later = torch.ones(scores.shape[-1], scores.shape[-1]).triu(1) == 1
    return torch.softmax(scores.masked_fill(later, float("-inf")), dim=-1)
"""
        },
        {"test-bias-enters": 1},
    ),
    Variant(
        "what is far is preferred",
        {
            "distance-bias": """
def distance_bias(length, n_heads):
    slopes = torch.tensor([2 ** (-8 * (h + 1) / n_heads) for h in range(n_heads)])
    place = torch.arange(length)
    return slopes[:, None, None] * (place[:, None] - place[None, :])
"""
        },
        {"test-distance": 1},
    ),
    Variant(
        "the distance from the beginning, not from the one who looks",
        {
            "distance-bias": """
def distance_bias(length, n_heads):
    slopes = torch.tensor([2 ** (-8 * (h + 1) / n_heads) for h in range(n_heads)])
    place = torch.arange(length).float()
    return (-slopes[:, None, None] * place[None, :]).expand(n_heads, length, length)
"""
        },
        {"test-distance": 1},
    ),
    Variant(
        "one slope for all heads",
        {
            "distance-bias": """
def distance_bias(length, n_heads):
    place = torch.arange(length).float()
    return (place - place[:, None]).expand(n_heads, length, length) / 2
"""
        },
        {"test-slopes": 1},
    ),
    Variant(
        "slopes counted from head 0",
        {
            "distance-bias": """
def distance_bias(length, n_heads):
    slopes = torch.tensor([2 ** (-8 * h / n_heads) for h in range(n_heads)])
    place = torch.arange(length).float()
    return slopes.view(-1, 1, 1) * (place - place[:, None])
"""
        },
        {"test-slopes": 1},
    ),
    Variant(
        "a view that mixes heads and positions, both ways",
        {
            "heads": """
def split_heads(x, n_heads):
    batch, length, d_model = x.shape
    return x.view(batch, n_heads, length, d_model // n_heads)


def merge_heads(x):
    batch, n_heads, length, width = x.shape
    return x.reshape(batch, length, n_heads * width)
"""
        },
        {"test-split": 1, "test-merge": 1},
    ),
    Variant(
        "merged without exchanging the axes back",
        {
            "heads": """
def split_heads(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    return x.reshape(x.shape[0], x.shape[2], -1)
"""
        },
        {"test-merge": 1},
    ),
    Variant(
        "the heads take every so-many-th number",
        {
            "heads": """
def split_heads(x, n_heads):
    return x.unflatten(-1, (-1, n_heads)).permute(0, 3, 1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)
"""
        },
        {"test-split": 1},
    ),
    Variant(
        "the answers of the heads are not mixed",
        {
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    q, k, v = (split_heads(x @ w, n_heads) for w in (wq, wk, wv))
    return merge_heads(attention_weights(q, k, bias) @ v)
"""
        },
        {"test-attend": 3},
    ),
    Variant(
        "the positions gather keys",
        {
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    q, k = split_heads(x @ wq, n_heads), split_heads(x @ wk, n_heads)
    return merge_heads(attention_weights(q, k, bias) @ k) @ wo
"""
        },
        {"test-attend": 3},
    ),
    Variant(
        "one head, whatever is asked",
        {
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    q, k, v = ((x @ w)[:, None] for w in (wq, wk, wv))
    return (attention_weights(q, k, None) @ v)[:, 0] @ wo
"""
        },
        {"test-attend": 3},
    ),
    Variant(
        "torch's ready-made attention",
        {
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    q, k, v = (split_heads(x @ w, n_heads) for w in (wq, wk, wv))
    mask = torch.ones(x.shape[1], x.shape[1]).tril().log()
    mask = mask if bias is None else mask + bias
    return merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)) @ wo
"""
        },
        {},
        told="scaled_dot_product_attention",
    ),
    Variant(
        "no shift: scored on the token that was just read",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    nats = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
    nats, counts = nats.view(tokens.shape)[:, 1:], scored[:, 1:]
    return nats[counts].mean()
"""
        },
        {"test-shift": 2},
    ),
    Variant(
        "shifted the wrong way",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    nats = F.cross_entropy(
        logits[:, 1:].flatten(0, 1), tokens[:, :-1].flatten(), reduction="none"
    )
    return nats[scored[:, 1:].flatten()].mean()
"""
        },
        {"test-shift": 2},
    ),
    Variant(
        "`scored` is not shifted with the answers",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    nats = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
    )
    return nats[scored[:, :-1].flatten()].mean()
"""
        },
        {"test-scored": 2},
    ),
    Variant(
        "padding counts",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
"""
        },
        {"test-scored": 2},
    ),
    Variant(
        "the mean of the rows' means",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    log_probs = logits[:, :-1].log_softmax(-1)
    nats = -log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
    counts = scored[:, 1:].float()
    return ((nats * counts).sum(1) / counts.sum(1).clamp(min=1)).mean()
"""
        },
        {"test-scored": 2},
    ),
    Variant(
        "divided by all positions",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    log_probs = logits[:, :-1].log_softmax(-1)
    nats = -log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
    return (nats * scored[:, 1:]).mean()
"""
        },
        {"test-scored": 2},
    ),
    Variant(
        "the gradient of a sum, in which numbers cancel",
        {
            "reach": """
def reach(function, x):
    x = x.detach().clone().requires_grad_()
    y = function(x)
    rows = []
    for i in range(x.shape[1]):
        (gradient,) = torch.autograd.grad(y[0, i].sum(), x, retain_graph=True)
        rows.append((gradient[0] != 0).any(-1))
    return torch.stack(rows)
"""
        },
        {"test-reach": 3},
    ),
    Variant(
        "gradients pile up from row to row",
        {
            "reach": """
def reach(function, x):
    x = x.detach().clone().requires_grad_()
    weights = torch.arange(1.0, 100.0)
    table = torch.zeros(x.shape[1], x.shape[1])
    for i in range(x.shape[1]):
        y = function(x)[0, i]
        (y * weights[: len(y)]).sum().backward()
        table[i] = x.grad[0].abs().sum(-1)
    return table > 0
"""
        },
        {"test-reach": 3},
    ),
    Variant(
        "the table transposed",
        {
            "reach": """
def reach(function, x):
    jacobian = torch.autograd.functional.jacobian(function, x)[0, :, :, 0]
    return (jacobian != 0).any(-1).any(1).T
"""
        },
        {"test-reach": 3},
    ),
    Variant(
        "a masked score is -50, which is low, and not low enough",
        _weights(_RIGHT_MASK.replace("-torch.inf", "-50.0")),
        {"test-mask": 3},
    ),
    Variant(
        "detached: no gradient comes through the shares",
        _weights(_RIGHT_MASK.replace("scores.masked", "scores.detach().masked")),
        {"test-shares": 2},
    ),
    Variant(
        "the logarithm of a softmax that has become 0",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    nats = -logits[:, :-1].softmax(-1).log().gather(-1, tokens[:, 1:, None])[..., 0]
    return nats[scored[:, 1:]].mean()
"""
        },
        {"test-shift": 2},
    ),
    Variant(
        "what does not count is multiplied by 0 instead of left out",
        {
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    nats = -logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]
    counts = scored[:, 1:].float()
    return (nats * counts).sum() / counts.sum()
"""
        },
        {"test-scored": 2},
    ),
    Variant(
        "the matrices' outputs are detached",
        {
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    q, k, v = (split_heads((x @ w).detach(), n_heads) for w in (wq, wk, wv))
    return merge_heads(attention_weights(q, k, bias) @ v) @ wo
"""
        },
        {"test-attend": 3},
    ),
]

RIGHT = [
    Variant(
        "loops over rows, positions and heads",
        {
            "attention-weights": """
def attention_weights(q, k, bias=None):
    rows, length = [], q.shape[2]
    for i in range(length):
        scores = [(q[:, :, i] * k[:, :, j]).sum(-1) / q.shape[-1] ** 0.5 for j in range(i + 1)]
        if bias is not None:
            scores = [score + bias[:, i, j] for j, score in enumerate(scores)]
        scores = torch.stack(scores, dim=-1)
        powers = (scores - scores.amax(-1, keepdim=True)).exp()
        rows.append(F.pad(powers / powers.sum(-1, keepdim=True), (0, length - i - 1)))
    return torch.stack(rows, dim=2)
""",
            "distance-bias": """
def distance_bias(length, n_heads):
    bias = torch.zeros(n_heads, length, length)
    for h in range(n_heads):
        for i in range(length):
            for j in range(i + 1):
                bias[h, i, j] = -(2 ** (-8 * (h + 1) / n_heads)) * (i - j)
    return bias
""",
            "heads": """
def split_heads(x, n_heads):
    width = x.shape[-1] // n_heads
    return torch.stack([x[..., h * width : (h + 1) * width] for h in range(n_heads)], dim=1)


def merge_heads(x):
    return torch.cat([x[:, h] for h in range(x.shape[1])], dim=-1)
""",
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    rows = []
    for row in x:
        width, gathered = x.shape[-1] // n_heads, []
        for h in range(n_heads):
            part = slice(h * width, (h + 1) * width)
            q, k, v = row @ wq[:, part], row @ wk[:, part], row @ wv[:, part]
            one = None if bias is None else bias[h : h + 1]
            gathered.append(attention_weights(q[None, None], k[None, None], one)[0, 0] @ v)
        rows.append(torch.cat(gathered, -1) @ wo)
    return torch.stack(rows)
""",
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    total, n = 0, 0
    for b in range(len(tokens)):
        for i in range(1, tokens.shape[1]):
            if scored[b, i]:
                total = total - torch.log_softmax(logits[b, i - 1], 0)[tokens[b, i]]
                n += 1
    return total / n
""",
            "reach": """
def reach(function, x):
    jacobian = torch.autograd.functional.jacobian(function, x)[0, :, :, 0]
    return (jacobian != 0).any(-1).any(1)
""",
        },
        {},
    ),
    Variant(
        "einsum, a very low number for minus infinity, a bias that is counted from the first key",
        {
            "attention-weights": """
def attention_weights(q, k, bias=None):
    s = torch.einsum("bhid,bhjd->bhij", q * q.shape[-1] ** -0.5, k)
    if bias is not None:
        s = s + bias.unsqueeze(0)
    i = torch.arange(s.shape[-1])
    s = torch.where(i[None, :] <= i[:, None], s, torch.tensor(-1e9))
    e = torch.exp(s - s.amax(dim=-1, keepdim=True))
    return e / e.sum(dim=-1, keepdim=True)
""",
            "distance-bias": """
def distance_bias(length, n_heads):
    slopes = torch.logspace(-8 / n_heads, -8, n_heads, base=2.0)
    return slopes[:, None, None] * torch.arange(length).repeat(length, 1)
""",
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    b, n, d = x.shape
    q, k, v = (x @ torch.cat([wq, wk, wv], dim=1)).view(b, n, 3, n_heads, -1).permute(2, 0, 3, 1, 4)
    return torch.einsum("bhij,bhjd->bihd", attention_weights(q, k, bias), v).reshape(b, n, d) @ wo
""",
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    answers = tokens.masked_fill(~scored, -100)[:, 1:]
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), answers, ignore_index=-100)
""",
            "reach": """
def reach(function, x):
    x = torch.nn.Parameter(x.clone())
    table = torch.zeros(x.shape[1], x.shape[1], dtype=torch.bool)
    for i in range(x.shape[1]):
        for number in range(function(x).shape[-1]):
            x.grad = None
            function(x)[0, i, number].backward()
            table[i] |= (x.grad[0] != 0).any(-1)
    return table
""",
        },
        {},
    ),
    Variant(
        "masked after the softmax and normalised again, which is the same",
        {
            "attention-weights": """
def attention_weights(q, k, bias=None):
    scores = torch.matmul(q, k.mT) / torch.tensor(q.size(-1)).sqrt()
    scores = scores if bias is None else scores + bias
    seen = scores.softmax(-1).tril()
    return seen / seen.sum(-1, keepdim=True)
"""
        },
        {},
    ),
    Variant(
        "double precision, from NumPy",
        {
            "distance-bias": """
import numpy as np


def distance_bias(length, n_heads):
    place = np.arange(length)
    slopes = 2.0 ** (-8 * np.arange(1, n_heads + 1) / n_heads)
    return torch.from_numpy(-slopes[:, None, None] * (place[:, None] - place[None, :]))
""",
            "attention-weights": """
def attention_weights(q, k, bias=None):
    scores = q.double() @ k.double().transpose(-2, -1) / q.shape[-1] ** 0.5
    if bias is not None:
        scores = scores + bias
    later = torch.ones(scores.shape[-2:]).triu(1).bool()
    return scores.masked_fill(later, -torch.inf).softmax(-1)
""",
            "attend": """
def attend(x, wq, wk, wv, wo, n_heads, bias=None):
    q, k, v = (split_heads(x @ w, n_heads) for w in (wq, wk, wv))
    return merge_heads(attention_weights(q, k, bias) @ v.double()) @ wo.double()
""",
            "next-token-loss": """
def next_token_loss(logits, tokens, scored):
    log_probs = logits[:, :-1].double().log_softmax(-1)
    nats = -log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
    return nats[scored[:, 1:]].mean()
""",
        },
        {},
    ),
]
